<?php
// SPDX-License-Identifier: Apache-2.0
// The incident's front controller: every URL is rendered once (44 KB) and kept for ever.
require __DIR__ . '/../src/store.php';

$store = new Store('/app/var/cache/prod/http_cache');
$url = $_SERVER['REQUEST_URI'];
$page = $store->look($url);
header('X-Cache: ' . ($page === null ? 'miss' : 'hit'));
if ($page === null) {
    $page = "<!doctype html><title>$url</title>\n";
    for ($i = 0; strlen($page) < 44 * 1024; $i++) {
        $page .= '<p>' . hash('sha256', "$url $i") . "</p>\n";
    }
    $store->keep($url, $page);
}
header('Content-Length: ' . strlen($page));
echo $page;
