<?php
// SPDX-License-Identifier: Apache-2.0
// What Composer would write: Debian's packages bring their own loaders.
require_once __DIR__ . '/installed.php';
require_once 'Symfony/Bundle/FrameworkBundle/autoload.php';
require_once 'Symfony/Bundle/TwigBundle/autoload.php';
require_once 'Symfony/Component/Yaml/autoload.php';

spl_autoload_register(function (string $class): void {
    $file = dirname(__DIR__) . '/src/' . str_replace('\\', '/', substr($class, 4)) . '.php';
    if (str_starts_with($class, 'App\\') && is_file($file)) {
        require $file;
    }
});
