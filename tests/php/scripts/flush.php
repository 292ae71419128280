<?php for ($i = 0; $i < 3; $i++) { echo "part $i\n"; ob_flush(); flush(); }
