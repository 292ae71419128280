<?php // reads a body piece by piece
$f = fopen('php://input', 'r');
$n = 0; $h = hash_init('md5');
while (!feof($f)) { $s = fread($f, 8192); $n += strlen($s); hash_update($h, $s); }
echo json_encode(['n' => $n, 'md5' => hash_final($h)]);
