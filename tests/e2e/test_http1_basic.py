# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as RFC 9110 and 9112 have it: persistence, pipelining, methods, targets, Host."""
import socket

import pytest

from rawhttp import Conn, build, chunked


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    module_site.write("file.txt", "0123456789")
    module_site.php("method.php", "header('X-Method: ' . $_SERVER['REQUEST_METHOD']); echo $_SERVER['REQUEST_METHOD'];")
    module_site.php("uri.php", "echo $_SERVER['REQUEST_URI'], ' ', $_SERVER['HTTP_HOST'];")
    module_site.php("len.php", "$s = str_repeat('x', 1000); header('Content-Length: 1000'); echo $s;")
    module_site.php("nolen.php", "echo 'a'; flush(); echo 'b'; flush();")
    module_site.php("s.php", "http_response_code((int)$_GET['s']); if (isset($_GET['b'])) echo 'body';")
    return module_start()


def test_get_a_script(server):
    """A script's output is the body of a 200 with text/html, and the connection stays open."""
    with server.conn() as c:
        r = c.get("/hello.php")
        assert (r.status, r.body) == (200, b"hello")
        assert r.get("Content-Type") == "text/html; charset=UTF-8"
        assert not r.closes
        assert c.get("/hello.php").body == b"hello"


def test_get_a_file(server):
    """A file's bytes are the body of a 200."""
    r = server.fetch("/file.txt")
    assert (r.status, r.body, r.framing) == (200, b"0123456789", "length")


def test_counters_count_requests(server):
    """Every answered request is counted once, by class and kind."""
    before = server.metrics()
    with server.conn() as c:
        for _ in range(3):
            assert c.get("/hello.php").status == 200
        assert c.get("/file.txt").status == 200
        assert c.get("/nothing.txt").status == 404
    server.wait_counter("http_requests", before[("plimsoll_http_requests_total", ())] + 5)
    after = server.metrics()

    def grown(name, **labels):
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before[key]
    assert grown("plimsoll_php_requests_total") == 3
    assert grown("plimsoll_static_requests_total") == 1
    assert grown("plimsoll_http_responses_total", **{"class": "4xx"}) == 1


def test_many_requests_on_one_connection(server):
    """A persistent connection carries a hundred requests of all kinds."""
    with server.conn() as c:
        for i in range(100):
            r = c.get(("/hello.php", "/file.txt", "/none")[i % 3])
            assert r.status == (200, 200, 404)[i % 3]
            assert not r.closes


def test_connection_close_is_obeyed(server):
    """Connection: close is answered with Connection: close, then the server closes."""
    with server.conn() as c:
        r = c.get("/hello.php", Connection="close")
        assert r.closes and r.body == b"hello"
        c.expect_close()


@pytest.mark.parametrize("value", ["Close", "foo, CLOSE", "close, keep-alive"])
def test_connection_close_in_any_form(server, value):
    """The close option counts whatever its case and whatever stands beside it."""
    with server.conn() as c:
        assert c.get("/hello.php", Connection=value).closes
        c.expect_close()


def test_http10_closes_by_default(server):
    """An HTTP/1.0 request is answered, then the connection is closed; never chunked."""
    for path in ("/hello.php", "/nolen.php", "/file.txt"):
        with server.conn() as c:
            r = c.request("GET", path, version="1.0")
            assert r.status == 200 and "Transfer-Encoding" not in r
            c.expect_close()


def test_http10_keep_alive(server):
    """HTTP/1.0 with Connection: keep-alive and a known length persists, and says so."""
    with server.conn() as c:
        r = c.request("GET", "/file.txt", [("Connection", "keep-alive")], version="1.0")
        assert r.status == 200 and "keep-alive" in r.get("Connection", "").lower()
        assert c.request("GET", "/file.txt", [("Connection", "keep-alive")], version="1.0").status == 200


def test_http10_without_host(server):
    """HTTP/1.0 needs no Host."""
    with server.conn() as c:
        assert c.request("GET", "/hello.php", version="1.0", host=None).status == 200


