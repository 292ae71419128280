# SPDX-License-Identifier: Apache-2.0
"""OpenMetrics: valid in both formats, complete, and the source of every metric that the alerts and the dashboard use."""
import json
import os
import pathlib
import random
import re
import resource
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from fakebox import MIB
from rigs.lines import until

REPO = pathlib.Path(__file__).resolve().parents[2]
RULES = REPO / "packaging/prometheus/plimsoll-rules.yml"
DASHBOARD = REPO / "packaging/grafana/plimsoll.json"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def free_port():
    """Below those that the kernel gives to whoever asks for any, so that nobody gets it in between."""
    for port in random.sample(range(10000, 30000), 1000):
        with socket.socket() as s:
            try:
                s.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise OSError("no port is free")


@pytest.fixture
def serving(box, watch):
    """A watch that serves metrics; serving(accept) gets them."""
    port = free_port()
    b = box(version=2)
    w = watch(b, "--listen", f":{port}")
    w.wait("watching")

    def scrape(accept="text/plain", path="/metrics", **kwargs):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept}, **kwargs)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers, answer.read().decode()

    scrape.port, scrape.box, scrape.watch = port, b, w
    return scrape


@pytest.fixture
def scraped(serving):
    """The same, of a container that has grown until its alarm stands."""
    serving.box.set({"shmem": 0.8 * MIB})
    serving.watch.wait("alarm: growing")
    return serving


def test_a_visitor_who_cant_be_let_in_waits_without_keeping_watch_busy(serving):
    pid = serving.watch.pid

    def listening():
        """Of what the loop waits for on the listening socket: epoll's event mask."""
        with open("/proc/net/tcp") as f:
            inode = next(line.split()[9] for line in f if line.split()[1].endswith(f":{serving.port:04X}")
                         and line.split()[3] == "0A")
        fds = {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        own = next(fd for fd, to in fds.items() if to == f"socket:[{inode}]")
        info = "".join(pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text() for fd, to in fds.items() if "eventpoll" in to)
        return int(re.search(rf"tfd:\s+{own} events:\s+([0-9a-f]+)", info).group(1), 16)

    assert listening() & 1  # EPOLLIN
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, hard))
    with socket.create_connection(("127.0.0.1", serving.port), 60) as s:
        until(lambda: not listening() & 1, 60, "the socket put aside")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, hard))
        s.settimeout(60)
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")


def families(text):
    """name -> (type, help, unit, samples); checks OpenMetrics' grammar and order on the way."""
    found, current = {}, None
    lines = text.split("\n")
    assert lines[-1] == "" and lines[-2] == "# EOF", lines[-3:]
    for line in lines[:-2]:
        meta = re.fullmatch(r"# (TYPE|HELP|UNIT) ([a-z_][a-z0-9_]*) (.+)", line)
        if meta:
            kind, name, value = meta.groups()
            if name != current:
                assert name not in found, f"{name} comes twice"
                found[name] = dict(samples=[])
                current = name
            assert kind not in found[name], line
            found[name][kind] = value
            continue
        sample = re.fullmatch(r'([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?[0-9.eE+-]+|NaN|[+-]Inf)', line)
        assert sample, f"no sample: {line}"
        name, labels, value = sample.groups()
        suffix = {"counter": "_total", "info": "_info"}.get(found[current]["TYPE"], "")
        assert name == current + suffix, line
        found[current]["samples"].append((name, labels or "", float(value)))
    for name, family in found.items():
        assert family.get("HELP"), name
        unit = family.get("UNIT")
        assert unit is None or name.endswith("_" + unit), name
        keys = [(n, l) for n, l, _ in family["samples"]]
        assert len(keys) == len(set(keys)), f"{name}: a sample comes twice"
        if family["TYPE"] == "counter":
            assert all(v >= 0 for _, _, v in family["samples"])
    return found


def test_openmetrics_is_valid_and_says_what_is_there(scraped):
    headers, text = scraped(OPENMETRICS)
    assert headers["Content-Type"].startswith(OPENMETRICS)
    found = families(text)
    value = {(n, l): v for f in found.values() for n, l, v in f["samples"]}
    assert value['plimsoll_memory_alarm', '{verdict="growing"}'] == 1
    assert value['plimsoll_memory_cause', '{cause="tmpfs"}'] == 1
    assert value['plimsoll_memory_limit_bytes', ''] == 256 * MIB
    assert 20 * MIB < value['plimsoll_memory_shmem_bytes', ''] <= 256 * MIB
    assert value['plimsoll_watch_alarms_total', '{event="raised"}'] == 1
    assert value['plimsoll_watch_up', ''] == 1
    growth = value['plimsoll_memory_growth_bytes_per_second', '{line="total",bound="middle"}']
    assert 0.4 * MIB < growth < 1.6 * MIB
    assert sum(v for (n, l), v in value.items() if n == "plimsoll_memory_verdict" and 'line="total"' in l) == 1


