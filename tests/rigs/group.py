# SPDX-License-Identifier: Apache-2.0
"""A memory cgroup with a limit. Version 1 or 2, whichever has the memory controller here."""
import os
import pathlib
import tempfile
import time

V1 = pathlib.Path("/sys/fs/cgroup/memory")
V2 = pathlib.Path("/sys/fs/cgroup")
FILES = {1: {"limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes"}, 2: {"limit": "memory.max", "usage": "memory.current"}}


def version():
    """1 or 2: the hierarchy that has the memory controller; 0: none that we could use."""
    if (V1 / "memory.limit_in_bytes").exists() or (V1 / "memory.usage_in_bytes").exists():
        return 1
    controllers = V2 / "cgroup.controllers"
    return 2 if controllers.exists() and "memory" in controllers.read_text().split() else 0


def unusable():
    """Why no group can be made here; None if it can."""
    if os.geteuid() != 0:
        return "only root can make memory cgroups"
    if not version():
        return "no memory controller below /sys/fs/cgroup"
    probe = None
    try:
        enable_v2()
        probe = new("probe")
        (probe / FILES[version()]["limit"]).write_text(str(64 << 20))
    except OSError as e:
        return f"no memory cgroup can be made in {base()}: {e.strerror}"
    finally:
        if probe:
            probe.rmdir()
    return None


def base():
    return V1 if version() == 1 else V2


def new(name):
    """A group with a name that no other has, left by a run that was killed or not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"plimsoll-{name}-", dir=base()))
    path.chmod(0o755)
    return path


def enable_v2():
    if version() == 2 and "memory" not in (V2 / "cgroup.subtree_control").read_text().split():
        (V2 / "cgroup.subtree_control").write_text("+memory")


class Group:
    """limit in bytes. close() kills what is inside, by pid, and removes it."""

    def __init__(self, name, limit):
        self.version = version()
        self.limit = limit
        enable_v2()
        self.path = new(name)
        try:
            (self.path / FILES[self.version]["limit"]).write_text(str(limit))
        except OSError:
            self.path.rmdir()
            raise

    def read(self, file):
        return (self.path / file).read_text()

    def usage(self):
        return int(self.read(FILES[self.version]["usage"]))

    def stat(self):
        pairs = (line.split() for line in self.read("memory.stat").splitlines())
        return {key: int(value) for key, value in pairs}

    def events(self):
        """oom_kill and max (v2: how often the limit was hit)."""
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        return {line.split()[0]: int(line.split()[1]) for line in self.read(file).splitlines()}

    def pids(self):
        try:
            return [int(p) for p in self.read("cgroup.procs").split()]
        except OSError:
            return []

    def entering(self, command):
        """`command`, to be run from its first byte on inside the group."""
        return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.path / "cgroup.procs"), *map(str, command)]

    def close(self, seconds=60):
        end = time.monotonic() + seconds
        while self.path.exists():
            for pid in self.pids():
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            try:
                self.path.rmdir()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
