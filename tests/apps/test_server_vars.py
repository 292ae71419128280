# SPDX-License-Identifier: Apache-2.0
"""What a script sees of its request is what it sees on nginx + php-fpm: every superglobal, key by key, for many request forms.

The few intended differences are listed with both values and the reason.
"""
import collections
import json
import os
import re
import subprocess
import urllib.parse

import pytest
import rawhttp

import servers
from servers import HOST


# Written to a file as well as answered, so that HEAD can be looked at; bytes that JSON can't hold are escaped, in keys too.
DUMP = r"""<?php
function plain($v) {
    if (is_array($v)) {
        $pairs = [];
        foreach ($v as $k => $e) $pairs[] = [is_string($k) ? addcslashes($k, "\0..\37\\\177..\377") : $k, plain($e)];
        return ['array' => $pairs];
    }
    return is_string($v) ? addcslashes($v, "\0..\37\\\177..\377") : $v;
}
foreach ($_FILES as &$f) {
    foreach ((array)$f['tmp_name'] as $k => $t) {
        $sum = is_string($t) && is_uploaded_file($t) ? md5_file($t) : "not uploaded";
        if (is_array($f['tmp_name'])) $f['tmp_name'][$k] = $sum; else $f['tmp_name'] = $sum;
    }
}
unset($f);
$seen = [];
foreach (['_SERVER' => $_SERVER, '_GET' => $_GET, '_POST' => $_POST, '_FILES' => $_FILES, '_COOKIE' => $_COOKIE,
    '_REQUEST' => $_REQUEST, '_ENV' => $_ENV, 'input' => file_get_contents('php://input'), 'getallheaders' => getallheaders(),
    'apache_request_headers' => apache_request_headers(), 'getenv' => getenv(), 'getenv(HTTP_HOST)' => getenv('HTTP_HOST'),
    'getenv(MARK)' => getenv('MARK'), 'filter_input' => filter_input(INPUT_SERVER, 'REQUEST_METHOD'),
    'include_path' => get_include_path(), 'getcwd' => getcwd(), 'script' => __FILE__, 'argv' => $argv ?? null,
    'open' => stream_get_contents(fopen('php://input', 'r'), 5, 2), 'headers_sent' => headers_sent(),
    'user' => get_current_user(), 'uid' => posix_geteuid(), 'ini' => php_ini_loaded_file(), 'scanned' => php_ini_scanned_files(),
    'umask' => umask()] as $name => $value) $seen[$name] = plain($value);
$json = json_encode($seen, JSON_THROW_ON_ERROR);
file_put_contents(__DIR__ . '/../scratch/dump.json', $json);
header('Content-Type: application/json');
header('X-Method: ' . $_SERVER['REQUEST_METHOD']);
echo $json;
"""

# Differences that hold for every request: the key and why. Both sides must have it or not as said.
ALWAYS = {
    "SERVER_SOFTWARE": "it is another server",
    "SERVER_PORT": "each listens on a port of its own",
    "REMOTE_PORT": "each is called from a port of its own",
    "REQUEST_TIME": "one is asked after the other",
    "REQUEST_TIME_FLOAT": "one is asked after the other",
    "FCGI_ROLE": "there is no FastCGI",
    "REQUEST_ID": "nginx makes none; ours is what the logs say",
}


# PHP's lists of header fields: php-fpm makes them from nginx's variables, so that both are there, though empty, when the client
# sent neither, and a length when the body came in chunks. Ours hold what was sent.
MADE_UP = {f"{table}.{name}" for table in ("getallheaders", "apache_request_headers") for name in ("Content-Length", "Content-Type")}


def differs(name, peer, ours, reason):
    """A field that scripts see differently, in every place where they see it. None: it is not there."""
    return {key: (peer, ours, reason) for key in (f"_SERVER.HTTP_{name.upper().replace('-', '_')}", f"getallheaders.{name}",
                                                  f"apache_request_headers.{name}", f"getenv.HTTP_{name.upper().replace('-', '_')}")}


