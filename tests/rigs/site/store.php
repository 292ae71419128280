<?php
// SPDX-License-Identifier: Apache-2.0
// A cache of pages as files, laid out as Symfony's HttpCache Store does: md/ holds what is known of a URL, en/ the bodies by their
// content, a lock file stays for each URL, and nothing is ever deleted.

final class Store
{
    public function __construct(private string $root)
    {
    }

    public function look(string $url): ?string
    {
        $meta = @file_get_contents($this->path($this->key($url)));
        if ($meta === false || ($known = unserialize($meta)) === false) {
            return null;
        }
        $body = @file_get_contents($this->path($known['digest']));
        return $body === false ? null : $body;
    }

    public function keep(string $url, string $body): void
    {
        $key = $this->key($url);
        $this->put($key . '.lck', '');
        $digest = 'en' . hash('sha256', $body);
        $this->put($digest, $body);
        $this->put($key, serialize(['digest' => $digest, 'url' => $url, 'status' => 200, 'headers' => ['content-type' => 'text/html',
            'date' => date('r'), 'x-content-digest' => $digest]]));
    }

    private function key(string $url): string
    {
        return 'md' . hash('sha256', $url);
    }

    private function path(string $key): string
    {
        return "$this->root/" . substr($key, 0, 2) . '/' . substr($key, 2, 2) . '/' . substr($key, 4, 2) . '/' . substr($key, 6);
    }

    private function put(string $key, string $bytes): void
    {
        $path = $this->path($key);
        if (!is_dir(dirname($path))) {
            @mkdir(dirname($path), 0777, true);
        }
        file_put_contents($path, $bytes);
    }
}
