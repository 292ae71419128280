<?php // nothing of one request is left in the next
echo json_encode([isset($GLOBALS['left']), ini_get('precision'), getenv('LEFT'), error_reporting(), umask(), function_exists('left_function'), http_response_code(), $_GET, error_get_last()]);
$left = 1; ini_set('precision', 3); putenv('LEFT=1'); error_reporting(0); eval('function left_function() {}'); http_response_code(404); chdir('/');
@trigger_error('left');
