# SPDX-License-Identifier: Apache-2.0
"""What runs out: descriptors, disk; and what ten thousand idle clients cost."""
import json
import os
import resource
import subprocess

import pytest

import rawhttp
from harness import ASAN, BINARY, DEADLINE, IS_ROOT, n_descriptors, rss_kib, wait_until
from rawhttp import Closed, Conn, build


def test_out_of_descriptors(site, start):
    """EMFILE at accept: counted, no busy loop, and when clients leave the server goes on as before."""
    site.scripts()
    site.write("f.txt", "file")
    s = start(workers=1, limits={resource.RLIMIT_NOFILE: (64, 64)}, conf="[global]\nmax_connections = 1000\nkeepalive_timeout = 60s\n")
    conns = []
    for _ in range(120):
        try:
            c = Conn(s.listen)
            c.send_lenient(b"GET /f.txt HT")
            conns.append(c)
        except OSError:
            break
    for c in conns:
        c.close()
    r = wait_until(lambda: answers(s, "/hello.php"), what="an answer after the crowd left")
    assert r == b"hello"
    assert answers(s, "/f.txt") == b"file"
    assert s.counter("accept_errors") + s.counter("connections_refused") > 0


def answers(s, target):
    try:
        r = s.fetch(target)
        return r.body if r.status == 200 else None
    except (Closed, OSError):
        return None


def test_out_of_descriptors_does_not_spin(site, start):
    """While descriptors are out the edge does not burn CPU in a loop."""
    site.scripts()
    s = start(workers=1, limits={resource.RLIMIT_NOFILE: (64, 64)}, conf="[global]\nmax_connections = 1000\n")
    from harness import stat_of
    edge = s.pids("edge")[0]
    conns = [Conn(s.listen) for _ in range(120)]
    before = stat_of(edge)["ticks"]
    import time
    end = time.monotonic() + 1
    while time.monotonic() < end:  # not a wait for something: the time in which it could spin
        time.sleep(0.1)
    ticks = stat_of(edge)["ticks"] - before
    for c in conns:
        c.close()
    assert ticks < 50, f"{ticks} ticks of CPU in a second"


@pytest.fixture
def tiny_disk(site):
    """A file system of one megabyte."""
    path = site.base / "tiny"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_full_disk_at_upload(tiny_disk, site, start):
    """A spool that is full: the request gets 507 (or 500/503), is counted, PHP is not run, the server goes on."""
    site.scripts()
    s = start(args=("--spool-dir", tiny_disk, "--max-body-size", "100M", "-d", "post_max_size=100M"))
    with s.conn() as c:
        c.send_lenient(build("POST", "/count.php", body=b"x" * 5_000_000))
        r = c.response()
        assert r.status in (507, 500, 503)
    assert s.counter("spool_errors") >= 1
    assert s.counter("php_requests") == 0
    assert s.error_log.wait_for(r"(?i)no space|spool")
    assert s.fetch("/count.php", method="POST", body=b"x" * 300_000).json()["n"] == 300_000
    assert s.fetch("/hello.php").body == b"hello"


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_full_disk_at_phps_upload(tiny_disk, site, start):
    """A full upload_tmp_dir is PHP's to report: UPLOAD_ERR_CANT_WRITE."""
    site.php("up.php", "echo $_FILES['f']['error'] ?? 'none';")
    s = start(args=("-d", f"upload_tmp_dir={tiny_disk}", "-d", "post_max_size=100M", "-d", "upload_max_filesize=100M"))
    body = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + b"x" * 5_000_000 + b"\r\n--b--\r\n"
    r = s.fetch("/up.php", method="POST", fields=[("Content-Type", "multipart/form-data; boundary=b")], body=body)
    assert r.text.endswith("7")


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_full_disk_at_a_slow_answer(tiny_disk, site, start):
    """A spool that is full while an answer waits for its client: back-pressure or a cut, never wrong bytes; others are served."""
    site.scripts()
    s = start(workers=2, args=("--spool-dir", tiny_disk), conf="[global]\nresponse_spool = 1G\n")
    with s.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/big.php?n=20000000"))
        s.wait_counter("php_requests", 1)
        for _ in range(20):
            assert s.fetch("/hello.php").body == b"hello"
        r, _ = c.response_head()
        n, pattern = 0, b"0123456789abcdef" * 65536
        try:
            for p in c.body_pieces(r):
                assert p == pattern[n % 16:n % 16 + len(p)]
                n += len(p)
        except Closed:
            pass
        assert n <= 20_000_000
    assert s.fetch("/hello.php").body == b"hello"


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_full_disk_at_the_logs(tiny_disk, site, start):
    """Logs on a full disk: requests are answered all the same."""
    site.scripts()
    (tiny_disk / "fill").write_bytes(b"x" * (1 << 20))
    s = start(access_log=False, args=("-a", tiny_disk / "access.log"))
    for _ in range(50):
        assert s.fetch("/hello.php").body == b"hello"


