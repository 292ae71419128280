# SPDX-License-Identifier: Apache-2.0
"""A group's counters once a second, read by ourselves and from outside: what a scenario really did, beside what the tool says."""
import threading
import time

COLUMNS = ("t", "usage", "anon", "shmem", "file", "inactive_file", "active_file", "kernel", "refault", "majfault", "oom_kill", "max", "nprocs")


class Recorder:
    def __init__(self, group, every=1.0):
        self.group, self.every, self.rows = group, every, []
        self._more, self._stop = threading.Condition(), threading.Event()
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                row = self.look()
            except OSError:
                break
            with self._more:
                self.rows.append(row)
                self._more.notify_all()
            self._stop.wait(self.every)
        with self._more:
            self._stop.set()
            self._more.notify_all()

    def look(self):
        g, s = self.group, self.group.stat()
        events = g.events()
        row = {"t": round(time.monotonic() - self.began, 2), "usage": g.usage(), "oom_kill": events["oom_kill"], "nprocs": len(g.pids())}
        if g.version == 1:
            row |= {"anon": s["total_rss"], "shmem": s["total_shmem"], "file": s["total_cache"],
                    "inactive_file": s["total_inactive_file"], "active_file": s["total_active_file"],
                    "kernel": int(g.read("memory.kmem.usage_in_bytes")), "refault": s["total_workingset_refault_file"],
                    "majfault": s["total_pgmajfault"], "max": 0}
        else:
            row |= {"anon": s["anon"], "shmem": s["shmem"], "file": s["file"], "inactive_file": s["inactive_file"],
                    "active_file": s["active_file"], "kernel": s.get("kernel", 0), "refault": s["workingset_refault_file"],
                    "majfault": s["pgmajfault"], "max": events["max"]}
        row["hard"] = row["usage"] - row["inactive_file"] - row["active_file"]
        return row

    def wait(self, condition, seconds, what="the state waited for"):
        """The first row for which condition(rows so far) is true; AssertionError after `seconds`."""
        end, seen = time.monotonic() + seconds, 0
        with self._more:
            while True:
                while seen < len(self.rows):
                    seen += 1
                    if condition(self.rows[:seen]):
                        return self.rows[seen - 1]
                left = end - time.monotonic()
                if left <= 0 or self._stop.is_set():
                    raise AssertionError(f"not in {seconds} s: {what}\n{self.table()}")
                self._more.wait(left)

    def table(self, last=30):
        mib = ("usage", "hard", "anon", "shmem", "file", "inactive_file", "active_file", "kernel")
        lines = ["     t " + " ".join(f"{c[:8]:>8}" for c in (*mib, "refault", "majfault", "max", "oom_kill", "nprocs"))]
        for row in self.rows[-last:]:
            lines.append(f"{row['t']:6.1f} " + " ".join(f"{row[c] / 2**20:8.1f}" for c in mib) + " " +
                         " ".join(f"{row[c]:8}" for c in ("refault", "majfault", "max", "oom_kill", "nprocs")))
        return "\n".join(lines)

    def csv(self):
        """The recording in the words of the traces (plimsoll-xray --replay), v1's names."""
        names = {"usage": "usage", "anon": "rss", "shmem": "shmem", "file": "cache", "inactive_file": "inactive_file",
                 "active_file": "active_file", "kernel": "kmem_usage", "refault": "workingset_refault_file", "majfault": "pgmajfault",
                 "oom_kill": "oom_kill", "max": "events_max", "nprocs": "nprocs"}
        lines = ["t,limit," + ",".join(names.values())]
        lines += [f"{row['t']},{self.group.limit}," + ",".join(str(row[n]) for n in names) for row in self.rows]
        return "\n".join(lines) + "\n"

    def stop(self):
        self._stop.set()
        self._thread.join(10)


def stalls(rows, over=3):
    """Whether the last `over` seconds were a refault storm: program text comes back as fast as it is taken."""
    if len(rows) <= over:
        return False
    a, b = rows[-1 - over], rows[-1]
    return (b["refault"] - a["refault"]) / (b["t"] - a["t"]) > 3000
