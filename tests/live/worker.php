<?php
// SPDX-License-Identifier: Apache-2.0
// A PHP worker as FrankenPHP, RoadRunner or Swoole run them: one process, many requests. The first argument says what each request
// does to memory, the second how many bytes (or files) at a time.
[, $mode, $size] = $argv;
$size = (int) $size;
$kept = [];
$n = 0;

/** One request's work; the names are those of the tests. */
function work(string $mode, int $size, array &$kept, int $n): void
{
    switch ($mode) {
        case 'heap': // objects kept between requests
            for ($bytes = 0; $bytes < $size; $bytes += 512) {
                $kept[] = (object) ['id' => count($kept), 'text' => str_repeat(chr(65 + $n % 26), 400)];
            }
            break;
        case 'native': // malloc without free in a C library
            $block = FFI::new("char[$size]", false, true);
            FFI::memset($block, 1, $size);
            break;
        case 'deleted': // files without a name, still open
            $name = "/dev/shm/upload-$n";
            $kept[] = $file = fopen($name, 'w');
            fwrite($file, random_bytes($size));
            unlink($name);
            break;
        case 'inodes': // empty files in memory
            @mkdir($folder = '/app/cache/locks/' . intdiv($n, 20), 0777, true);
            for ($i = 0; $i < $size; $i++) {
                touch("$folder/" . md5("$n $i") . '.lck');
            }
            break;
        case 'tmpfs': // a cache without an end
            @mkdir('/app/cache/pages', 0777, true);
            file_put_contents("/app/cache/pages/$n", random_bytes($size));
            break;
        case 'cleaned': // a cache on tmpfs with a cleaner
            @mkdir('/app/cache/pages', 0777, true);
            file_put_contents("/app/cache/pages/$n", random_bytes($size));
            if ($n % 200 === 0) {
                array_map('unlink', glob('/app/cache/pages/*'));
            }
            break;
        case 'pagecache': // a log on disk
            file_put_contents('/app/var/log/app.log', random_bytes($size), FILE_APPEND);
            break;
        case 'missing': // what file_exists does to dentries
            for ($i = 0; $i < $size; $i++) {
                file_exists('/app/public/' . md5("$n $i") . md5("$i $n") . '.php');
            }
            break;
        case 'files': // dentries, inodes and some content of files on disk
            for ($i = 0; $i < $size; $i++) {
                $id = ($n * $size + $i) % 60000; // all of them are there, and once more if somebody had the kernel forget them
                $path = sprintf('/app/files/%d/%d', intdiv($id, 500), $id);
                filesize($path);
                $i % 8 === 0 && file_get_contents($path);
            }
            clearstatcache();
            break;
        default:
            throw new Exception("no mode is called $mode");
    }
}

$server = stream_socket_server('tcp://127.0.0.1:8080', $code, $error) ?: throw new Exception($error);
echo "ready\n";
while ($client = @stream_socket_accept($server, -1)) {
    stream_set_timeout($client, 5);
    while (($line = fgets($client)) !== false && rtrim($line) !== '') {
    }
    work($mode, $size, $kept, ++$n);
    $body = "request $n\n";
    fwrite($client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . strlen($body) . "\r\n\r\n$body");
    fclose($client);
}