@pytest.mark.skipif(not IS_ROOT, reason="a tmpfs is mounted")
def test_spool_in_memory_is_said(tiny_disk, site, start):
    """A spool directory that is tmpfs is said aloud."""
    site.scripts()
    s = start(args=("--spool-dir", tiny_disk))
    said = s.stderr.text + s.error_log.text
    assert "tmpfs" in said or "in memory" in said


READ_ONLY = """mount --make-rprivate / && mount -t tmpfs none /dev/shm && for d in /tmp /var/tmp /run; do
    mount --bind $d $d && mount -o remount,bind,ro $d || exit 99; done; mount -o remount,bind,ro / && cd / && exec "$@" """


def test_a_read_only_container(site):
    """docker run --read-only: the spool goes where something can be written, and without a control socket signals are left."""
    if not IS_ROOT or subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs a mount namespace")
    site.scripts("count.php")
    read_fd, write_fd = os.pipe()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL") and k != "PORT"}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    p = subprocess.Popen(["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", BINARY, "serve", site.app, "-l", "127.0.0.1:0",
                          "--ready-fd", str(write_fd), "-a", "off", "-d", "opcache.lockfile_path=/dev/shm",
                          "-d", "sys_temp_dir=/dev/shm"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         pass_fds=(write_fd,), env=env)
    os.close(write_fd)
    try:
        with open(read_fd) as ready:
            line = ready.readline()
        assert line, p.communicate(timeout=DEADLINE)
        said = json.loads(line)
        assert said["control"] is None
        r = rawhttp.fetch(said["listen"][0], "/count.php", method="POST", body=b"x" * 200000)
        assert r.json()["n"] == 200000
        p.terminate()
        err = p.communicate(timeout=DEADLINE)[1]
    finally:
        p.kill()
        p.wait()
    assert p.returncode == 0
    assert "can't open the control socket" in err and "/dev/shm is in memory" in err


def test_ten_thousand_idle_connections(site, start):
    """10,000 idle connections: the edge grows by little, others are served, and all of it is given back."""
    site.scripts()
    n = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n + 500:
        n = hard - 500
    s = start(conf="[global]\nmax_connections = 20000\nkeepalive_timeout = 600s\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    conns = []
    try:
        edge = s.pids("edge")[0]
        before = rss_kib(edge)
        for i in range(n):
            c = Conn(s.listen, deadline=DEADLINE)
            conns.append(c)
            if i % 100 == 0:  # some have spoken before they fell silent
                assert c.get("/hello.php").body == b"hello"
        wait_until(lambda: s.counter("connections_open") >= n, what=f"{n} open connections")
        grown = rss_kib(edge) - before
        if not ASAN:
            assert grown < 24 << 10, f"the edge grew by {grown} KiB for {n} idle connections"
        for _ in range(20):
            assert s.fetch("/hello.php").body == b"hello"
        for c in conns[::500]:
            assert c.get("/hello.php").body == b"hello"
    finally:
        for c in conns:
            c.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: s.counter("connections_open") <= 5, what="closed connections")
    assert s.fetch("/hello.php").body == b"hello"


def test_slowloris(site, start):
    """Five hundred clients that send a byte now and then keep nobody else waiting."""
    site.scripts()
    s = start(workers=1, conf="[global]\nheader_timeout = 300s\n")
    conns = [s.conn() for _ in range(500)]
    for k in range(3):
        for c in conns:
            c.send(b"GET /hello.php HTTP/1.1\r\nX-A: "[k * 5:k * 5 + 5])
        assert s.fetch("/hello.php").body == b"hello"
    for c in conns:
        c.close()


def test_many_requests_on_many_connections(site, start):
    """Two hundred connections with ten pipelined requests each are all answered."""
    site.scripts()
    s = start(workers=2, args=("--queue", "5000"))
    conns = [s.conn(deadline=DEADLINE * 2) for _ in range(200)]
    for c in conns:
        c.send(build("GET", "/hello.php") * 10)
    for c in conns:
        for _ in range(10):
            assert c.response().body == b"hello"
        c.close()


def test_descriptors_do_not_leak(site, start):
    """Hundreds of requests of all kinds, cut ones among them, leave the edge's descriptors as they were."""
    site.scripts()
    site.write("f.txt", "file")
    s = start(workers=1)
    edge = s.pids("edge")[0]

    def round_of(n):
        for _ in range(n):
            s.fetch("/hello.php"), s.fetch("/f.txt"), s.fetch("/none"), s.fetch("/f.txt", fields={"Range": "bytes=0-1,3-3"})
            s.fetch("/count.php", method="POST", body=b"x" * 200_000)
            c = s.conn()
            c.send(build("POST", "/count.php", [("Content-Length", "300000")]) + b"x" * 200_000)
            c.reset()
            c = s.conn(rcvbuf=4096)
            c.send(build("GET", "/big.php?n=3000000"))
            c.response_head()
            c.reset()
        wait_until(lambda: s.counter("connections_open") <= 1 and s.counter("workers_busy") == 0, what="silence")
        return n_descriptors(edge)
    first = round_of(5)
    wait_until(lambda: round_of(3) <= first + 1, what="as many descriptors as before")
