#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what it costs to look: plimsoll-xray's sensors, its first answer, its walk, its reading of PHP's heap, on a real
memory cgroup with processes and files in memory. CPU is the looking thread's own. Prints a table, exits with 1 on a miss.

  bench/xray.py [--build DIR] [--json FILE]        as root; the kernel's memory controller on cgroup v1 or v2
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# (key, words, unit, limit)
TARGETS = [
    ("fixed", "fixed sensors, 10 processes, tight loop", "µs CPU a round", 120),
    ("hz", "fixed sensors, 10 processes, once a second", "µs CPU a round", 300),
    ("budget", "smaps_rollup and walking, on top of them", "µs CPU a second", 2000),
    ("chunks", "PHP heap of a 2 GiB process by its chunks", "ms", 20),
    ("first", "exec to the first answer", "ms", 300),
    ("walk", "walk of 200,000 files in memory", "ms", 1000),
]
FILES, PROCESSES = 200_000, 10
PHP = os.path.realpath(shutil.which("php") or "/usr/bin/php")


class Group:
    """A memory cgroup of our own; its processes end with it."""

    made = 0

    def __init__(self):
        Group.made += 1
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        self.path = (v1 if v1.is_dir() else pathlib.Path("/sys/fs/cgroup")) / f"plimsoll-bench-{os.getpid()}-{Group.made}"
        self.path.mkdir()
        self.procs = []

    def start(self, argv, **kwargs):
        proc = subprocess.Popen(argv, preexec_fn=lambda: (self.path / "cgroup.procs").write_text(str(os.getpid())), **kwargs)
        self.procs.append(proc)
        return proc

    def end(self):
        for proc in self.procs:
            proc.kill()
            proc.wait()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.05)


def fill_files(group, folder):
    """FILES empty files in a tmpfs that only the group's processes see, made by one of them: the group is charged."""
    script = (f"import os, time\n"
              f"for d in range({FILES // 100}):\n"
              f"    os.mkdir(f'{folder}/%03x' % d)\n"
              f"    for f in range(100): os.close(os.open(f'{folder}/%03x/%d' % (d, f), os.O_CREAT | os.O_WRONLY))\n"
              f"print('filled', flush=True)\n"
              f"time.sleep(600)\n")
    proc = group.start(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                        f"mount -t tmpfs -o size=512M,nr_inodes=0 none {folder} && exec {sys.executable} -c \"$0\"", script],
                       stdout=subprocess.PIPE, text=True)
    assert proc.stdout.readline() == "filled\n"
    return proc


def php_process(group):
    """A PHP that holds 2 GiB of small and large blocks."""
    code = ("ini_set('memory_limit', '-1'); $keep = [];"
            "while (memory_get_usage(true) < 2 * 1024 ** 3) { $keep[] = str_repeat('x', 3000 + count($keep) % 70000); }"
            "echo memory_get_usage(true), \"\\n\"; sleep(600);")
    proc = group.start([PHP, "-n", "-r", code], stdout=subprocess.PIPE, text=True)
    return proc, int(proc.stdout.readline())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    cost, xray = args.build / "bench/mem-cost", args.build / "plimsoll-xray"
    if os.geteuid() != 0:
        sys.exit("bench/xray.py: needs root, to make a memory cgroup")
    subprocess.run(["ninja", "-C", args.build, "bench/mem-cost"], check=True, stdout=subprocess.DEVNULL)

    def ask(*argv):
        out = subprocess.run([cost, *map(str, argv)], check=True, capture_output=True, text=True).stdout
        return [float(x) for x in out.split()]

    seen, folder = {}, tempfile.mkdtemp(prefix="plimsoll-bench-")
    small, large, files = Group(), Group(), Group()
    try:
        for _ in range(PROCESSES):
            small.start([PHP, "-n", "-r", "sleep(600);"])
        time.sleep(1)
        seen["fixed"] = statistics.median(ask("fixed", small.path, 2000)[0] for _ in range(5))
        seen["hz"] = ask("hz", small.path, 15)[0]
        print("filling files in memory and a PHP heap ...", file=sys.stderr)
        fill_files(files, folder)
        walks = [ask("walk", files.path) for _ in range(3)]
        assert all(entries >= FILES for _, entries in walks), walks
        seen["walk"] = statistics.median(ms for ms, _ in walks)
        for _ in range(PROCESSES - 1):
            files.start([PHP, "-n", "-r", "sleep(600);"])
        time.sleep(1)
        seen["budget"] = ask("budget", files.path, 15)[0] - seen["hz"]
        php, real = php_process(large)
        ms, heap = ask("chunks", php.pid)
        assert heap == real, f"the heap is {real} bytes, {heap} were seen"
        seen["chunks"] = ms
        firsts = []
        for _ in range(5):
            began = time.monotonic()
            subprocess.run([xray, "--cgroup", small.path, "--json"], check=True, stdout=subprocess.DEVNULL)
            firsts.append((time.monotonic() - began) * 1000)
        seen["first"] = statistics.median(firsts)
    finally:
        for group in (small, large, files):
            group.end()
        shutil.rmtree(folder, ignore_errors=True)

    print(f"{'':<46}{'seen':>10}  {'at most':>8}")
    missed = 0
    for key, words, unit, limit in TARGETS:
        miss = seen[key] > limit
        missed += miss
        print(f"{words:<46}{seen[key]:>10.1f}  {limit:>8} {unit}{'   MISSED' if miss else ''}")
    if args.json:
        args.json.write_text(json.dumps(seen, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
