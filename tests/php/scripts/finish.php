<?php
header('X-A: 1'); echo 'before';
var_dump(fastcgi_finish_request(), plimsoll_finish_request());
echo 'after'; flush();
file_put_contents($_GET['mark'], 'went on, status ' . connection_status());
