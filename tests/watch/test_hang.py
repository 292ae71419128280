# SPDX-License-Identifier: Apache-2.0
"""A process whose memory map is locked for good: who reads most of what /proc tells of it waits, and can only be killed."""
import json
import os
import signal
import subprocess

import pytest

from rigs import group, heldlock, tool
from rigs.lines import until
from test_history import report


@pytest.fixture
def held(tmp_path):
    (tmp_path / "mnt").mkdir()
    try:
        with heldlock.HeldLock(tmp_path / "mnt") as h:
            yield h
    except OSError as e:
        pytest.skip(f"no file system in user space can be made here: {e}")


@pytest.fixture
def app(held):
    """The process in a memory cgroup of its own."""
    if group.unusable():
        pytest.skip(group.unusable())
    g = group.Group("held", 256 << 20)
    with open(f"{g.path}/cgroup.procs", "w") as f:
        f.write(str(held.pid))
    yield held
    held.__exit__()
    g.close()


def test_watch_goes_on_by_the_cgroups_counters_and_sees_all_again_afterwards(app, watch, tmp_path):
    w = watch(None, "--pid", app.pid, "--interval", "20ms", "--state", tmp_path / "state", fast=False)
    until(lambda: (tmp_path / "state/last.json").exists(), 60, w.log)
    app.hold()
    w.wait("a process can't be looked at: its memory map is locked")
    seen = report(tmp_path)["rows"]
    until(lambda: report(tmp_path)["rows"] > seen + 20, 60, w.log)
    app.release()
    w.wait("all processes can be looked at again")
    assert w.log().count("can't be looked at") == 1
    assert w.end() == 0
    assert json.loads((tmp_path / "state/last.json").read_text())["entries"]


def test_watch_ends_when_told_while_a_look_hangs(app, watch):
    w = watch(None, "--pid", app.pid, "--interval", "20ms", fast=False)
    w.wait("watching")
    app.hold()
    w.wait("a process can't be looked at: its memory map is locked")
    assert w.end() == 0


def test_a_second_ctrl_c_ends_xray_though_a_look_hangs(app, tmp_path):
    x = subprocess.Popen([tool.BINARY, "--pid", str(app.pid), "--for", "1h"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pending():
        status = open(f"/proc/{x.pid}/status").read()
        return int(status.split("ShdPnd:")[1].split()[0], 16) >> (signal.SIGINT - 1) & 1

    try:
        until(lambda: len(os.listdir(f"/proc/{x.pid}/task")) == 2, 60, "the thread that takes signals")
        app.hold()
        until(lambda: heldlock.state(x.pid) == "D", 60, "a look that hangs")
        x.send_signal(signal.SIGINT)
        until(lambda: not pending(), 60, "the first one taken")
        x.send_signal(signal.SIGINT)
        assert x.wait(60) == 128 + signal.SIGINT
    finally:
        x.kill()
        x.wait(20)
