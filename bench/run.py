#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Plimsoll beside nginx + php-fpm, Apache + mod_php and nginx: what a request costs on the server's side, and what
memory and time the server itself takes. Prints tables, writes a JSON file, exits with 1 if a target of TARGETS is missed.

Each server is measured alone: started, warmed up, measured for a few batches, ended; then the next one; so often that slow
drifts of the machine meet all of them. Values are medians over batches. CPU is the time that all of a server's threads spent
on a CPU (/proc/PID/task/TID/schedstat), the database's not included.

  bench/run.py [--quick] [--only hello,static1k,...] [--without apache] [--json FILE] [--binary FILE]
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

# What must be reached: (key, words, limit). A value above its limit is a miss; a value that was not measured is not judged.
TARGETS = [
    ("hello.cpu_ratio", "hello: CPU a request, of nginx + php-fpm's", 0.40),
    ("hello.p99_ratio", "hello: 99th percentile, of nginx + php-fpm's", 1.00),
    ("wordpress.cpu_ratio", "WordPress' front page: CPU, of nginx + php-fpm's", 1.05),
    ("static1k.cpu_ratio", "1 KB file: CPU, of nginx's", 1.00),
    ("idle.pss_ratio", "idle with 4 workers: PSS, of nginx + php-fpm's", 0.80),
    ("start.ms", "exec to the first answer of PHP, warm, ms", 80),
    ("replace.ms", "a killed worker replaced, ms", 100),
    ("leak.kib", "1,000,000 requests: growth of private memory and shmem, KiB", 256),
]


CONNECTIONS = 4


class Load:
    """A scenario: driven by wrk for a time, or, where a request takes long, a counted number of times a batch. (What wrk
    leaves unfinished at its end costs CPU but does not count: of thousands of requests nobody sees it, of twenty one would.)"""

    def __init__(self, key, title, path, peers, reference, check, script="report.lua", rounds=5, batches=3, count=0):
        self.key, self.title, self.path, self.peers, self.reference = key, title, path, peers, reference
        self.check, self.script, self.rounds, self.batches, self.count = check, script, rounds, batches, count


def php_peers(all_peers):
    return ["plimsoll", "nginx-fpm"] + (["apache"] if all_peers else [])


def scenarios(quick, apache):
    rounds, batches = (2, 2) if quick else (5, 3)
    php = php_peers(apache)
    return [
        Load("hello", "hello script", "/hello.php", php, "nginx-fpm", lambda s, b: b == b"hello\n", rounds=rounds, batches=batches),
        Load("page64k", "64 KB page", "/page64k.php", php, "nginx-fpm", lambda s, b: len(b) == 65536, rounds=rounds, batches=batches),
        Load("post1m", "1 MB POST", "/post.php", php, "nginx-fpm", lambda s, b: b == b"1048576", "post.lua", rounds=rounds,
             batches=batches),
        Load("wordpress", "WordPress' front page", "/", php, "nginx-fpm", lambda s, b: b"Hello world!" in b and b"</html>" in b,
             rounds=2 if quick else 6, batches=2 if quick else 5, count=24),
        Load("static1k", "1 KB static file", "/static1k.txt", ["plimsoll", "nginx"], "nginx", lambda s, b: len(b) == 1024,
             rounds=rounds, batches=batches),
    ]


SCRIPTS = {
    "hello.php": "<?php echo \"hello\\n\";",
    "page64k.php": "<?php for ($i = 0; $i < 64; $i++) echo str_repeat('0123456789abcde ', 63), \"end of a row   \\n\";",
    "post.php": "<?php echo strlen(file_get_contents('php://input'));",
    "static1k.txt": "0123456789abcde\n" * 64,
}


