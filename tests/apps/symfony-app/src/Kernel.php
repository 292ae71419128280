<?php
// SPDX-License-Identifier: Apache-2.0
namespace App;

use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;

class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    // Debian's loader knows no composer.json to find it by.
    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }
}