def test_promtool_accepts_the_older_format(scraped):
    headers, text = scraped("text/plain")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# EOF" not in text
    done = subprocess.run([shutil.which("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def exposed(text):
    return {name for family in families(text).values() for name, _, _ in family["samples"]}


def known(text):
    """What is exposed here, and what other containers expose: each row of the table."""
    names = exposed(text)
    rows = re.findall(r"^FIELD\((\w+), (\w+),", (REPO / "src/tbl/mem_fields.def").read_text(), re.M)
    suffix = {"BYTES": "_bytes", "TOTAL": "_total", "MICROS": "_seconds_total", "COUNT": "", "FLAG": ""}
    names |= {f"plimsoll_memory_{name}{suffix[kind]}" for name, kind in rows if kind in suffix}
    # Only where growth leads to a stall, and where there are directories.
    return names | {"plimsoll_memory_stall_in_seconds", "plimsoll_memory_directory_bytes",
                    "plimsoll_memory_directory_growth_bytes_per_second"}


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=["rules", "dashboard"])
def test_every_metric_that_is_used_exists(scraped, path):
    used = set(re.findall(r"\bplimsoll_[a-z_]+[a-z]\b", path.read_text()))
    assert len(used) > 5
    assert used - known(scraped(OPENMETRICS)[1]) == set()


def test_the_names_of_the_table_are_those_exposed(serving):
    text = serving(OPENMETRICS)[1]
    for name in ("usage_bytes", "limit_bytes", "anon_bytes", "shmem_bytes", "refault_file_total", "oom_kill_total", "nprocs"):
        assert f"plimsoll_memory_{name}" in exposed(text)


def test_the_rules_hold(tmp_path):
    for args in (["check", "rules", RULES], ["test", "rules", REPO / "tests/watch/rules_test.yml"]):
        done = subprocess.run([shutil.which("promtool"), *args], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one():
    d = json.loads(DASHBOARD.read_text())
    ids = [p["id"] for p in d["panels"]]
    assert len(ids) == len(set(ids)) > 10
    places = set()
    for p in d["panels"]:
        g = p["gridPos"]
        assert g["x"] + g["w"] <= 24 and p["title"] and p["targets"]
        for x in range(g["x"], g["x"] + g["w"]):
            for y in range(g["y"], g["y"] + g["h"]):
                assert (x, y) not in places, f"{p['title']} lies over another"
                places.add((x, y))
    # A window shorter than two scrapes is empty, and only Grafana knows how often it is scraped.
    rates = [t["expr"] for p in d["panels"] for t in p["targets"] if "rate(" in t["expr"]]
    assert len(rates) > 5 and all("[$__rate_interval]" in expr for expr in rates), rates


@pytest.mark.parametrize("path, method, status", [("/", "GET", 200), ("/nope", "GET", 404), ("/metrics", "POST", 405)])
def test_other_requests_are_answered(serving, path, method, status):
    try:
        headers, text = serving(path=path, method=method, data=b"x" if method == "POST" else None)
        assert status == 200
    except urllib.error.HTTPError as e:
        assert e.code == status


def test_visitors_that_say_nothing_hold_up_nobody(serving):
    idle = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(4)]
    try:
        assert "plimsoll_watch_up 1" in serving()[1]  # once one of them has been hung up on
    finally:
        for s in idle:
            s.close()


def test_garbage_is_no_harm(serving):
    for garbage in (b"\x00" * 5000, b"GET /metrics", b"\n\n", b"GET " + b"a" * 4000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", serving.port)) as s:
            s.settimeout(60)
            try:
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                s.recv(100)
            except OSError:  # it hung up
                pass
    assert "plimsoll_watch_up 1" in serving()[1]


def test_a_unix_socket_serves_too(box, watch, tmp_path):
    path = tmp_path / "metrics.sock"
    watch(box(), "--listen", f"unix:{path}").wait("watching")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := s.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"plimsoll_watch_up 1" in answer


def test_a_port_in_use_ends_it_with_the_reason(box, xray):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = xray("watch", *box().args(), "--listen", f"127.0.0.1:{s.getsockname()[1]}")
    assert done.returncode == 1 and "Address already in use" in done.stderr