def test_pipelining_keeps_order(server):
    """Ten requests sent at once are answered in order."""
    with server.conn() as c:
        paths = ["/file.txt", "/hello.php", "/none", "/uri.php?1", "/uri.php?2"] * 2
        c.send(b"".join(build("GET", p) for p in paths))
        got = [c.response().body for _ in paths]
    assert got[0] == b"0123456789" and got[1] == b"hello"
    assert got[3] == b"/uri.php?1 localhost" and got[4] == b"/uri.php?2 localhost"
    assert got[5:] == got[:5]


def test_pipelining_with_bodies(server):
    """Bodies of pipelined requests end where their framing says."""
    with server.conn() as c:
        c.send(build("POST", "/echo.php", body=b"first") + build("POST", "/echo.php", [("Transfer-Encoding", "chunked")], chunked(b"se", b"cond"))
               + build("GET", "/echo.php"))
        assert [c.response().json()["n"] for _ in range(3)] == [5, 6, 0]


def test_request_byte_by_byte(server):
    """A request that arrives in single bytes is understood."""
    with server.conn() as c:
        for b in build("POST", "/echo.php", [("Transfer-Encoding", "chunked")], chunked(b"abc", b"de")):
            c.send(bytes([b]))
        assert c.response().json()["n"] == 5


def test_half_closed_client_gets_its_answer(server):
    """A client that shuts its sending side down behind the request still gets the answer."""
    with server.conn() as c:
        c.send(build("GET", "/hello.php"))
        c.sock.shutdown(socket.SHUT_WR)
        assert c.response().body == b"hello"
        c.expect_close()


def test_leading_empty_line_is_skipped(server):
    """An empty line before the request line is ignored (RFC 9112 2.2)."""
    with server.conn() as c:
        c.send(b"\r\n" + build("GET", "/hello.php"))
        assert c.response().status == 200


def test_unknown_length_is_chunked(server):
    """Output that is flushed before its end travels chunked and the connection persists."""
    with server.conn() as c:
        r = c.get("/nolen.php")
        assert (r.framing, r.body) == ("chunked", b"ab")
        assert c.get("/hello.php").status == 200


def test_script_content_length_is_kept(server):
    """A Content-Length that a script sets frames the response, once."""
    r = server.fetch("/len.php")
    assert (r.framing, len(r.body)) == ("length", 1000)


def test_head_of_a_script(server):
    """HEAD of a script has the fields of GET and no body; the next response follows at once."""
    with server.conn() as c:
        r = c.request("HEAD", "/len.php")
        assert (r.status, r.body, r.get("Content-Length")) == (200, b"", "1000")
        assert c.request("HEAD", "/nolen.php").status == 200
        assert c.get("/hello.php").body == b"hello"


def test_head_of_a_file(server):
    """HEAD of a file has the length of GET and no body."""
    with server.conn() as c:
        r = c.request("HEAD", "/file.txt")
        assert (r.status, r.get("Content-Length")) == (200, "10")
        assert c.get("/file.txt").body == b"0123456789"


def test_head_of_an_error(server):
    """HEAD of what is not there has no body either."""
    with server.conn() as c:
        assert c.request("HEAD", "/none").status == 404
        assert c.request("HEAD", "/file.txt").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT", "M-SEARCH", "get", "FOO!#$%&'*+.^_`|~"])
def test_any_method_reaches_php(server, method):
    """Any token is a method for PHP."""
    r = server.fetch("/method.php", method=method)
    assert (r.status, r.get("X-Method")) == (200, method)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_trace_and_connect(server, method):
    """TRACE and CONNECT are 405, on scripts and files alike, with Allow."""
    for path in ("/hello.php", "/file.txt"):
        r = server.fetch(path, method=method)
        assert r.status == 405 and "GET" in r.get("Allow")


def test_connect_authority_form(server):
    """CONNECT host:port is refused with 405 (or 400), and nothing is tunnelled."""
    r, rest = server.raw("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n")
    assert r.status in (405, 400) and rest == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND", "PATCH"])
def test_405_on_a_file(server, method):
    """A file takes GET, HEAD and OPTIONS; anything else is 405 with Allow, and the body is not taken for a request."""
    with server.conn() as c:
        r = c.request(method, "/file.txt", body=b"GET /pid.php HTTP/1.1\r\nHost: a\r\n\r\n")
        assert r.status == 405
        assert {m.strip() for m in r.get("Allow").split(",")} == {"GET", "HEAD", "OPTIONS"}
        if r.closes:
            c.expect_close()
        else:
            assert c.get("/file.txt").body == b"0123456789"


