<?php declare(strict_types=1); ?>
<h1>Arrivals</h1>
<p class="lead">This page is sent in pieces while PHP still works on it: each row leaves with <code>flush()</code> and is on your screen at once.</p>
<table class="card">
<thead><tr><th>Ship<th>State<th>Sent after</thead>
<tbody>
<!-- arrivals -->
</tbody>
</table>
<p class="note">That was all of them. <a href="/stream">Again</a></p>
