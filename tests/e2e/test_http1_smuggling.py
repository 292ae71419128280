# SPDX-License-Identifier: Apache-2.0
"""Request smuggling: what two servers might read differently is refused and the connection closed, so that nothing behind
it is ever taken for a request. The oracle is a counter: how many requests PHP got."""
import pytest

from rawhttp import build

SMUGGLED = b"GET /hello.php?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    return module_start()


def refuse(server, data, statuses=(400,)):
    """Sends the request with a second one behind it: one refusal, a close, and PHP saw nothing."""
    before = server.counter("php_requests")
    bad = server.counter("http_requests_bad")
    data = data if isinstance(data, bytes) else data.encode("latin-1")
    r, rest = server.raw(data + SMUGGLED)
    assert r.status in statuses, r
    assert r.closes, "the refusal does not say Connection: close"
    assert rest == b"", f"something was answered behind the refusal: {rest[:200]!r}"
    assert server.counter("php_requests") == before, "PHP got a request"
    assert server.counter("http_requests_bad") == bad + 1


def post(*lines, body=b""):
    return ("POST /echo.php HTTP/1.1\r\nHost: localhost\r\n" + "".join(l + "\r\n" for l in lines) + "\r\n").encode("latin-1") + body


CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("lines", [
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ("Transfer-Encoding: chunked", "Content-Length: 0"),
    ("content-length: 15", "TRANSFER-ENCODING: chunked"),
], ids=lambda v: " + ".join(v))
def test_length_and_chunked(server, lines):
    """Content-Length and Transfer-Encoding together are refused, in any order and case."""
    refuse(server, post(*lines, body=CHUNKS))


@pytest.mark.parametrize("value", [
    "5, 6", "5, 5", "5,5", "+5", "-5", "-0", "0x5", "5 5", "5;", "5.0", "5e0", "", " ", "five", "５", "5\x0b", "5\x0c", ",5", "5,",
    "18446744073709551616", "18446744073709551621", "9223372036854775808", "99999999999999999999999999", "0005x", "\"5\"", "5\xa0", "1_0",
], ids=ascii)
def test_odd_content_length(server, value):
    """A Content-Length that is not one run of digits, or overflows, is refused."""
    line = b"Content-Length: " + value.encode("utf-8" if value == "５" else "latin-1")
    refuse(server, b"POST /echo.php HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\nhello", (400, 413))


@pytest.mark.parametrize("second", ["6", "5", "0", "05"])
def test_two_content_lengths(server, second):
    """Two Content-Length fields are refused, equal or not."""
    refuse(server, post("Content-Length: 5", f"Content-Length: {second}", body=b"hello"))


@pytest.mark.parametrize("value", [
    "xchunked", "chunkedx", "chunked, identity", "identity, chunked", "gzip, chunked", "chunked, chunked", "chunked,", ",chunked",
    "identity", "gzip", "x", "", "chunked;q=1", "chunked; a=b", "\"chunked\"", "'chunked'", "\x0bchunked", "chunked\x0b", "\x00chunked",
    "chunked\x00", "chun ked", "chunked chunked", "cow", "\xa0chunked", "chunked\xa0", "chunked\x0c", "chunk",
], ids=ascii)
def test_odd_transfer_encoding(server, value):
    """A Transfer-Encoding that is anything but "chunked" is refused: 400, or 501 for a coding we don't know."""
    refuse(server, post(f"Transfer-Encoding: {value}", body=CHUNKS), (400, 501))


