<?php
$out = [];
foreach ($_FILES as $k => $f)
    $out[$k] = $f + ['md5' => is_uploaded_file($f['tmp_name']) ? md5_file($f['tmp_name']) : null];
echo json_encode(['files' => $out, 'post' => $_POST]);
