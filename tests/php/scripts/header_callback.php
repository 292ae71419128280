<?php header_register_callback(function () { header('X-Callback: 1'); }); echo 'x';
