# SPDX-License-Identifier: Apache-2.0
"""A container: a memory cgroup, namespaces (mount, pid, net, ipc, uts), a root folder of its own with in-memory file systems.

    with box.Box("leak", 64 << 20, tmpfs=["/app/cache size=1g,mode=1777"]) as b:
        php = b.run(["php", "/app/leak.php"])
        php.wait("ready", 10)

A keeper outside the group makes and removes everything; it goes by the end of a pipe, so that nothing is left when the test
process is killed. Network: loopback only, its own, so ports are free.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import group, levels
from .lines import Lines, Missing, Running, until

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def unusable():
    """Why no box can be made here; None if it can."""
    why = group.unusable()
    if why:
        return why
    for tool in ("unshare", "nsenter", "setpriv", "pivot_root", "ldd"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    try:
        Box("probe", 64 << 20).close()
    except (OSError, Missing) as e:
        return f"no container can be made here: {str(e).splitlines()[0]}"
    return None


def libraries(program):
    """The shared libraries that a program or extension maps."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    paths = (word for line in text.splitlines() if "=>" in line for word in line.split() if word.startswith("/"))
    return sorted(set(paths))


class Box:
    """cgroup: how the group is shown inside: bind (as Docker does on v1), private (a cgroup namespace), none (not at all). folder:
    where its files lie, on a disk."""

    def __init__(self, name, limit, tmpfs=("/dev/shm mode=1777,size=64m",), cgroup="bind", folder=None):
        self.version = group.version()
        if not self.version:
            raise OSError("no memory controller")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-box-", dir=folder or os.environ.get("RIG_FOLDER", "/var/tmp")))
        self.folder.chmod(0o755)
        self.root = self.folder / "root"
        self.keeper = None
        at = "/sys/fs/cgroup" + ("/memory" if self.version == 1 else "")
        for d in ("usr", "etc", "dev", "proc", "old", "app/bin", "app/lib", "var/log", "run", at.lstrip("/")):
            (self.root / d).mkdir(parents=True)
        (self.root / "tmp").mkdir()
        (self.root / "tmp").chmod(0o1777)
        for d in ("bin", "sbin", "lib", "lib64"):
            (self.root / d).symlink_to(f"usr/{d}")
        group.enable_v2()
        self.group = group.Group.__new__(group.Group)
        self.group.version, self.group.limit = self.version, limit
        self.group.path = group.base() / f"plimsoll-{name}-{self.folder.name.removeprefix('plimsoll-box-')}"
        self.private = cgroup == "private"
        kind = {"private": "cgroup" if self.version == 1 else "cgroup2"}.get(cgroup, cgroup)
        env = {"PATH": PATH, "BOX_ROOT": str(self.root), "BOX_TMPFS": "\n".join(tmpfs), "BOX_CGROUP": str(self.group.path),
               "BOX_CGROUP_AT": at, "BOX_CGROUP_TYPE": kind, "BOX_CGROUP_NS": "yes" if self.private else "no",
               "BOX_BOUNDS": levels.bounds()}
        namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts"]
        self.keeper = subprocess.Popen(
            ["sh", HERE / "box_keeper.sh", self.group.path, group.FILES[self.version]["limit"], str(limit), self.folder, *namespaces],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.out = Lines(self.keeper.stdout, f"box {name}")
        self.children = []
        try:
            self.out.wait("^box ready$", 60)
            self.init = until(self._init, 60, "PID 1 of the box")
        except BaseException:
            self.close()
            raise

    def _init(self):
        for pid in self.group.pids():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(ids) > 1 and ids[-1] == "1":
                return pid
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, command, level="full", charged=True):
        """`command` as it is run inside. charged=False: its memory is not the group's."""
        enter = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", *(["-C"] if self.private else []), "-r", "-w", "--"]
        inside = levels.at(level, [str(c) for c in command])
        if not charged:
            return enter + inside
        # It moves itself from inside: the nsenter, which nobody inside can see, stays outside of the group, as in Docker.
        move = ["sh", "-c", 'echo 0 >&9 && exec 9>&- && exec "$@"', "sh"]
        return ["sh", "-c", 'exec 9>"$0" && exec "$@"', str(self.group.path / "cgroup.procs"), *enter, *move, *inside]

    def _env(self, env):
        return {"PATH": PATH, "HOME": "/", "LC_ALL": "C.UTF-8", **(env or {})}

    def run(self, command, level="full", charged=True, env=None, name=None, echo=None):
        """Starts it; a lines.Running that ends with the box."""
        running = Running(self.command(command, level, charged), name or str(command[0]), echo, env=self._env(env))
        self.children.append(running)
        return running

    def call(self, command, level="full", charged=True, env=None, seconds=60, check=True):
        """Runs it to its end: a CompletedProcess with text. Never outlives `seconds`."""
        done = subprocess.run(self.command(command, level, charged), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self._env(env), timeout=seconds)
        if check and done.returncode:
            raise AssertionError(f"{command} gave {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def write(self, path, text, mode=0o644):
        """A file on the box's disk (not in its in-memory file systems), written from outside: charged to nobody inside."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text) if isinstance(text, str) else file.write_bytes(text)
        file.chmod(mode)
        return path

    def install(self, *programs):
        """Copies programs with their libraries into /app from inside: their text is page cache of the group, as that of an
        image is a container's. Returns the environment they run in."""
        for program in programs:
            where = "/app/lib/" if program.endswith(".so") else "/app/bin/"
            self.call(["cp", program, where])
            if libraries(program):
                self.call(["cp", "-n", *libraries(program), "/app/lib/"])
        return {"LD_LIBRARY_PATH": "/app/lib"}

    def pids(self, comm=None):
        """Host pids of the box's processes, its init aside; `comm`: of one name."""
        found = []
        for pid in self.group.pids():
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == comm or comm is None and pid != self.init:
                found.append(pid)
        return found

    def close(self):
        if self.keeper is None:
            shutil.rmtree(self.folder, True)
            return
        if not self.keeper.stdin.closed:
            self.keeper.stdin.close()
        for child in getattr(self, "children", []):
            child.process.kill()  # the nsenter; what it entered for died with PID 1
            child.process.wait(60)
        self.keeper.wait(120)
        if self.group.path.exists():
            raise AssertionError(f"{self.group.path} could not be removed:\n{self.out.text()}")
