# SPDX-License-Identifier: Apache-2.0
"""Starts the server under test, watches it, and makes sure that nothing of it is left.

The server is found through the environment: PLIMSOLL names the binary (default build/plimsoll); plimsoll-php lies beside.
"""
import atexit
import grp
import json
import os
import pathlib
import pwd
import re
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time

import rawhttp

REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PLIMSOLL", REPO / "build" / "plimsoll")).absolute()
IS_ROOT = os.geteuid() == 0
ASAN = BINARY.exists() and b"__asan_init" in BINARY.read_bytes()
if ASAN:
    # PHP loads its extensions with RTLD_DEEPBIND, which AddressSanitizer refuses: master and edge run under it, beside an
    # ordinary plimsoll-php (PLIMSOLL_PHP, default build/plimsoll-php).
    _together = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-e2e-bin-"))
    _together.chmod(0o755)
    atexit.register(shutil.rmtree, _together, True)
    for name in ("plimsoll", "plimsoll-xray"):
        shutil.copy(BINARY.parent / name, _together / name)
    shutil.copy(os.environ.get("PLIMSOLL_PHP", REPO / "build" / "plimsoll-php"), _together / "plimsoll-php")
    BINARY = _together / "plimsoll"
# How long a test waits for what must come: long, because a machine may be busy, and it costs nothing when it comes.
DEADLINE = 120.0 if ASAN else 60.0
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|MemorySanitizer")
KEEP = os.environ.get("PLIMSOLL_E2E_KEEP")

SCRIPTS = {
    "hello.php": "<?php echo 'hello';",
    "pid.php": "<?php echo getmypid();",
    # Everything a script sees of its request.
    "echo.php": """<?php
        header('Content-Type: application/json');
        $body = file_get_contents('php://input');
        echo json_encode(['server' => $_SERVER, 'get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE, 'files' => $_FILES,
            'env' => getenv(), 'n' => strlen($body), 'sha1' => sha1($body), 'pid' => getmypid(), 'uid' => posix_geteuid(),
            'gid' => posix_getegid(), 'groups' => posix_getgroups(), 'headers' => getallheaders(), 'sapi' => PHP_SAPI,
            'body' => strlen($body) < 4096 ? base64_encode($body) : null], JSON_PARTIAL_OUTPUT_ON_ERROR);""",
    # Counts a body without holding it.
    "count.php": """<?php
        $h = hash_init('sha1'); $n = 0; $f = fopen('php://input', 'r');
        while (!feof($f)) { $s = fread($f, 65536); $n += strlen($s); hash_update($h, $s); }
        header('Content-Type: application/json');
        echo json_encode(['n' => $n, 'sha1' => hash_final($h), 'pid' => getmypid(), 'peak' => memory_get_peak_usage(true)]);""",
    # Blocks until a file appears (or 60 s): a running request that a test can let go.
    "hold.php": """<?php
        $f = $_GET['file'];
        if (isset($_GET['mark'])) touch($_GET['mark']);
        for ($i = 0; $i < 6000 && !file_exists($f); $i++) { usleep(10000); clearstatcache(); }
        echo 'held ', getmypid();""",
    "big.php": "<?php $n = (int)($_GET['n'] ?? 1048576); $s = str_repeat('0123456789abcdef', 4096);"
               " while ($n > 0) { echo substr($s, 0, $n); $n -= 65536; }",
}


def wait_until(fn, deadline=DEADLINE, what="the condition"):
    """Polls until fn() is true and returns that value."""
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        value = fn()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come about within {deadline:.0f} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# -- /proc -------------------------------------------------------------------------------------------------------------
def stat_of(pid):
    """{'state', 'ppid', 'session', 'ticks'} or None."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    rest = text[text.rindex(")") + 2:].split()
    return {"state": rest[0], "ppid": int(rest[1]), "session": int(rest[3]), "ticks": int(rest[11]) + int(rest[12])}


def alive(pid):
    s = stat_of(pid)
    return bool(s) and s["state"] not in "ZX"


def session_pids(session):
    """Live processes of a session (zombies count as gone: they hold nothing)."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            s = stat_of(entry)
            if s and s["session"] == session and s["state"] not in "ZX":
                found.append(int(entry))
    return found


def proc_status(pid):
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name] = value.strip()
    return fields


def rss_kib(pid):
    return int(proc_status(pid)["VmRSS"].split()[0])


