# SPDX-License-Identifier: Apache-2.0
"""The admin listener and ping.path."""
import os
import re

import pytest

from harness import StartFailed, run_cli, wait_until
from rawhttp import build, fetch


@pytest.fixture(scope="module")
def server(module_site, module_start):
    module_site.scripts()
    return module_start(conf="[global]\nping.path = /ping\n")


def test_metrics_are_openmetrics(server):
    """/metrics is a valid OpenMetrics exposition."""
    server.fetch("/hello.php")
    r = fetch(server.admin, "/metrics")
    assert r.get("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    samples = server.metrics()  # the strict reader
    assert all(name.startswith("plimsoll_") for name, _ in samples)


def test_metrics_for_readers_of_the_older_text(server):
    """Whoever asks for text/plain and not for OpenMetrics (promtool, Telegraf) gets Prometheus' text 0.0.4."""
    r = fetch(server.admin, "/metrics", fields=[("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")])
    assert r.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", r.text, re.M))
    assert set(types.values()) == {"counter", "gauge", "histogram"}
    assert types["plimsoll_http_requests_total"] == "counter" and types["plimsoll_build_info"] == "gauge"
    for line in r.text.splitlines():
        assert re.match(r"# (TYPE|HELP) plimsoll_", line) or re.sub(r"(_bucket|_count|_sum)?[{ ].*", "", line) in types, line
    both = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    assert fetch(server.admin, "/metrics", fields=[("Accept", both)]).text.endswith("# EOF\n")


def test_metrics_have_what_is_promised(server):
    """Counters of requests, queue, workers and their ends are there, gauges of the present too."""
    names = {n for n, _ in server.metrics()}
    for name in ("http_requests_total", "http_responses_total", "connections_open", "php_requests_total", "static_requests_total", "queue_length",
                 "queue_rejected_total", "workers", "workers_busy", "worker_ends_total", "molds_started_total", "edges_lost_total", "reloads_total",
                 "http_request_duration_seconds_bucket", "spool_errors_total"):
        assert f"plimsoll_{name}" in names, name


def test_gauges_come_back(server, module_site):
    """After some traffic the gauges are what they were."""
    for _ in range(10):
        server.fetch("/hello.php")
    wait_until(lambda: server.counter("workers_busy") == 0 and server.counter("queue_length") == 0 and server.counter("connections_open") <= 1, what="idle gauges")
    wait_until(lambda: server.counter("workers") == 2, what="two workers")


def test_histogram_counts_requests(server):
    """The duration histogram counts each request once."""
    def count():
        return server.metrics()[("plimsoll_http_request_duration_seconds_count", ())]
    before = count()
    for _ in range(5):
        server.fetch("/hello.php")
    wait_until(lambda: count() >= before + 5, what="five more")
    assert count() == before + 5


def test_status(server, module_site):
    """/status is JSON: processes with pid, state, generation and current request; counters."""
    mark, go = module_site.scratch / "m", module_site.scratch / "g"
    c = server.conn()
    c.send(build("GET", f"/hold.php?file={go}&mark={mark}"))
    wait_until(mark.exists, what="the script's start")
    busy = wait_until(lambda: [p for p in server.status()["processes"] if p["role"] == "worker" and p["state"] == "busy"], what="a busy worker")
    text = str(busy[0])
    assert "hold.php" in text and "GET" in text
    assert all({"pid", "role", "state", "generation"} <= set(p) for p in server.status()["processes"] if p["role"] == "worker")
    go.touch()
    assert c.response().status == 200


def test_status_tells_the_uptime(server):
    """The table's "up" is the JSON's uptime_s."""
    wait_until(lambda: server.status()["uptime_s"] >= 1, what="a second")
    text = run_cli("status", "--control", server.control).stdout
    up = re.search(r", up (\d+)s,", text)
    assert up and int(up[1]) >= 1, text
    assert re.search(r"^master .* [1-9]\d*[smhd] ", text, re.M), text


def test_ready_through_reloads(site, start):
    """A probe never sees 503, nor a closed connection, because of a reload."""
    site.scripts()
    s = start()
    for _ in range(8):
        assert run_cli("reload", "--control", s.control).returncode == 0
        for _ in range(10):
            assert fetch(s.admin, "/readyz").status == 200


def test_health(server):
    """/healthz and /readyz are 200 while all is well."""
    assert fetch(server.admin, "/healthz").status == 200
    assert fetch(server.admin, "/readyz").status == 200


def test_other_paths(server):
    """Other paths are 404, other methods 405; nothing of the site is served here."""
    assert fetch(server.admin, "/hello.php").status == 404
    assert fetch(server.admin, "/metrics", method="POST", body=b"x").status == 405
    assert fetch(server.admin, "/metrics", method="HEAD").status == 200
    assert fetch(server.admin, "/../etc/passwd").status in (400, 404)


def test_admin_is_not_on_the_main_port(server):
    """The main port does not answer the admin's paths."""
    for path in ("/metrics", "/status", "/healthz", "/readyz"):
        assert server.fetch(path).status == 404


def test_ping(server):
    """ping.path answers on the main port without PHP."""
    before = server.counter("php_requests")
    r = server.fetch("/ping", host="anything")
    assert r.status == 200 and r.text.strip() == "pong"
    assert server.counter("php_requests") == before


def test_ping_while_all_workers_are_busy(site, start):
    """Ping, health and status answer while every worker is busy."""
    site.scripts()
    s = start(workers=1, conf="[global]\nping.path = /-/up\nping.response = fine\n")
    mark, go = site.scratch / "m", site.scratch / "g"
    c = s.conn()
    c.send(build("GET", f"/hold.php?file={go}&mark={mark}"))
    wait_until(mark.exists, what="the script's start")
    assert s.fetch("/-/up").text.strip() == "fine"
    assert fetch(s.admin, "/healthz").status == 200 and s.status()
    go.touch()


def test_admin_on_loopback(site, start):
    """A loopback address is taken, and the ready line tells its port."""
    site.scripts()
    s = start(admin="127.0.0.1:0")
    assert fetch(s.admin, "/healthz").status == 200


@pytest.mark.parametrize("where", ["0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:9000"])
def test_admin_elsewhere_is_refused(site, start, where):
    """An address that others can reach is refused with exit 3 unless admin.allow_remote says otherwise."""
    site.scripts()
    with pytest.raises(StartFailed) as e:
        start(admin=where)
    assert e.value.code == 3 and "admin" in e.value.stderr


def test_admin_allow_remote(site, start):
    """admin.allow_remote = yes allows it."""
    site.scripts()
    s = start(admin="0.0.0.0:0", conf="[global]\nadmin.allow_remote = yes\n")
    assert fetch(s.admin, "/healthz", host="metrics.internal.example").status == 200


def test_admin_off(site, start):
    """Without --admin there is none."""
    site.scripts()
    assert start(admin=None).ready["admin"] in (None, False, "off", "")


def test_admin_on_loopback_checks_the_host(site, start):
    """A web page can't read the admin's answers through DNS rebinding (a foreign Host is refused), or they carry no CORS leave."""
    site.scripts()
    s = start(admin="127.0.0.1:0")
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "2130706433"):
        r = fetch(s.admin, "/status", host=host, fields=[("Origin", "http://evil.example")])
        assert r.status == 421 and "pid" not in r.text and "Access-Control-Allow-Origin" not in r
    for host in (s.admin, "localhost", "LOCALHOST:9180", "[::1]:9180", "10.0.0.1"):
        assert fetch(s.admin, "/status", host=host).status == 200
    r = fetch(s.listen, "/hello.php", host="evil.example")
    assert r.text == "hello"


def test_admin_socket_is_for_its_owner_and_group(server):
    """A unix admin socket can't be opened by other users."""
    assert os.stat(server.ready["admin"].removeprefix("unix:")).st_mode & 0o777 == 0o660
