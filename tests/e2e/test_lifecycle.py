# SPDX-License-Identifier: Apache-2.0
"""Start, drain, reload, upgrade, stop; exit codes; sockets and notifications from systemd."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from harness import BINARY, DEADLINE, IS_ROOT, StartFailed, alive, n_descriptors, run_cli, session_pids, wait_until
from rawhttp import Closed, Conn, build, fetch


def hold(s, site, name="h"):
    mark, go = site.scratch / f"{name}-mark", site.scratch / f"{name}-go"
    c = s.conn(deadline=DEADLINE)
    c.send(build("GET", f"/hold.php?file={go}&mark={mark}"))
    wait_until(mark.exists, what="the script's start")
    return c, go


def refused(listen):
    """Nobody listens there any more. A server that is slow to answer is none that refuses."""
    try:
        with Conn(listen) as c:
            c.send_lenient(build("GET", "/none.txt"))  # waits for no worker
            c.response()
        return False
    except (Closed, ConnectionError):
        return True


class Load:
    """Clients that ask without pause, over kept and over new connections; every failure is kept."""

    def __init__(self, listen, kept=3, new=2, target="/hello.php", body=b"hello"):
        self.listen, self.target, self.body = listen, target, body
        self.stop_event = threading.Event()
        self.ok, self.problems = [0] * (kept + new), []
        self.threads = [threading.Thread(target=self.kept, args=(i,)) for i in range(kept)]
        self.threads += [threading.Thread(target=self.new, args=(kept + i,)) for i in range(new)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        self.wait_more(50)
        return self

    def __exit__(self, *exc):
        self.stop_event.set()
        for t in self.threads:
            t.join()

    @property
    def total(self):
        return sum(self.ok)

    def wait_more(self, n):
        have = self.total
        wait_until(lambda: self.total >= have + n or self.problems, DEADLINE * 2, f"{n} more answers")

    def check(self, r, i):
        if r.status == 200 and r.body == self.body:
            self.ok[i] += 1
        else:
            self.problems.append(repr(r))

    def kept(self, i):
        c = None
        while not self.stop_event.is_set() and not self.problems:
            fresh = c is None
            try:
                if fresh:
                    c = Conn(self.listen, DEADLINE)
                c.send(build("GET", self.target))
                r = c.response()
                self.check(r, i)
                if r.closes:
                    c.close()
                    c = None
            except (Closed, OSError) as e:
                # An idle connection may be closed by the server at any time, and the race is the client's to repeat
                # (RFC 9112 9.3.1), as browsers and proxies do: only if not a byte of an answer came, and only once.
                if fresh or c.buf:
                    self.problems.append(f"kept connection: {e!r}")
                c.close() if c else None
                c = None

    def new(self, i):
        while not self.stop_event.is_set() and not self.problems:
            try:
                self.check(fetch(self.listen, self.target, deadline=DEADLINE), i)
            except (Closed, OSError, AssertionError) as e:
                self.problems.append(f"new connection: {e!r}")


# -- start -------------------------------------------------------------------------------------------------------------
def test_ready_line(site, start):
    """The ready line is one JSON object with pid, listen, admin, control; requests are answered from then on."""
    site.scripts("hello.php")
    s = start()
    assert s.ready["pid"] == s.pid and s.ready["control"] == s.control and s.ready["admin"].startswith("unix:")
    assert s.fetch("/hello.php").body == b"hello"
    assert os.read(s.ready_fd, 10) == b"", "the ready descriptor is not closed"


def test_start_is_said_in_words(site, start):
    """What runs and where it listens is said on stderr or in the log."""
    site.php("version.php", "echo PHP_VERSION;")
    s = start()
    said = s.stderr.text + s.error_log.text
    assert str(s.port) in said and str(site.app) in said and s.fetch("/version.php").text in said


def test_connections_that_wait_in_the_kernels_queue_are_served_at_the_end(site, start):
    """TERM loses no request of a connection that the kernel had accepted and the edge had not."""
    site.scripts("hello.php")
    s = start()
    edge = s.pids("edge")[0]
    os.kill(edge, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(s.conn(deadline=DEADLINE)) for _ in range(100)]
        for c in clients:
            c.send(build("GET", "/hello.php"))
        os.kill(s.pid, signal.SIGTERM)
        os.kill(edge, signal.SIGCONT)
        for c in clients:
            r = c.response()
            assert r.status == 200 and r.body == b"hello"
    assert s.wait_exit() == 0


def test_port_in_use(site, start):
    """A port in use: exit 4, said with the address."""
    site.scripts("hello.php")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(StartFailed) as e:
            start(listen=(f"127.0.0.1:{port}",))
    assert e.value.code == 4 and str(port) in e.value.stderr


def test_unix_socket_of_a_live_server_is_not_taken(site, start):
    """A unix socket that another server listens on is not taken away: exit 4; a stale one is replaced."""
    site.scripts("hello.php")
    path = site.scratch / "w.sock"
    s = start(listen=(f"unix:{path}",))
    with pytest.raises(StartFailed) as e:
        start(listen=(f"unix:{path}",))
    assert e.value.code == 4
    assert s.fetch("/hello.php").status == 200
    stale = site.scratch / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    assert start(listen=(f"unix:{stale}",)).fetch("/hello.php").status == 200


def test_bad_configuration(site, start):
    """A bad file: exit 3 with file, line and reason."""
    with pytest.raises(StartFailed) as e:
        start(conf="[global]\nkeepalive_timeout = never\n")
    assert e.value.code == 3 and ".conf:2" in e.value.stderr and "keepalive_timeout" in e.value.stderr


def test_missing_folder(site, start):
    """A folder that is not there: exit 3, and it is named."""
    with pytest.raises(StartFailed) as e:
        start(directory=site.base / "nowhere")
    assert e.value.code == 3 and "nowhere" in e.value.stderr


def test_usage(site):
    """Wrong usage: exit 2 with a hint."""
    for args in (("serve", "--nonsense"), ("serve", "-l"), ("nonsense",), ("serve", "a", "b")):
        r = run_cli(*args, cwd=site.base)
        assert r.returncode == 2 and r.stderr, args


def test_php_that_does_not_start(site, start):
    """A PHP that can't start (preload fails): exit 5 and why."""
    site.write("bad-preload.php", "<?php this is a syntax error")
    args = ["-d", f"opcache.preload={site.app}/bad-preload.php"] + (["-d", "opcache.preload_user=www-data"] if IS_ROOT else [])
    with pytest.raises(StartFailed) as e:
        start(args=args)
    assert e.value.code == 5 and "syntax error" in e.value.stderr
    said = [line for line in e.value.stderr.splitlines() if "syntax error" in line]
    assert len(said) == 3  # PHP's line and the master's in the log, the master's on stderr
    for line in said:  # none with another process's line, its time and role, inside
        assert len(re.findall(r"\d\d:\d\d:\d\d", line)) <= 1 and line.count("ERROR") <= 1 and line.count("PHP did not start") <= 1, line
        assert "mold www" not in line and "php: " not in line and "\\x0a" not in line, line


