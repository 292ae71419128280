<?php declare(strict_types=1); ?>
<section class="hero">
  <div>
    <h1>PHP, loaded to the line and not beyond.</h1>
    <p class="lead">A ship's <em>Plimsoll line</em> shows how far she may be loaded. Plimsoll is a PHP server that keeps to its mark:
      your application runs in processes of its own, and what goes wrong in one costs one request.</p>
    <p><a class="button" href="/log">Write into the harbour log</a> <a class="button quiet" href="/stream">Watch a page stream in</a></p>
  </div>
  <img class="hull" src="/assets/hull.svg" alt="A ship's hull at the waterline, with the Plimsoll mark" width="420" height="320">
</section>

<section aria-labelledby="live">
  <h2 id="live">Answering right now</h2>
  <dl class="facts">
    <div><dt>PHP</dt><dd><?= e($facts['php']) ?></dd></div>
    <div><dt>Server API</dt><dd><?= e($facts['sapi']) ?></dd></div>
    <div><dt>Worker process</dt><dd data-fact="pid"><?= e($facts['pid']) ?></dd></div>
    <div><dt>OPcache</dt><dd><?= $facts['opcache'] ? 'on, ' . e($facts['scripts']) . ' scripts' : 'off' ?></dd></div>
    <div><dt>Memory, peak</dt><dd><span data-fact="peak"><?= e(bytes($facts['peak_bytes'])) ?></span>, limit <?= e($facts['memory_limit']) ?></dd></div>
    <div><dt>This page took</dt><dd><span data-fact="ms"><?= e($facts['ms']) ?></span> ms</dd></div>
  </dl>
  <p class="note">Your <?= $visits === 1 ? 'first visit' : "visit no. $visits" ?> of this session.</p>
</section>

<section aria-labelledby="crew" class="crew" data-crew>
  <h2 id="crew">Meet the crew</h2>
  <p>Sixteen requests at once, each held for a moment. Every colour is another worker process.</p>
  <p>
    <button type="button" data-crew-call>Call all hands</button>
<?php if (can_sink()): ?>
    <button type="button" class="danger" data-crew-sink="<?= e(csrf_token()) ?>">Sink one worker</button>
<?php endif ?>
  </p>
  <ol class="hands" data-crew-hands></ol>
  <p class="note" data-crew-note aria-live="polite"></p>
  <noscript><p class="note">This part needs JavaScript; the rest of the harbour does not.</p></noscript>
</section>
