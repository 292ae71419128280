<?php declare(strict_types=1); ?>
<section class="error">
  <p class="code"><?= e($status) ?></p>
  <h1><?= e($title) ?></h1>
  <p><?= e($text) ?></p>
  <p><a class="button" href="/">Back to the harbour</a></p>
</section>
