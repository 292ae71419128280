<?php fwrite(fopen('php://stderr', 'w'), "to stderr\n"); fwrite(fopen('php://stdout', 'w'), "to stdout\n"); echo json_encode(stream_get_contents(fopen('php://stdin', 'r')));
system('echo from a child >&2');