class Bench:
    def __init__(self, options, peers):
        self.options, self.peers = options, peers
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-bench-", dir=options.folder))
        self.folder.chmod(0o755)
        self.app = self.folder / "app"
        self.app.mkdir(mode=0o755)
        for name, text in SCRIPTS.items():
            (self.app / name).write_text(text)
        self.kinds = {"plimsoll": peers.Plimsoll, "nginx-fpm": peers.NginxFpm, "apache": peers.ApachePhp, "nginx": peers.Nginx}
        self.n_started = 0
        self.database = None
        self.results, self.values = {}, {}

    def start(self, kind, site=None):
        self.n_started += 1
        site = site or self.peers.servers.Site(self.app, front_controller=None)
        return self.kinds[kind](site, self.folder / f"{kind}-{self.n_started}")

    def has(self, kind):
        return kind not in self.options.without

    # -- load ------------------------------------------------------------------------------------------------------------
    def wrk(self, server, path, script, seconds):
        argv = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", HERE / script, "-H", f"Host: {self.peers.HOST}",
                server.url(path)]
        done = subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(r"^RESULT (.*)$", done.stdout, re.M)
        assert done.returncode == 0 and found, f"wrk: {done.stdout}"
        result = json.loads(found[1])
        assert not result["bad_status"], f"{server.name}: {result['bad_status']} answers of {result['requests']} were errors"
        assert result["errors"] <= 4, f"{server.name}: {result}"
        return result

    def counted(self, server, load):
        """load.count requests over CONNECTIONS connections, all of them finished."""
        def one_connection(_):
            c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            times = []
            for _ in range(load.count // CONNECTIONS):
                began = time.perf_counter()
                c.request("GET", load.path, headers={"Host": self.peers.HOST})
                r = c.getresponse()
                assert r.status == 200 and load.check(200, r.read()), f"{server.name}: {r.status}"
                times.append(time.perf_counter() - began)
            c.close()
            return times
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            times = sorted(t for each in pool.map(one_connection, range(CONNECTIONS)) for t in each)
        took = time.perf_counter() - began
        time.sleep(0.02)  # what PHP does after an answer is part of the request
        return {"requests": len(times), "us": took * 1e6, "p50_us": statistics.median(times) * 1e6, "p99_us": times[-1] * 1e6}

    def drive(self, server, load, seconds):
        return self.counted(server, load) if load.count else self.wrk(server, load.path, load.script, seconds)

    def batch(self, server, load, seconds):
        before = self.peers.cpu_ns(server.pids())
        result = self.drive(server, load, seconds)
        after = self.peers.cpu_ns(server.pids())
        spent = sum(after.get(key, ns) - ns for key, ns in before.items()) + sum(ns for key, ns in after.items() if key not in before)
        return {"cpu_us": spent / 1000 / result["requests"], "rps": result["requests"] / (result["us"] / 1e6),
                "p50_us": result["p50_us"], "p99_us": result["p99_us"]}

    def run_load(self, load, site=None):
        kinds = [k for k in load.peers if self.has(k)]
        batches = {k: [] for k in kinds}
        pss = {k: [] for k in kinds}
        for round_no in range(load.rounds):
            for kind in kinds if round_no % 2 == 0 else reversed(kinds):
                server = self.start(kind, site)
                try:
                    body = b"0123456789abcdef" * 65536 if load.script == "post.lua" else None
                    status, answer = server.fetch(load.path, "POST" if body else "GET", body)
                    assert status == 200 and load.check(status, answer), f"{server.name}: {status} {answer[:200]}"
                    self.drive(server, load, 1)  # warm up
                    batches[kind] += [self.batch(server, load, self.options.seconds) for _ in range(load.batches)]
                    pss[kind].append(server.pss_kib() / 1024)
                finally:
                    server.stop()
            progress(f"{load.title}: round {round_no + 1} of {load.rounds}")
        self.results[load.key] = {k: {"batches": batches[k], "pss_mib": statistics.median(pss[k]), "median": {
            what: statistics.median(b[what] for b in batches[k]) for what in batches[k][0]}} for k in kinds}
        self.judge_load(load)

    def judge_load(self, load):
        r = self.results[load.key]
        if "plimsoll" in r and load.reference in r:
            ours, theirs = r["plimsoll"]["median"], r[load.reference]["median"]
            self.values[f"{load.key}.cpu_ratio"] = ours["cpu_us"] / theirs["cpu_us"]
            self.values[f"{load.key}.p99_ratio"] = ours["p99_us"] / theirs["p99_us"]

    # -- WordPress -------------------------------------------------------------------------------------------------------
    def wordpress(self):
        """The application with its database, installed; both live until the bench ends."""
        import test_wordpress  # its configuration file
        servers = self.peers.servers
        self.database = servers.Database(self.folder / "mariadb")
        self.database.create("wordpress")
        app = self.folder / "wordpress"
        servers.copy_app("/usr/share/wordpress", app, ignore=("wp-config.php",))
        (app / "wp-config.php").write_text(test_wordpress.CONFIG.format(db="wordpress", socket=self.database.socket))
        servers.give_to_php(app)
        site = servers.Site(app)
        installer = self.start("nginx-fpm" if self.has("nginx-fpm") else "plimsoll", site)
        try:
            form = "weblog_title=Bench&user_name=admin&admin_password=correct+horse&admin_password2=correct+horse&pw_weak=on" \
                "&admin_email=admin%40app.test&blog_public=0"
            status, body = installer.fetch("/wp-admin/install.php?step=2", "POST", form,
                                           {"Content-Type": "application/x-www-form-urlencoded"})
            assert status == 200 and b"Success!" in body, body[:2000]
        finally:
            installer.stop()
        return site

    # -- the server itself -----------------------------------------------------------------------------------------------
    def idle(self):
        pss = {k: [] for k in php_peers(True) if self.has(k)}
        for _ in range(1 if self.options.quick else 3):
            for kind in pss:
                server = self.start(kind)
                try:
                    self.wrk(server, "/hello.php", "report.lua", 1)
                    pss[kind].append(server.pss_kib() / 1024)
                finally:
                    server.stop()
        self.results["idle"] = {k: {"pss_mib": statistics.median(v)} for k, v in pss.items()}
        if "plimsoll" in pss and "nginx-fpm" in pss:
            self.values["idle.pss_ratio"] = statistics.median(pss["plimsoll"]) / statistics.median(pss["nginx-fpm"])

    def start_time(self):
        """exec to the first answer of a script, connection included; the files are in the page cache."""
        times = []
        for _ in range(4 if self.options.quick else 11):
            port = self.peers.servers.free_port()
            argv = [str(self.peers.servers.BINARY), "serve", str(self.app), "--root", ".", "--front-controller", "off",
                    "-l", f"127.0.0.1:{port}", "--workers", str(self.peers.WORKERS), "-a", "off", "--control", str(self.folder / "c.sock")]
            with open(self.folder / "start.err", "ab") as err:
                began = time.perf_counter()
                proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err)
            try:
                answer = None
                while not answer:
                    assert proc.poll() is None, (self.folder / "start.err").read_text()[-2000:]
                    assert time.perf_counter() - began < 20, "no answer within 20 s"
                    answer = try_hello(port)
                times.append((time.perf_counter() - began) * 1000)
            finally:
                end(proc)
        self.results["start"] = {"ms": times}
        self.values["start.ms"] = statistics.median(times[1:])  # the first one warmed the page cache

    def replace_time(self):
        """SIGKILL of an idle worker until its successor is idle, as the admin listener tells it. Four deaths a server: the fifth
        within ten seconds is answered with backoff, which is not what is measured."""
        times = []
        for _ in range(1 if self.options.quick else 4):
            server = self.start("plimsoll")
            try:
                times += [self.replace_once(server) for _ in range(4)]
            finally:
                server.stop()
        self.results["replace"] = {"ms": times}
        self.values["replace.ms"] = statistics.median(times)

    def replace_once(self, server):
        def idle_workers():
            status = json.loads(server.fetch("/status", port=server.admin_port)[1])
            return {p["pid"] for p in status["processes"] if p["role"] == "worker" and p["state"] == "idle"}
        self.peers.servers.wait_until(lambda: len(idle_workers()) == self.peers.WORKERS, "all workers idle")
        victim = min(idle_workers())
        began = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        while True:
            now = idle_workers()
            if len(now) == self.peers.WORKERS and victim not in now:
                return (time.perf_counter() - began) * 1000
            assert time.perf_counter() - began < 20, "the worker was not replaced within 20 s"

    def leak(self):
        """Memory that stays: of each process what is private and dirty, and what they share, after many requests."""
        wanted = 50_000 if self.options.quick else 1_000_000
        server = self.start("plimsoll")
        try:
            done = 0
            while done < 20_000:
                done += self.wrk(server, "/hello.php", "report.lua", 1)["requests"]
            before, done = self.held(server), 0
            while done < wanted:
                done += self.wrk(server, "/hello.php", "report.lua", 2 if self.options.quick else 10)["requests"]
                progress(f"leak: {done} requests")
            after = self.held(server)
            names = {pid: f"{pid} {self.peers.command(pid)}" for pid in server.pids()}
        finally:
            server.stop()
        assert before.keys() == after.keys(), f"processes changed: {before} {after}"
        growth = {names.get(pid, pid): after[pid] - before[pid] for pid in before}
        self.results["leak"] = {"requests": done, "growth_kib": growth}
        self.values["leak.kib"] = sum(max(0, kib) for kib in growth.values())  # one that shrank pays for no other

    def held(self, server):
        each = {pid: self.peers.memory(pid) for pid in server.pids()}
        return {**{pid: m["Private_Dirty"] for pid, m in each.items()}, "shmem": sum(m["Pss_Shmem"] for m in each.values())}

    def close(self):
        if self.database:
            self.database.stop()
        if self.options.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def try_hello(port):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        c.request("GET", "/hello.php")
        r = c.getresponse()
        return r.read() if r.status == 200 else None
    except OSError:
        return None
    finally:
        c.close()