def test_missing_php_binary(site, start):
    """Without plimsoll-php: exit 5 (or 3), and its path is named."""
    with pytest.raises(StartFailed) as e:
        start(conf=f"[global]\nplimsoll_php = {site.base}/no-such-binary\n")
    assert e.value.code in (3, 5) and "no-such-binary" in e.value.stderr


def test_php_binary_that_is_none(site, start):
    """A plimsoll_php that exits at once: exit 5."""
    with pytest.raises(StartFailed) as e:
        start(conf="[global]\nplimsoll_php = /bin/false\n")
    assert e.value.code == 5


def test_failed_start_leaves_nothing(site, start, workshop):
    """After a failed start no process, socket or pid file is left."""
    pid = site.scratch / "pid"
    with pytest.raises(StartFailed):
        start(conf="[global]\nplimsoll_php = /bin/false\n", args=("--pid", pid))
    s = workshop.servers[-1]
    wait_until(lambda: not session_pids(s.session), what="the end of all processes")
    assert not os.path.exists(s.control) and not pid.exists()


def test_pid_file(site, start):
    """--pid is written, and removed at the end."""
    site.scripts("hello.php")
    pid = site.scratch / "plimsoll.pid"
    s = start(args=("--pid", pid))
    assert int(pid.read_text()) == s.pid
    s.stop()
    assert not pid.exists() and not os.path.exists(s.control)


def test_unix_sockets_are_removed(site, start):
    """Listening unix sockets are removed at the end."""
    site.scripts("hello.php")
    path = site.scratch / "w.sock"
    s = start(listen=(f"unix:{path}",))
    assert s.fetch("/hello.php").status == 200
    s.stop()
    assert not path.exists()


