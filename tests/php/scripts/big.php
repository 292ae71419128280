<?php $n = (int)$_GET['n']; $piece = (int)($_GET['piece'] ?? 8192);
$s = str_repeat('0123456789abcdef', $piece / 16);
for ($at = 0; $at < $n; $at += $piece) echo $s;
