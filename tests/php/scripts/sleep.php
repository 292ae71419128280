<?php usleep((int)$_GET['us']); echo 'slept';
