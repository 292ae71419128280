<?php
// Templates are PHP files in templates/; whatever they print of a variable goes through e().
declare(strict_types=1);

function e(string|int|float|null $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

function render(string $template, array $vars): void
{
    header('Content-Type: text/html; charset=utf-8');
    $vars['flash'] = take_flash(); // before the first byte: a session needs its header
    $vars['content'] = (static function (string $__file, array $__vars): string {
        extract($__vars, EXTR_SKIP);
        ob_start();
        require $__file;
        return (string) ob_get_clean();
    })(__DIR__ . "/../templates/$template.php", $vars);
    (static function (array $__vars): void {
        extract($__vars, EXTR_SKIP);
        require __DIR__ . '/../templates/layout.php';
    })($vars + ['template' => $template, 'title' => '']);
}

function send_json(mixed $value, int $status = 200): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    echo json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

function bytes(int $n): string
{
    return $n < 1024 ? "$n B" : ($n < 1 << 20 ? sprintf('%.0f KB', $n / 1024) : sprintf('%.1f MB', $n / (1 << 20)));
}
