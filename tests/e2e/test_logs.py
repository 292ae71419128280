# SPDX-License-Identifier: Apache-2.0
"""Access log, error log and the request id that ties them together."""
import json
import os
import re
import select
import signal

import pytest

from harness import StartFailed, wait_until
from rawhttp import build

COMBINED = re.compile(r'(\S+) - (\S+) \[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\] "([^"]*)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"\Z')


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    module_site.write("f.txt", "0123456789")
    module_site.php("warn.php", "error_log('said by the script');")
    return module_start()


@pytest.fixture(scope="module")
def json_server(module_site, module_start, server):
    return module_start(args=("--log-format", "json"))


def test_combined(server):
    """A combined line has client, user, time, request line, status, bytes, referer, agent."""
    server.fetch("/f.txt?combined", fields=[("Referer", "http://r/"), ("User-Agent", "agent/1"), ("Authorization", "Basic dXNlcjpwYXNz")])
    m = COMBINED.match(server.access_log.wait_for("combined"))
    assert m, server.access_log.lines[-1]
    assert (m[1], m[2], m[4], m[5], m[6], m[7], m[8]) == ("127.0.0.1", "user", "GET /f.txt?combined HTTP/1.1", "200", "10", "http://r/", "agent/1")


def test_every_line_is_combined(server):
    """Whatever a client sends, every line keeps its form: nothing can be injected."""
    evil = ['" 200 0 "-" "-', "\\x0a", "\x1b[31m", "é", "a\tb", "\\\"", "%0d%0aforged"]
    n = len(server.access_log.lines)
    for e in evil:
        raw = e.encode("utf-8").decode("latin-1")
        for request in (build("GET", "/f.txt?evil", [("User-Agent", raw), ("Referer", raw)]),
                        build("GET", "/f.txt?" + raw.replace(" ", "+"), [("Authorization", "Basic IiBmb3JnZWQKMTI3LjAuMC4xOnA=")])):
            with server.conn() as c:
                c.send(request)
                c.response()
    server.fetch("/f.txt?last-of-evil")
    server.access_log.wait_for("last-of-evil")
    for line in server.access_log.lines[n:]:
        assert COMBINED.match(line), line


