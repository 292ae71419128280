<?php echo json_encode([mt_rand(), lcg_value(), bin2hex(random_bytes(8)), array_rand(range(0, 100000)), uniqid('', true), getmypid()]);
