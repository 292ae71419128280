<?php set_time_limit(1); preg_match('/^(a+)+$/', str_repeat('a', 40) . 'b'); ini_set('pcre.backtrack_limit', PHP_INT_MAX); ini_set('pcre.jit', 0);
preg_match('/^(a+)+$/', str_repeat('a', 60) . 'b'); echo 'done';
