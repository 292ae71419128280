<?php
ignore_user_abort((bool)($_GET['ignore'] ?? 0));
register_shutdown_function(function () { file_put_contents($_GET['mark'], 'status ' . connection_status() . (isset($GLOBALS['end']) ? ' to the end' : ' stopped')); });
for ($i = 0; $i < 50; $i++) { echo str_repeat('x', 1000); ob_flush(); flush(); }
$end = true;
