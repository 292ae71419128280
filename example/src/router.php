<?php
// A router in one function: a list of [method, pattern, function], {name} in a pattern is one path segment.
declare(strict_types=1);

function route(string $method, string $target, array $routes): void
{
    send_common_headers();
    $path = rawurldecode(explode('?', $target, 2)[0]);
    $allowed = [];
    foreach ($routes as [$verb, $pattern, $page]) {
        $regex = '~^' . preg_replace('~\{(\w+)\}~', '(?<$1>[^/]+)', $pattern) . '$~D';
        if (!preg_match($regex, $path, $found)) {
            continue;
        }
        if ($verb === $method || ($verb === 'GET' && $method === 'HEAD')) {
            $page(array_filter($found, 'is_string', ARRAY_FILTER_USE_KEY));
            return;
        }
        $allowed[] = $verb === 'GET' ? 'GET, HEAD' : $verb;
    }
    if ($allowed) {
        header('Allow: ' . implode(', ', $allowed));
        show_error(405, 'Not that way', 'This page does not know the method ' . $method . '.');
        return;
    }
    show_error(404, 'Uncharted waters', 'There is nothing at ' . $path . '.');
}

function send_common_headers(): void
{
    header("Content-Security-Policy: default-src 'self'; style-src 'self'; script-src 'self'; frame-ancestors 'none'");
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: same-origin');
}

function show_error(int $status, string $title, string $text): void
{
    http_response_code($status);
    render('error', ['title' => $title, 'status' => $status, 'text' => $text]);
}
