<?php echo 'prepended ';
