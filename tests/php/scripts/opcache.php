<?php
$s = opcache_get_status(true);
if (isset($_GET['reset'])) echo json_encode(opcache_reset());
else echo json_encode([$s['opcache_enabled'], $s['restart_pending'], $s['opcache_statistics']['manual_restarts'], isset($s['scripts'][__FILE__])]);
