# SPDX-License-Identifier: Apache-2.0
"""What happens to memory in real containers, with `plimsoll-xray watch` looking on. Every scenario has its own box; they run at the
same time, each in a thread, and give what was seen: Seen."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from rigs import box, cachesite, levels, recorder, tool
from rigs.lines import Running

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
LIMIT = 64 * MIB
DEADLINE = 240  # seconds for what a scenario waits for: most take 30, but the machine may be busy


@dataclasses.dataclass
class Seen:
    """A scenario's evidence."""
    name: str
    watch: str = ""  # watch's log
    alarms: list = dataclasses.field(default_factory=list)  # verdicts, by its log
    notices: list = dataclasses.field(default_factory=list)  # as its command got them
    looks: dict = dataclasses.field(default_factory=dict)  # xray --json by level of sight
    text: str = ""   # xray as a person sees it
    rows: list = dataclasses.field(default_factory=list)  # our own recording
    table: str = ""
    csv: str = ""
    extra: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        return f"--- watch\n{self.watch[-4000:]}\n--- xray\n{self.text[-6000:]}\n--- our own recording\n{self.table}"


class Stage:
    """A box with its recorder and its watch."""

    def __init__(self, name, limit=LIMIT, tmpfs=("/app/cache size=1g,mode=1777", "/dev/shm size=1g,mode=1777")):
        self.seen = Seen(name)
        self.box = box.Box(name, limit, tmpfs)
        self.recorder = self.watch = None
        self.box.write("/app/public/index.php", "")
        self.box.write("/app/var/log/app.log", "")
        self.box.write("/app/plimsoll-xray", tool.BINARY.read_bytes(), 0o755)

    def begin(self):
        """The servers run: from here on it is watched, from beside the container, in its network as a pod's sidecar is: xray inside
        finds it there."""
        self.watch = Running(["nsenter", "-t", self.box.init, "-n", "--", tool.BINARY, "watch", "--pid", self.box.init,
                              "--record", self.box.folder / "watch.csv", *tool.WATCH], "watch")
        self.watch.wait(tool.WATCHING, 60)
        self.recorder = recorder.Recorder(self.box.group)

    def load(self, rate):
        """Requests to the box's port 8080, from outside the group."""
        running = Running(["nsenter", "-t", str(self.box.init), "-n", "--", sys.executable, HERE.parent / "rigs" / "loadgen.py",
                           "http://127.0.0.1:8080/{n}", "--rate", str(rate), "--duration", str(2 * DEADLINE), "--max-in-flight", "16"], "load")
        self.box.children.append(running)
        return running

    def look(self, *args, level="full"):
        """xray --json inside the container with the rights of `level`."""
        done = self.box.call(["/app/plimsoll-xray", "xray", "--json", *args], level=level, seconds=120)
        return tool.parse(done.stdout)

    def looks(self, names=levels.LEVELS):
        for level in names:
            self.seen.looks[level] = self.look(level=level)
        self.seen.text = self.box.call(["/app/plimsoll-xray", "xray", "--color", "never"], seconds=120).stdout

    def close(self):
        if self.watch:
            self.seen.alarms = tool.alarms(self.watch.out.text())
            self.seen.notices = tool.notices(self.watch.out.text())
            self.seen.watch = self.watch.out.text()
            status = pathlib.Path(f"/proc/{self.watch.pid}/status")
            self.seen.extra["watch_peak"] = tool.peak(status.read_text()) if status.exists() else None
            self.seen.extra["watch_exit"] = self.watch.end()
            recorded = self.box.folder / "watch.csv"
            self.seen.extra["recording"] = recorded.read_text() if recorded.exists() else ""
        if self.recorder:
            self.recorder.stop()
            self.seen.rows, self.seen.table = self.recorder.rows, self.recorder.table(90)
            self.seen.csv = self.recorder.csv()
        self.box.close()


@contextlib.contextmanager
def stage(name, **kwargs):
    s = Stage(name, **kwargs)
    try:
        yield s
    except BaseException as e:
        if hasattr(e, "add_note") and s.recorder:
            e.add_note(f"our own recording of {name}:\n{s.recorder.table(90)}")
        raise
    finally:
        s.close()


def php(s, mode, size, rate=20, extensions=()):
    """A PHP worker and its load."""
    s.box.write("/app/worker.php", (HERE / "worker.php").read_text())
    options = [part for name in extensions for part in ("-d", f"extension={name}")]
    worker = s.box.run([tool.PHP, "-n", *options, "-d", "ffi.enable=1", "-d", "memory_limit=-1", "/app/worker.php", mode, str(size)],
                       level="docker")
    worker.wait("^ready$", 60)
    s.begin()
    return s.load(rate)


