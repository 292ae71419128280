<?php if (isset($_GET['out'])) { echo 'some output'; while (ob_get_level()) ob_end_flush(); }
nothing_of_that_name();
