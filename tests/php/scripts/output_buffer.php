<?php ob_start(fn($s) => strtoupper($s)); echo 'buffered';
