# SPDX-License-Identifier: Apache-2.0
"""The rigs keep their promises: nothing is left behind, waits end, the client doesn't wait for answers."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

import pytest

from rigs import box, group, levels, uml
from rigs.lines import Lines, Missing, Running, until

TESTS = pathlib.Path(__file__).resolve().parent.parent
MAKE = {
    "box": """
        from rigs import box
        b = box.Box("orphan", 64 << 20)
        b.run(["sleep", "1000"])
        print(b.group.path, b.folder, b.init, flush=True)
        input()""",
    "uml": """
        from rigs import uml
        m = uml.Machine("sleep 1000")
        m.wait("uml ready", 120)
        print(m.folder, m.keeper.pid, flush=True)
        input()""",
}


@pytest.mark.parametrize("kind", MAKE)
def test_nothing_is_left_when_the_maker_is_killed(kind):
    why = {"box": box, "uml": uml}[kind].unusable()
    if why:
        pytest.skip(why)
    code = "\n".join(line.strip() for line in MAKE[kind].splitlines())
    maker = subprocess.Popen([sys.executable, "-c", code], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        *paths, pid = maker.stdout.readline().decode().split()
        assert all(pathlib.Path(p).exists() for p in paths)
    finally:
        maker.send_signal(signal.SIGKILL)
        maker.wait(60)
        maker.stdin.close()
        maker.stdout.close()
    until(lambda: not any(pathlib.Path(p).exists() for p in (*paths, f"/proc/{pid}")), 60, f"{paths} and process {pid} to go")


def test_a_group_goes_with_what_runs_in_it():
    if group.unusable():
        pytest.skip(group.unusable())
    g = group.Group("full", 64 << 20)
    sleeper = subprocess.Popen(g.entering(["sleep", "1000"]))
    try:
        until(lambda: g.pids(), 60, "the process in its group")
    finally:
        g.close()
    assert sleeper.wait(60) == -signal.SIGKILL
    assert not g.path.exists()


def test_a_wait_ends_at_once_when_the_output_does():
    running = Running(["echo", "something else"])
    with pytest.raises(Missing, match="something else"):
        running.wait("what never comes", 3600)
    assert running.process.wait(60) == 0  # its output ends a moment before it does: end() might still find it and kill it


def test_a_wait_sees_only_what_came_after_its_mark():
    r, w = os.pipe()
    lines = Lines(os.fdopen(r, "rb"))
    with os.fdopen(w, "w") as out:
        print("alarm 1", file=out, flush=True)
        lines.wait("alarm", 60)
        mark = lines.mark()
        print("alarm 2", file=out, flush=True)
        assert lines.wait("alarm (.)", 60, since=mark)[1] == "2"


def test_the_client_goes_on_sending_when_nothing_answers():
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        held = []
        threading.Thread(target=lambda: [held.append(silent.accept()) for _ in range(20)], daemon=True).start()
        done = subprocess.run([sys.executable, TESTS / "rigs" / "loadgen.py", f"http://127.0.0.1:{silent.getsockname()[1]}/{{n}}", "--rate", "20",
                               "--duration", "5", "--timeout", "1", "--max-in-flight", "10"], capture_output=True, text=True, timeout=60)
    last = json.loads(done.stdout.splitlines()[-1])
    # All that was due left or was counted: none waited for an answer, and no more than ten at a time.
    assert last["sent"] + last["skipped"] >= 40, done.stdout
    assert last["skipped"] > 0 and last["timeouts"] >= 10 and last["ok"] == 0, done.stdout
    assert all(json.loads(line)["in_flight"] <= 10 for line in done.stdout.splitlines())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up rights")
@pytest.mark.parametrize("level,uid,effective", [("docker", 0, 0xa80425fb), ("none", 65534, 0)])
def test_levels_of_sight_are_what_docker_and_nobody_have(level, uid, effective):
    status = subprocess.run(levels.at(level, ["cat", "/proc/self/status"]), capture_output=True, text=True, check=True).stdout
    values = dict(line.split(":\t", 1) for line in status.splitlines())
    assert int(values["Uid"].split()[0]) == uid
    for line in ("CapEff", "CapPrm", "CapBnd"):
        assert int(values[line], 16) == effective, status
