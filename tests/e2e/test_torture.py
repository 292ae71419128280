# SPDX-License-Identifier: Apache-2.0
"""Random mixes of everything that clients and scripts do wrong, against one server; what is well formed must be exact.

TORTURE_SEED and TORTURE_SECONDS repeat or lengthen a run. What was asked for, not when it happens, follows from the seed.
"""
import hashlib
import os
import pathlib
import random
import socket
import threading
import time

import harness
import rawhttp

SEED = int(os.environ.get("TORTURE_SEED", "20"))
SECONDS = float(os.environ.get("TORTURE_SECONDS", "8"))
THREADS = 12

SCRIPT = r"""<?php
$tag = $_GET['t']; $n = (int)$_GET['n']; $op = $_GET['op'] ?? '';
ignore_user_abort((bool)($_GET['ignore'] ?? 0));
header('X-Tag: ' . $tag);
$say = function (int $n) use ($tag) {
    $unit = str_repeat("$tag/", intdiv(8192, strlen($tag) + 1) + 1); $at = 0;
    while ($n > 0) { $s = substr($unit, $at % (strlen($tag) + 1), min($n, 8000)); $at += strlen($s); $n -= strlen($s); echo $s; }
};
if (isset($_GET['early'])) { header('Link: </x.css>; rel=preload'); if (function_exists('headers_send')) headers_send(103); }
if (isset($_GET['length'])) header('Content-Length: ' . $n);
if (isset($_GET['flush'])) { ob_implicit_flush(true); flush(); }
if (isset($_GET['us'])) usleep((int)$_GET['us']);
switch ($op) {
case 'sha':
    $h = hash_init('sha1'); $got = 0; $f = fopen('php://input', 'r');
    while (!feof($f)) { $s = fread($f, 8192); $got += strlen($s); hash_update($h, $s); }
    $n = $got; header('X-Sha1: ' . hash_final($h)); echo $got; break;
case 'ignore_body': $say($n); break;
case '204': http_response_code(204); break;
case '304': http_response_code(304); break;
case 'exit': $say($n); exit(3);
case 'kill': $say($n); flush(); posix_kill(getmypid(), (int)$_GET['sig']); sleep(5); break;
case 'finish': $say($n); fastcgi_finish_request(); usleep((int)($_GET['us'] ?? 0)); echo 'not to be seen'; break;
case 'accel': header('X-Accel-Redirect: ' . $_GET['to']); $say($n); usleep((int)($_GET['us'] ?? 0)); break;
case 'sendfile': header('X-Sendfile: ' . __DIR__ . '/file.bin'); $say($n); break;
case 'short': header('Content-Length: ' . ($n + 10)); $say($n); break;
default: $say($n);
}
"""


