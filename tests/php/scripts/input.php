<?php
$s = file_get_contents('php://input');
echo json_encode(['n' => strlen($s), 'md5' => md5($s), 'again' => md5(file_get_contents('php://input')), 'post' => $_POST]);
