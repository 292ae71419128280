<?php
// SPDX-License-Identifier: Apache-2.0
// Symfony 6 asks Composer which packages are for development only. None is.
namespace Composer;

class InstalledVersions
{
    public static function isInstalled(string $package, bool $dev = true): bool
    {
        return false;
    }
}
