# SPDX-License-Identifier: Apache-2.0
"""Static files: types, conditionals, ranges, precompressed siblings, folders, links; and that source never leaks."""
import os
import re
import subprocess
import urllib.parse

import pytest

from harness import IS_ROOT
from rawhttp import build

MTIME = 1700000000
LAST_MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"
SECRET = "TOP-SECRET-SOURCE"
DIGITS = b"0123456789"


@pytest.fixture(scope="module")
def server(module_site, module_start):
    s = module_site
    s.scripts()
    s.write("file.txt", DIGITS, mtime=MTIME)
    s.write("empty.txt", b"", mtime=MTIME)
    for ext in ("html", "css", "js", "mjs", "json", "svg", "png", "jpg", "gif", "webp", "avif", "ico", "woff2", "pdf", "xml", "wasm", "mp4", "txt", "zip",
                "unknownext", "CSS"):
        s.write(f"types/a.{ext}", "x")
    s.write("types/noext", "x")
    s.write("a b/ü€.txt", "unicode")
    s.write("plus+sign.txt", "plus")
    s.write("per%cent.txt", "percent")
    s.write("page/index.html", "page index")
    s.write("phpdir/index.php", "<?php echo 'php index ', $_SERVER['REQUEST_URI'];")
    s.write("both/index.php", "<?php echo 'php wins';")
    s.write("both/index.html", "html")
    s.write("bare/x.txt", "x")
    s.write("big.bin", bytes(range(256)) * 8192)
    s.write("evil.php", f"<?php /* {SECRET} */ echo 'ran';")
    s.write("evil.jpg", f"<?php /* {SECRET} */ echo 'ran jpg';")
    s.write("upper.PHP", f"<?php /* {SECRET} */ echo 'ran upper';")
    s.write("old.php5", f"<?php /* {SECRET} */ echo 'ran php5';")
    s.write("back.php~", f"<?php /* {SECRET} */ echo 'ran backup';")
    s.write("nul.php.txt", "text")
    s.write(".env", SECRET)
    s.write(".git/config", SECRET)
    s.write(".htaccess", SECRET)
    s.write("sub/.hidden/x.txt", SECRET)
    s.write("sub/.user.ini", SECRET)
    s.write(".well-known/acme-challenge/token", "acme")
    s.write(".well-known/.secret", SECRET)
    s.write("sub/.well-known/x", SECRET)
    (s.base / "outside.txt").write_text(SECRET)
    (s.base / "outside.php").write_text(f"<?php echo '{SECRET}';")
    return module_start()


@pytest.mark.parametrize("name,kind", [
    ("a.html", "text/html"), ("a.css", "text/css"), ("a.js", "text/javascript"), ("a.mjs", "text/javascript"), ("a.json", "application/json"),
    ("a.svg", "image/svg+xml"), ("a.png", "image/png"), ("a.jpg", "image/jpeg"), ("a.gif", "image/gif"), ("a.webp", "image/webp"),
    ("a.avif", "image/avif"), ("a.woff2", "font/woff2"), ("a.pdf", "application/pdf"), ("a.wasm", "application/wasm"), ("a.mp4", "video/mp4"),
    ("a.txt", "text/plain"), ("a.zip", "application/zip"), ("a.unknownext", "application/octet-stream"), ("noext", "application/octet-stream"),
    ("a.CSS", "text/css")])
def test_content_type(server, name, kind):
    """The content type comes from the name, any case."""
    assert server.fetch(f"/types/{name}").get("Content-Type").split(";")[0] == kind


def test_validators(server):
    """A file has Last-Modified, a strong ETag, and says that it takes ranges."""
    r = server.fetch("/file.txt")
    assert r.get("Last-Modified") == LAST_MODIFIED
    assert re.fullmatch(r'"[!#-~]+"', r.get("ETag"))
    assert r.get("Accept-Ranges") == "bytes"


def test_etag_changes_with_the_file(server, module_site):
    """Another content gives another ETag."""
    module_site.write("change.txt", "one", mtime=MTIME)
    one = server.fetch("/change.txt").get("ETag")
    module_site.write("change.txt", "three", mtime=MTIME + 1)
    assert server.fetch("/change.txt").get("ETag") != one


