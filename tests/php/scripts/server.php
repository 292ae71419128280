<?php
header('Content-Type: application/json');
echo json_encode(['server' => $_SERVER, 'get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE, 'request' => $_REQUEST, 'env' => $_ENV,
    'getenv' => getenv(), 'host' => getenv('HTTP_HOST'), 'method' => getenv('REQUEST_METHOD'), 'filter' => filter_input(INPUT_SERVER, 'HTTP_HOST'),
    'headers' => getallheaders(), 'sapi' => PHP_SAPI, 'cwd' => getcwd(), 'file' => __FILE__, 'argv' => isset($argv)]);
