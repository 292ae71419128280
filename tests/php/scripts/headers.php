<?php
header('X-One: 1'); header('X-Two: a'); header('X-Two: b', false); header('X-Gone: 1'); header_remove('X-Gone');
http_response_code(418); setcookie('c', 'v');
echo json_encode([apache_response_headers(), http_response_code(), headers_list()]);
