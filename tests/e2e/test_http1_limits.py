# SPDX-License-Identifier: Apache-2.0
"""Every limit on size and time, and that a client past it is told so and costs nobody else anything."""
import time

import pytest

from harness import DEADLINE, wait_until
from rawhttp import Closed, build


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    module_site.write("file.txt", "x")
    return module_start()


@pytest.fixture(scope="module")
def hasty(module_site, module_start, server):
    """A server whose time limits are short, and yet longer than a busy machine keeps a client from sending."""
    return module_start(conf="""
[global]
header_timeout = 2s
body_timeout = 2s
keepalive_timeout = 2s
send_timeout = 2s
response_buffer = 64K
response_spool = 0
keepalive_requests = 5
""")


def test_request_line_too_long(server):
    """A request line over the limit is 414, then close."""
    r, rest = server.raw(f"GET /{'a' * 70000} HTTP/1.1\r\nHost: a\r\n\r\n")
    assert r.status == 414 and r.closes and rest == b""


def test_request_line_without_end(server):
    """An endless request line is refused without waiting for its end."""
    with server.conn() as c:
        c.send_lenient(b"GET /" + b"a" * 70000)
        assert c.response().status in (414, 400, 431)


def test_long_request_line_within_the_limit(server):
    """A query of 4,000 bytes arrives whole."""
    r = server.fetch("/echo.php?q=" + "a" * 4000)
    assert len(r.json()["get"]["q"]) == 4000


def test_header_too_large(server):
    """A head over the limit is 431, then close."""
    r, rest = server.raw("GET /hello.php HTTP/1.1\r\nHost: a\r\n" + f"X-A: {'b' * 1000}\r\n" * 200 + "\r\n")
    assert r.status == 431 and r.closes and rest == b""


def test_one_field_too_large(server):
    """One endless field is 431 too."""
    r, _ = server.raw("GET /hello.php HTTP/1.1\r\nHost: a\r\nCookie: " + "c" * 200000 + "\r\n\r\n")
    assert r.status == 431


def test_too_many_fields(server):
    """More fields than the limit are 431."""
    r, _ = server.raw("GET /hello.php HTTP/1.1\r\nHost: a\r\n" + "A:\r\n" * 2000 + "\r\n")
    assert r.status == 431 and r.closes


