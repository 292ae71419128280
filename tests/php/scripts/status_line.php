<?php header($_GET['line']); echo 'x';
