<?php
// The front controller: every address that is not a file comes here.
declare(strict_types=1);

// PHP's own development server asks us first; files it can serve itself.
if (PHP_SAPI === 'cli-server' && is_file(__DIR__ . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH))) {
    return false;
}

define('APP_STARTED', hrtime(true));
require __DIR__ . '/../src/view.php';
require __DIR__ . '/../src/session.php';
require __DIR__ . '/../src/logbook.php';
require __DIR__ . '/../src/pages.php';
require __DIR__ . '/../src/router.php';

route($_SERVER['REQUEST_METHOD'] ?? 'GET', $_SERVER['REQUEST_URI'] ?? '/', [
    ['GET', '/', 'page_home'],
    ['GET', '/log', 'page_log'],
    ['POST', '/log', 'page_log_add'],
    ['GET', '/log/picture/{id}', 'page_picture'],
    ['GET', '/log/thumb/{id}', 'page_thumb'],
    ['GET', '/stream', 'page_stream'],
    ['GET', '/api/worker', 'api_worker'],
    ['GET', '/api/log', 'api_log'],
    ['POST', '/api/sink', 'api_sink'],
]);
