<?php register_shutdown_function(function () { echo ' shutdown'; });
class D { function __destruct() { echo ' destructor'; } } $d = new D;
echo 'exits'; exit(3); echo 'never';
