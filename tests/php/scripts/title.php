<?php echo file_get_contents('/proc/self/cmdline'), '|', file_get_contents('/proc/self/comm');