# -- drain -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_drain(site, start, sig):
    """TERM, QUIT and the first INT: nothing new is accepted, what runs is finished, exit 0."""
    site.scripts()
    s = start(shutdown_timeout="60s")
    c, go = hold(s, site)
    idle = s.conn()
    assert idle.get("/hello.php").status == 200
    s.signal(sig)
    wait_until(lambda: refused(s.listen), what="refused connections")
    idle.expect_close()
    assert s.proc.poll() is None, "it did not wait for the request"
    go.touch()
    r = c.response()
    assert r.text.startswith("held") and r.closes
    assert s.wait_exit() == 0


def test_drain_finishes_a_body_under_way(site, start):
    """A request whose body is still arriving is finished too."""
    site.scripts()
    s = start(shutdown_timeout="60s")
    c = s.conn()
    c.send(build("POST", "/count.php", [("Content-Length", "100000")]) + b"x" * 50000)
    s.wait_counter("http_received_bytes", 50000)
    s.signal(signal.SIGTERM)
    wait_until(lambda: refused(s.listen), what="refused connections")
    c.send(b"x" * 50000)
    assert c.response().json()["n"] == 100000
    assert s.wait_exit() == 0


def test_drain_deadline(site, start):
    """When the drain deadline passes requests are cut and the exit code is 7."""
    site.scripts()
    s = start(shutdown_timeout="500ms", exit_code=7)
    c, _ = hold(s, site)
    s.signal(signal.SIGTERM)
    with pytest.raises(Closed):
        r = c.response()
        assert r.status in (502, 503)
        raise Closed
    assert s.wait_exit() == 7


def test_second_int(site, start):
    """The second INT ends it now."""
    site.scripts()
    s = start(shutdown_timeout="600s", exit_code=None)
    hold(s, site)
    s.signal(signal.SIGINT)
    wait_until(lambda: refused(s.listen), what="refused connections")
    s.signal(signal.SIGINT)
    assert s.wait_exit() in (0, 1, 7)


def test_term_while_idle_is_quick(site, start):
    """An idle server ends in order at once, idle connections or not."""
    site.scripts()
    s = start(shutdown_timeout="600s")
    conns = [s.conn() for _ in range(20)]
    for c in conns[:10]:
        assert c.get("/hello.php").status == 200
    s.signal(signal.SIGTERM)
    assert s.wait_exit() == 0


def test_drain_runs_what_queues(site, start):
    """What waits for a worker when TERM comes is still answered."""
    site.scripts()
    s = start(workers=1, shutdown_timeout="60s")
    c, go = hold(s, site)
    waiting = [s.conn(deadline=DEADLINE) for _ in range(3)]
    for w in waiting:
        w.send(build("GET", "/hello.php"))
    wait_until(lambda: s.counter("queue_length") == 3, what="three waiting")
    s.signal(signal.SIGTERM)
    wait_until(lambda: refused(s.listen), what="refused connections")
    go.touch()
    assert [w.response().body for w in waiting] == [b"hello"] * 3
    assert s.wait_exit() == 0


def test_readyz_says_no_while_draining(site, start):
    """/readyz is 503 while it drains, or the admin listener is closed; /healthz never lies."""
    site.scripts()
    s = start(shutdown_timeout="60s")
    c, go = hold(s, site)
    assert fetch(s.admin, "/readyz").status == 200
    s.signal(signal.SIGTERM)

    def unready():
        try:
            return fetch(s.admin, "/readyz").status == 503
        except (Closed, OSError):
            return True
    wait_until(unready, what="unreadiness")
    go.touch()
    assert c.response().status == 200


# -- reload ------------------------------------------------------------------------------------------------------------
CONF = "[pool www]\npm.max_children = 2\nphp_value[user_agent] = {}\n"


@pytest.fixture
def reloadable(site, start):
    site.scripts()
    site.php("ua.php", "echo ini_get('user_agent');")
    return start(conf=CONF.format("one"), workers=0)


def test_reload_takes_the_new_configuration(reloadable):
    """HUP starts new processes with the re-read configuration; the old ones leave."""
    s = reloadable
    old = s.pids("worker") + s.pids("mold") + s.pids("edge")
    assert s.fetch("/ua.php").text == "one"
    s.write_conf(CONF.format("two"))
    s.signal(signal.SIGHUP)
    wait_until(lambda: s.fetch("/ua.php").text == "two", what="the new setting")
    wait_until(lambda: not any(alive(p) for p in old), what="the old processes' end")
    assert s.counter("reloads", result="done") == 1


