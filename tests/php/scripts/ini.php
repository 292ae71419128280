<?php echo json_encode(['before' => array_map('ini_get', array_combine($k = explode(',', $_GET['k']), $k)),
    'set' => array_map(fn($n) => ini_set($n, $_GET['v']), array_combine($k, $k)), 'after' => array_map('ini_get', array_combine($k, $k))]);
