<?php header('X-Huge: ' . str_repeat('x', (int)$_GET['n'])); echo 'x';