@pytest.mark.parametrize("lines", [
    ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    ("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: x", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding:", "Transfer-Encoding: chunked"),
], ids=lambda v: " + ".join(v))
def test_two_transfer_encodings(server, lines):
    """Two Transfer-Encoding fields are refused."""
    refuse(server, post(*lines, body=CHUNKS), (400, 501))


@pytest.mark.parametrize("line", [
    "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked",
    "Transfer Encoding: chunked", "Transfer-Encoding", "Transfer-Encoding chunked", ": chunked", "Content-Length : 5", "Content-Length\x00: 5",
    "X\x00: 5", "X\x01: 5", "X\x7f: 5", "X\xe9: 5", "X(: 5", "X@Y: 5", "X[: 5", "X\\: 5", "X,Y: 5", "X;: 5", "X=Y: 5", "X{}: 5", "X\": 5",
], ids=ascii)
def test_odd_field_names(server, line):
    """White space or any byte that is no token in or before a field name is refused."""
    refuse(server, post("Content-Length: 5", line, body=b"hello"))


@pytest.mark.parametrize("line", ["X: a\x00b", "X: \x01", "X: a\x7f", "X: a\x08b", "X: a\x0bb", "X: a\x1b[2J"], ids=ascii)
def test_control_bytes_in_values(server, line):
    """NUL and control bytes in a field value are refused."""
    refuse(server, post("Content-Length: 5", line, body=b"hello"))


def test_obs_text_and_tab_are_fine(server):
    """A tab inside and bytes above 0x7f in a value are allowed."""
    r = server.fetch("/echo.php", fields=[("X-A", "a\tb"), ("X-B", "\xe9")])
    assert r.status == 200 and r.json()["server"]["HTTP_X_A"] == "a\tb"


@pytest.mark.parametrize("fold", [" folded", "\tfolded", " Transfer-Encoding: chunked"])
def test_obsolete_folding(server, fold):
    """A folded field line is refused."""
    refuse(server, post("Content-Length: 5", "X-A: b", fold, body=b"hello"))


def test_folded_first_line(server):
    """White space before the first field is refused."""
    refuse(server, b"GET /hello.php HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n")


def test_folded_transfer_encoding(server):
    """A Transfer-Encoding whose value is folded is refused."""
    refuse(server, post("Transfer-Encoding:", " chunked", body=CHUNKS))


@pytest.mark.parametrize("data", [
    b"GET /hello.php HTTP/1.1\nHost: localhost\n\n",
    b"GET /hello.php HTTP/1.1\nHost: localhost\r\n\r\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\n\r\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\r\n\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\r\nX: a\rY: b\r\n\r\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\r\nX: a\r\r\n\r\n",
    b"GET /hello.php HTTP/1.1\r\r\nHost: localhost\r\n\r\n",
    b"GET /hello.php\rX HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /hello.php HTTP/1.1\r\nHost: localhost\r\n\rX: y\r\n\r\n",
], ids=ascii)
def test_bare_lf_and_cr(server, data):
    """A line that ends in a bare LF, and a CR without LF, are refused."""
    refuse(server, data)


@pytest.mark.parametrize("data", [
    b"GET  /hello.php HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php  HTTP/1.1\r\nHost: a\r\n\r\n", b" GET /hello.php HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET\t/hello.php HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php\tHTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php HTTP/1.1 \r\nHost: a\r\n\r\n",
    b"GET /hel lo.php HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php\x00 HTTP/1.1\r\nHost: a\r\n\r\n", b"GE\x00T /hello.php HTTP/1.1\r\nHost: a\r\n\r\n",
    b"G(T /hello.php HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php\x0bHTTP/1.1\r\nHost: a\r\n\r\n", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b" /hello.php HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.php HTTP/1.1\r\nHost: a\r\nGET /x HTTP/1.1\r\n\r\n", b"\x00GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /hello.php%00.txt HTTP/1.1\r\nHost: a\r\n\r\n",
], ids=ascii)
def test_odd_request_lines(server, data):
    """A request line that is not exactly METHOD SP TARGET SP VERSION is refused."""
    if b"%00" in data:
        r = server.fetch("/hello.php%00.txt")
        assert r.status == 400 and b"hello" not in r.body
        return
    refuse(server, data)


# -- chunked -----------------------------------------------------------------------------------------------------------
def refuse_chunks(server, body):
    """A malformed chunked body: 400 and close, PHP sees nothing."""
    refuse(server, post("Transfer-Encoding: chunked", body=body))


@pytest.mark.parametrize("body", [
    b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\r0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"00000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;a\x00b\r\nhello\r\n0\r\n\r\n", b"5,5\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"x" * 100000 + b"\r\nhello\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n",
], ids=lambda b: ascii(b[:40]))
def test_malformed_chunks(server, body):
    """A chunk whose size, extension or line ends are not to the letter is refused."""
    refuse_chunks(server, body)


@pytest.mark.parametrize("trailer", [
    b" X: y\r\n", b"X : y\r\n", b"X: y\n", b"X\r\n", b": y\r\n", b"X: \x00\r\n", b"X" * 200000 + b": y\r\n", b"X: y\r\n" * 20000,
], ids=lambda b: ascii(b[:20]))
def test_malformed_trailers(server, trailer):
    """A trailer that is no field line, and endless trailers, are refused."""
    refuse(server, post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n"), (400, 431, 413))


def test_trailers_change_nothing(server):
    """Trailer fields are taken off and can't set what the head did not say."""
    with server.conn() as c:
        c.send(post("Transfer-Encoding: chunked", "Trailer: X-A", body=b"5\r\nhello\r\n0\r\nX-A: b\r\nContent-Length: 99\r\nHost: evil\r\n\r\n"))
        r = c.response().json()
        assert r["n"] == 5 and "HTTP_X_A" not in r["server"] and r["server"]["HTTP_HOST"] == "localhost"
        assert c.get("/hello.php").body == b"hello"


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n0\r\n\r\n", b"5;ext\r\nhello\r\n0;a=\"b\"\r\n\r\n", b"005\r\nhello\r\n000\r\n\r\n",
                                  b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"], ids=ascii)
def test_valid_chunks(server, body):
    """Extensions, leading zeros and either case of hex are fine, and the next request follows right behind."""
    with server.conn() as c:
        c.send(post("Transfer-Encoding: chunked", body=body) + build("GET", "/hello.php"))
        assert c.response().json()["n"] in (5, 20)
        assert c.response().body == b"hello"


def test_chunked_in_http10(server):
    """Transfer-Encoding in HTTP/1.0 is refused."""
    refuse(server, b"POST /echo.php HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)


def test_transfer_encoding_is_case_insensitive(server):
    """Chunked in capitals is chunked."""
    assert server.fetch("/echo.php", method="POST", fields=[("Transfer-Encoding", "CHUNKED")], body=CHUNKS).json()["n"] == 5


def test_get_with_body(server):
    """GET with a body: the body belongs to it and is never taken for the next request (CL.0)."""
    for path in ("/echo.php", "/none", "/hello.php"):
        with server.conn() as c:
            before = server.counter("http_requests")
            c.send(build("GET", path, body=SMUGGLED) + build("GET", "/echo.php?second"))
            if c.response().closes:  # what nobody wanted to read
                c.expect_close()
                assert path == "/none"
                continue
            r = c.response()
            assert r.json()["get"] == {"second": ""}
            assert server.counter("http_requests") == before + 2


@pytest.mark.parametrize("path", ["/none", "/", "/.env", "/hello.php/../../x"])
def test_refused_request_with_body(server, path):
    """What follows a body that nobody wanted is the next request, or the connection is closed; never the body itself."""
    before = server.counter("php_requests")
    with server.conn() as c:
        c.send(build("POST", path, body=SMUGGLED))
        r = c.response()
        assert r.status >= 400
        if r.closes:
            c.expect_close()
        else:
            assert c.get("/none").status == 404
    assert server.counter("php_requests") == before


def test_unread_body_is_not_a_request(server, module_site):
    """A script that does not read its body leaves nothing of it in the connection."""
    with server.conn() as c:
        c.send(build("POST", "/hello.php", body=SMUGGLED * 5000))
        assert c.response().body == b"hello"
        r = c.get("/echo.php?x=1")
        assert r.json()["get"] == {"x": "1"}


def test_expect_other(server):
    """An expectation that we don't know is 417."""
    r, _ = server.raw("POST /echo.php HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert r.status == 417


def test_response_splitting_through_the_target(server):
    """Encoded CR LF in a redirected path don't split the response."""
    r = server.fetch("/%0d%0aSet-Cookie:%20a=b")
    assert "Set-Cookie" not in r


def test_connection_field_cannot_drop_fields(server):
    """Naming a field in Connection does not hide it from PHP (we are the end server)."""
    r = server.fetch("/echo.php", fields=[("Connection", "close, X-Auth"), ("X-Auth", "secret")])
    assert r.json()["server"]["HTTP_X_AUTH"] == "secret"