def test_reload_loses_nothing(reloadable):
    """Reloads under load: not one request fails, over kept and over new connections."""
    s = reloadable
    with Load(s.listen) as load:
        for n in range(1, 5):
            s.write_conf(CONF.format(f"v{n}"))
            s.signal(signal.SIGHUP)
            wait_until(lambda: s.counter("reloads", result="done") >= n or load.problems, what="the reload")
            load.wait_more(100)
    assert not load.problems, load.problems[:3]


def test_reload_keeps_a_running_request(reloadable, site):
    """A request that runs during a reload is finished by the old worker."""
    s = reloadable
    c, go = hold(s, site)
    s.write_conf(CONF.format("two"))
    s.signal(signal.SIGHUP)
    wait_until(lambda: s.fetch("/ua.php").text == "two", what="the new setting")
    go.touch()
    assert c.response().text.startswith("held")


def test_reload_of_a_broken_file(reloadable):
    """A broken file: the old configuration goes on, the reason is logged, a later good one is taken."""
    s = reloadable
    workers = set(s.wait_workers(2))
    s.write_conf("[pool www]\npm.max_children = many\n")
    s.signal(signal.SIGHUP)
    s.error_log.wait_for(r"\.conf:2.*pm\.max_children|pm\.max_children.*\.conf:2|\.conf:2")
    s.wait_counter("reloads", 1, result="failed")
    assert s.fetch("/ua.php").text == "one" and set(s.pids("worker")) == workers
    s.write_conf(CONF.format("three"))
    s.signal(signal.SIGHUP)
    wait_until(lambda: s.fetch("/ua.php").text == "three", what="the new setting")


def test_reload_with_a_php_that_does_not_start(reloadable, site):
    """A PHP that does not start with the new settings: the old one goes on."""
    s = reloadable
    site.write("bad.php", "<?php syntax error here")
    user = "php_admin_value[opcache.preload_user] = www-data\n" if IS_ROOT else ""
    s.write_conf(CONF.format("two") + f"php_admin_value[opcache.preload] = {site.app}/bad.php\n" + user)
    s.signal(signal.SIGHUP)
    s.wait_counter("reloads", 1, result="failed")
    for _ in range(5):
        assert s.fetch("/ua.php").text == "one"


def test_reload_by_command(reloadable):
    """`plimsoll reload` waits for the outcome: 0 when done, 3 (or 1) with the reason when refused."""
    s = reloadable
    s.write_conf(CONF.format("two"))
    r = run_cli("reload", "--control", s.control)
    assert r.returncode == 0, r
    assert s.fetch("/ua.php").text == "two"
    s.write_conf("[pool www]\nnonsense = 1\n")
    r = run_cli("reload", "--control", s.control)
    assert r.returncode in (1, 3) and "nonsense" in r.stdout + r.stderr
    r = run_cli("reload", "--control", s.control, "--json")
    said = json.loads(r.stdout)
    assert (r.returncode, said["command"], said["ok"]) == (1, "reload", False) and "nonsense" in said["error"]
    s.write_conf(CONF.format("three"))
    r = run_cli("reload", "--control", s.control, "--json")
    said = json.loads(r.stdout)
    assert (r.returncode, said["ok"], said["error"]) == (0, True, None) and said["progress"]


def test_reload_with_another_number_of_workers(reloadable):
    """pm.max_children changes with a reload."""
    s = reloadable
    s.write_conf(CONF.format("two").replace("= 2", "= 3"))
    s.signal(signal.SIGHUP)
    wait_until(lambda: len(s.pids("worker")) == 3 and s.fetch("/ua.php").text == "two", what="three workers")


def test_reload_reopens_a_moved_application(site, start):
    """A document root behind a link that was switched is the new one after a reload."""
    for n in ("r1", "r2"):
        (site.base / n).mkdir()
        (site.base / n / "index.php").write_text(f"<?php echo '{n}';")
    (site.base / "current").symlink_to("r1")
    s = start(directory=site.base / "current")
    assert s.fetch("/").text == "r1"
    (site.base / "new").symlink_to("r2")
    os.rename(site.base / "new", site.base / "current")
    s.signal(signal.SIGHUP)
    wait_until(lambda: s.fetch("/").text == "r2", what="the new release")


def test_ten_reloads_leave_no_trace(reloadable):
    """Many reloads in a row leave two workers, one mold, one edge, and no descriptor of the old ones in the master."""
    s = reloadable

    def reload(n):
        for _ in range(n):
            assert run_cli("reload", "--control", s.control).returncode == 0
        wait_until(lambda: len(s.status()["processes"]) == 5, what="five processes")
        wait_until(lambda: len(session_pids(s.session)) == 5, what="five processes in fact")
        return n_descriptors(s.pid)
    first = reload(2)
    last = reload(8)
    wait_until(lambda: n_descriptors(s.pid) <= first, what=f"{first} descriptors of the master; it had {last}")


