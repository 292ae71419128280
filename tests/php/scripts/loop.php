<?php set_time_limit((int)($_GET['limit'] ?? 1)); while (true);