def text_of(tag, n):
    unit = (tag + "/").encode()
    return (unit * (n // len(unit) + 1))[:n]


class Ask:
    """One request: its bytes, and what its answer has to be."""

    def __init__(self, rng, tag, files):
        self.tag, self.files = tag, files
        self.method, self.fields, self.body, self.payload = "GET", [], None, b""
        self.may_cut = False
        self.n = rng.choice((0, 1, 100, 5000, 70000, 300000, 2000000 if rng.random() < 0.2 else 20))
        self.op = rng.choices(("say", "static", "sha", "204", "304", "exit", "kill", "finish", "accel_php", "accel_file", "sendfile",
                               "ignore_body", "short", "loop"), (20, 8, 12, 2, 2, 4, 2, 4, 4, 3, 4, 4, 2, 1))[0]
        extra = ""
        if rng.random() < 0.2:
            extra += "&early=1"
        if rng.random() < 0.3 and self.op in ("say", "ignore_body", "exit", "kill", "finish"):
            extra += "&flush=1"
        if rng.random() < 0.3:
            extra += f"&us={rng.randrange(60000)}"
        if rng.random() < 0.2:
            extra += "&ignore=1"
        page = "/stream/t.php" if rng.random() < 0.4 else "/t.php"
        op = self.op
        if op == "say" and rng.random() < 0.4:
            extra += "&length=1"
        if op == "kill":
            self.may_cut = True
            extra += f"&sig={rng.choice((9, 11))}"
        if op == "short":
            self.may_cut = True
        if op == "accel_php":
            extra += f"&to=/t.php%3Ft%3D{tag}%26n%3D{self.n}"
        if op == "accel_file":
            extra += "&to=/file.bin"
        if op == "loop":
            extra += "&to=/loop.php"
        word = "accel" if op in ("accel_php", "accel_file", "loop") else op
        self.target = f"{page}?t={tag}&n={self.n}&op={word}{extra}"
        if op == "static":
            self.target = "/file.bin"
        if op in ("sha", "ignore_body") or (op != "static" and rng.random() < 0.15):
            self.method = "POST"
            self.payload = rng.randbytes(rng.choice((0, 1, 10, 1000, 70000, 200000)))
            if rng.random() < 0.5:
                self.fields.append(("Transfer-Encoding", "chunked"))
                step = rng.choice((1, 7, 1000, 50000)) if len(self.payload) <= 1000 else rng.choice((50, 3000, 100000))
                self.body = rawhttp.chunked(*[self.payload[i:i + step] for i in range(0, len(self.payload), step)])
            else:
                self.body = self.payload
        elif rng.random() < 0.15:
            self.method = "HEAD"
        self.bytes = rawhttp.build(self.method, self.target, self.fields, self.body)

    def check(self, r):
        what = f"{self.method} {self.target} with {len(self.payload)} bytes: {r}"
        if self.op == "kill":
            assert r.status == 502 or r.get("X-Tag") == self.tag, what
            return
        if self.op == "loop":
            assert r.status == 500, what
            return
        if self.op in ("204", "304"):
            assert r.status == int(self.op), what
        else:
            assert r.status == 200, what
        file = self.op in ("static", "accel_file", "sendfile")
        if self.op not in ("static", "accel_file", "accel_php"):
            assert r.get("X-Tag") == self.tag, what
        if self.method == "HEAD" or self.op in ("204", "304"):
            assert r.body == b"", what
        elif file:
            assert r.body == self.files, what
        elif self.op == "sha":
            assert (r.text, r.get("X-Sha1")) == (str(len(self.payload)), hashlib.sha1(self.payload).hexdigest()), what
        else:
            assert r.body == text_of(self.tag, self.n), what


class Torturer(threading.Thread):
    def __init__(self, listen, number, until, files):
        super().__init__(daemon=True)
        self.rng = random.Random(SEED * 1000 + number)
        self.listen, self.number, self.until, self.files = listen, number, until, files
        self.n, self.exact, self.cut, self.problem = 0, 0, 0, None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.n += 1
                self.round()
        except Exception as e:  # told by the test
            self.problem = f"seed {SEED}, client {self.number}, round {self.n}: {type(e).__name__}: {e}"[:3000]

    def round(self):
        rng = self.rng
        kind = rng.choices(("pipeline", "abort", "half_close", "malformed"), (10, 3, 2, 1))[0]
        asks = [Ask(rng, f"c{self.number}r{self.n}q{i}", self.files) for i in range(rng.choice((1, 1, 2, 5)))]
        data = b"".join(a.bytes for a in asks)
        with rawhttp.Conn(self.listen, deadline=harness.DEADLINE * 2, rcvbuf=rng.choice((None, None, 4096))) as c:
            if kind == "abort":
                self.send(c, data[:rng.randrange(len(data) + 1)])
                if rng.random() < 0.5:
                    time.sleep(rng.random() * 0.05)
                    c.sock.settimeout(0.05)
                    try:
                        c.sock.recv(rng.randrange(1, 100000))
                    except OSError:
                        pass
                if rng.random() < 0.5:
                    c.reset()
                return
            if kind == "malformed":
                self.malformed(c)
                return
            sender = threading.Thread(target=self.send, args=(c, data), daemon=True)
            sender.start()
            if kind == "half_close":
                sender.join()
                try:
                    c.sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            self.read(c, asks)
            c.sock.settimeout(harness.DEADLINE)
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sender.join()

    def send(self, c, data):
        rng, at = random.Random(len(data) * 7 + self.n), 0
        pieces = rng.choice((1, 2, 10, 60))
        while at < len(data):
            n = max(1, rng.randrange(2 * len(data) // pieces + 1))
            if not c.send_lenient(data[at:at + n]):
                return
            at += n
            if rng.random() < 0.3:
                time.sleep(rng.random() * 0.004)

    def read(self, c, asks):
        rng = self.rng
        for a in asks:
            if rng.random() < 0.15:
                time.sleep(rng.random() * 0.2)  # the client is slow, and the script goes on
            try:
                r = c.response(a.method)
            except rawhttp.Closed as e:
                assert a.may_cut, f"the connection ended ({e}, {len(c.buf)} bytes left) instead of an answer to {a.method} {a.target} ({len(a.payload)} bytes), of {[x.target for x in asks]}"
                self.cut += 1
                return
            a.check(r)
            self.exact += 1
            if r.closes or (a.op == "kill" and a.method == "HEAD"):
                return  # of a HEAD's answer, too, the server does not know whether all of it was meant

    def malformed(self, c):
        rng = self.rng
        head = f"POST /{rng.choice(('', 'stream/'))}t.php?t=m&n=0&op=sha HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        bad = rng.choice((b"x\r\n", b"5\r\nabcdeX\r\n", b"5\nabcde", b"ffffffffffffffffff\r\n", b"0\r\nno colon\r\n\r\n"))
        self.send(c, head + rawhttp.chunked(rng.randbytes(rng.randrange(1, 3000)))[:-5] + bad)
        try:
            r = c.response("POST")
            assert r.status == 400 and r.closes, f"{bad!r} got {r}"
        except rawhttp.Closed:
            raise AssertionError(f"no answer to the malformed chunk {bad!r}") from None
        self.exact += 1


def fds_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def gauges(server):
    m = server.metrics()
    return {k: m[(f"plimsoll_{k}", ())] for k in ("connections_open", "connections_idle", "queue_length", "workers_busy")}


def test_every_answer_is_exact_and_nothing_is_left(site, start):
    files = random.Random(SEED).randbytes(400000)
    site.write("file.bin", files)
    for name in ("t.php", "stream/t.php"):
        site.php(name, SCRIPT)
    site.write("stream/file.bin", files)
    site.php("loop.php", "header('X-Accel-Redirect: /loop.php');")
    server = start(workers=3, conf="[global]\nresponse_buffer = 64k\nresponse_spool = 512k\n"
                                   "[pool www]\npm.max_requests = 60\n"
                                   "[route stream]\npath = /stream/*\nrequest_buffering = off\n")
    server.wait_workers(3)
    edge = server.pids("edge")[0]
    before, rest = fds_of(edge), gauges(server)
    for i in range(2):  # the second round must not need more memory than the first
        until = time.monotonic() + SECONDS / 2
        clients = [Torturer(server.listen, i * 100 + k, until, files) for k in range(THREADS)]
        for c in clients:
            c.start()
        for c in clients:
            c.join(SECONDS + 4 * harness.DEADLINE)
        hung = [c.number for c in clients if c.is_alive()]
        problems = [c.problem for c in clients if c.problem]
        assert not problems, "\n".join(problems) + "\n" + server.all_output()
        assert not hung, f"seed {SEED}: clients {hung} wait for ever"
        assert sum(c.exact for c in clients) > 50, "almost nothing was tried"
        if i == 0:
            rss = harness.rss_kib(edge)
    harness.wait_until(lambda: gauges(server) == rest, what=f"gauges {rest}; they are {gauges(server)}")
    # Workers come and go, each with two descriptors: compare when as many are there as before.
    server.wait_workers(3)
    harness.wait_until(lambda: fds_of(edge) <= before, what=f"{before} descriptors of the edge; it has {fds_of(edge)}")
    assert server.pids("edge") == [edge], "the edge was replaced"
    if not harness.ASAN:
        assert harness.rss_kib(edge) < rss + 4096
    assert pathlib.Path(f"/proc/{edge}").exists()