# -- logs --------------------------------------------------------------------------------------------------------------
def test_usr1_reopens_logs(site, start):
    """USR1 reopens access and error log, so that logrotate can move them."""
    site.scripts()
    site.php("log.php", "error_log('line-' . $_GET['n']);")
    s = start()
    s.fetch("/log.php?n=before")
    s.access_log.wait_for("n=before")
    for log in (s.access_log, s.error_log):
        os.rename(log.path, str(log.path) + ".1")
    s.signal(signal.SIGUSR1)
    wait_until(lambda: s.access_log.path.exists() and s.error_log.path.exists(), what="new log files")

    def arrives():
        s.fetch("/log.php?n=after")
        return s.error_log.find("line-after")
    wait_until(arrives, what="PHP's line in the new log")
    s.access_log.wait_for("n=after")
    for pid in s.pids("worker"):
        assert alive(pid)


# -- upgrade -----------------------------------------------------------------------------------------------------------
def upgrade(s, pid_file):
    old = int(pid_file.read_text())
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() not in ("", str(old)), DEADLINE * 2, "the new master's pid file")
    wait_until(lambda: not alive(old), DEADLINE * 2, "the old master's end")
    return int(pid_file.read_text())


def test_upgrade(site, start):
    """USR2: a new master on the same sockets; the old one exits with 0 when the new one is ready; a running request is finished."""
    site.scripts()
    pid_file = site.scratch / "pid"
    s = start(args=("--pid", pid_file), shutdown_timeout="60s")
    c, go = hold(s, site)
    old = s.pid
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() not in ("", str(old)), DEADLINE * 2, "the new master")
    assert s.fetch("/hello.php").body == b"hello"
    go.touch()
    assert c.response().text.startswith("held")
    assert s.wait_exit() == 0
    new = int(pid_file.read_text())
    assert s.fetch("/hello.php").body == b"hello"
    assert s.status()["processes"]
    assert run_cli("status", "--control", s.control).returncode == 0
    os.kill(new, signal.SIGTERM)
    wait_until(lambda: not session_pids(s.session), what="the new server's end")


def test_upgrade_loses_nothing(site, start):
    """Upgrades under load: not one request fails."""
    site.scripts()
    pid_file = site.scratch / "pid"
    s = start(args=("--pid", pid_file))
    with Load(s.listen) as load:
        for _ in range(2):
            upgrade(s, pid_file)
            load.wait_more(100)
    assert not load.problems, load.problems[:3]
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_until(lambda: not session_pids(s.session), what="the end")


def test_upgrade_to_a_binary_that_fails(site, start):
    """A new master that does not come up leaves the old one serving."""
    site.scripts()
    s = start(conf="[pool www]\nphp_value[user_agent] = one\n")
    s.write_conf("[pool www]\nnonsense = 1\n")
    s.signal(signal.SIGUSR2)
    s.error_log.wait_for(r"(?i)nonsense|upgrade.*(fail|not)|new (master|binary|server)") if not s.stderr.find("nonsense") else None
    for _ in range(5):
        assert s.fetch("/hello.php").body == b"hello"
    assert s.proc.poll() is None
    s.write_conf("[pool www]\n")


# -- commands ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["status", "reload", "stop"])
def test_no_server(site, command):
    """status, reload and stop without a server: exit 6, and the socket is named."""
    r = run_cli(command, "--control", site.scratch / "none.sock")
    assert r.returncode == 6 and "none.sock" in r.stderr


def test_stop_by_command(site, start):
    """`plimsoll stop` drains and ends the server."""
    site.scripts()
    s = start()
    assert run_cli("stop", "--control", s.control).returncode == 0
    assert s.wait_exit() == 0


def test_stop_by_command_tells_of_cut_requests(site, start):
    """As the server itself: 7 where the deadline passed and requests were cut."""
    site.scripts()
    s = start(shutdown_timeout="1s", exit_code=7)
    c, _ = hold(s, site)
    r = run_cli("stop", "--control", s.control, "--json")
    assert r.returncode == 7 and json.loads(r.stdout)["error"] == "the drain deadline passed and requests were cut"
    assert s.wait_exit() == 7
    c.close()


