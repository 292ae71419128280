<?php echo getcwd(); chdir('/');