class Form:
    def __init__(self, name, target="/dump.php", method="GET", fields=(), body=None, host=HOST, version="1.1", differ=None,
                 status=None):
        self.name = name
        self.differ = differ or {}  # {"table.KEY": (peer's, ours, reason)}
        self.status = status  # (peer's, ours, reason)
        self.method = method
        self.data = rawhttp.build(method, target, [*fields, ("Connection", "close")], body, host, version)

    def __repr__(self):
        return self.name


def multipart(*parts):
    body = b"".join(b"--b0undary\r\n" + head.encode("latin-1") + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    return {"fields": [("Content-Type", "multipart/form-data; boundary=b0undary")], "body": body + b"--b0undary--\r\n",
            "method": "POST"}


URLENCODED = ("Content-Type", "application/x-www-form-urlencoded")
CHUNKED = ("Transfer-Encoding", "chunked")

# As RFC 9110 5.3 has it; nginx since 1.23.
NGINX_JOINS = tuple(map(int, re.search(r"nginx/(\d+)\.(\d+)", subprocess.run(
    ["/usr/sbin/nginx", "-v"], capture_output=True, text=True).stderr).groups())) >= (1, 23)

FORMS = [
    Form("plain"),
    Form("empty query", "/dump.php?"),
    Form("query", "/dump.php?a=1&b[]=2&b[]=3&c[x][y]=4&a.b=5&d+e=6&%66=7&=8&&i&j=&k==l"),
    Form("query with odd bytes", "/dump.php?x={}|^`&y=%00%0d%0a%ff&z=%zz%4"),
    Form("query with a question mark and encoded hash", "/dump.php?a=b?c=d%23e&plus=1+2&space=1%202"),
    Form("query that repeats", "/dump.php?a=1&a=2&b[0]=x&b[0]=y&b=z"),
    Form("query without equals sign", "/dump.php?foo+bar"),
    Form("path info", "/dump.php/a/b"),
    Form("path info, query", "/dump.php/a/b?c=/d/e.php"),
    Form("path info, encoded", "/dump.php/a%20b/%C3%A4%25?x=y%20z"),
    Form("path info with an encoded slash and question mark", "/dump.php/a%2Fb%3Fc"),
    Form("path info that is a slash", "/dump.php/"),
    Form("path info with dots and doubled slashes", "/dump.php//a/./b/../c//d"),
    Form("path info that looks like a script", "/dump.php/x.php/y.php"),
    Form("doubled slashes before the script", "//sub///index.php"),
    Form("dot segments before the script", "/sub/../dump.php"),
    Form("encoded dot segments before the script", "/sub/%2e%2e/dump.php"),
    Form("encoded script name", "/%64ump.ph%70/x"),
    Form("front controller", "/pretty/url?x=1"),
    Form("front controller, encoded path", "/pr%C3%A9tty/a%2Fb%20c?d=%2F"),
    Form("front controller, path with a plus and semicolon", "/a+b;c=d,e&f"),
    Form("front controller, doubled slashes and dots", "//a//b/../c/./d"),
    Form("front controller, empty query", "/pretty?"),
    Form("front controller by its name with path info", "/index.php/pretty"),
    Form("root", "/"),
    Form("root, query", "/?x=1"),
    Form("folder with an index", "/sub/?x=1"),
    Form("folder without slash", "/sub?x=1"),
    Form("folder without index", "/empty/", status=(403, 200, "the front controller answers for it, as on Caddy and FrankenPHP")),
    Form("script in a folder", "/sub/index.php?x=1"),
    Form("absolute form", f"http://{HOST}/dump.php?x=1"),
    Form("absolute form that contradicts Host", "http://other.test:81/dump.php?x=1", differ={
        **differs("Host", HOST, "other.test:81", "RFC 9112 3.2.2: the target's authority wins over Host"),
        "getenv(HTTP_HOST)": (HOST, "other.test:81", "the same")}),
    Form("Host without port", host="app.test"),
    Form("Host in capitals", host="APP.Test:8080"),
    Form("Host of nobody", host="elsewhere.example"),
    Form("HTTP/1.0", version="1.0"),
    Form("HTTP/1.0 without Host", version="1.0", host=None, differ={
        **differs("Host", "", None, "nginx passes $http_host even if it is empty"), "getenv(HTTP_HOST)": ("", False, "the same")}),
    Form("repeated field", fields=[("X-Dup", "1"), ("X-Dup", "2")], differ=None if NGINX_JOINS else differs(
        "X-Dup", "2", "1, 2", "RFC 9110 5.3 (and nginx since 1.23): joined, not the last alone")),
    Form("two Cookie fields", fields=[("Cookie", "a=1; b=2"), ("Cookie", "c=3")], differ=None if NGINX_JOINS else {
        **differs("Cookie", "c=3", "a=1; b=2; c=3", "RFC 9110 5.3, RFC 6265: joined with a semicolon"),
        "_COOKIE.a": (None, "1", "the same"), "_COOKIE.b": (None, "2", "the same")}),
    Form("odd cookies", fields=[("Cookie", 'a=1; b=%20x+y; c[d]=2; e; =f; g="q"; a=2; h.i=3;j=4;  k=5; __Host-l=6')]),
    Form("Basic authentication", fields=[("Authorization", "Basic dXNlcjpwYTpzcw==")]),
    Form("Basic authentication without password", fields=[("Authorization", "Basic dXNlcg==")]),
    Form("Basic authentication that is garbage", fields=[("Authorization", "Basic ???")]),
    Form("basic in small letters", fields=[("Authorization", "basic dXNlcjpwYXNz")]),
    Form("Digest authentication", fields=[("Authorization", 'Digest username="u", realm="r", nonce="n", uri="/"')]),
    Form("Bearer", fields=[("Authorization", "Bearer abc.def")]),
    Form("urlencoded form", method="POST", fields=[URLENCODED], body=b"a=1&b[]=2&b[]=3&c+d=%C3%A4&e=%00&f"),
    Form("urlencoded form with charset", method="POST", fields=[(URLENCODED[0], URLENCODED[1] + "; charset=UTF-8")], body=b"a=1"),
    Form("urlencoded form with a query of the same name", "/dump.php?a=get&g=1", "POST", [URLENCODED], b"a=post"),
    Form("chunked form", method="POST", fields=[URLENCODED, CHUNKED], body=rawhttp.chunked(b"a=1", b"&b=", b"2")),
    Form("chunked with a trailer", method="POST", fields=[("Content-Type", "text/plain"), CHUNKED],
         body=rawhttp.chunked(b"hello", trailers=[("X-Trailer", "1")])),
    Form("chunked and empty", method="POST", fields=[CHUNKED], body=rawhttp.chunked()),
    Form("JSON", method="POST", fields=[("Content-Type", "application/json")], body=b'{"a": 1}'),
    Form("body without type", method="POST", body=b"a=1"),
    Form("empty body", method="POST", body=b""),
    Form("POST without length", method="POST"),
    Form("multipart", **multipart(
        ('Content-Disposition: form-data; name="a"', b"1"), ('Content-Disposition: form-data; name="b[]"', b"2"),
        ('Content-Disposition: form-data; name="file"; filename="C:\\dir\\na me.txt"\r\nContent-Type: text/plain', b"hello"),
        ('Content-Disposition: form-data; name="many[]"; filename="1.bin"', bytes(range(256))),
        ('Content-Disposition: form-data; name="many[]"; filename="2.bin"\r\nContent-Type: x/y', b""),
        ('Content-Disposition: form-data; name="none"; filename=""', b""))),
    Form("multipart without end", **{**multipart(('Content-Disposition: form-data; name="a"', b"1")), "body":
         b'--b0undary\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b0undary\r\nContent-Disposition: form-data; '
         b'name="f"; filename="x"\r\n\r\nabc'}),
    Form("multipart without boundary", method="POST", fields=[("Content-Type", "multipart/form-data")], body=b"--x\r\n"),
    Form("multipart, chunked", method="POST", fields=[*multipart()["fields"], CHUNKED], body=rawhttp.chunked(*[
        b'--b0undary\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + b"y" * 50000, b"\r\n--b0undary--\r\n"])),
    Form("large urlencoded form", method="POST", fields=[URLENCODED], body=b"a=" + b"x" * 300000),
    Form("PUT", method="PUT", fields=[("Content-Type", "text/plain")], body=b"put"),
    Form("PUT of a form", method="PUT", fields=[URLENCODED], body=b"a=1"),
    Form("PATCH", method="PATCH", fields=[("Content-Type", "application/json")], body=b"[]"),
    Form("DELETE", "/dump.php/item?x=1", "DELETE"),
    Form("DELETE with body", method="DELETE", body=b"gone"),
    Form("PROPFIND", method="PROPFIND", fields=[("Depth", "1"), ("Content-Type", "application/xml")], body=b"<propfind/>"),
    Form("OPTIONS", method="OPTIONS"),
    Form("HEAD", "/dump.php?x=1", "HEAD"),
    Form("HEAD through the front controller", "/pretty", "HEAD"),
    Form("GET with a body", method="GET", fields=[URLENCODED], body=b"a=1"),
    Form("method of its own", method="M-SEARCH"),
    Form("type on GET", fields=[("Content-Type", "text/x-odd")]),
    Form("name with an underscore", fields=[("X_Under", "1"), ("X-Real_Ip", "2"), ("X-Fine", "3")]),
    Form("name in small letters", fields=[("x-small", "1"), ("USER-AGENT", "apps")]),
    Form("Proxy", fields=[("Proxy", "http://evil.test")], differ={
        "getenv.HTTP_PROXY": ("http://evil.test", None, "httpoxy: PHP itself hides it everywhere but in getenv()'s list")}),
    Form("forwarded by nobody we trust", fields=[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"),
                                                 ("X-Forwarded-Host", "evil.test"), ("Forwarded", "for=1.2.3.4;proto=https")]),
    Form("values with white space", fields=[("X-Spaces", " \t a  b \t "), ("X-Empty", ""), ("X-Comma", "a,b")], differ=differs(
        "X-Spaces", "\\t a  b \\t", "a  b", "RFC 9110 5.5: tabs around a value are no part of it, either")),
    Form("value outside ASCII", fields=[("X-Latin", "\xe4\xf6"), ("X-Utf8", "\xc3\xa4")]),
    Form("long value", fields=[("X-Long", "v" * 6000)]),
    Form("conditions and range", fields=[("Range", "bytes=0-1"), ("If-None-Match", '"x"'), ("If-Modified-Since",
                                          "Tue, 01 Jan 2030 00:00:00 GMT"), ("If-Range", '"y"')]),
    Form("negotiation", fields=[("Accept", "text/html;q=0.5"), ("Accept-Encoding", "gzip, br"), ("Accept-Language", "de"),
                                ("TE", "trailers"), ("Cache-Control", "no-cache"), ("Upgrade-Insecure-Requests", "1")]),
    Form("Expect", method="POST", fields=[("Expect", "100-continue"), URLENCODED], body=b"a=1"),
    Form("X-Request-Id of the client", fields=[("X-Request-Id", "abc-123")]),
    Form("the variables' own names as fields", fields=[("Script-Filename", "/etc/passwd"), ("Document-Root", "/"), (
        "Remote-Addr", "1.2.3.4"), ("Https", "on"), ("Content-Length-X", "1")]),
    Form("environment's names as fields", fields=[("Path", "/evil"), ("Home", "/evil"), ("Mark", "evil")]),
    Form("script that does not exist", "/nothing.php"),
    Form("script that does not exist, path info", "/nothing.php/x", status=(404, 200, "with more path behind it, it may be the application's")),
    Form("path info behind a static file", "/static.txt/x"),
    Form("path info behind a static file, script's name", "/static.txt/x.php", status=(403, 404, "php-fpm says Access denied")),
    Form("script in capitals", "/dump.PHP"),
]
assert len({f.name for f in FORMS}) == len(FORMS)


@pytest.fixture(scope="module")
def pair(make_pair):
    os.environ["MARK"] = "from the environment"

    def make_site(folder, n):
        app = folder / "app"
        for name in ("", "sub", "empty"):
            (app / name).mkdir()
        (folder / "scratch").mkdir()
        for name in ("dump.php", "index.php", "sub/index.php"):
            (app / name).write_text(DUMP)
        (app / "static.txt").write_text("static\n")
        (app / "sub" / "index.php").write_text("<?php require __DIR__ . '/../dump.php';")
        (folder / "scratch").chmod(0o777)
        return servers.Site(app, env={"POOL_ENV": "from the pool"}), []

    return make_pair(make_site)


def unpack(value, folder):
    """Nested [key, value] lists as an OrderedDict; the side's folder as a word."""
    if isinstance(value, dict) and set(value) == {"array"}:
        return collections.OrderedDict((k, unpack(v, folder)) for k, v in value["array"])
    return value.replace(folder, "{folder}") if isinstance(value, str) else value


def ask(side, form):
    """(status, location, what the script saw or None)."""
    folder = side.server.folder.parent
    dump = folder / "scratch" / "dump.json"
    dump.unlink(missing_ok=True)
    answer, rest = rawhttp.raw(side.server.listen, form.data, form.method)
    assert rest == b""
    seen = {k: unpack(v, str(folder)) for k, v in json.loads(dump.read_text()).items()} if dump.exists() else None
    location = answer.get("Location")
    return answer.status, location and urllib.parse.urljoin(f"http://{HOST}", location), seen


def flatten(seen):
    """{'_SERVER.KEY': value}: a table's entries one by one, and, for what the client ordered, the order of the keys."""
    flat = {}
    for name, value in seen.items():
        if isinstance(value, collections.OrderedDict):
            flat.update({f"{name}.{k}": v for k, v in value.items()})
            if name in ("_GET", "_POST", "_COOKIE", "_FILES"):
                flat[f"{name}'s order"] = list(value)
        else:
            flat[name] = value
    return flat


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_a_script_sees_the_request_as_on_php_fpm(pair, form):
    peer, subject = (ask(side, form) for side in pair.sides)
    if form.status and not is_peer(pair):
        assert (peer[0], subject[0]) == form.status[:2], f"{form.status[2]}: expected {form.status[:2]}"
        return
    assert subject[0] == peer[0], f"status: {subject[0]} instead of {peer[0]}"
    assert peer[0] != 200 or peer[2] is not None, "the peer answers without PHP"
    assert subject[1] == peer[1], "Location"
    assert (peer[2] is None) == (subject[2] is None), f"PHP ran on one only: {peer[2]}, {subject[2]}"
    if peer[2] is None:
        return
    a, b = flatten(peer[2]), flatten(subject[2])
    problems = []
    for key in sorted({*a, *b, *form.differ}):
        table, _, name = key.partition(".")
        if table in ("_SERVER", "getenv") and name in ALWAYS:
            continue
        wanted = form.differ.get(key)
        if wanted and not is_peer(pair):
            if (a.get(key), b.get(key)) != wanted[:2]:  # it must differ as it is said to
                problems.append(f"{key}: expected {wanted}, got {a.get(key)!r} and {b.get(key)!r}")
        elif key in MADE_UP and key not in b and (a[key] == "" or b"chunked" in form.data):
            continue
        elif key.endswith("'s order") and any(d.startswith(table[:-len("'s order")] + ".") for d in form.differ):
            continue
        elif a.get(key, "(absent)") != b.get(key, "(absent)"):
            problems.append(f"{key}: {a.get(key, '(absent)')!r} on php-fpm, {b.get(key, '(absent)')!r} here")
    assert not problems, "\n".join(problems)


def is_peer(pair):
    return isinstance(pair.sides[1].server, servers.Peer)


def test_the_variables_that_may_differ_are_there(pair):
    for side in pair.sides:
        seen = ask(side, FORMS[0])[2]["_SERVER"]
        assert seen["SERVER_PORT"] == str(side.server.port)
        assert 1 <= int(seen["REMOTE_PORT"]) <= 65535
        assert isinstance(seen["REQUEST_TIME"], int) and seen["REQUEST_TIME"] == int(seen["REQUEST_TIME_FLOAT"])
        assert seen["SERVER_SOFTWARE"]


def test_a_variable_that_differs_is_noticed(pair):
    """The test's own test: a field that only one side is sent is found by the comparison."""
    peer = ask(pair.sides[0], FORMS[0])
    subject = ask(pair.sides[1], Form("seeded", fields=[("X-Seeded", "1")]))
    a, b = flatten(peer[2]), flatten(subject[2])
    assert {k for k in {*a, *b} if a.get(k) != b.get(k)} >= {"_SERVER.HTTP_X_SEEDED", "getallheaders.X-Seeded"}
