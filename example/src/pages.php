<?php
// One function a page.
declare(strict_types=1);

// What can be said about the process that runs this.
function worker_facts(): array
{
    $opcache = function_exists('opcache_get_status') ? @opcache_get_status(false) : false;
    return [
        'server' => explode('/', $_SERVER['SERVER_SOFTWARE'] ?? 'unknown')[0],
        'sapi' => PHP_SAPI,
        'php' => PHP_VERSION,
        'thread_safe' => (bool) PHP_ZTS,
        'pid' => getmypid(),
        'opcache' => (bool) ($opcache['opcache_enabled'] ?? false),
        'scripts' => (int) ($opcache['opcache_statistics']['num_cached_scripts'] ?? 0),
        'peak_bytes' => memory_get_peak_usage(),
        'memory_limit' => ini_get('memory_limit') === '-1' ? 'none' : (string) ini_get('memory_limit'),
        'ms' => round((hrtime(true) - APP_STARTED) / 1e6, 2),
    ];
}

function page_home(): void
{
    $visits = count_visit();
    $facts = worker_facts();
    render('home', ['title' => 'The harbour', 'facts' => $facts, 'visits' => $visits]);
}

function page_log(): void
{
    $token = csrf_token();
    $form = $_SESSION['form'] ?? ['ship' => '', 'text' => ''];
    unset($_SESSION['form']);
    render('log', ['title' => 'Harbour log', 'entries' => log_entries(), 'token' => $token, 'form' => $form]);
}

function page_log_add(): void
{
    // A body beyond post_max_size leaves $_POST empty: then there is no token either, but that is not what went wrong.
    if (!$_POST && (int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > 0) {
        flash('bad', 'That was more than this server takes in one go (' . ini_get('post_max_size') . ').');
    } elseif (!csrf_is_valid()) {
        flash('bad', 'The form was too old. Please send it again.');
        keep_form();
    } else {
        try {
            [$ship, $text] = [form_line('ship', 60, 'name of the ship'), form_line('text', 500, 'message')];
            log_add($ship, $text, picture_take($_FILES['picture'] ?? null));
            flash('good', "$ship is in the log. Fair winds!");
        } catch (DomainException $e) {
            flash('bad', $e->getMessage());
            keep_form();
        }
    }
    header('Location: /log', true, 303);
}

function form_line(string $name, int $max, string $what): string
{
    $text = $_POST[$name] ?? '';
    $text = is_string($text) ? trim($text) : '';
    if ($text === '' || !preg_match('//u', $text)) {
        throw new DomainException("The $what is missing.");
    }
    if (preg_match_all('/./us', $text) > $max) {
        throw new DomainException("The $what is longer than $max characters.");
    }
    return $text;
}

function keep_form(): void
{
    foreach (['ship', 'text'] as $name) {
        $_SESSION['form'][$name] = is_string($_POST[$name] ?? null) ? substr($_POST[$name], 0, 2000) : '';
    }
}

function page_picture(array $path): void
{
    send_picture($path['id'], false);
}

function page_thumb(array $path): void
{
    send_picture($path['id'], true);
}

function send_picture(string $id, bool $thumb): void
{
    $picture = picture_find($id);
    $thumb = $thumb && ($picture['thumb'] ?? false);
    if (!$picture || !is_file(picture_file($id, $thumb))) {
        show_error(404, 'Uncharted waters', 'There is no such picture.');
        return;
    }
    header('Content-Type: ' . ($thumb ? 'image/jpeg' : $picture['type']));
    header('Content-Length: ' . filesize(picture_file($id, $thumb)));
    header("Content-Security-Policy: default-src 'none'; sandbox");
    header('Cache-Control: private, max-age=86400, immutable');
    if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
        readfile(picture_file($id, $thumb));
    }
}

// Sends a page in pieces, each when it is ready: what streaming looks like to a browser.
function page_stream(): void
{
    while (ob_get_level()) {
        ob_end_flush();
    }
    ob_start();
    render('stream', ['title' => 'Arrivals']);
    [$before, $after] = explode('<!-- arrivals -->', (string) ob_get_clean(), 2);
    header('X-Accel-Buffering: no'); // a proxy in front shall not collect it
    echo $before;
    if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
        $ships = ['Aurora', 'Windward', 'Sea Holly', 'Kittiwake', 'Old Samuel', 'Northern Star', 'Marigold', 'Perseverance'];
        $fast = isset($_GET['fast']); // for tests
        $started = hrtime(true);
        foreach ($ships as $i => $ship) {
            printf("<tr><td>%s<td>%s<td>%.1f s\n", e($ship), ['moored', 'at anchor', 'unloading', 'sailing'][$i % 4],
                (hrtime(true) - $started) / 1e9);
            flush();
            usleep($fast ? 1000 : 450_000);
            if (connection_aborted()) {
                return;
            }
        }
    }
    echo $after;
}

function api_worker(): void
{
    if (isset($_GET['ms'])) { // keeps this worker busy, so that the next request meets another one
        usleep(1000 * max(0, min(300, (int) $_GET['ms'])));
    }
    send_json(worker_facts());
}

function api_log(): void
{
    $public = static fn(array $e): array => ['ship' => $e['ship'], 'text' => $e['text'],
        'time' => gmdate(DATE_RFC3339, $e['time']), 'picture' => $e['picture'] ? '/log/picture/' . $e['picture']['id'] : null];
    send_json(array_map($public, log_entries()));
}

// Demonstrates what a dying worker costs: this request, and nothing else. Only on Plimsoll (elsewhere it could end the
// whole server), only for visitors of this machine or network, only with the form's token.
function api_sink(): void
{
    if (!csrf_is_valid()) {
        send_json(['error' => 'token'], 403);
    } elseif (!can_sink()) {
        send_json(['error' => 'not here'], 403);
    } else {
        posix_kill(getmypid(), 9);
    }
}

function can_sink(): bool
{
    $public = filter_var($_SERVER['REMOTE_ADDR'] ?? '', FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE | FILTER_FLAG_NO_RES_RANGE);
    return stripos(PHP_SAPI, 'plimsoll') === 0 && function_exists('posix_kill') && $public === false;
}