def test_refused_requests_are_logged(server):
    """A malformed request is logged with its status."""
    server.raw("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    server.access_log.wait_for(r'" 400 ')


@pytest.mark.parametrize("data,status", [
    ("GET /refused?1 HTTP/1.1\r\n\r\n", 400), ("GET /refused?2 HTTP/1.1\r\nHost: a\r\nCookie: " + "c" * 40000 + "\r\n\r\n", 431),
    ("GET /refused?3 HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 200 + "\r\n", 431), ("GET /refused?" + "4" * 9000 + " HTTP/1.1\r\n", 414),
    ("GET /refused?5 HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417), ("GET /refused?6 HTTP/3.0\r\n\r\n", 505)])
def test_refused_requests_are_logged_with_what_they_asked_for(json_server, data, status):
    """Which URL is it whose cookies have grown too large? The log says it, and the id that the client was told."""
    target = data.split()[1][:300]
    answer, _ = json_server.raw(data)
    assert answer.status == status
    line = json_line(json_server, re.escape(target))
    assert (line["method"], line["status"], line["id"]) == ("GET", status, answer.get("X-Request-Id"))
    assert re.fullmatch("[0-9a-f]{32}", line["id"])


def test_a_refused_HEAD_has_no_body(server):
    answer, rest = server.raw("HEAD /refused HTTP/1.1\r\n\r\n", method="HEAD")
    assert (answer.status, rest) == (400, b"")


def test_bytes_of_head_and_304(server):
    """Bytes are body bytes: 0 for HEAD."""
    server.fetch("/f.txt?headline", method="HEAD")
    assert COMBINED.match(server.access_log.wait_for("headline"))[6] == "0"


@pytest.mark.parametrize("case,code,n", [("more", "header('Content-Length: 10'); echo '1234567890 and more';", "10"),
                                         ("none", "http_response_code(204); echo 'not for you';", "0")])
def test_bytes_are_those_that_were_sent(server, module_site, case, code, n):
    """What a script writes beyond its Content-Length, or into a 204, reaches nobody and is not counted."""
    module_site.php(f"bytes-{case}.php", code)
    server.fetch(f"/bytes-{case}.php")
    assert COMBINED.match(server.access_log.wait_for(f"bytes-{case}"))[6] == n


def test_client_that_left(server, module_site):
    """A request whose client left is logged (499 or its status)."""
    module_site.scripts("hold.php")
    mark, go = module_site.scratch / "left-mark", module_site.scratch / "left-go"
    c = server.conn()
    c.send(build("GET", f"/hold.php?left&file={go}&mark={mark}"))
    wait_until(mark.exists, what="the script's start")
    c.reset()
    go.touch()
    assert COMBINED.match(server.access_log.wait_for(r"hold\.php\?left"))[5] in ("499", "200")


def json_line(s, pattern):
    return json.loads(s.access_log.wait_for(pattern))


def test_json(json_server):
    """A JSON line is one object with what a combined line has and more."""
    r = json_server.fetch("/hello.php?one", fields=[("User-Agent", "a\"b\\c\té\xff")])
    line = json_line(json_server, r"hello\.php\?one")
    assert line["client"] == "127.0.0.1" and line["method"] == "GET" and line["target"] == "/hello.php?one" and line["status"] == 200
    assert line["bytes"] == 5 and line["duration_ms"] >= 0 and line["script"].endswith("/hello.php") and line["host"] == "localhost"
    assert line["id"] == r.get("X-Request-Id")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


def test_every_json_line_is_valid(json_server):
    """Whatever a client sends, each line is valid JSON in valid UTF-8."""
    for i in range(0, 256, 8):
        junk = bytes(b for b in range(i, i + 8) if b not in (0, 10, 13) and (b >= 32 or b == 9) and b != 127)
        with json_server.conn() as c:
            c.send(b"GET /f.txt?" + junk.replace(b" ", b"+").replace(b"\t", b"+") + b" HTTP/1.1\r\nHost: a\r\nUser-Agent: \"" + junk + b"\\\r\nReferer: " + junk + b"\r\n\r\n")
            c.response()
    json_server.fetch("/f.txt?json-last")
    json_server.access_log.wait_for("json-last")
    for line in json_server.access_log.path.read_bytes().split(b"\n")[:-1]:
        json.loads(line.decode("utf-8"))


# -- request id --------------------------------------------------------------------------------------------------------
def test_request_id_is_made(server):
    """Every answer has an X-Request-Id of its own; PHP sees it."""
    seen = set()
    for target in ("/hello.php", "/f.txt", "/none", "/hello.php"):
        rid = server.fetch(target).get("X-Request-Id")
        assert rid and re.fullmatch(r"[0-9A-Za-z_-]{8,}", rid)
        seen.add(rid)
    assert len(seen) == 4
    r = server.fetch("/echo.php")
    v = r.json()["server"]
    assert r.get("X-Request-Id") in (v.get("HTTP_X_REQUEST_ID"), v.get("REQUEST_ID"))


def test_request_id_is_taken_over(server):
    """A sound X-Request-Id of the client is kept."""
    r = server.fetch("/echo.php", fields={"X-Request-Id": "abc-123_DEF.4"})
    assert r.get("X-Request-Id") == "abc-123_DEF.4"
    assert r.json()["server"]["HTTP_X_REQUEST_ID"] == "abc-123_DEF.4"


@pytest.mark.parametrize("value", ["a b", "x" * 500, "a\"b", "<script>", "a\tb", "é", "a,b\\"], ids=ascii)
def test_unsound_request_id_is_replaced(server, value):
    """An X-Request-Id that could do harm in a log is replaced."""
    r = server.fetch("/hello.php", fields={"X-Request-Id": value})
    assert r.get("X-Request-Id") != value and re.fullmatch(r"[0-9A-Za-z_-]{8,}", r.get("X-Request-Id"))


def test_request_id_in_the_error_log(server):
    """PHP's lines carry the request's id."""
    server.fetch("/warn.php", fields={"X-Request-Id": "id-in-log-77"})
    assert "said by the script" in server.error_log.wait_for("id-in-log-77")


# -- error log ---------------------------------------------------------------------------------------------------------
ERROR_LINE = re.compile(r"\[\d{2}-[A-Z][a-z]{2}-\d{4} \d{2}:\d{2}:\d{2}\] (ERROR|WARNING|NOTICE|DEBUG): ")


def test_error_log_form(server, module_site):
    """Each line has time, level and who; a script can't forge one with newlines."""
    module_site.php("forge.php", 'error_log("one\\n[24-Nov-2026 00:00:00] ERROR: master: forged\\r\\x1b[31mred");')
    server.fetch("/forge.php")
    server.error_log.wait_for("forged")
    for line in server.error_log.lines:
        assert ERROR_LINE.match(line), line
        assert "\x1b" not in line
    assert not [line for line in server.error_log.lines if line.startswith("[24-Nov-2026 00:00:00] ERROR: master: forged")]


def test_long_error_lines(server, module_site):
    """A line of a megabyte is cut, and harms nothing."""
    module_site.php("longlog.php", "error_log('long-line ' . str_repeat('x', 1000000)); echo 'ok';")
    assert server.fetch("/longlog.php").text == "ok"
    server.error_log.wait_for("long-line")
    assert all(len(line) <= 70000 for line in server.error_log.lines)
    assert server.fetch("/hello.php").body == b"hello"


def test_flood_of_errors(server, module_site):
    """Ten thousand warnings in one request arrive or are dropped; the request is answered."""
    module_site.php("flood.php", "for ($i = 0; $i < 10000; $i++) error_log('flood ' . $i); echo 'ok';")
    assert server.fetch("/flood.php", deadline=60).text == "ok"
    server.error_log.wait_for("flood 0")
    assert server.fetch("/hello.php").body == b"hello"


def test_log_level(site, start):
    """log_level = error leaves warnings out."""
    site.php("w.php", "trigger_error('a user warning', E_USER_WARNING); echo 'ok';")
    s = start(conf="[global]\nlog_level = error\n")
    assert s.fetch("/w.php").text.endswith("ok")
    assert not [line for line in s.error_log.lines if "NOTICE" in line]


def test_access_log_off(site, start):
    """-a off writes none; -a - writes to standard output."""
    site.scripts("hello.php")
    s = start(access_log=False, args=("-a", "off"))
    s.fetch("/hello.php?off")
    s.stop()
    assert "hello.php?off" not in s.stderr.text
    s = start(access_log=False, args=("-a", "-"))
    s.fetch("/hello.php?stdout")
    s.stderr.wait_for(r"hello\.php\?stdout")


def test_error_log_on_stderr(site, start):
    """Without --error-log everything goes to standard error."""
    site.php("w.php", "error_log('to the terminal');")
    s = start(error_log=False)
    s.fetch("/w.php")
    s.stderr.wait_for("to the terminal")


def test_a_log_that_nobody_reads_stops_nothing(site, start):
    """A log collector that hangs: what it can't take is lost and counted, and requests, reload and stop go on."""
    site.php("w.php", "error_log(str_repeat('y', 2000)); echo 'ok';")
    fifo = site.scratch / "log"
    os.mkfifo(fifo)
    fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)  # a reader that never reads
    try:
        s = start(error_log=False, args=("--error-log", fifo))
        for _ in range(100):
            assert s.fetch("/w.php").text == "ok"
        s.signal(signal.SIGHUP)
        wait_until(lambda: s.counter("reloads", result="done") == 1)
        assert s.fetch("/w.php").text == "ok"
        while select.select([fd], [], [], 0)[0]:
            os.read(fd, 1 << 16)
        s.fetch("/w.php")
        wait_until(lambda: select.select([fd], [], [], 0)[0])
        assert b"lines before this one are lost" in os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def test_a_log_pipe_without_reader_is_refused_not_waited_for(site, start):
    os.mkfifo(site.scratch / "log")
    with pytest.raises(StartFailed) as e:
        start(error_log=False, args=("--error-log", site.scratch / "log"))
    assert e.value.code == 1 and "can't open the error log" in e.value.stderr


def test_last_lines_are_not_lost(site, start):
    """What was answered just before the end is in the log."""
    site.scripts("hello.php")
    s = start()
    for i in range(20):
        s.fetch(f"/hello.php?n{i}")
    s.stop()
    assert len(s.access_log.find(r"hello\.php\?n\d")) == 20


def test_sites_have_their_own_access_logs(site, start):
    """access_log is a site's."""
    for n in ("a", "b"):
        site.write(f"{n}/index.php", "<?php echo 1;")
    s = start(access_log=False, directory=site.app / "a", conf="".join(f"[site {n}]\ndir = {site.app}/{n}\nserver_name = {n}\naccess_log = {site.logs}/site-{n}.log\n" for n in ("a", "b")))
    s.fetch("/?for-a", host="a"), s.fetch("/?for-b", host="b")
    from harness import Log
    Log(site.logs / "site-a.log").wait_for("for-a")
    Log(site.logs / "site-b.log").wait_for("for-b")
    assert "for-b" not in (site.logs / "site-a.log").read_text()