def test_status_by_command(site, start):
    """`plimsoll status` shows processes and the current request; --json is the admin listener's."""
    site.scripts()
    s = start()
    _, go = hold(s, site)
    text = run_cli("status", "--control", s.control)
    assert text.returncode == 0 and "worker" in text.stdout and "hold.php" in text.stdout
    data = json.loads(run_cli("status", "--control", s.control, "--json").stdout)
    assert {p["role"] for p in data["processes"]} == {"master", "edge", "mold", "worker"}
    assert set(data) == set(s.status())
    go.touch()


def test_control_socket_finds_through_the_file(site, start):
    """-c FILE names the control socket for the commands too."""
    site.scripts()
    control = site.scratch / "c.sock"
    s = start(conf="[global]\nlog_level = notice\n")
    other = site.base / "cli.conf"
    other.write_text(f"[global]\ncontrol = {s.control}\n")
    assert run_cli("status", "-c", other).returncode == 0
    assert not control.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_control_socket_checks_the_peer(site, start):
    """Another user is not answered on the control socket, even if he can reach it."""
    site.scripts()
    s = start()
    os.chmod(s.control, 0o777)
    r = run_cli("stop", "--control", s.control, user="nobody")
    assert r.returncode != 0
    assert s.fetch("/hello.php").body == b"hello" and s.proc.poll() is None


def test_nonsense_on_the_control_socket(site, start):
    """Garbage on the control socket harms nothing."""
    site.scripts()
    s = start()
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        for data in (b"", b"x", b"status", b"\0" * 5000, os.urandom(3000)):
            try:
                with socket.socket(socket.AF_UNIX, kind) as c:
                    c.settimeout(DEADLINE)
                    c.connect(s.control)
                    c.send(data)
            except OSError:
                pass
    assert run_cli("status", "--control", s.control).returncode == 0


# -- systemd -----------------------------------------------------------------------------------------------------------
ACTIVATE = """
import os, socket, sys
for fd in (20, 21):
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); os.dup2(s.fileno(), fd)
    print(s.getsockname()[1], flush=True)
os.dup2(20, 3); os.dup2(21, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='http:admin')
os.closerange(20, 22)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_socket_activation(site):
    """A socket that systemd passes (LISTEN_FDS) is served; one named admin is the admin listener, after a reload too."""
    site.scripts()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL")}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    with open(site.logs / "activated.log", "w") as err:
        p = subprocess.Popen([sys.executable, "-c", ACTIVATE, str(BINARY), "serve", str(site.app), "--control", str(site.scratch / "c.sock"), "--root", "."],
                             stdout=subprocess.PIPE, stderr=err, text=True, env=env, start_new_session=True)
    try:
        port, admin = int(p.stdout.readline()), int(p.stdout.readline())
        r = fetch(f"127.0.0.1:{port}", "/hello.php", deadline=DEADLINE)
        assert r.body == b"hello"  # the edge answers as soon as it can; that all is ready the master says a moment later
        wait_until(lambda: fetch(f"127.0.0.1:{admin}", "/readyz", deadline=DEADLINE).status == 200, what="readiness")
        assert run_cli("reload", "--control", site.scratch / "c.sock").returncode == 0
        assert fetch(f"127.0.0.1:{admin}", "/readyz", deadline=DEADLINE).status == 200
        # The listening default (:8080) is not opened beside it, nor is the variable passed on to scripts.
        env = fetch(f"127.0.0.1:{port}", "/echo.php").json()["env"]
        assert "LISTEN_FDS" not in env and "LISTEN_PID" not in env
    finally:
        p.terminate()
        assert p.wait(DEADLINE) == 0
        wait_until(lambda: not session_pids(p.pid), what="the end of all processes")


def test_sd_notify(site, start):
    """READY=1 when it answers, RELOADING=1 and READY=1 at a reload, STOPPING=1 at the end."""
    site.scripts()
    path = str(site.scratch / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as n:
        n.bind(path)
        os.chmod(path, 0o777)
        n.settimeout(DEADLINE)
        s = start(env={"NOTIFY_SOCKET": path}, conf="[global]\n")

        def until(word):
            seen = []
            while True:
                seen.append(n.recv(4096).decode())
                if word in seen[-1].split("\n"):
                    return seen
        until("READY=1")
        assert "NOTIFY_SOCKET" not in s.fetch("/echo.php").json()["env"]
        s.signal(signal.SIGHUP)
        until("RELOADING=1")
        until("READY=1")
        s.signal(signal.SIGTERM)
        until("STOPPING=1")
        assert s.wait_exit() == 0
