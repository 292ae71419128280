<?php
// The session: a visit counter, one-time messages, and a token without which no form is believed.
declare(strict_types=1);

function session(): void
{
    if (session_status() === PHP_SESSION_ACTIVE) {
        return;
    }
    $path = preg_replace('~^.*;~', '', (string) session_save_path()) ?: sys_get_temp_dir();
    if (!is_writable($path)) { // a PHP whose session folder is somebody else's
        session_save_path(storage_folder('sessions'));
    }
    session_start([
        'name' => 'harbour',
        'cookie_httponly' => true,
        'cookie_samesite' => 'Lax',
        'cookie_secure' => ($_SERVER['HTTPS'] ?? '') === 'on',
        'use_strict_mode' => true,
    ]);
    $_SESSION['token'] ??= bin2hex(random_bytes(16));
}

function count_visit(): int
{
    session();
    return $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
}

function csrf_token(): string
{
    session();
    return $_SESSION['token'];
}

function csrf_is_valid(): bool
{
    $given = $_POST['token'] ?? '';
    return is_string($given) && hash_equals(csrf_token(), $given);
}

function flash(string $kind, string $text): void
{
    session();
    $_SESSION['flash'][] = [$kind, $text];
}

function take_flash(): array
{
    if (!isset($_COOKIE['harbour'])) { // nobody is known: don't make a session to find it empty
        return [];
    }
    session();
    $messages = $_SESSION['flash'] ?? [];
    unset($_SESSION['flash']);
    return $messages;
}