def end(proc):
    proc.terminate()
    try:
        proc.wait(20)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


# -- what is printed -------------------------------------------------------------------------------------------------------
def print_results(bench, loads):
    for load in loads:
        if load.key not in bench.results:
            continue
        r = bench.results[load.key]
        reference = r.get(load.reference, {}).get("median")
        size = f"{load.count} requests" if load.count else f"{bench.options.seconds} s"
        print(f"\n{load.title} ({load.rounds} x {load.batches} batches of {size}, {CONNECTIONS} connections)")
        print(f"  {'':18}{'CPU us/req':>12}{'ratio':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'PSS MiB':>9}")
        for kind, entry in r.items():
            m = entry["median"]
            ratio = f"{m['cpu_us'] / reference['cpu_us']:.2f}" if reference else ""
            print(f"  {bench.kinds[kind].name:18}{m['cpu_us']:12.1f}{ratio:>8}{m['rps']:12.0f}{m['p50_us'] / 1000:9.2f}"
                  f"{m['p99_us'] / 1000:9.2f}{entry['pss_mib']:9.1f}")
    if "idle" in bench.results:
        print("\nIdle, 4 workers, after a second of hello")
        for kind, entry in bench.results["idle"].items():
            print(f"  {bench.kinds[kind].name:18}{entry['pss_mib']:8.1f} MiB PSS")
    if "leak" in bench.results:
        print(f"\nGrowth over {bench.results['leak']['requests']} requests, KiB")
        for who, kib in bench.results["leak"]["growth_kib"].items():
            print(f"  {kib:6} {who[:90]}")


