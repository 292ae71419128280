# SPDX-License-Identifier: Apache-2.0
"""Request bodies of every size and framing, uploads, limits, and that no worker waits for a client."""
import hashlib
import os

import pytest

from harness import ASAN, DEADLINE, rss_kib, wait_until
from rawhttp import build, chunked


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    module_site.php("upload.php", """
        header('Content-Type: application/json'); $out = [];
        foreach ($_FILES as $k => $f) {
            $out[$k] = $f;
            if (is_string($f['tmp_name']) && $f['tmp_name'] !== '')
                $out[$k] += ['uploaded' => is_uploaded_file($f['tmp_name']), 'sha1' => sha1_file($f['tmp_name']), 'mode' => fileperms($f['tmp_name']) & 0777];
        }
        echo json_encode(['files' => $out, 'post' => $_POST]);""")
    return module_start(args=("-d", "post_max_size=2G", "-d", "upload_max_filesize=64M", "--max-body-size", "2G"))


def sha1(data):
    return hashlib.sha1(data).hexdigest()


@pytest.mark.parametrize("n", [0, 1, 100, 4095, 4096, 65535, 65536, 65537, 131072, 262143, 262145, 1048576, 6 * 1024 * 1024 + 1])
def test_body_sizes(server, n):
    """php://input has exactly the bytes that were sent, whatever way they travel; the connection goes on."""
    body = os.urandom(n)
    with server.conn(deadline=DEADLINE) as c:
        r = c.request("POST", "/count.php", body=body).json()
        assert (r["n"], r["sha1"]) == (n, sha1(body))
        r = c.request("PUT", "/count.php", [("Transfer-Encoding", "chunked")], chunked(body[:n // 3], body[n // 3:])).json()
        assert (r["n"], r["sha1"]) == (n, sha1(body))
        assert c.get("/hello.php").body == b"hello"


def test_content_length_of_a_chunked_body(server):
    """A chunked body has its real length in CONTENT_LENGTH, as nginx passes it."""
    r = server.fetch("/echo.php", method="POST", fields=[("Transfer-Encoding", "chunked")], body=chunked(b"abcdefg")).json()
    assert r["server"]["CONTENT_LENGTH"] == "7"


def test_form(server):
    """A form's fields are in $_POST."""
    r = server.fetch("/echo.php?q=1", method="POST", fields=[("Content-Type", "application/x-www-form-urlencoded")],
                     body=b"a=1&b[]=2&b[]=3&c=%C3%A9").json()
    assert r["post"] == {"a": "1", "b": ["2", "3"], "c": "é"} and r["get"] == {"q": "1"}


@pytest.mark.parametrize("n", [16383, 16384, 16385, 20000, 65536, 65537, 1048576])
@pytest.mark.parametrize("kind", ["json", "form"])
def test_bodies_are_read_where_they_are(server, module_site, kind, n):
    """A POST's body is not copied to a file of PHP's, and php://input can be read, sought and opened as often as one likes."""
    module_site.php("input.php", """
        $whole = file_get_contents('php://input');
        $f = fopen('php://input', 'r'); $again = ''; while (!feof($f)) $again .= fread($f, 1000);
        fseek($f, -10, SEEK_CUR); $tail = fread($f, 100); rewind($f); $head = fread($f, 10);
        $files = array_filter(array_map(fn($fd) => (string)@readlink("/proc/self/fd/$fd"), scandir('/proc/self/fd')), fn($to) => preg_match('~/php\\w{6}~', $to));
        header('Content-Type: application/json');
        echo json_encode(['n' => strlen($whole), 'sha1' => sha1($whole), 'same' => $whole === $again, 'head' => $head, 'tail' => $tail,
            'post' => array_map(fn($v) => [strlen($v), sha1($v)], $_POST), 'files' => array_values($files), 'fds' => count(scandir('/proc/self/fd')), 'pid' => getmypid()]);""")
    if kind == "json":
        body = ('"' + "x" * (n - 14) + 'the end"').encode().ljust(n)[:n]
        post, content_type = [], "application/json"
    else:
        value = os.urandom(n).hex()[:n - 14]
        body = b"first=" + value.encode() + b"&last=12"
        post = {"first": [len(value), sha1(value.encode())], "last": [2, sha1(b"12")]}
        content_type = "application/x-www-form-urlencoded"
    assert len(body) == n
    fds = {}
    for framed in (body, chunked(body[:n // 2], body[n // 2:])):
        fields = [("Content-Type", content_type)] + ([] if framed is body else [("Transfer-Encoding", "chunked")])
        for _ in range(3):
            r = server.fetch("/input.php", method="POST", fields=fields, body=framed).json()
            assert (r["n"], r["sha1"], r["same"], r["post"]) == (n, sha1(body), True, post)
            assert (r["head"], r["tail"]) == (body[:10].decode(), body[-10:].decode())
            assert r["files"] == []
            fds.setdefault(r["pid"], set()).add(r["fds"])
    assert all(len(seen) == 1 for seen in fds.values()), f"descriptors are left: {fds}"


def test_a_body_that_the_script_does_not_read_is_closed(server, module_site):
    """Spooled bodies of scripts that ignore them, or that end in a fatal error, leave no descriptor in the worker."""
    module_site.php("ignore.php", "if (isset($_GET['die'])) undefined_function(); echo count(scandir('/proc/self/fd')), ' ', getmypid();")
    seen = {}
    for n in range(12):
        server.fetch("/ignore.php?die", method="POST", fields=[("Content-Type", "application/json")], body=b"x" * 100000)
        count, pid = server.fetch("/ignore.php", method="POST", fields=[("Content-Type", "application/json")], body=b"x" * 100000).text.split()
        seen.setdefault(pid, set()).add(count)
    assert all(len(counts) == 1 for counts in seen.values()), seen


def multipart(parts, boundary="XbX"):
    out = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
        out += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode()
        if filename is not None:
            out += b"Content-Type: application/octet-stream\r\n"
        out += b"\r\n" + content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode(), [("Content-Type", f"multipart/form-data; boundary={boundary}")]


@pytest.mark.parametrize("n", [10, 100_000, 6_000_000])
def test_upload(server, n):
    """A multipart upload arrives in $_FILES, its other fields in $_POST."""
    content = os.urandom(n)
    body, fields = multipart([("title", None, b"hello"), ("file", "a b.bin", content)])
    r = server.fetch("/upload.php", method="POST", fields=fields, body=body).json()
    assert r["post"] == {"title": "hello"}
    f = r["files"]["file"]
    assert (f["name"], f["size"], f["error"], f["sha1"], f["uploaded"]) == ("a b.bin", n, 0, sha1(content), True)
    assert f["mode"] == 0o600
    assert not os.path.exists(f["tmp_name"]), "the upload's temporary file is left"


def test_upload_larger_than_phps_limit(site, start):
    """upload_max_filesize is PHP's to enforce: UPLOAD_ERR_INI_SIZE."""
    site.php("up.php", "echo json_encode([$_FILES['file']['error'], $_POST]);")
    s = start(args=("-d", "upload_max_filesize=1K"))
    body, fields = multipart([("a", None, b"b"), ("file", "x", b"y" * 5000)])
    assert s.fetch("/up.php", method="POST", fields=fields, body=body).json() == [1, {"a": "b"}]


def test_max_file_uploads(site, start):
    """max_file_uploads and max_input_vars hold."""
    site.php("up.php", "echo json_encode([count($_FILES), count($_POST)]);")
    s = start(args=("-d", "max_file_uploads=2"))
    body, fields = multipart([(f"f{i}", "x", b"y") for i in range(5)] + [(f"p{i}", None, b"1") for i in range(2)])
    assert s.fetch("/up.php", method="POST", fields=fields, body=body).json() == [2, 2]
    s = start(args=("-d", "max_input_vars=3", "-d", "display_errors=0"))
    r = s.fetch("/up.php", method="POST", fields=[("Content-Type", "application/x-www-form-urlencoded")], body=b"a=1&b=1&c=1&d=1&e=1")
    assert 0 < r.json()[1] < 5


# -- limits ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def small(site, start):
    site.scripts()
    return start(args=("--max-body-size", "100K"))


def test_announced_body_too_large(small):
    """A Content-Length over max_body_size is 413 at once, no worker is taken, and the connection is closed."""
    with small.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", "1000000")]))
        r = c.response()
        assert r.status == 413 and r.closes
    assert small.counter("php_requests") == 0


def test_chunked_body_too_large(small):
    """A chunked body is 413 when it passes max_body_size."""
    with small.conn() as c:
        c.send(build("POST", "/count.php", [("Transfer-Encoding", "chunked")]))
        c.send_lenient(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        for _ in range(20):
            if not c.send_lenient(b"4000\r\n" + b"x" * 0x4000 + b"\r\n"):
                break
        r = c.response()
        assert r.status == 413 and r.closes
    assert small.counter("php_requests") == 0


@pytest.mark.parametrize("n", [400_000, 30_000_000])
def test_client_that_sends_all_reads_the_413(small, n):
    """A client that sends its whole too large body before it reads still gets the 413 (no reset that eats it)."""
    with small.conn() as c:
        c.send(build("POST", "/count.php", body=b"x" * n))
        assert c.response().status == 413


def test_body_at_the_limit(small):
    """Exactly max_body_size is taken, one byte more is not."""
    assert small.fetch("/count.php", method="POST", body=b"x" * 102400).json()["n"] == 102400
    assert small.fetch("/count.php", method="POST", body=b"x" * 102401).status == 413


def test_post_max_size_is_phps(site, start):
    """A body over post_max_size does not fill $_POST; it is refused with 413 or reaches PHP as on FPM."""
    site.php("post.php", "echo json_encode([count($_POST), (int)$_SERVER['CONTENT_LENGTH']]);")
    s = start(args=("-d", "post_max_size=1K"))
    body = b"a=" + b"x" * 5000
    r = s.fetch("/post.php", method="POST", fields=[("Content-Type", "application/x-www-form-urlencoded")], body=body)
    assert r.status == 413 or r.text.endswith(f"[0,{len(body)}]")


# -- Expect ------------------------------------------------------------------------------------------------------------
def test_expect_continue(server):
    """Expect: 100-continue gets 100, then the final answer."""
    with server.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", "5"), ("Expect", "100-continue")]))
        assert c.head().status == 100
        c.send(b"hello")
        assert c.response().json()["n"] == 5
        assert c.get("/hello.php").status == 200


def test_expect_continue_chunked(server):
    """The same for a chunked body, with the field in capitals."""
    with server.conn() as c:
        c.send(build("POST", "/count.php", [("Transfer-Encoding", "chunked"), ("Expect", "100-Continue")]))
        assert c.head().status == 100
        c.send(chunked(b"hello"))
        assert c.response().json()["n"] == 5


def test_expect_with_body_already_there(server):
    """A client that does not wait for 100 is served; 100 may be left out."""
    with server.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", "5"), ("Expect", "100-continue")]) + b"hello")
        assert c.response().json()["n"] == 5


def test_expect_refused_before_the_body(small):
    """A body that would be refused is refused before it is sent: no 100."""
    with small.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", "1000000"), ("Expect", "100-continue")]))
        r = c.response()
        assert r.status == 413 and not r.interim


@pytest.mark.parametrize("path,status", [("/none", 404), ("/.env", (403, 404))])
def test_expect_for_what_is_not_there(server, path, status):
    """What is not there is refused without asking for the body."""
    with server.conn() as c:
        c.send(build("POST", path, [("Content-Length", "5"), ("Expect", "100-continue")]))
        r = c.response()
        assert r.status in (status if isinstance(status, tuple) else (status,)) and not r.interim


def test_expect_in_http10_is_ignored(server):
    """HTTP/1.0 clients get no 100."""
    with server.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", "5"), ("Expect", "100-continue")], version="1.0") + b"hello")
        r = c.response()
        assert r.status == 200 and not r.interim


def test_expect_without_body(server):
    """Expect without a body gets no 100."""
    r = server.fetch("/hello.php", fields=[("Expect", "100-continue")])
    assert r.status == 200 and not r.interim


# -- workers and slow clients ------------------------------------------------------------------------------------------
def test_slow_bodies_hold_no_worker(site, start):
    """Twenty stalled uploads on one worker: others are served at once, and PHP has seen none of them."""
    site.scripts()
    s = start(workers=1)
    conns = []
    for i in range(20):
        c = s.conn()
        c.send(build("POST", "/count.php", [("Content-Length", "200000")]) + b"x" * (i * 5000))
        conns.append(c)
    for _ in range(10):
        assert s.fetch("/hello.php").body == b"hello"
    assert s.counter("php_requests") == 10
    for i, c in enumerate(conns):
        c.send(b"x" * (200000 - i * 5000))
    for c in conns:
        assert c.response().json()["n"] == 200000
        c.close()


def test_client_gone_in_the_body(server):
    """A client that leaves in the middle of its body costs nothing and runs nothing."""
    before = server.counter("php_requests")
    gone = server.counter("http_clients_gone")
    for n in (0, 10, 100_000):
        received = server.counter("http_received_bytes")
        c = server.conn()
        data = build("POST", "/count.php", [("Content-Length", "200000")]) + b"x" * n
        c.send(data)
        server.wait_counter("http_received_bytes", received + len(data))  # a reset throws away what was not read yet
        c.reset()
    server.wait_counter("http_clients_gone", gone + 3)
    assert server.counter("php_requests") == before


def test_spooled_body_leaves_no_file(site, start):
    """A body larger than body_memory goes through an unlinked file in spool_dir and counts as spooled."""
    spool = site.base / "spool"
    spool.mkdir()
    spool.chmod(0o777)
    site.scripts()
    s = start(conf="[global]\nbody_memory = 64K\n", args=("--spool-dir", spool, "--max-body-size", "100M", "-d", "post_max_size=100M"))
    body = os.urandom(3_000_000)
    with s.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", str(len(body)))]) + body[:2_000_000])
        s.wait_counter("spool_bytes", 1_000_000, what="request")
        assert list(spool.iterdir()) == []
        c.send(body[2_000_000:])
        r = c.response().json()
        assert (r["n"], r["sha1"]) == (len(body), sha1(body))
    r = s.fetch("/count.php", method="POST", body=body).json()
    assert (r["n"], r["sha1"]) == (len(body), sha1(body))
    assert list(spool.iterdir()) == []


def test_body_of_1_gb(server):
    """1 GB streams through a spool file into a script; neither edge nor worker grows with it."""
    n, piece = 1 << 30, os.urandom(1 << 20)
    h = hashlib.sha1()
    edge = server.pids("edge")[0]
    assert server.fetch("/count.php", method="POST", body=piece).status == 200
    before = rss_kib(edge)
    with server.conn(deadline=DEADLINE * 8) as c:
        c.send(build("POST", "/count.php", [("Content-Length", str(n))]))
        for _ in range(n // len(piece)):
            c.send(piece)
            h.update(piece)
        r = c.response().json()
    assert (r["n"], r["sha1"]) == (n, h.hexdigest())
    assert r["peak"] < 64 << 20
    if not ASAN:
        assert rss_kib(edge) - before < 32 << 10, "the edge grew with the body"


# -- request_buffering = off -------------------------------------------------------------------------------------------
@pytest.fixture
def streaming(site, start):
    site.scripts()
    site.php("stream.php", """
        $f = fopen('php://input', 'r'); touch($_GET['mark']);
        $n = 0; while (!feof($f)) { $s = fread($f, 8192); $n += strlen($s); if ($n >= 5 && isset($_GET['half'])) touch($_GET['half']); }
        echo $n;""")
    return start(conf="[site default]\nrequest_buffering = off\n", args=("--max-body-size", "100M", "-d", "post_max_size=100M"))


def test_unbuffered_body_reaches_php_early(streaming, site):
    """With request_buffering = off the script runs, and reads what there is, before the body's end."""
    mark, half = site.scratch / "mark", site.scratch / "half"
    with streaming.conn() as c:
        c.send(build("POST", f"/stream.php?mark={mark}&half={half}", [("Content-Length", "100000")]) + b"hello")
        wait_until(mark.exists, what="the script's start")
        c.send(b"x" * 50000)
        wait_until(half.exists, what="the script reading")
        c.send(b"x" * 49995)
        assert c.response().text == "100000"
        assert c.get("/hello.php").body == b"hello"


def test_unbuffered_chunked_body(streaming, site):
    """The same for a chunked body of a megabyte."""
    with streaming.conn() as c:
        body = os.urandom(1_000_000)
        c.send(build("POST", "/count.php", [("Transfer-Encoding", "chunked")], chunked(*[body[i:i + 70_000] for i in range(0, len(body), 70_000)])))
        r = c.response().json()
        assert (r["n"], r["sha1"]) == (len(body), sha1(body))
        assert c.get("/hello.php").body == b"hello"


def test_unbuffered_body_client_gone(streaming, site):
    """A client that leaves in the middle of a streamed body ends the read; the worker is free again."""
    mark = site.scratch / "mark"
    c = streaming.conn()
    c.send(build("POST", f"/stream.php?mark={mark}", [("Content-Length", "100000")]) + b"hello")
    wait_until(mark.exists, what="the script's start")
    c.reset()
    wait_until(lambda: streaming.counter("workers_busy") == 0, what="no busy worker")
    assert streaming.fetch("/hello.php").body == b"hello"


def test_unbuffered_body_that_the_script_ignores(streaming):
    """A script that does not read its streamed body leaves the connection in order: the rest is taken, or it closes."""
    with streaming.conn() as c:
        c.send_lenient(build("POST", "/hello.php", body=b"GET /pid.php HTTP/1.1\r\nHost: a\r\n\r\n" * 20000))
        r = c.response()
        assert r.body == b"hello"
        if not r.closes:
            assert c.get("/hello.php").body == b"hello"
        else:
            c.rest()


def test_unbuffered_body_too_large(streaming):
    """max_body_size holds without buffering too."""
    with streaming.conn() as c:
        c.send(build("POST", "/count.php", [("Content-Length", str(200 << 20))]))
        assert c.response().status == 413