def grows(s):
    """Waits for the alarm, then looks at all levels while it still grows."""
    s.watch.wait(tool.ALARM % "growing", DEADLINE)
    s.watch.wait("plimsoll.alarm/1", 60)
    s.looks()
    s.seen.extra["alarm_at"] = s.recorder.rows[-1]["t"]
    return s.seen


def heap():
    with stage("heap") as s:
        php(s, "heap", 32 * 1024)
        return grows(s)


def native():
    with stage("native") as s:
        php(s, "native", 50 * 1024, extensions=["ffi"])
        return grows(s)


def go_program():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-live-go-"))
    try:
        subprocess.run([tool.GO, "build", "-o", folder / "grow", HERE / "grow.go"], check=True, timeout=120, cwd=folder, capture_output=True,
                       env={"PATH": os.environ["PATH"], "HOME": str(folder), "GOCACHE": str(folder), "GO111MODULE": "off", "CGO_ENABLED": "0"})
        return (folder / "grow").read_bytes()
    finally:
        shutil.rmtree(folder, True)


def go():
    program = go_program()
    with stage("go") as s:
        s.box.write("/app/grow", program, 0o755)
        s.box.run(["/app/grow", str(700 * 1024)], level="docker").wait("^ready$", 60)
        s.begin()
        return grows(s)


def deleted():
    with stage("deleted") as s:
        php(s, "deleted", 48 * 1024)
        return grows(s)


def inodes():
    with stage("inodes") as s:
        php(s, "inodes", 55)
        return grows(s)


def tmpfs():
    with stage("tmpfs") as s:
        php(s, "tmpfs", 48 * 1024)
        return grows(s)


# What must not raise an alarm: each waits until it has happened, by our own recording, and then a little longer.

def quiet(s, happened, what, more=15):
    row = s.recorder.wait(happened, DEADLINE, what)
    s.recorder.wait(lambda rows: rows[-1]["t"] >= row["t"] + more, more + 60)
    s.looks()
    return s.seen


def drops(rows, column, by):
    """How often a column fell by `by` bytes from the highest since its last fall."""
    count, high = 0, 0
    for row in rows:
        high = max(high, row[column])
        if row[column] < high - by:
            count, high = count + 1, row[column]
    return count


def pagecache():
    with stage("pagecache") as s:
        php(s, "pagecache", 100 * 1024)
        return quiet(s, lambda rows: rows[-1]["usage"] > 0.97 * LIMIT, "page cache fills the group", 25)


def cleaned():
    with stage("cleaned") as s:
        php(s, "cleaned", 50 * 1024)
        return quiet(s, lambda rows: drops(rows, "shmem", 5 * MIB) >= 5, "five cleanings", 5)


def missing():
    with stage("missing") as s:
        php(s, "missing", 200)
        return quiet(s, lambda rows: drops(rows, "kernel", 16 * MIB), "dentries taken back at the limit")


def prepare_files():
    """60,000 files on disk that nobody has in memory."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-live-files-", dir="/var/tmp"))
    for d in range(120):
        (folder / f"{d}").mkdir()
        for n in range(d * 500, d * 500 + 500):
            (folder / f"{d}/{n}").write_bytes(b"" if n % 8 else b"x" * 200)
    tool.forget(folder)
    return folder


def files(prepared=None):
    with stage("files") as s:
        prepared.rename(s.box.root / "app/files")  # and goes with the box
        php(s, "files", 42)
        return quiet(s, lambda rows: rows[-1]["usage"] > 0.97 * LIMIT, "inodes fill the group")


def recycling():
    """php-fpm behind Caddy: each request leaks, each worker ends after 80."""
    conf = (cachesite.SITE / "fpm.conf").read_text().replace("pm.max_children = 4", "pm.max_children = 2\npm.max_requests = 80")
    with stage("recycling") as s:
        site = cachesite.Site(s.box, charged=False, fpm_conf=conf, options=["-d", "extension=ffi", "-d", "ffi.enable=1"])
        s.box.write("/app/public/index.php", "<?php $b = FFI::new('char[98304]', false, true); FFI::memset($b, 1, 98304); echo 'leaked';")
        s.begin()
        s.load(20)
        seen = quiet(s, lambda rows: drops(rows, "anon", 3 * MIB) >= 6, "six recyclings", 5)
        seen.extra["recycled"] = site.fpm.out.text().count("exited with code 0")
        return seen


def needs(name):
    """What a scenario lacks on this machine; None if nothing."""
    if not os.path.exists(tool.PHP):
        return "php-cli is not installed"
    if name == "go" and not os.path.exists(tool.GO):
        return f"{tool.GO} (golang) is not installed"
    return cachesite.needs() if name == "recycling" else None


PREPARE = {"files": prepare_files}  # before all else runs: it makes the kernel forget what it holds for others
ALL = {f.__name__: f for f in (heap, native, go, deleted, inodes, tmpfs, pagecache, cleaned, missing, files, recycling)}
