# SPDX-License-Identifier: Apache-2.0
"""watch and what it watches: beginnings, ends, its own memory."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from fakebox import MIB
from rigs import group, levels, tool
from rigs.lines import until


def status(pid, key):
    return int(re.search(rf"^{key}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) * 1024


def sleeps(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(box, watch, number):
    w = watch(box())
    w.wait("memory")  # the last line of the start
    w.signal(number)
    assert w.running.process.wait(60) == 0
    assert "told to end" in w.log()


def test_it_says_that_what_it_watched_is_gone_and_ends(box, watch):
    b = box()
    w = watch(b, "--pid", b.pid)
    w.wait("watching")
    b.die()
    w.wait("is gone: its cgroup was removed or its last process ended")
    assert w.running.process.wait(60) == 0


def test_an_alarm_ends_with_what_it_was_about(box, watch, tmp_path):
    b = box()
    w = watch(b, "--pid", b.pid, "--exec", f"cat >> {tmp_path}/out")
    w.wait("watching")
    b.set({"shmem": 0.8 * MIB})
    w.wait("alarm: growing")
    b.die()
    w.wait("all clear: growing is over after .*: what was watched is gone")
    assert w.running.process.wait(60) == 0
    assert [json.loads(line)["event"] for line in (tmp_path / "out").read_text().splitlines()] == ["raised", "cleared"]


def test_what_is_gone_at_the_first_look_is_said(box, watch):
    b = box()
    b.die()
    w = watch(b, "--pid", b.pid)
    w.wait("is gone")
    assert w.running.process.wait(60) == 0


def test_it_waits_for_a_process_and_for_its_successor(box, watch):
    b = box(pid=77)
    comm = b.path / "proc/77/comm"
    comm.write_text("sh\n")
    w = watch(b, "--process", "php-fpm8.2")
    w.wait("waiting: no process is called php-fpm8.2")
    comm.write_text("php-fpm8.2\n")
    w.wait(r"watching .*of php-fpm8.2 \(pid 77\)")
    comm.write_text("gone\n")
    b.die()
    w.wait("is gone")
    mark = w.running.out.mark()
    comm.write_text("php-fpm8.2\n")
    (b.group / "cgroup.procs").write_text("77\n")
    w.wait("watching", since=mark)


def test_it_waits_for_a_cgroup(box, watch):
    b = box()
    hidden = b.group.rename(b.group.parent / "hidden")
    w = watch(b, "--cgroup", "/sys/fs/cgroup/memory/app")
    w.wait("waiting: /sys/fs/cgroup/memory/app: No such file or directory")
    hidden.rename(b.group)
    w.wait("watching cgroup v1 /sys/fs/cgroup/memory/app")


def test_it_waits_for_a_process_in_a_cgroup_that_stays(box, watch):
    b = box()
    w = watch(b, "--cgroup", "/sys/fs/cgroup/memory/app")
    w.wait("watching")
    b.die()
    w.wait("is gone")
    w.wait("waiting for the next")
    slept = sleeps(w.pid)
    until(lambda: sleeps(w.pid) > slept + 20, 60, "20 more looks, a wake-up each")
    assert w.log().count("waiting") == 1 and w.log().count("is gone") == 1
    (b.group / "cgroup.procs").write_text(f"{b.pid}\n")
    w.wait("watching", count=2)


def test_it_ends_in_order_while_it_waits_and_keeps_how_the_life_ended(box, watch, tmp_path):
    b = box()
    w = watch(b, "--cgroup", "/sys/fs/cgroup/memory/app", "--state", tmp_path / "state")
    until(lambda: (tmp_path / "state/last.json").exists(), 60, w.log)
    b.die()
    w.wait("waiting for the next")
    assert w.end() == 0
    assert json.loads((tmp_path / "state/last.json").read_text())["ended"] == "gone"


def test_its_memory_is_locked_and_small(box, watch):
    w = watch(box(), "--listen", f"unix:{box('other').path}/m.sock")
    w.wait("memory is locked")
    assert status(w.pid, "VmLck") > 2 * MIB
    assert status(w.pid, "VmRSS") < 8 * MIB


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user and its limit")
def test_it_says_why_it_cannot_lock(box, watch):
    b = box()
    subprocess.run(["chmod", "-R", "a+rX", b.path.parent], check=True)
    os.chmod(b.path.parent, 0o777)
    for folder in b.path.parents:
        if str(folder).startswith("/tmp/"):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
    w = watch(b, prefix=["prlimit", "--memlock=65536", *levels.at("none", [])])
    w.wait(r"of memory could be locked: .*RLIMIT_MEMLOCK is 64.0 KiB.*--ulimit memlock")
    w.wait("watching")


PROGRAM = """
import os, sys
root, dirs = sys.argv[1], int(sys.argv[2])
for i in range(dirs):
    os.makedirs(f"{root}/idle/{i // 200}/{i}")
    with open(f"{root}/idle/{i // 200}/f{i}", "wb") as f:
        f.write(b"x")
