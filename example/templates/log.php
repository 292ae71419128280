<?php declare(strict_types=1); ?>
<h1>Harbour log</h1>
<p class="lead">Who came in, and what they had to tell. The last <?= LOG_ENTRIES_MAX ?> entries are kept.</p>

<form class="card" method="post" action="/log" enctype="multipart/form-data">
  <input type="hidden" name="token" value="<?= e($token) ?>">
  <input type="hidden" name="MAX_FILE_SIZE" value="<?= PICTURE_BYTES_MAX ?>">
  <label>Ship <input name="ship" maxlength="60" required autocomplete="off" value="<?= e($form['ship']) ?>" placeholder="SS Great Eastern"></label>
  <label>Message <textarea name="text" maxlength="500" rows="3" required placeholder="Arrived on the morning tide."><?= e($form['text']) ?></textarea></label>
  <label>Picture <small>JPEG, PNG, GIF or WebP, up to <?= e(bytes(PICTURE_BYTES_MAX)) ?></small>
    <input type="file" name="picture" accept="image/jpeg,image/png,image/gif,image/webp" data-max="<?= PICTURE_BYTES_MAX ?>"></label>
  <button>Enter it</button>
</form>

<?php if (!$entries): ?>
<p class="empty">The log is empty. Yours will be the first entry.</p>
<?php endif ?>
<ol class="entries">
<?php foreach ($entries as $entry): ?>
  <li class="card entry">
<?php if ($entry['picture']): $picture = $entry['picture']; ?>
    <a href="/log/picture/<?= e($picture['id']) ?>"><img src="/log/thumb/<?= e($picture['id']) ?>" alt="Picture sent by <?= e($entry['ship']) ?>" loading="lazy" width="<?= e($picture['width']) ?>" height="<?= e($picture['height']) ?>"></a>
<?php endif ?>
    <div>
      <h2><?= e($entry['ship']) ?></h2>
      <p><?= nl2br(e($entry['text'])) ?></p>
      <p class="note"><time datetime="<?= e(gmdate(DATE_RFC3339, $entry['time'])) ?>"><?= e(gmdate('j M Y, H:i', $entry['time'])) ?> UTC</time><?php if ($entry['picture']): ?> · <?= e($picture['width']) ?> × <?= e($picture['height']) ?>, <?= e(bytes($picture['bytes'])) ?><?php endif ?></p>
    </div>
  </li>
<?php endforeach ?>
</ol>