def etag(server, path="/file.txt"):
    return server.fetch(path).get("ETag")


OLD, NEW = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


@pytest.mark.parametrize("fields,status", [
    ({"If-None-Match": "{etag}"}, 304), ({"If-None-Match": "W/{etag}"}, 304), ({"If-None-Match": '"x", {etag}'}, 304),
    ({"If-None-Match": "*"}, 304), ({"If-None-Match": '"x"'}, 200), ({"If-None-Match": '"x", W/"y"'}, 200),
    ({"If-Modified-Since": LAST_MODIFIED}, 304), ({"If-Modified-Since": NEW}, 304), ({"If-Modified-Since": OLD}, 200),
    ({"If-Modified-Since": "Tuesday, 14-Nov-23 22:13:20 GMT"}, 304), ({"If-Modified-Since": "Tue Nov 14 22:13:20 2023"}, 304),
    ({"If-Modified-Since": "garbage"}, 200), ({"If-None-Match": '"x"', "If-Modified-Since": LAST_MODIFIED}, 200),
    ({"If-None-Match": "{etag}", "If-Modified-Since": OLD}, 304),
    ({"If-Match": "{etag}"}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412), ({"If-Match": "W/{etag}"}, 412),
    ({"If-Match": '"x", {etag}'}, 200), ({"If-Unmodified-Since": LAST_MODIFIED}, 200), ({"If-Unmodified-Since": NEW}, 200),
    ({"If-Unmodified-Since": OLD}, 412), ({"If-Unmodified-Since": "garbage"}, 200), ({"If-Match": "{etag}", "If-Unmodified-Since": OLD}, 200),
    ({"If-Match": '"x"', "If-None-Match": "{etag}"}, 412), ({"If-Match": "{etag}", "If-None-Match": "{etag}"}, 304),
], ids=str)
def test_conditionals(server, fields, status):
    """Conditional fields are evaluated in the order of RFC 9110 13.2.2."""
    tag = etag(server)
    with server.conn() as c:
        for method in ("GET", "HEAD"):
            r = c.request(method, "/file.txt", [(n, v.replace("{etag}", tag)) for n, v in fields.items()])
            assert r.status == status
            if status == 304:
                assert r.get("ETag") == tag and "Content-Type" not in r
            if status == 200 and method == "GET":
                assert r.body == DIGITS


@pytest.mark.parametrize("value,start,end", [("0-0", 0, 1), ("0-4", 0, 5), ("5-", 5, 10), ("-3", 7, 10), ("9-9", 9, 10), ("0-9", 0, 10), ("3-100", 3, 10),
                                             ("-100", 0, 10), ("0-99999999999999999999", 0, 10)])
def test_range(server, value, start, end):
    """One range gives 206 with Content-Range."""
    with server.conn() as c:
        r = c.request("GET", "/file.txt", [("Range", f"bytes={value}")])
        assert (r.status, r.body) == (206, DIGITS[start:end])
        assert r.get("Content-Range") == f"bytes {start}-{end - 1}/10"
        assert r.get("ETag") and c.get("/file.txt").body == DIGITS


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"])
def test_range_not_satisfiable(server, value):
    """A range behind the end is 416 with the length."""
    r = server.fetch("/file.txt", fields={"Range": value})
    assert r.status == 416 and r.get("Content-Range") == "bytes */10"


@pytest.mark.parametrize("value", ["bytes=5-3", "bytes=a-b", "bytes=", "bytes", "lines=0-1", "bytes=-", "bytes=1-2-3", "bytes = 0-1", "bytes=--1", "bytes=0x1-2"])
def test_malformed_range_is_ignored(server, value):
    """A Range that is malformed or of another unit is ignored."""
    r = server.fetch("/file.txt", fields={"Range": value})
    assert (r.status, r.body) == (200, DIGITS)


def parts_of(r):
    boundary = re.fullmatch(r'multipart/byteranges; boundary="?([^"]+)"?', r.get("Content-Type"))[1]
    pieces = (b"\r\n" + r.body).split(b"\r\n--" + boundary.encode())
    assert pieces[0] in (b"", b"\r\n") and pieces[-1].strip() == b"--"
    out = []
    for p in pieces[1:-1]:
        head, _, body = p[2:].partition(b"\r\n\r\n")
        out.append((re.search(rb"Content-Range: bytes (\S+)", head, re.I)[1].decode(), body, head))
    return out