def print_targets(values, whole):
    missed = 0
    print(f"\n{'target':62}{'value':>10}{'limit':>9}")
    for key, words, limit in TARGETS:
        if key not in values:
            print(f"{words:62}{'-':>10}{limit:>9}  not measured")
            missed += whole
            continue
        ok = values[key] <= limit
        missed += not ok
        print(f"{words:62}{values[key]:10.2f}{limit:>9}  {'ok' if ok else 'MISSED'}")
    return missed


def machine():
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else "?", "cpus": os.cpu_count(), "kernel": os.uname().release,
            "load": os.getloadavg()[0], "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def options_of(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--quick", action="store_true", help="few and short batches: to see that it runs, not to judge by")
    p.add_argument("--only", default="", metavar="KEY,...", help="hello page64k post1m wordpress static1k idle start replace leak")
    p.add_argument("--without", default="", metavar="SERVER,...", help="plimsoll nginx-fpm apache nginx")
    p.add_argument("--seconds", type=int, default=1, help="length of a batch")
    p.add_argument("--binary", default=None, help="the plimsoll binary (default build/plimsoll)")
    p.add_argument("--json", default="build/bench.json", metavar="FILE", help="where results go")
    p.add_argument("--folder", default="/var/tmp", help="where the servers' files go for the time being")
    p.add_argument("--keep", action="store_true", help="leave those files")
    options = p.parse_args(argv)
    options.only = [k for k in options.only.split(",") if k]
    options.without = [k for k in options.without.split(",") if k]
    return options


def main():
    options = options_of(sys.argv[1:])
    if options.binary:
        os.environ["PLIMSOLL"] = options.binary
    sys.path.insert(0, str(HERE))
    import peers
    if not peers.servers.BINARY.exists() and "plimsoll" not in options.without:
        sys.exit(f"{peers.servers.BINARY} is not there: make build, or --without plimsoll")
    bench = Bench(options, peers)
    loads = scenarios(options.quick, bench.has("apache"))
    wanted = lambda key: not options.only or key in options.only
    try:
        site = bench.wordpress() if wanted("wordpress") else None
        for load in loads:
            if wanted(load.key):
                bench.run_load(load, site if load.key == "wordpress" else None)
        if wanted("idle"):
            bench.idle()
        if bench.has("plimsoll"):
            for key, run in (("start", bench.start_time), ("replace", bench.replace_time), ("leak", bench.leak)):
                if wanted(key):
                    run()
    finally:
        bench.close()
    print_results(bench, loads)
    missed = print_targets(bench.values, whole=not options.only and not options.without)
    path = pathlib.Path(options.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "quick": options.quick, "values": bench.values,
                                "targets": [{"key": k, "text": t, "limit": v} for k, t, v in TARGETS], "results": bench.results}, indent=1))
    print(f"\n{path}; {'all targets that were measured are met' if not missed else f'{missed} missed'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
