<?php declare(strict_types=1); ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title><?= e($title) ?> · Plimsoll</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
<script src="/assets/app.js" defer></script>
</head>
<body>
<header class="bar">
  <a class="brand" href="/"><img src="/assets/mark.svg" alt="" width="36" height="36"><span>Plimsoll</span></a>
  <nav>
<?php foreach (['/' => ['home', 'Harbour'], '/log' => ['log', 'Log'], '/stream' => ['stream', 'Arrivals']] as $href => [$name, $label]): ?>
    <a href="<?= $href ?>"<?= $template === $name ? ' aria-current="page"' : '' ?>><?= $label ?></a>
<?php endforeach ?>
  </nav>
</header>
<main>
<?php foreach ($flash as [$kind, $text]): ?>
  <p class="flash <?= e($kind) ?>" role="status"><?= e($text) ?></p>
<?php endforeach ?>
<?= $content ?>
</main>
<footer>
  <p>The example application of Plimsoll: plain PHP in <code>example/</code>, served by worker <code><?= getmypid() ?></code>.</p>
</footer>
</body>
</html>