def test_multiple_ranges(server):
    """Several ranges come as multipart/byteranges with an exact length."""
    with server.conn() as c:
        r = c.request("GET", "/file.txt", [("Range", "bytes=0-1, 4-5,-2")])
        assert r.status == 206 and r.framing == "length"
        parts = parts_of(r)
        assert [(p[0], p[1]) for p in parts] == [("0-1/10", b"01"), ("4-5/10", b"45"), ("8-9/10", b"89")]
        assert all(b"text/plain" in p[2] for p in parts)
        assert c.get("/file.txt").status == 200
        h = c.request("HEAD", "/file.txt", [("Range", "bytes=0-1, 4-5,-2")])
        assert h.status in (200, 206)


def test_multiple_ranges_partly_satisfiable(server):
    """Of several ranges those behind the end are left out."""
    r = server.fetch("/file.txt", fields={"Range": "bytes=0-1,50-60"})
    assert r.status == 206 and r.body == b"01" if "Content-Range" in r else parts_of(r)[0][1] == b"01"


def test_range_attack(server):
    """Thousands of overlapping ranges never cost more than the file itself."""
    value = "bytes=" + ",".join(f"{i}-" for i in range(300))
    r = server.fetch("/big.bin", fields={"Range": value})
    assert r.status in (200, 206, 416) and len(r.body) <= 2 * 2097152


def test_large_ranges(server):
    """Ranges of a larger file have the right bytes."""
    whole = bytes(range(256)) * 8192
    r = server.fetch("/big.bin", fields={"Range": "bytes=1000000-1999999"})
    assert (r.status, r.body) == (206, whole[1000000:2000000])
    r = server.fetch("/big.bin", fields={"Range": "bytes=0-99999,1000000-1099999"})
    assert [p[1] for p in parts_of(r)] == [whole[:100000], whole[1000000:1100000]]


@pytest.mark.parametrize("value,status", [("{etag}", 206), ('"x"', 200), ("W/{etag}", 200), (LAST_MODIFIED, 206), (OLD, 200), (NEW, 200), ("garbage", 200)])
def test_if_range(server, value, status):
    """If-Range lets the range through only for exactly this version."""
    r = server.fetch("/file.txt", fields={"Range": "bytes=0-1", "If-Range": value.replace("{etag}", etag(server))})
    assert r.status == status and r.body == (b"01" if status == 206 else DIGITS)


def test_range_of_an_empty_file(server):
    """No range of an empty file can be satisfied."""
    assert server.fetch("/empty.txt", fields={"Range": "bytes=0-0"}).status == 416
    r = server.fetch("/empty.txt")
    assert (r.status, r.body, r.get("Content-Length")) == (200, b"", "0")


def test_conditional_before_range(server):
    """If-None-Match comes before Range."""
    assert server.fetch("/file.txt", fields={"Range": "bytes=0-1", "If-None-Match": etag(server)}).status == 304


def test_range_does_not_apply_to_php(server):
    """A script gets the Range field and answers as it likes."""
    assert server.fetch("/hello.php", fields={"Range": "bytes=0-1"}).status == 200


# -- precompressed -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def packed(module_site):
    plain = b"body { color: red }\n" * 50
    module_site.write("style.css", plain, mtime=MTIME)
    for ext, content in (("br", b"BR-BYTES"), ("zst", b"ZSTD-BYTES"), ("gz", b"GZIP-BYTES")):
        module_site.write(f"style.css.{ext}", content, mtime=MTIME)
    module_site.write("only.js", "plain", mtime=MTIME)
    module_site.write("only.js.gz", b"GZ", mtime=MTIME)
    return plain


@pytest.mark.parametrize("accept,coding", [
    ("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"), ("br;q=0.5, gzip;q=0.9", "gzip"),
    ("br;q=0, gzip", "gzip"), ("*", "br"), ("identity", None), ("", None), (None, None), ("deflate", None), ("GZIP", "gzip"), ("gzip;q=0", None),
    ("x-gzip", "gzip"), ("gzip;q=1.0, *;q=0", "gzip")], ids=str)
