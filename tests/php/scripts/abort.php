<?php
ignore_user_abort((bool)($_GET['ignore'] ?? 0));
register_shutdown_function(function () { file_put_contents($_GET['mark'], 'status ' . connection_status() . (isset($GLOBALS['end']) ? ' to the end' : ' stopped')); });
// Goes on until it is seen that the client is gone, however fast or slow this machine is.
for ($until = microtime(true) + 20; connection_status() == 0 && microtime(true) < $until; usleep(1000)) { echo str_repeat('x', 1000); ob_flush(); flush(); }
$end = true;
