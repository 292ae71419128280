# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray as the tests see it: where it is, what its lines look like. PLIMSOLL_XRAY names the binary."""
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PLIMSOLL_XRAY", REPO / "build" / "plimsoll-xray")).absolute()
PHP = os.path.realpath(shutil.which("php") or "/usr/bin/php")  # the program itself: /usr/bin/php8.2
GO = next(iter(sorted(glob.glob("/usr/lib/go-*/bin/go"))), "/usr/bin/go")
# Alarms come to the log in words and, through the command, as JSON.
WATCH = ("--log", "-", "--exec", "cat; echo")
WATCHING = r"watching"
ALARM = r"\balarm: %s: "


def missing():
    return None if BINARY.exists() else f"{BINARY} is not there: build it, or set PLIMSOLL_XRAY"


def parse(text):
    look = json.loads(text)
    assert look["schema"] == "plimsoll.xray/1", text[:200]
    return look


def peak(status):
    """Bytes of the highest VmRSS in the text of /proc/PID/status; None for a process that is gone."""
    match = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(match[1]) * 1024 if match else None


def replay(recording):
    """plimsoll.replay/1 of a recording's text."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        f.write(recording)
        f.flush()
        done = subprocess.run([BINARY, "--replay", f.name, "--json"], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def alarms(text):
    """The alarms in watch's log, in order: verdicts."""
    return re.findall(ALARM % "(growing|saturated)", text)


def notices(text):
    """plimsoll.alarm/1: the objects that --exec got, alarms and all-clears."""
    found = (line for line in text.splitlines() if line.startswith('{"schema":"plimsoll.alarm/1"'))
    return [json.loads(line) for line in found]


def reserve(usage, cpus=None):
    """How far a ledger may be off, on a machine with so many CPUs (this one)."""
    return max(usage // 100, 256 * 1024 * (cpus or os.cpu_count()))


def forget(folder):
    """The kernel forgets what it holds of the files on disk below `folder`, so that who reads them next is charged."""
    subprocess.run(["sync", "-f", str(folder)], check=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            with open(path, "rb") as f:
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    for _ in range(4):  # an inode that was used lately is spared the first time
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