def test_precompressed(server, packed, accept, coding):
    """The sibling that the client likes best is sent, with Vary, its own ETag, and the plain file's type."""
    r = server.fetch("/style.css", fields=[] if accept is None else [("Accept-Encoding", accept)])
    assert r.status == 200 and "accept-encoding" in r.get("Vary", "").lower()
    assert r.get("Content-Type").startswith("text/css")
    if accept == "x-gzip" and "Content-Encoding" not in r:
        coding = None
    assert r.get("Content-Encoding") == coding
    assert r.body == {None: packed, "gzip": b"GZIP-BYTES", "br": b"BR-BYTES", "zstd": b"ZSTD-BYTES"}[coding]


def test_precompressed_etags_differ(server, packed):
    """Each representation has an ETag of its own, and 304 works with it."""
    tags = {}
    for coding in ("gzip", "br", "zstd", "identity"):
        r = server.fetch("/style.css", fields={"Accept-Encoding": coding})
        tags[coding] = r.get("ETag")
        again = server.fetch("/style.css", fields={"Accept-Encoding": coding, "If-None-Match": r.get("ETag")})
        assert again.status == 304 and "accept-encoding" in again.get("Vary", "").lower()
    assert len(set(tags.values())) == 4


def test_one_sibling_only(server, packed):
    """Only what is there is sent."""
    assert server.fetch("/only.js", fields={"Accept-Encoding": "br, gzip"}).get("Content-Encoding") == "gzip"
    assert "Content-Encoding" not in server.fetch("/only.js", fields={"Accept-Encoding": "br"})


