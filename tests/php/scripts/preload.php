<?php class Preloaded { const WHO = 'preloaded'; } mt_rand(); lcg_value(); echo 'preload output goes nowhere';
