#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The founding incident on your machine: a container with a memory limit, Caddy before php-fpm, a page cache on tmpfs that never
deletes, and visitors. Memory fills, every request hangs, nothing is killed; `plimsoll-xray watch` runs as a sidecar.

    sudo tests/rigs/incident.py                    # 256 MiB, about a minute
    sudo tests/rigs/incident.py --limit 128 --rate 50

Nothing is left behind: the group, its processes and files go with this script, however it ends. See docs/incident.md.
"""
import argparse
import json
import os
import pathlib
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import box, cachesite, recorder, tool
from rigs.lines import Missing

MIB = 1 << 20
XRAY = "/app/plimsoll-xray"


class Incident:
    """What was seen, by whom and when. Times are seconds since the first request."""

    def __init__(self, limit, rate, folder=None, say=lambda line: None):
        self.limit, self.rate, self.folder, self.say = limit, rate, folder, say
        self.before = self.within = None     # xray --json before the stall and in it
        self.before_text = self.within_text = self.watch_log = self.recording = self.table = ""
        self.watch_peak = None
        self.alarm_at = self.stall_at = self.saturated_at = None
        self.rows = []
        self.cpus = os.cpu_count()
        self.requests = {}                   # the client's counters at the alarm and at the end

    def _client(self, load):
        lines = load.out.text().splitlines()
        return json.loads(lines[-1]) if lines else {}

    def run(self, seconds=80, stay=3):
        """Until watch has said that it is saturated and xray has looked, at most `seconds` from the first request."""
        with box.Box("incident", self.limit, cachesite.TMPFS, folder=self.folder) as b:
            b.write(XRAY, tool.BINARY.read_bytes(), 0o755)
            site = cachesite.Site(b)
            watch = b.run([XRAY, "watch", "--self", "--record", "/tmp/watch.csv", *tool.WATCH], level="docker", name="watch", echo=lambda l: self.say("watch: " + l))
            watch.wait(tool.WATCHING, 60)
            rec = recorder.Recorder(b.group)
            load = site.load(self.rate, seconds + 10)
            self.say(f"{self.rate} requests a second for new pages into {self.limit // MIB} MiB")
            end = time.monotonic() + seconds
            try:
                self._drive(b, watch, rec, load, end, stay)
            finally:
                rec.stop()
                self.rows, self.table = rec.rows, rec.table(100)
                self.watch_log = watch.out.text()
                self.recording = (b.root / "tmp/watch.csv").read_text()
                self.watch_peak = max((tool.peak(pathlib.Path(f"/proc/{pid}/status").read_text()) or 0 for pid in b.pids("plimsoll-xray")), default=0)
                self.requests["end"] = self._client(load)
                self.requests["log"] = load.out.text()
        return self

    def _drive(self, b, watch, rec, load, end, stay):
        def left():
            return max(1, end - time.monotonic())

        def now():
            return rec.rows[-1]["t"]

        watch.wait(tool.ALARM % "growing", left())
        watch.wait("plimsoll.alarm/1", 60)
        self.alarm_at, self.requests["alarm"] = now(), self._client(load)
        # In the container, as `docker exec` would.
        self.before_text = b.call([XRAY, "xray", "--color", "never"], level="docker", seconds=120).stdout
        self.before = tool.parse(b.call([XRAY, "xray", "--json"], level="docker", seconds=120).stdout)
        self.looked_at = now()
        self.say(self.before_text)
        self.stall_at = rec.wait(recorder.stalls, left(), "the refault storm")["t"]
        self.say(f"at {self.stall_at:.0f} s nothing answers any more: {self._client(load)}")
        watch.wait(tool.ALARM % "saturated", min(left(), 60))
        self.saturated_at = now()
        # From beside the container, as `kubectl debug` would: what is started inside would hang like all else.
        self.within = tool.parse(b.call([XRAY, "xray", "--json", "--pid", "1"], charged=False, seconds=120).stdout)
        self.within_text = b.call([XRAY, "xray", "--color", "never", "--pid", "1"], charged=False, seconds=120).stdout
        self.say(self.within_text)
        rec.wait(lambda rows: rows[-1]["t"] >= self.saturated_at + stay, 60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=256, help="MiB of the container (256)")
    parser.add_argument("--rate", type=float, default=70, help="requests a second (70)")
    parser.add_argument("--seconds", type=float, default=120, help="give up after so long (120)")
    parser.add_argument("--folder", help="where the container's files lie, on a disk (/var/tmp)")
    parser.add_argument("--out", help="write what was seen to this file, as JSON")
    args = parser.parse_args()
    why = box.unusable() or cachesite.needs() or tool.missing()
    if why:
        sys.exit(f"incident.py: {why}")

    def say(line):
        if line.startswith("watch: {") or line == "watch: ":  # the alarm again, as JSON for commands
            return
        print(line, flush=True)

    incident = Incident(args.limit * MIB, args.rate, args.folder, say)
    code = 0
    try:
        incident.run(args.seconds)
    except Missing as e:
        print(f"incident.py: {e}")
        code = 1
    except KeyboardInterrupt:
        code = 130
    print("\nThe container's memory, MiB, second by second:\n" + incident.table, flush=True)
    if args.out:
        seen = {k: v for k, v in vars(incident).items() if k != "say"}
        pathlib.Path(args.out).write_text(json.dumps(seen))
        os.sync()
    sys.exit(code)


if __name__ == "__main__":
    main()
