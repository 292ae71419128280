<?php echo (int)PHP_ZTS;