def n_descriptors(pid):
    """Open descriptors of a process; 0 for those that only root may look at."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        assert not IS_ROOT
        return 0


# -- files -------------------------------------------------------------------------------------------------------------
class Log:
    """A log file: read it, or wait for a line."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    @property
    def text(self):
        try:
            return self.path.read_bytes().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    @property
    def lines(self):
        return self.text.splitlines()

    def find(self, pattern):
        rx = re.compile(pattern)
        return [line for line in self.lines if rx.search(line)]

    def wait_for(self, pattern, deadline=DEADLINE, count=1):
        try:
            return wait_until(lambda: (lambda f: f if len(f) >= count else None)(self.find(pattern)), deadline,
                              f"a line like /{pattern}/ in {self.path.name}")[count - 1]
        except AssertionError as e:
            raise AssertionError(f"{e}; the file:\n{self.text[-3000:]}") from None


class Site:
    """A folder for one test: the application, logs, and a folder that everybody may write to."""

    def __init__(self, base):
        self.base = pathlib.Path(base)
        os.chmod(self.base, 0o755)
        self.app = self.base / "app"
        self.logs = self.base / "logs"
        self.scratch = self.base / "scratch"
        for d, mode in ((self.app, 0o755), (self.logs, 0o777), (self.scratch, 0o777)):
            d.mkdir()
            d.chmod(mode)

    def write(self, name, content=b"", mode=0o644, mtime=None):
        path = self.app / name
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
        return path

    def php(self, name, code):
        return self.write(name, code if code.startswith("<?php") else "<?php\n" + code)

    def scripts(self, *names):
        for name in names or SCRIPTS:
            self.write(name, SCRIPTS[name])
        return self


class StartFailed(Exception):
    def __init__(self, code, stderr):
        super().__init__(f"exit code {code}\n{stderr}")
        self.code = code
        self.stderr = stderr