def test_no_siblings_no_vary(server):
    """A file that has no siblings is sent as it is."""
    r = server.fetch("/file.txt", fields={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in r and r.body == DIGITS


def test_precompressed_sibling_of_a_script(server, module_site):
    """script.php.gz beside a script is never sent for it."""
    module_site.write("packed.php", "<?php echo 'ran';")
    module_site.write("packed.php.gz", SECRET)
    assert server.fetch("/packed.php", fields={"Accept-Encoding": "gzip"}).text == "ran"


# -- folders -----------------------------------------------------------------------------------------------------------
def test_index_html(server):
    """A folder with index.html answers with it."""
    assert server.fetch("/page/").text == "page index"


def test_index_php(server):
    """A folder with index.php runs it, REQUEST_URI as requested."""
    assert server.fetch("/phpdir/?a=b").text == "php index /phpdir/?a=b"


def test_index_order(server):
    """index.php comes before index.html."""
    assert server.fetch("/both/").text == "php wins"


def test_folder_without_index(server):
    """A folder without index file is never listed."""
    r = server.fetch("/bare/")
    assert r.status in (403, 404) and b"x.txt" not in r.body


@pytest.mark.parametrize("target,location", [("/page", "/page/"), ("/page?a=b&c", "/page/?a=b&c"), ("/a%20b", "/a%20b/"), ("//page", "/page/"),
                                             ("/x/../page", "/page/")])
def test_folder_redirect(server, target, location):
    """A folder without its slash is redirected to it, with its query; Location stays on this host and port."""
    host = f"localhost:{server.port}"
    r = server.fetch(target, host=host)
    assert r.status in (301, 308)
    url = r.get("Location")
    assert url in (location, f"http://{host}{location}")


def test_redirect_is_never_protocol_relative(server):
    """//evil.example/.. never becomes a Location that leads to another host."""
    for target in ("//evil.example/../page", "//evil.example/%2e%2e/page", "/%5Cevil.example/../page", "///page"):
        location = server.fetch(target).get("Location") or ""
        assert not location.startswith("//") and "evil" not in urllib.parse.urlsplit(location).netloc


def test_configured_index(site, start):
    """index is a setting."""
    site.write("start.html", "start")
    site.write("index.html", "index")
    s = start(conf="[site default]\nindex = start.html\n")
    assert s.fetch("/").text == "start"


# -- names -------------------------------------------------------------------------------------------------------------
def test_unicode_and_spaces(server):
    """Percent-encoded UTF-8 and spaces find their file."""
    assert server.fetch("/a%20b/%C3%BC%E2%82%AC.txt").text == "unicode"
    assert server.fetch("/plus+sign.txt").text == "plus"
    assert server.fetch("/plus%2Bsign.txt").text == "plus"
    assert server.fetch("/per%25cent.txt").text == "percent"


def test_file_with_trailing_slash(server):
    """file.txt/ is not file.txt."""
    assert server.fetch("/file.txt/").status == 404
    assert server.fetch("/file.txt/x").status == 404


def test_case_matters(server):
    """Names are exact."""
    assert server.fetch("/FILE.txt").status == 404


@pytest.mark.parametrize("target", ["/file.txt%20", "/file.txt.", "/file.txt%00", "/file.txt::$DATA", "/file.txt%2e", "/file.txt;x"])
def test_almost_the_name(server, target):
    """What Windows would take for the file is another name here."""
    assert server.fetch(target).status in (400, 404)


@pytest.mark.parametrize("target", ["/./file.txt", "/page/../file.txt", "//file.txt", "/page//../file.txt", "/%66ile.txt", "/page/%2e%2e/file.txt", "/%2e/file.txt"])
def test_normalisation(server, target):
    """Dots, double slashes and escapes are resolved before anything is decided."""
    assert server.fetch(target).body == DIGITS


TRAVERSALS = [
    "/../outside.txt", "/../../outside.txt", "/..%2foutside.txt", "/%2e%2e/outside.txt", "/%2e%2e%2foutside.txt", "/.%2e/outside.txt", "/%2e./outside.txt",
    "/page/../../outside.txt", "/page/%2e%2e/%2e%2e/outside.txt", "/..%252foutside.txt", "/%252e%252e/outside.txt", "/..%c0%afoutside.txt",
    "/%c0%ae%c0%ae/outside.txt", "/..%5coutside.txt", "/..\\outside.txt", "/%uff0e%uff0e/outside.txt", "/..;/outside.txt", "/..%00/outside.txt",
    "/..%0d/outside.txt", "/%e0%80%ae%e0%80%ae/outside.txt", "/....//outside.txt", "/..../outside.txt", "/page/..././outside.txt", "//../outside.txt",
    "/%2f../outside.txt", "/../app/../outside.txt", "/file.txt/../../outside.txt", "/..%ef%bc%8foutside.txt", "/\u2025/outside.txt".encode().decode("latin-1"),
    "/../outside.php", "/%2e%2e/outside.php", "/hello.php/../../outside.php", "/../../../../../../../../etc/passwd", "/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "http://localhost/../outside.txt", "/?/../outside.txt", "/proc/self/environ", "/page/..%2f..%2foutside.txt",
]


@pytest.mark.parametrize("target", TRAVERSALS, ids=ascii)
def test_traversal(server, target):
    """No spelling of .. leaves the root."""
    r, _ = server.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert r.status in (400, 403, 404), r
    assert SECRET.encode() not in r.body and b"root:" not in r.body


@pytest.mark.parametrize("target", ["/%", "/%4", "/%zz", "/%%34", "/a%2", "/%00", "/a%00b", "/%0a", "/%0d%0a", "/%1f", "/%7f"])
def test_bad_escapes(server, target):
    """A broken escape, NUL and control bytes are 400."""
    assert server.fetch(target).status == 400


@pytest.mark.parametrize("target", ["/.env", "/.git/config", "/.git/", "/.git", "/.htaccess", "/sub/.hidden/x.txt", "/sub/.user.ini", "/%2eenv", "/page/../.env",
                                    "/.well-known/.secret", "/sub/.well-known/x", "/.well-known/../.env", "/./.env", "//.env", "/.ENV", "/.env/", "/.env?x",
                                    "/.g%69t/config", "/.well-known/acme-challenge/../../.env"])
def test_dotfiles(server, target):
    """Nothing that begins with a dot is served, whatever its spelling."""
    r = server.fetch(target)
    assert r.status in (403, 404) and SECRET not in r.text


def test_well_known(server):
    """/.well-known/ is served."""
    assert server.fetch("/.well-known/acme-challenge/token").text == "acme"


# -- scripts and source ------------------------------------------------------------------------------------------------
SOURCE_TARGETS = ["/evil.php", "/evil.php?x", "/evil.php/", "/evil.php/x", "/evil.php/x.css", "/evil.php%2f", "/evil.php%20", "/evil.php.", "/evil.php%00", "/evil.php%00.txt",
                  "/evil.php::$DATA", "/evil.PHP", "/evil.pHp", "/EVIL.php", "/evil%2ephp", "/evil.php%2e", "/evil.php;.css", "/./evil.php", "//evil.php", "/evil.php//",
                  "/evil.php/.", "/evil.php/..", "/evil.php/../evil.php", "/evil.ph%70", "/evil%252ephp", "/evil.php%0a", "/evil.php~", "/evil.php.bak", "/%65vil.php",
                  "/evil.phps", "/evil.php%ef%bc%8e", "/evil.\u017fhp", "/evil.php/%2e%2e/evil.php/a", "/page/../evil.php", "/evil.php?.css", "/evil.php#"]


@pytest.mark.parametrize("target", SOURCE_TARGETS, ids=ascii)
@pytest.mark.parametrize("fields", [(), (("Range", "bytes=0-50"),), (("Accept-Encoding", "gzip, br"),), (("Translate", "f"),)], ids=("plain", "range", "packed", "translate"))
def test_source_never_leaks(server, target, fields):
    """No spelling of a script's name gives its source."""
    target = target.encode().decode("latin-1")
    lines = "".join(f"{n}: {v}\r\n" for n, v in fields)
    r, _ = server.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\n{lines}Connection: close\r\n\r\n")
    assert SECRET.encode() not in r.body and b"<?php" not in r.body


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "COPY", "GET"])
def test_source_never_leaks_by_method(server, method):
    """Nor does any method; and PUT and DELETE change no file."""
    r = server.fetch("/evil.php", method=method)
    assert SECRET not in r.text


