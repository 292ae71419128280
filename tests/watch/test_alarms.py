# SPDX-License-Identifier: Apache-2.0
"""Alarms: raised on a verdict, cleared when it is over, told to the log, to commands and to webhooks."""
import http.server
import json
import os
import re
import threading

import pytest

from fakebox import MIB
from rigs.lines import until

GROWS = {"shmem": 0.8 * MIB}


class Hook:
    """A receiver of webhooks; `status(n)` is what it answers to the n-th request."""

    def __init__(self, status=lambda n: 204):
        hook = self
        self.bodies, self.asked = [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.asked += 1
                code = status(hook.asked)
                if 200 <= code < 300:
                    hook.bodies.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(code)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return f"http://localhost:{self.server.server_port}/hook?a=b"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook():
    made = []

    def make(*args):
        made.append(Hook(*args))
        return made[-1]

    yield make
    for h in made:
        h.close()


def leak_and_recover(box, watch):
    """Until the alarm is raised, then until it is over."""
    box.set(GROWS)
    raised = watch.wait(r"alarm: growing: (.*)")
    box.set(shmem=4 * MIB)
    watch.wait("all clear: growing")
    return raised.group(1)


def test_an_alarm_is_raised_and_cleared_in_log_command_and_webhook(box, watch, hook, tmp_path):
    h, b = hook(), box()
    w = watch(b, "--exec", f"cat >> {tmp_path}/in; env >> {tmp_path}/env", "--webhook", h.url(), "--webhook-command",
              f"cat >> {tmp_path}/https")
    w.wait(r"watching cgroup v1 /sys/fs/cgroup/memory/app, limit 256 MiB")
    text = leak_and_recover(b, w)
    until(lambda: len(h.bodies) >= 2, 60, lambda: h.bodies)
    until(lambda: (tmp_path / "https").exists() and (tmp_path / "https").read_text().count("\n") >= 2, 60, "two lines of --webhook-command")
    assert w.end() == 0
    for bodies in ([body for _, _, body in h.bodies], read_json(tmp_path / "in"), read_json(tmp_path / "https")):
        assert [body["event"] for body in bodies] == ["raised", "cleared"]
        raised = bodies[0]
        assert raised["schema"] == "plimsoll.alarm/1"
        assert raised["verdict"] == "growing" and raised["cause"] == "tmpfs", raised
        assert raised["limit_bytes"] == 256 * MIB
        assert 20 * MIB < raised["usage_bytes"] <= 256 * MIB
        low, middle, high = raised["growth_bytes_per_min"]
        assert low <= middle <= high and 24 * MIB < middle < 96 * MIB
        assert raised["text"] in text
        assert raised["fixes"] and all(isinstance(fix, str) for fix in raised["fixes"])
    assert h.bodies[0][:2] == ("/hook?a=b", "application/json")
    env = (tmp_path / "env").read_text()
    for line in ("PLIMSOLL_EVENT=raised", "PLIMSOLL_EVENT=cleared", "PLIMSOLL_VERDICT=growing", "PLIMSOLL_CAUSE=tmpfs",
                 f"PLIMSOLL_LIMIT_BYTES={256 * MIB}"):
        assert line + "\n" in env
    assert not re.search(r"^PLIMSOLL_\w+=$", env, re.M), env  # what isn't known is missing


def read_json(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_stall_is_said(box, watch):
    b = box()
    w = watch(b)
    w.wait("watching")
    b.set({"shmem": 1.5 * MIB})
    until(lambda: b.level["shmem"] > 225 * MIB, 60, "the limit")
    b.set({"refault": 60000, "majfault": 300}, shmem=228 * MIB)
    w.wait("alarm: saturated")


def test_no_alarm_on_page_cache(box, watch):
    b = box()
    w = watch(b)
    w.wait("watching")
    b.set({"inactive_file": 2 * MIB})
    until(lambda: b.level["inactive_file"] > 150 * MIB, 60, "a full page cache")
    mark = w.running.out.mark()
    b.set(GROWS)  # so that the end is a line, not a time
    w.wait("alarm: growing", since=mark)
    assert w.log().count("alarm:") == 1


def test_a_webhook_is_tried_again(box, watch, hook):
    h = hook(lambda n: 503 if n < 3 else 200)
    b = box()
    w = watch(b, "--webhook", h.url(), "--retry", "20ms")
    w.wait("watching")
    b.set(GROWS)
    until(lambda: h.bodies, 60, w.log)
    w.wait(r"--webhook failed: the answer was 503; next try in", count=2)
    assert h.asked == 3


def test_a_webhook_that_is_refused_is_given_up(box, watch, hook):
    h = hook(lambda n: 404)
    b = box()
    w = watch(b, "--webhook", h.url(), "--retry", "20ms")
    w.wait("watching")
    b.set(GROWS)
    w.wait("--webhook failed: the answer was 404; the notice is given up")
    assert h.asked == 1


def test_a_command_that_fails_is_tried_again_for_https_but_not_for_exec(box, watch, tmp_path):
    b = box()
    w = watch(b, "--exec", f"echo once >> {tmp_path}/exec; exit 3", "--webhook-command",
              f"echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) -ge 3 ]", "--retry", "20ms")
    w.wait("watching")
    b.set(GROWS)
    w.wait("--exec failed: the command ended with code 3; the notice is given up")
    w.wait("--webhook-command failed: the command ended with code 1; next try", count=2)
    until(lambda: (tmp_path / "tries").read_text().count("x") == 3, 60, "three tries")
    assert (tmp_path / "exec").read_text() == "once\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide the shell")
def test_a_command_needs_no_shell(box, watch, tmp_path):
    """A distroless image has none: what has nothing for a shell in it is run as it stands."""
    b = box()
    hide = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$(readlink -f /bin/sh)"; exec "$@"', "sh"]
    w = watch(b, "--exec", f"/usr/bin/tee {tmp_path}/out", prefix=hide)
    w.wait("watching")
    b.set(GROWS)
    until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text().endswith("}\n"), 60, w.log)
    assert json.loads((tmp_path / "out").read_text())["event"] == "raised"


def test_children_are_reaped(box, watch, tmp_path):
    b = box()
    w = watch(b, "--exec", f"echo > {tmp_path}/ran")
    w.wait("watching")
    b.set(GROWS)
    until(lambda: (tmp_path / "ran").exists(), 60, w.log)
    children = f"/proc/{w.pid}/task/{w.pid}/children"
    until(lambda: not open(children).read().strip(), 60, "no child left")


def test_an_alarm_that_the_log_did_not_take_is_said_when_it_does(box, watch, tmp_path):
    b, fifo, told = box(), tmp_path / "log", tmp_path / "told"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    seen = b""

    def log():
        nonlocal seen
        try:
            seen += os.read(reader, 1 << 20)
        except BlockingIOError:
            pass
        return seen.decode(errors="replace")

    watch(b, "--log", fifo, "--exec", f"cat >> {told}")
    until(lambda: "watching" in log(), 60, "the start in the log")
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    b.set(GROWS)
    until(told.exists, 60, "the alarm at the command")
    assert "alarm" not in seen.decode()
    until(lambda: "alarm: growing" in log(), 60, "the alarm in the log that has room again")
    assert "lines before this one are lost" in log()
    os.close(reader)
    os.close(writer)