def test_configured_limits(site, start):
    """request_line_max, header_max and header_count_max are settings."""
    site.scripts("hello.php")
    s = start(conf="[global]\nrequest_line_max = 256\nheader_max = 1024\nheader_count_max = 10\n")
    assert s.raw(f"GET /{'a' * 300} HTTP/1.1\r\nHost: a\r\n\r\n")[0].status == 414
    assert s.raw(f"GET / HTTP/1.1\r\nHost: a\r\nX: {'a' * 1024}\r\n\r\n")[0].status == 431
    assert s.raw("GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 11 + "\r\n")[0].status == 431
    assert s.fetch("/hello.php").status == 200


def test_slow_header(hasty):
    """A head that does not arrive in header_timeout gets 408 (or nothing) and a close, and is counted."""
    before = hasty.counter("http_timeouts", what="header")
    with hasty.conn() as c:
        c.send(b"GET /hello.php HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        try:
            r = c.response()
            assert r.status == 408 and r.closes
        except Closed:
            pass
        c.expect_close()
    hasty.wait_counter("http_timeouts", before + 1, what="header")


def test_dripping_header(hasty):
    """A head that drips in is cut at header_timeout although bytes keep arriving."""
    with hasty.conn() as c:
        end = time.monotonic() + DEADLINE
        c.send(b"GET /hello.php HTTP/1.1\r\nHost: a\r\n")
        while c.is_quiet():
            assert time.monotonic() < end, "still open"
            if not c.send_lenient(b"X: y\r\n"):
                break
            time.sleep(0.03)
        try:
            assert c.response().status == 408
        except Closed:
            pass


def test_slow_body(hasty):
    """A body that stalls gets 408 and a close, is counted, and no worker was ever taken."""
    before, php = hasty.counter("http_timeouts", what="body"), hasty.counter("php_requests")
    with hasty.conn() as c:
        c.send(build("POST", "/echo.php", [("Content-Length", "100")]) + b"abc")
        r = c.response()
        assert r.status == 408 and r.closes
        c.expect_close()
    assert hasty.counter("http_timeouts", what="body") == before + 1
    assert hasty.counter("php_requests") == php


def test_slow_chunked_body(hasty):
    """A chunked body that stalls gets 408."""
    with hasty.conn() as c:
        c.send(build("POST", "/echo.php", [("Transfer-Encoding", "chunked")]) + b"5\r\nab")
        assert c.response().status == 408


def test_body_rate(site, start):
    """A body slower than body_min_rate is cut with 408 although bytes keep arriving."""
    site.scripts("echo.php")
    s = start(conf="[global]\nbody_timeout = 1s\nbody_min_rate = 1000\n")
    with s.conn() as c:
        c.send(build("POST", "/echo.php", [("Content-Length", "1000000")]))
        end = time.monotonic() + DEADLINE
        while c.is_quiet():
            assert time.monotonic() < end, "a body of 20 bytes a second is still taken"
            if not c.send_lenient(b"x"):
                break
            time.sleep(0.05)
        assert c.response().status == 408


def test_keepalive_timeout(hasty):
    """An idle persistent connection is closed after keepalive_timeout, without a word."""
    with hasty.conn() as c:
        assert c.get("/hello.php").status == 200
        c.expect_close()


def test_silent_connection(hasty):
    """A connection on which nothing is ever sent is closed, without a word."""
    with hasty.conn() as c:
        c.expect_close()


def test_keepalive_requests(hasty):
    """The last of keepalive_requests says Connection: close."""
    with hasty.conn() as c:
        for _ in range(4):
            assert not c.get("/file.txt").closes
        assert c.get("/file.txt").closes
        c.expect_close()


def test_send_timeout(hasty):
    """A client that stops reading is cut after send_timeout, counted, and the worker is free."""
    before = hasty.counter("http_timeouts", what="send")
    with hasty.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/big.php?n=30000000"))
        hasty.wait_counter("http_timeouts", before + 1, what="send")
    assert hasty.fetch("/hello.php").status == 200
    wait_until(lambda: hasty.counter("workers_busy") == 0, what="no busy worker")


def test_send_timeout_of_a_file(hasty, module_site):
    """The same for a file."""
    module_site.write("big.bin", b"\0" * 30_000_000)
    before = hasty.counter("http_timeouts", what="send")
    with hasty.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/big.bin"))
        hasty.wait_counter("http_timeouts", before + 1, what="send")


def test_slow_reader_that_reads_is_not_cut(hasty):
    """A client that reads slowly but steadily gets everything."""
    with hasty.conn(rcvbuf=65536) as c:
        c.send(build("GET", "/big.php?n=3000000"))
        r, _ = c.response_head()
        n = 0
        for piece in c.body_pieces(r):
            n += len(piece)
            time.sleep(0.005)
        assert n == 3000000


def test_max_connections(site, start):
    """Past max_connections nobody is served (counted), idle connections make room, and when one leaves the next is served."""
    site.scripts()
    s = start(conf="[global]\nmax_connections = 10\n")
    conns = [s.conn() for _ in range(10)]
    for c in conns:
        c.send(b"GET /hello.php HTTP/1.1\r\n")  # not idle
    wait_until(lambda: s.counter("connections_open") >= 10, what="ten connections")
    with s.conn() as extra:
        extra.send_lenient(build("GET", "/hello.php"))
        s.wait_counter("connections_refused", 1)
        for c in conns:
            c.send(b"Host: a\r\n\r\n")
            assert c.response().status == 200
        try:
            assert extra.response().status in (200, 503)
        except Closed:
            pass
    assert s.fetch("/hello.php").status == 200
    for c in conns:
        c.close()