# -- the server --------------------------------------------------------------------------------------------------------
class Server:
    """One `plimsoll serve`. Use the `start` fixture, which stops it and looks at what it leaves."""
    count = 0

    def __init__(self, site, args=(), conf=None, env=None, listen=("127.0.0.1:0",), admin="unix", front_controller="off",
                 directory=None, user=None, limits=None, pass_fds=(), wait=True, access_log=True, workers=2,
                 binary=None, shutdown_timeout="60s", error_log=True, exit_code=0, cgroup=None,
                 output_buffering=False):
        Server.count += 1
        self.site = site
        self.exit_code = exit_code
        tag = f"{Server.count}"
        self.control = str(site.scratch / f"control-{tag}.sock")
        self.stderr = Log(site.logs / f"stderr-{tag}.log")
        self.error_log = Log(site.logs / f"error-{tag}.log") if error_log else self.stderr
        self.access_log = Log(site.logs / f"access-{tag}.log")
        self.asan_prefix = str(site.logs / f"sanitizer-{tag}")
        self.ready = None
        argv = [str(binary or BINARY), "serve", str(directory or site.app)]
        for l in listen:
            argv += ["-l", l]
        if admin == "unix":
            argv += ["--admin", f"unix:{site.scratch}/admin-{tag}.sock"]
        elif admin:
            argv += ["--admin", admin]
        argv += ["--control", self.control]
        if front_controller is not None:
            argv += ["--front-controller", front_controller]
        if error_log:
            argv += ["--error-log", str(self.error_log.path)]
        if access_log:
            argv += ["--access-log", str(self.access_log.path)]
        if workers:
            argv += ["--workers", str(workers)]
        if shutdown_timeout:
            argv += ["--shutdown-timeout", shutdown_timeout]
        if not output_buffering:  # Debian's php.ini has 4096: flush() alone then sends nothing, as on FPM
            argv += ["-d", "output_buffering=0"]
        if conf is not None:
            self.conf_path = site.base / f"plimsoll-{tag}.conf"
            self.write_conf(conf)
            argv += ["-c", str(self.conf_path)]
        read_fd, write_fd = os.pipe()
        argv += ["--ready-fd", str(write_fd)] + [str(a) for a in args]
        self.argv = argv
        environ = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL") and k not in (
            "PORT", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "XDG_RUNTIME_DIR")}
        environ.setdefault("ASAN_OPTIONS", f"detect_leaks=0:abort_on_error=0:log_path={self.asan_prefix}")
        environ.setdefault("UBSAN_OPTIONS", f"print_stacktrace=1:halt_on_error=0:log_path={self.asan_prefix}")
        environ.update(env or {})

        def in_child():
            if cgroup:
                with open(f"{cgroup}/cgroup.procs", "w") as f:
                    f.write("0")
            for what, value in (limits or {}).items():
                resource.setrlimit(what, value)

        kwargs = {}
        if user:
            entry = pwd.getpwnam(user)
            kwargs = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        with open(self.stderr.path, "ab") as err:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err, env=environ, start_new_session=True,
                                         pass_fds=(write_fd, *pass_fds), preexec_fn=in_child if limits or cgroup else None,
                                         cwd=site.base, **kwargs)
        os.close(write_fd)
        self.ready_fd = read_fd
        self.session = self.proc.pid
        self.stopped = False
        if wait:
            self.wait_ready()

    # -- coming up -------------------------------------------------------------------------------------------------
    def wait_ready(self, deadline=DEADLINE):
        data = b""
        end = time.monotonic() + deadline
        while b"\n" not in data:
            left = end - time.monotonic()
            assert left > 0, f"no ready line within {deadline} s:\n{self.all_output()}"
            readable, _, _ = select.select([self.ready_fd], [], [], left)
            if not readable:
                continue
            piece = os.read(self.ready_fd, 65536)
            if not piece:
                try:
                    code = self.proc.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    code = None
                self.stopped = code is not None
                raise StartFailed(code, self.all_output())
            data += piece
        self.ready = json.loads(data.split(b"\n")[0])
        assert {"pid", "listen", "admin", "control"} <= set(self.ready), self.ready
        self.listen = self.ready["listen"][0]
        self.admin = self.ready["admin"]
        return self.ready

    def write_conf(self, text):
        self.conf_path.write_text(text)
        self.conf_path.chmod(0o644)

    def all_output(self):
        parts = [f"--- {log.path.name}\n{log.text[-4000:]}" for log in {self.stderr, self.error_log}]
        return "\n".join(parts)

    @property
    def pid(self):
        return self.proc.pid

    @property
    def port(self):
        return int(self.listen.rpartition(":")[2])

    # -- talking ---------------------------------------------------------------------------------------------------
    def conn(self, **kwargs):
        return rawhttp.Conn(self.listen, **kwargs)

    def fetch(self, target="/", **kwargs):
        return rawhttp.fetch(self.listen, target, **kwargs)

    def raw(self, data, **kwargs):
        return rawhttp.raw(self.listen, data.encode("latin-1") if isinstance(data, str) else data, **kwargs)

    def metrics(self):
        r = rawhttp.fetch(self.admin, "/metrics")
        assert r.status == 200, r
        return parse_openmetrics(r.text)

    def counter(self, name, **labels):
        """A sample's value: counter('http_requests'), counter('http_responses', **{'class': '2xx'})."""
        samples = self.metrics()
        for full in (f"plimsoll_{name}_total", f"plimsoll_{name}"):
            key = (full, tuple(sorted(labels.items())))
            if key in samples:
                return samples[key]
        raise AssertionError(f"no sample {name} {labels}; there are {sorted({k[0] for k in samples})}")

    def wait_counter(self, name, value, deadline=DEADLINE, **labels):
        wait_until(lambda: self.counter(name, **labels) >= value, deadline, f"{name} {labels} >= {value}")

    def status(self):
        r = rawhttp.fetch(self.admin, "/status")
        assert r.status == 200, r
        return r.json()

    def processes(self, role, **having):
        return [p for p in self.status()["processes"] if p["role"] == role and all(p.get(k) == v for k, v in having.items())]

    def pids(self, role, **having):
        return [p["pid"] for p in self.processes(role, **having)]

    def wait_workers(self, n, deadline=DEADLINE):
        return wait_until(lambda: (lambda w: w if len(w) >= n else None)(
            [p["pid"] for p in self.processes("worker") if p["state"] == "idle"]), deadline, f"{n} idle workers")

    # -- ending ----------------------------------------------------------------------------------------------------
    def signal(self, sig):
        self.proc.send_signal(sig)

    def wait_exit(self, deadline=DEADLINE):
        try:
            return self.proc.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {deadline} s:\n{self.all_output()}") from None

    def stop(self):
        """Ends it in order and checks what it leaves; harmless if it has ended already."""
        if self.stopped and self.ready is None:
            self.close()
            return
        self.stopped = True
        problems = []
        if self.proc.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.proc.wait(DEADLINE)
            if self.exit_code is not None and code != self.exit_code:
                problems.append(f"exit code {code}, expected {self.exit_code}")
        except subprocess.TimeoutExpired:
            problems.append("did not end on TERM")
        end = time.monotonic() + DEADLINE
        left = session_pids(self.session)
        while left and time.monotonic() < end:
            time.sleep(0.01)
            left = session_pids(self.session)
        for pid in left:
            name = pathlib.Path(f"/proc/{pid}/cmdline")
            problems.append(f"process {pid} is left: {name.read_bytes()[:80] if name.exists() else '?'}")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.proc.poll() is None:
            self.proc.wait(DEADLINE)
        problems += self.sanitizer_reports()
        self.close()
        assert not problems, "; ".join(problems) + "\n" + self.all_output()

    def sanitizer_reports(self):
        found = []
        for log in {self.stderr, self.error_log}:
            if SANITIZER.search(log.text):
                found.append(f"sanitizer report in {log.path.name}:\n{log.text[-6000:]}")
        for path in self.site.logs.glob(os.path.basename(self.asan_prefix) + "*"):
            found.append(f"sanitizer report:\n{path.read_text(errors='replace')[:6000]}")
        return found

    def close(self):
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1