@pytest.mark.parametrize("target", ["/evil.jpg/x.php", "/evil.jpg/.php", "/evil.jpg%00.php", "/file.txt/x.php", "/evil.jpg/evil.php", "/evil.jpg%2fx.php", "/evil.jpg/%2e%2e/evil.jpg/x.php"])
def test_only_php_files_run(server, target):
    """A file that is not .php is never executed through PATH_INFO tricks."""
    r = server.fetch(target)
    assert r.status in (400, 403, 404) and "ran" not in r.text and SECRET not in r.text


@pytest.mark.parametrize("target", ["/upper.PHP", "/old.php5", "/back.php~"])
def test_almost_php_is_not_run(server, target):
    """Only the exact bytes .php make a script; what looks like source is not sent as a page either."""
    r = server.fetch(target)
    assert "ran" not in r.text or "<?php" in r.text
    if r.status == 200:
        assert r.get("Content-Type") == "application/octet-stream"


def test_missing_script(server):
    """A script that is not there is 404, and PHP is not asked."""
    before = server.counter("php_requests")
    for target in ("/none.php", "/none.php/x", "/page/none.php", "/file.txt/none.php"):
        assert server.fetch(target).status == 404
    assert server.counter("php_requests") == before


def test_folder_named_php(server, module_site):
    """A folder whose name ends in .php is a folder."""
    module_site.write("dir.php/index.html", "in dir")
    assert server.fetch("/dir.php/").text == "in dir"
    assert server.fetch("/dir.php").status in (301, 308)


def test_special_files(server, module_site):
    """Sockets, FIFOs and devices are never opened for reading."""
    os.mkfifo(module_site.app / "pipe")
    os.mkfifo(module_site.app / "pipe.php")
    assert server.fetch("/pipe").status in (403, 404)
    assert server.fetch("/pipe.php").status in (403, 404)


def test_unreadable_file(server, module_site):
    """A file that the server may not read is 403 (or 404), and is not read as root."""
    module_site.write("secret.txt", SECRET, mode=0o000)
    module_site.write("secret.php", f"<?php echo '{SECRET}';", mode=0o000)
    r = server.fetch("/secret.txt")
    assert r.status in (403, 404) and SECRET not in r.text
    r = server.fetch("/secret.php")
    assert r.status in (403, 404, 500) and SECRET not in r.text


# -- symbolic links ----------------------------------------------------------------------------------------------------
def link(site, name, target):
    path = site.app / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


