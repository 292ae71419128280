<?php echo class_exists('Preloaded', false) ? Preloaded::WHO : 'not preloaded';