def parse_openmetrics(text):
    """Strict reader: {(name, labels): value}. Families must be declared, typed, helped, and not interleaved; # EOF ends it."""
    assert text.endswith("# EOF\n"), f"no # EOF at the end: {text[-60:]!r}"
    samples, types, helps, finished = {}, {}, set(), set()
    current = None
    suffixes = {"counter": ("_total", "_created"), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count", "_created"),
                "info": ("_info",), "unknown": ("",), "stateset": ("",), "summary": ("", "_sum", "_count")}
    lines = text[:-len("# EOF\n")].split("\n")
    assert lines.pop() == "", "a last line without newline"
    for line in lines:
        assert line and line == line.rstrip() and "\r" not in line, f"blank or ragged line: {line!r}"
        m = re.fullmatch(r"# (TYPE|HELP|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)", line)
        if line.startswith("#"):
            assert m, f"odd comment: {line!r}"
            what, name, value = m.groups()
            if name != current:
                assert name not in finished, f"family {name} is interleaved"
                if current:
                    finished.add(current)
                current = name
            if what == "TYPE":
                assert name not in types and value in suffixes, line
                types[name] = value
            elif what == "HELP":
                assert name not in helps and value, line
                helps.add(name)
            continue
        m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\})? (\S+)( \S+)?', line)
        assert m, f"not a sample: {line!r}"
        labels = tuple(sorted(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', m[2] or "")))
        assert current and current in types, f"sample before its TYPE: {line!r}"
        assert any(m[1] == current + s for s in suffixes[types[current]]), f"{m[1]} is not of family {current} ({types[current]})"
        assert (m[1], labels) not in samples, f"twice: {line!r}"
        samples[(m[1], labels)] = float(m[3])
    for name, kind in types.items():
        assert name in helps, f"no HELP for {name}"
        if kind == "histogram":
            check_histogram(name, samples)
    return samples


def check_histogram(name, samples):
    buckets = [(float(dict(labels)["le"]), v) for (n, labels), v in samples.items() if n == name + "_bucket"]
    buckets.sort()
    assert buckets and buckets[-1][0] == float("inf"), f"{name} has no +Inf bucket"
    assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), f"{name} is not cumulative"
    assert samples[(name + "_count", ())] == buckets[-1][1]


class Workshop:
    """Makes sites and servers, and takes them down again in reverse."""

    def __init__(self):
        self.dirs, self.servers = [], []

    def site(self):
        base = tempfile.mkdtemp(prefix="plimsoll-e2e-")
        self.dirs.append(base)
        return Site(base)

    def start(self, site, **kwargs):
        wait = kwargs.pop("wait", True)
        server = Server(site, wait=False, **kwargs)
        self.servers.append(server)
        if wait:
            server.wait_ready()
        return server

    def done(self):
        problems = []
        for server in reversed(self.servers):
            try:
                server.stop()
            except AssertionError as e:
                problems.append(str(e))
        for base in self.dirs:
            if not KEEP:
                shutil.rmtree(base, ignore_errors=True)
        assert not problems, "\n".join(problems)


def run_cli(*args, env=None, cwd=None, user=None, deadline=DEADLINE, input=None):
    """Runs plimsoll to its end; CompletedProcess with text output."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL") and k != "PORT"}
    environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    environ.update(env or {})
    kwargs = {}
    if user:
        entry = pwd.getpwnam(user)
        kwargs = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return subprocess.run([str(BINARY), *map(str, args)], capture_output=True, text=True, errors="replace", env=environ, cwd=cwd, timeout=deadline,
                          input=input, **kwargs)


def user_of(uid):
    return pwd.getpwuid(uid).pw_name


def group_of(gid):
    return grp.getgrgid(gid).gr_name
