<?php
header('Link: </a.css>; rel=preload');
$r = headers_send(103);
header_remove('Link'); header('X-Final: 1');
echo $r, http_response_code();
