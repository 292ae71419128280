# SPDX-License-Identifier: Apache-2.0
"""A container made of files: a fake /proc and /sys/fs/cgroup whose numbers change while watch reads them.

The numbers are written in place, in fields of fixed width, because watch keeps its descriptors open and a reader must never see
half a file. Memory follows rates in bytes per second of watch's own time, which runs SCALE times as fast as the clock.
"""
import os
import pathlib
import threading
import time

MIB = 1 << 20
SCALE = 100  # watch: --interval 10ms --time-scale 100: a look a second of its time
LIMIT = 256 * MIB

V1 = {"memory.usage_in_bytes": "usage", "memory.kmem.usage_in_bytes": "kernel", "memory.failcnt": "zero",
      "memory.max_usage_in_bytes": "usage", "memory.limit_in_bytes": "limit"}
V1_STAT = {"hierarchical_memory_limit": "limit", "total_cache": "cache", "total_rss": "anon", "total_shmem": "shmem",
           "total_inactive_file": "inactive_file", "total_active_file": "active_file", "total_workingset_refault_file": "refault",
           "total_pgmajfault": "majfault", "total_inactive_anon": "anon", "total_active_anon": "shmem"}
V2 = {"memory.current": "usage", "memory.max": "limit", "memory.peak": "usage"}
V2_STAT = {"anon": "anon", "file": "cache", "kernel": "kernel", "shmem": "shmem", "inactive_file": "inactive_file",
           "active_file": "active_file", "workingset_refault_file": "refault", "pgmajfault": "majfault"}


class Box:
    """Rates and levels are attributes of `now` and may be changed at any time."""

    def __init__(self, path, version=1, pid=1):
        self.path, self.version, self.pid = pathlib.Path(path), version, pid
        self.level = dict(anon=20 * MIB, shmem=4 * MIB, inactive_file=20 * MIB, active_file=20 * MIB, kernel=2 * MIB, refault=0,
                          majfault=0, oom_kill=0, limit=LIMIT, zero=0)
        self.rate = {}
        self.files, self._lock, self._stop = {}, threading.Lock(), threading.Event()
        self.group = self.path / "sys" / ("memory/app" if version == 1 else "app")
        self.group.mkdir(parents=True)
        self._proc()
        self._group_files()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def args(self):
        return ["--proc", self.path / "proc", "--sys", self.path / "sys", "--root", self.path / "root"]

    def set(self, rate=None, **level):
        """Levels now, and rates from now on (those that aren't named are 0)."""
        with self._lock:
            self.level.update(level)
            self.rate = rate or {}

    def die(self):
        """The last process ends."""
        (self.group / "cgroup.procs").write_text("")

    def close(self):
        self._stop.set()
        self._thread.join()
        for f in self.files.values():
            os.close(f)

    def _proc(self):
        proc = self.path / "proc"
        (proc / str(self.pid)).mkdir(parents=True)
        (self.path / "root").mkdir()
        if not (proc / "self").exists():
            (proc / "self").symlink_to(str(self.pid))
        (proc / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
        (proc / "sys/kernel/random/boot_id").write_text("11111111-2222-3333-4444-555555555555\n")
        (proc / "meminfo").write_text("MemTotal:       8388608 kB\nMemFree:        4194304 kB\nSlab:   1 kB\n")
        (proc / "stat").write_text("cpu  1\ncpu0 1\ncpu1 1\n")
        own = proc / str(self.pid)
        version = "4:memory:/app\n" if self.version == 1 else "0::/app\n"
        own.joinpath("cgroup").write_text(version)
        mount = ("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" if self.version == 1 else
                 "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        own.joinpath("mountinfo").write_text(mount)
        self.start_time(4711)
        own.joinpath("comm").write_text("php-fpm8.2\n")
        own.joinpath("status").write_text(f"Name:\tphp-fpm8.2\nPid:\t{self.pid}\nPPid:\t0\nUid:\t0\t0\t0\t0\nVmRSS:\t   20480 kB\n"
                                          "RssAnon:\t   10240 kB\nRssFile:\t   10240 kB\nRssShmem:\t       0 kB\nThreads:\t1\n")

    def start_time(self, ticks):
        (self.path / "proc" / str(self.pid) / "stat").write_text(
            f"{self.pid} (php-fpm8.2) S 0 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 {ticks} 20971520 5120 18446744073709551615\n")

    def _group_files(self):
        (self.group / "cgroup.procs").write_text(f"{self.pid}\n")
        self._write()
        for name in self._texts():
            self.files[name] = os.open(self.group / name, os.O_WRONLY)

    def _texts(self):
        v = dict(self.level)
        v["cache"] = v["shmem"] + v["inactive_file"] + v["active_file"]
        v["usage"] = v["anon"] + v["cache"] + v["kernel"]
        numbers, stat = (V1, V1_STAT) if self.version == 1 else (V2, V2_STAT)
        texts = {name: f"{int(v[field]):<20d}\n" for name, field in numbers.items()}
        texts["memory.stat"] = "".join(f"{key} {int(v[field]):<20d}\n" for key, field in stat.items())
        if self.version == 1:
            texts["memory.oom_control"] = f"oom_kill_disable 0\nunder_oom 0\noom_kill {int(v['oom_kill']):<10d}\n"
        else:
            texts["memory.events"] = f"low 0\nhigh 0\nmax {int(v['refault'] / 1000):<20d}\noom 0\noom_kill {int(v['oom_kill']):<10d}\n"
            texts["memory.high"] = "max\n"
        return texts

    def _write(self):
        for name, text in self._texts().items():
            if name in self.files:
                os.pwrite(self.files[name], text.encode(), 0)
            else:
                (self.group / name).write_text(text)

    def _run(self):
        last = time.monotonic()
        while not self._stop.wait(0.004):
            now = time.monotonic()
            with self._lock:
                for field, rate in self.rate.items():
                    self.level[field] += rate * (now - last) * SCALE
                # Page cache yields at the limit, as the kernel has it.
                over = sum(self.level[f] for f in ("anon", "shmem", "kernel", "inactive_file", "active_file")) - self.level["limit"]
                if over > 0:
                    for f in ("inactive_file", "active_file"):
                        taken = min(over, self.level[f])
                        self.level[f] -= taken
                        over -= taken
                self._write()
            last = now