@pytest.fixture
def linked(site):
    site.scripts("hello.php")
    site.write("file.txt", DIGITS)
    site.write(".env", SECRET)
    site.write("code.php", f"<?php /* {SECRET} */ echo 'ran ', __FILE__;")
    site.write(".hidden/x.php", f"<?php /* {SECRET} */ echo 'hidden ran';")
    (site.base / "other").mkdir()
    (site.base / "other" / "lib.js").write_text("outside js")
    (site.base / "other" / ".env").write_text(SECRET)
    (site.base / "other" / "lib.php").write_text(f"<?php /* {SECRET} */ echo 'outside ran';")
    (site.base / "other" / "notphp").write_text(f"<?php /* {SECRET} */ echo 'x';")
    link(site, "in.txt", "file.txt")
    link(site, "out.js", site.base / "other" / "lib.js")
    link(site, "outdir", site.base / "other")
    link(site, "out.php", site.base / "other" / "lib.php")
    link(site, "shown.txt", "code.php")
    link(site, "shown.env", ".env")
    link(site, "run.php", "file.txt")
    link(site, "run2.php", site.base / "other" / "notphp")
    link(site, "dot.txt", site.base / "other" / ".env")
    link(site, "hidden.php", ".hidden/x.php")
    link(site, "loop", "loop")
    link(site, "dangling", "nowhere")
    return site


def test_links_on(linked, start):
    """By default links are followed, inside and out, as Debian's applications need."""
    s = start()
    assert s.fetch("/in.txt").body == DIGITS
    assert s.fetch("/out.js").text == "outside js"
    assert s.fetch("/outdir/lib.js").text == "outside js"
    assert s.fetch("/out.php").text == "outside ran"
    assert s.fetch("/outdir/lib.php").text == "outside ran"


def test_links_to_what_must_not_be_seen(linked, start):
    """The rules hold for the resolved name: a link shows neither a script's source nor a dotfile, and runs no other file."""
    s = start()
    for target in ("/shown.txt", "/shown.env", "/dot.txt", "/run.php", "/run2.php", "/hidden.php", "/outdir/.env", "/outdir/notphp"):
        r = s.fetch(target)
        if target == "/outdir/notphp":
            assert r.status in (200, 403, 404) and "x" != r.text
            continue
        assert SECRET not in r.text and "ran" not in r.text, (target, r)
        assert r.status in (403, 404), (target, r)


def test_links_loop_and_dangle(linked, start):
    """A loop and a dangling link are 404 (or 403)."""
    s = start()
    assert s.fetch("/loop").status in (403, 404)
    assert s.fetch("/dangling").status in (403, 404)


def test_links_off(linked, start):
    """follow_symlinks = off follows none."""
    s = start(conf="[site default]\nfollow_symlinks = off\n")
    for target in ("/in.txt", "/out.js", "/outdir/lib.js", "/out.php"):
        assert s.fetch(target).status in (403, 404), target
    assert s.fetch("/file.txt").body == DIGITS and s.fetch("/hello.php").body == b"hello"


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a link to somebody")
def test_links_owner(linked, start):
    """follow_symlinks = owner follows only where link and target belong to the same user."""
    os.chown(linked.base / "other" / "lib.js", 65534, 65534)
    link(linked, "mine.js", linked.base / "other" / "lib.js")
    os.lchown(linked.app / "mine.js", 65534, 65534)
    s = start(conf="[site default]\nfollow_symlinks = owner\n")
    assert s.fetch("/in.txt").body == DIGITS
    assert s.fetch("/out.js").status in (403, 404)
    assert s.fetch("/mine.js").text == "outside js"


def test_root_that_is_a_link(site, start):
    """A document root that is itself a link works (deployments switch it)."""
    release = site.base / "release"
    release.mkdir()
    (release / "index.php").write_text("<?php echo __DIR__;")
    (site.base / "current").symlink_to("release")
    s = start(directory=site.base / "current")
    assert s.fetch("/index.php").text == str(release)


# -- front controller --------------------------------------------------------------------------------------------------
@pytest.fixture
def framework(site):
    site.scripts("echo.php")
    site.php("index.php", "header('Content-Type: application/json'); echo json_encode($_SERVER);")
    site.write("real.css", "css")
    site.write("sub/x.txt", "x")
    return site


