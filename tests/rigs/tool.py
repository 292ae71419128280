# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray as the tests see it: where it is, what its lines look like. PLIMSOLL_XRAY names the binary."""
import json
import os
import pathlib
import re
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PLIMSOLL_XRAY", REPO / "build" / "plimsoll-xray")).absolute()
GO = "/usr/lib/go-1.19/bin/go"
WATCH = ("--log", "-")
WATCHING = r"watching"
ALARM = r"alarm.*\b%s\b"


def missing():
    return None if BINARY.exists() else f"{BINARY} is not there: build it, or set PLIMSOLL_XRAY"


def parse(text):
    look = json.loads(text)
    assert look["schema"] == "plimsoll.xray/1", text[:200]
    return look


def alarms(text):
    """The lines of watch's log that are alarms."""
    return [line for line in text.splitlines() if re.search(ALARM % "(growing|saturated)", line)]


def reserve(usage):
    """How far a ledger may be off."""
    return max(usage // 100, 256 * 1024 * os.cpu_count())


def forget(folder):
    """The kernel forgets what it holds of the files on disk below `folder`, so that who reads them next is charged."""
    subprocess.run(["sync", "-f", str(folder)], check=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            with open(path, "rb") as f:
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