def test_options_on_a_file(server):
    """OPTIONS on a file names the methods."""
    r = server.fetch("/file.txt", method="OPTIONS")
    assert r.status in (200, 204) and "GET" in r.get("Allow") and "HEAD" in r.get("Allow")


def test_options_asterisk(server):
    """OPTIONS * is about the server: 200 or 204 with Allow; with another method * is 400."""
    r = server.fetch("*", method="OPTIONS")
    assert r.status in (200, 204) and r.get("Allow")
    assert server.fetch("*", method="GET").status == 400


@pytest.mark.parametrize("status", [201, 202, 203, 206, 301, 302, 303, 307, 400, 401, 402, 404, 409, 410, 418, 422, 429, 500, 503, 599])
def test_status_of_a_script(server, status):
    """http_response_code() is the status, with the body that the script writes."""
    with server.conn() as c:
        r = c.get(f"/s.php?s={status}&b")
        assert (r.status, r.body) == (status, b"body")
        assert c.get("/hello.php").status == 200


def test_205_has_an_empty_body(server, module_site):
    """205 may have no content, which its length of 0 says (RFC 9110 15.3.6)."""
    module_site.php("reset.php", "http_response_code(205); echo 'output';")
    with server.conn() as c:
        r = c.get("/reset.php")
        assert (r.status, r.get("Content-Length"), r.body) == (205, "0", b"")
        assert c.get("/hello.php").body == b"hello"


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body(server, status):
    """204 and 304 carry no body even if the script writes one."""
    with server.conn() as c:
        assert c.get(f"/s.php?s={status}&b").status == status
        assert c.get("/hello.php").body == b"hello"


# -- Host and targets --------------------------------------------------------------------------------------------------
def test_host_is_required(server):
    """HTTP/1.1 without Host is 400, then close."""
    r, rest = server.raw("GET /hello.php HTTP/1.1\r\n\r\n")
    assert r.status == 400 and r.closes and rest == b""


def test_two_hosts(server):
    """Two Host fields are 400, then close, equal or not."""
    for second in ("a", "b"):
        r, rest = server.raw(f"GET /hello.php HTTP/1.1\r\nHost: a\r\nHost: {second}\r\n\r\n")
        assert r.status == 400 and r.closes and rest == b""