def test_front_controller(framework, start):
    """What is no file goes to the front controller, REQUEST_URI untouched, as behind nginx's try_files."""
    s = start(front_controller="index.php")
    v = s.fetch("/some/page?a=b%20c").json()
    assert (v["SCRIPT_NAME"], v["REQUEST_URI"], v["QUERY_STRING"]) == ("/index.php", "/some/page?a=b%20c", "a=b%20c")
    assert v["SCRIPT_FILENAME"] == str(framework.app / "index.php") and v["PHP_SELF"].startswith("/index.php")
    assert s.fetch("/real.css").text == "css"
    assert s.fetch("/").json()["SCRIPT_NAME"] == "/index.php"


def test_front_controller_found(framework, start):
    """An index.php in the document root is found as front controller of a recognised layout, or / at least runs it."""
    s = start(front_controller=None)
    assert s.fetch("/").json()["SCRIPT_NAME"] == "/index.php"


def test_front_controller_does_not_cover_denied_paths(framework, start):
    """Dotfiles don't reach it as files; what isn't there and ends in .php isn't run."""
    framework.write(".env", SECRET)
    s = start(front_controller="index.php")
    r = s.fetch("/.env")
    assert SECRET not in r.text


def test_front_controller_answers_any_method(framework, start):
    """POST to a virtual path reaches it."""
    s = start(front_controller="index.php")
    assert s.fetch("/api/x", method="DELETE").json()["REQUEST_METHOD"] == "DELETE"


def test_path_info(framework, start):
    """script.php/extra has PATH_INFO, decoded; SCRIPT_NAME is the script."""
    s = start()
    v = s.fetch("/index.php/a%20b/c?q").json()
    assert (v["SCRIPT_NAME"], v["PATH_INFO"], v["PHP_SELF"]) == ("/index.php", "/a b/c", "/index.php/a b/c")
    assert v["REQUEST_URI"] == "/index.php/a%20b/c?q" and v["DOCUMENT_URI"].startswith("/index.php")
    assert s.fetch("/index.php").json()["PATH_INFO"] == ""


def test_public_folder_is_found(site, start):
    """public/ is the document root where there is one; what lies beside it is unreachable."""
    site.write("public/index.php", "<?php echo $_SERVER['DOCUMENT_ROOT'];")
    site.write("secret.txt", SECRET)
    s = start()
    assert s.fetch("/").text == str(site.app / "public")
    assert s.fetch("/secret.txt").status == 404
    assert s.fetch("/../secret.txt").status in (400, 404)


@pytest.mark.parametrize("name", ["web", "pub"])
def test_other_roots(site, start, name):
    """web/ and pub/ are found too."""
    site.write(f"{name}/index.php", "<?php echo basename($_SERVER['DOCUMENT_ROOT']);")
    assert start().fetch("/").text == name


def test_root_flag(site, start):
    """-r names the document root below DIR."""
    site.write("htdocs/index.php", "<?php echo basename($_SERVER['DOCUMENT_ROOT']);")
    site.write("public/index.php", "<?php echo 'public';")
    assert start(args=("-r", "htdocs")).fetch("/").text == "htdocs"


def test_large_file_is_sent_whole(server, module_site):
    """A file of 50 MB arrives whole, twice on one connection."""
    subprocess.run(["truncate", "-s", "50M", module_site.app / "huge.bin"], check=True)
    with server.conn() as c:
        for _ in range(2):
            c.send(build("GET", "/huge.bin"))
            r, _ = c.response_head()
            assert sum(len(p) for p in c.body_pieces(r)) == 50 << 20


def test_file_that_shrinks_while_it_is_sent(server, module_site):
    """A file that is truncated under way ends in a close before its promised length, and the edge lives."""
    path = module_site.write("shrink.bin", b"z" * 30_000_000)
    with server.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/shrink.bin"))
        r, _ = c.response_head()
        os.truncate(path, 1000)
        rest = c.rest()
        # The kernel blanks the page it was cut in, which may be on its way already.
        assert set(rest) <= {ord("z"), 0} and len(rest) < 30_000_000
    assert server.fetch("/file.txt").body == DIGITS
