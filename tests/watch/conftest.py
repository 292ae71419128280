# SPDX-License-Identifier: Apache-2.0
"""watch against made-up and real containers. PLIMSOLL_XRAY names the binary."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import lines, tool  # noqa: E402

import fakebox  # noqa: E402


def pytest_sessionstart(session):
    if tool.missing():
        pytest.exit(tool.missing(), returncode=2)


class Watch:
    """A running watch whose log is read as lines."""

    def __init__(self, *args, prefix=(), **popen):
        self.running = lines.Running([*prefix, tool.BINARY, "watch", *args], "watch", **popen)

    def wait(self, pattern, seconds=60, **kwargs):
        return self.running.wait(pattern, seconds, **kwargs)

    def log(self):
        return self.running.out.text()

    @property
    def pid(self):
        return self.running.pid

    def signal(self, number):
        self.running.process.send_signal(number)

    def end(self):
        return self.running.end()

    def kill(self):
        self.running.process.kill()
        return self.running.process.wait(60)


@pytest.fixture
def box(tmp_path):
    made = []

    def make(name="box", **kwargs):
        (tmp_path / name).mkdir()
        made.append(fakebox.Box(tmp_path / name, **kwargs))
        return made[-1]

    yield make
    for b in made:
        b.close()


@pytest.fixture
def watch(tmp_path):
    made = []

    def start(box=None, *args, fast=True, socket=True, **kwargs):
        own = ["--interval", "10ms", "--time-scale", str(fakebox.SCALE)] if fast else []
        if socket:
            own += ["--socket", tmp_path / "socket"]
        made.append(Watch(*(box.args() if box else []), *own, *args, **kwargs))
        return made[-1]

    yield start
    for w in made:
        w.end()


@pytest.fixture
def xray():
    def run(*args, **kwargs):
        return subprocess.run([tool.BINARY, *args], capture_output=True, text=True, timeout=60, **kwargs)

    return run
