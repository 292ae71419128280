<?php header('X-A: 1'); headers_send(201); echo headers_sent() ? 'sent' : 'not';
