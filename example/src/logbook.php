<?php
// The harbour log: entries in one JSON file, pictures beside it, all outside of the document root.
// Bounded: the oldest entries go when there are more than LOG_ENTRIES_MAX.
declare(strict_types=1);

const LOG_ENTRIES_MAX = 40;
const PICTURE_BYTES_MAX = 2 << 20;
const PICTURE_SIDE_MAX = 6000;
const PICTURE_TYPES = [IMAGETYPE_JPEG => 'image/jpeg', IMAGETYPE_PNG => 'image/png', IMAGETYPE_GIF => 'image/gif',
    IMAGETYPE_WEBP => 'image/webp'];

// var/ beside the application if we may write there, else a folder of ours among the temporary files.
function storage_folder(string $name): string
{
    foreach ([__DIR__ . '/../var', sys_get_temp_dir() . '/harbour-log-' . (function_exists('posix_geteuid') ? posix_geteuid() : 'app')] as $base) {
        if ((is_dir($base) || @mkdir($base, 0700)) && is_writable($base)) {
            $folder = "$base/$name";
            if (is_dir($folder) || @mkdir($folder, 0700)) {
                return $folder;
            }
        }
    }
    throw new RuntimeException('There is no folder to write to.');
}

// Runs $change on the entries while nobody else can, and stores what it returns; null = leave them.
function with_entries(callable $change): void
{
    $file = storage_folder('log') . '/entries.json';
    $lock = fopen("$file.lock", 'c');
    if (!$lock || !flock($lock, LOCK_EX)) {
        throw new RuntimeException('The log can not be locked.');
    }
    try {
        $entries = $change(log_entries());
        if ($entries !== null) {
            $new = "$file.new";
            if (file_put_contents($new, json_encode($entries, JSON_THROW_ON_ERROR)) === false || !rename($new, $file)) {
                throw new RuntimeException('The log can not be written.');
            }
        }
    } finally {
        fclose($lock); // unlocks
    }
}

function log_entries(): array
{
    $text = @file_get_contents(storage_folder('log') . '/entries.json');
    return $text ? (json_decode($text, true) ?: []) : [];
}

function log_add(string $ship, string $text, ?array $picture): void
{
    with_entries(static function (array $entries) use ($ship, $text, $picture): array {
        array_unshift($entries, ['ship' => $ship, 'text' => $text, 'time' => time(), 'picture' => $picture]);
        foreach (array_splice($entries, LOG_ENTRIES_MAX) as $gone) {
            if ($gone['picture']) {
                @unlink(picture_file($gone['picture']['id']));
                @unlink(picture_file($gone['picture']['id'], true));
            }
        }
        return $entries;
    });
}

function picture_file(string $id, bool $thumb = false): string
{
    return storage_folder('log') . '/' . $id . ($thumb ? '.thumb' : '.picture');
}

function picture_find(string $id): ?array
{
    foreach (log_entries() as $entry) {
        if (($entry['picture']['id'] ?? null) === $id) {
            return $entry['picture'];
        }
    }
    return null;
}

// Takes an upload in, judged by its content and never by its name or declared type. Returns what the log keeps of it,
// null if nothing was sent; throws DomainException with a sentence for the visitor.
function picture_take(?array $upload): ?array
{
    if (!$upload || is_array($upload['error']) || $upload['error'] === UPLOAD_ERR_NO_FILE) {
        return null;
    }
    if (in_array($upload['error'], [UPLOAD_ERR_INI_SIZE, UPLOAD_ERR_FORM_SIZE], true) || $upload['size'] > PICTURE_BYTES_MAX) {
        throw new DomainException('The picture is larger than ' . bytes(PICTURE_BYTES_MAX) . '.');
    }
    if ($upload['error'] !== UPLOAD_ERR_OK || !is_uploaded_file($upload['tmp_name'])) {
        throw new DomainException('The picture did not arrive.');
    }
    $info = @getimagesize($upload['tmp_name']);
    if (!$info || !isset(PICTURE_TYPES[$info[2]])) {
        throw new DomainException('That is no JPEG, PNG, GIF or WebP picture.');
    }
    if ($info[0] < 1 || $info[1] < 1 || $info[0] > PICTURE_SIDE_MAX || $info[1] > PICTURE_SIDE_MAX) {
        throw new DomainException('The picture is wider or higher than ' . PICTURE_SIDE_MAX . ' pixels.');
    }
    $id = bin2hex(random_bytes(8));
    if (!move_uploaded_file($upload['tmp_name'], picture_file($id))) {
        throw new RuntimeException('The picture can not be stored.');
    }
    return ['id' => $id, 'type' => PICTURE_TYPES[$info[2]], 'width' => $info[0], 'height' => $info[1],
        'bytes' => $upload['size'], 'thumb' => picture_make_thumb($id, $info)];
}

// With GD a small JPEG; without it the browser scales the picture itself.
function picture_make_thumb(string $id, array $info): bool
{
    if (!function_exists('imagecreatefromstring') || $info[0] * $info[1] > 12_000_000) {
        return false;
    }
    $image = @imagecreatefromstring((string) file_get_contents(picture_file($id)));
    if (!$image) {
        return false;
    }
    $width = min(480, $info[0]);
    $small = imagescale($image, $width, max(1, intdiv($info[1] * $width, $info[0])));
    return $small && imagejpeg($small, picture_file($id, true), 82);
}