@pytest.mark.parametrize("host", ["a b", "a/b", "a?b", "user@host", "a,b", "[::1", "a:b", "a:99999999", "a\tb", "<script>"])
def test_invalid_host(server, host):
    """A Host that is no authority is 400."""
    r, _ = server.raw(f"GET /hello.php HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert r.status == 400 and r.closes


@pytest.mark.parametrize("host", ["localhost", "EXAMPLE.org", "a.b.c:8080", "[::1]", "[::1]:8080", "127.0.0.1:80", "xn--bcher-kva.example"])
def test_valid_host(server, host):
    """HTTP_HOST is the Host field, port and all."""
    assert server.fetch("/uri.php", host=host).text == f"/uri.php {host}"


def test_empty_host(server):
    """An empty Host is allowed where the target has no authority (RFC 9112 3.2)."""
    assert server.raw("GET /hello.php HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n")[0].status == 200


def test_absolute_form(server):
    """An absolute target's authority wins over Host, and REQUEST_URI is its path and query."""
    r = server.fetch("http://other.example:81/uri.php?a=b", host="localhost")
    assert r.text == "/uri.php?a=b other.example:81"


def test_absolute_form_without_path(server, site, start):
    """An absolute target without a path is /."""
    site.php("index.php", "echo 'index ', $_SERVER['REQUEST_URI'];")
    s = start()
    assert s.fetch("http://a.example").text == "index /"
    assert s.fetch("http://a.example?a=/b").text == "index /?a=/b"


def test_absolute_form_still_needs_host(server):
    """An absolute target does not excuse a missing Host in HTTP/1.1."""
    r, _ = server.raw("GET http://a/hello.php HTTP/1.1\r\n\r\n")
    assert r.status == 400


@pytest.mark.parametrize("target", ["hello.php", "http:hello.php", "http:///hello.php", "ftp://a/hello.php", "//", "http://u:p@a/hello.php",
                                    "/a#frag", "/a\\b\x7f", "http://a b/", "http://[::1/"])
def test_odd_targets_run_nothing(server, target):
    """A target that is none of the four forms runs no script; it is 400 (or not found)."""
    r, _ = server.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert r.status in (400, 404, 403) and b"hello" not in r.body


def test_field_names_with_underscore_are_dropped(server):
    """A field whose name holds '_' doesn't reach PHP, and is counted."""
    before = server.counter("http_fields_dropped")
    r = server.fetch("/echo.php", fields=[("X_Spoof", "evil"), ("X-Spoof", "good"), ("Content_Length", "7")])
    assert r.json()["server"]["HTTP_X_SPOOF"] == "good"
    assert "evil" not in r.text
    assert server.counter("http_fields_dropped") == before + 2


def test_repeated_fields(server):
    """Repeated fields are joined with a comma, Cookie with a semicolon."""
    r = server.fetch("/echo.php", fields=[("X-A", "1"), ("X-A", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")]).json()
    assert r["server"]["HTTP_X_A"] == "1, 2"
    assert r["cookie"] == {"a": "1", "b": "2"}


def test_proxy_field_is_not_passed(server):
    """The Proxy field never becomes HTTP_PROXY (httpoxy)."""
    assert "HTTP_PROXY" not in server.fetch("/echo.php", fields=[("Proxy", "evil:1")]).json()["server"]


def test_upgrade_is_ignored(server):
    """An Upgrade that we don't speak is ignored."""
    r = server.fetch("/hello.php", fields=[("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")])
    assert (r.status, r.body) == (200, b"hello")


@pytest.mark.parametrize("version,status", [("HTTP/2.0", 505), ("HTTP/3.0", 505), ("HTTP/1.2", 200), ("HTTP/0.9", 505), ("HTTP/1", 400),
                                            ("http/1.1", 400), ("HTTP/1.1x", 400), ("HTTP/11.1", 400), ("XTTP/1.1", 400), ("HTTP/1.", 400)])
def test_versions(server, version, status):
    """Major versions that we don't speak are 505, what is no version 400; a higher minor is taken as 1.1."""
    r, _ = server.raw(f"GET /hello.php {version}\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert r.status in ((status, 505) if status == 400 else (status, 400) if version == "HTTP/0.9" else (status, 505) if version == "HTTP/1.2" else (status,))


def test_http09_is_refused(server):
    """A request line without a version is refused."""
    with server.conn() as c:
        c.send(b"GET /hello.php\r\n\r\n")
        assert c.response().status in (400, 505)


def test_http2_preface_is_refused(server):
    """The HTTP/2 preface gets an HTTP/1.1 error and a close."""
    r, rest = server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert r.status in (400, 505) and r.closes and rest == b""


def test_tls_client_hello_is_refused(server):
    """Bytes of TLS get 400 and a close, not a hang."""
    r, _ = server.raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(100)) + b"\r\n\r\n")
    assert r.status == 400


def test_garbage_does_not_harm(server):
    """Garbage gets 400 or a close, and the next client is served."""
    import random
    rng = random.Random(7)
    for _ in range(60):
        with server.conn() as c:
            c.send_lenient(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))) + b"\r\n\r\n")
            c.send_lenient(b"\r\n\r\n")
            try:
                c.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            c.rest()
    assert server.fetch("/hello.php").body == b"hello"


def test_several_listeners(site, start):
    """-l may be repeated, IPv4, IPv6 and unix sockets side by side; each answers."""
    site.scripts("hello.php")
    path = site.scratch / "www.sock"
    s = start(listen=("127.0.0.1:0", "127.0.0.1:0", f"unix:{path}"))
    assert len(s.ready["listen"]) == 3
    for where in s.ready["listen"]:
        with Conn(where) as c:
            assert c.get("/hello.php").body == b"hello"


def test_ipv6_listener(site, start):
    """[::1]:0 is an address."""
    site.scripts("echo.php")
    s = start(listen=("[::1]:0",))
    r = s.fetch("/echo.php").json()
    assert r["server"]["REMOTE_ADDR"] == "::1" and r["server"]["SERVER_ADDR"] == "::1"