print("made", flush=True)
store = root + "/app/var/cache/prod/http_cache"
for i, line in enumerate(sys.stdin):
    d = f"{store}/en/{i % 256:02x}"
    os.makedirs(d, exist_ok=True)
    with open(f"{d}/{i}", "wb") as f:
        f.write(b"x" * 50000)
"""


@pytest.fixture
def real(tmp_path):
    """A process in a real cgroup with a tmpfs of its own, full of directories; real(n) gives it."""
    made = []

    def start(dirs, limit):
        made.append(group.Group("watch", limit))
        (tmp_path / "mnt").mkdir()
        shell = (f"echo $$ > {made[0].path}/cgroup.procs; mount -t tmpfs none {tmp_path}/mnt; "
                 f"exec /usr/bin/python3 -c \"$0\" {tmp_path}/mnt {dirs}")
        made.append(subprocess.Popen(["unshare", "-m", "sh", "-c", shell, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True))
        assert made[1].stdout.readline() == "made\n"
        return made[1]

    if group.unusable():
        pytest.skip(group.unusable())
    yield start
    for process in made[1:]:
        process.kill()
        process.wait()
    for g in made[:1]:
        g.close()


def test_the_directory_that_grows_is_in_the_alarm(real, watch, tmp_path):
    app = real(500, 256 * MIB)
    w = watch(None, "--pid", app.pid, "--interval", "20ms", "--time-scale", "40", fast=False)
    w.wait("watching")

    def feed():
        app.stdin.write("\n" * 2)
        app.stdin.flush()
        return w.running.out.find("alarm: growing")

    until(feed, 60, w.log, every=0.003)
    assert f"{tmp_path}/mnt/app/var/cache/prod/http_cache" in w.wait("alarm: growing: (.*)").group(1)


def test_65000_directories_are_watched_in_8_mib(real, watch, tmp_path):
    app = real(65000, 512 * MIB)
    w = watch(None, "--pid", app.pid, "--interval", "10ms", "--time-scale", "100", "--listen", f"unix:{tmp_path}/m", "--state",
              tmp_path / "state", "--record", tmp_path / "rec.csv", fast=False)
    w.wait("watching")

    def walked():
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp_path / "m"))
            s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b""))
        rounds = re.search(rb"^plimsoll_watch_walk_rounds_total (\d+)", text, re.M)
        return rounds and int(rounds.group(1)) >= 1

    until(walked, 60, w.log)
    assert status(w.pid, "VmRSS") < 8 * MIB


def test_the_last_life_lists_a_store_as_one_directory(real, watch, xray, tmp_path):
    """As xray's live answer does, and not by its fullest leaves."""
    app = real(0, 256 * MIB)
    store = f"{tmp_path}/mnt/app/var/cache/prod/http_cache"
    for leaf in ("md/0a/0b", "en/00/11", "en/22/33", "en/44/55", "en/66/77"):
        place = pathlib.Path(f"/proc/{app.pid}/root{store}/{leaf}")
        place.mkdir(parents=True)
        (place / ("0" * 60)).write_bytes(b"x" * MIB)
    w = watch(None, "--pid", app.pid, "--interval", "10ms", "--time-scale", "100", "--state", tmp_path / "state", fast=False)

    def walked():
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp_path / "socket"))
            s.sendall(b"report\n")
            text = b"".join(iter(lambda: s.recv(65536), b""))
        return any(d["path"].startswith(store) for d in json.loads(text)["directories"])

    w.wait("watching")
    until(walked, 60, w.log)
    assert w.end() == 0
    app.kill()  # a new life would not be its own
    told = json.loads(xray("--last", "--state", tmp_path / "state", "--json").stdout)
    assert [(d["path"], d["bytes"] >= 5 * MIB) for d in told["directories"]] == [(store, True)], told["directories"]
