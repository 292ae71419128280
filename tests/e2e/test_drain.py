# SPDX-License-Identifier: Apache-2.0
"""What an edge that is replaced or ends owes to those it accepted, on the admin listener as well; and what it leaves behind."""
import contextlib
import os
import signal
import threading
import time

import pytest

from harness import DEADLINE, alive, run_cli, wait_until
from rawhttp import Closed, Conn, build, fetch
from test_lifecycle import hold, upgrade


def accepted(s, n):
    """Waits until the edge has accepted n more connections than the one that asks."""
    wait_until(lambda: s.counter("connections_open") >= n + 1, what=f"{n} accepted connections")


def reload(s):
    r = run_cli("reload", "--control", s.control)
    assert r.returncode == 0, r


class AdminLoad:
    """Asks the admin listener without pause, each time over a new connection, and keeps every failure."""

    def __init__(self, listen, targets=("/metrics", "/status", "/healthz", "/")):
        self.listen, self.targets, self.stop_event = listen, targets, threading.Event()
        self.ok, self.problems = [0] * len(targets), []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(len(targets))]

    def __enter__(self):
        for t in self.threads:
            t.start()
        self.wait_more(20)
        return self

    def __exit__(self, *exc):
        self.stop_event.set()
        for t in self.threads:
            t.join()

    def wait_more(self, n):
        have = sum(self.ok)
        wait_until(lambda: sum(self.ok) >= have + n or self.problems, DEADLINE * 2, f"{n} more answers")

    def run(self, i):
        while not self.stop_event.is_set() and not self.problems:
            try:
                r = fetch(self.listen, self.targets[i], deadline=DEADLINE)
                if r.status == 200:
                    self.ok[i] += 1
                else:
                    self.problems.append(repr(r))
            except (Closed, OSError, AssertionError) as e:
                self.problems.append(f"{self.targets[i]}: {e!r}")


# -- the admin listener ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("admin", ["unix", "127.0.0.1:0"])
def test_reload_answers_an_admin_connection_it_accepted(site, start, admin):
    """An admin connection that the replaced edge accepted is answered, whenever its request comes."""
    site.scripts()
    s = start(admin=admin)
    edge = s.pids("edge")[0]
    with Conn(s.admin, DEADLINE) as late, Conn(s.admin, DEADLINE) as half:
        half.send(b"GET /healthz HTTP/1.1\r\n")
        accepted(s, 2)
        reload(s)
        wait_until(lambda: edge not in s.pids("edge", state="idle"), what="the drain")
        half.send(b"Host: localhost\r\n\r\n")
        assert half.response().body == b"ok\n"
        late.send(build("GET", "/status"))
        r = late.response()
        assert r.status == 200 and r.closes and edge in [p["pid"] for p in r.json()["processes"]]
    wait_until(lambda: not alive(edge), what="the replaced edge's end")


def test_upgrade_answers_an_admin_connection_it_accepted(site, start):
    """The same when a new master takes over."""
    site.scripts()
    pid_file = site.scratch / "pid"
    s = start(args=("--pid", pid_file))
    with Conn(s.admin, DEADLINE) as late:
        accepted(s, 1)
        os.kill(s.pid, signal.SIGUSR2)
        wait_until(lambda: pid_file.read_text().strip() not in ("", str(s.pid)), DEADLINE * 2, "the new master")
        late.send(build("GET", "/healthz"))
        assert late.response().body == b"ok\n"
    assert s.wait_exit() == 0
    os.kill(int(pid_file.read_text()), signal.SIGTERM)


def test_admin_connections_in_the_kernels_queue_are_answered_at_the_end(site, start):
    """TERM loses no admin request of a connection that the kernel had accepted and the edge had not."""
    site.scripts()
    s = start()
    edge = s.pids("edge")[0]
    os.kill(edge, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Conn(s.admin, DEADLINE)) for _ in range(400)]
        for c in clients:
            c.send(build("GET", "/metrics"))
        os.kill(s.pid, signal.SIGTERM)
        os.kill(edge, signal.SIGCONT)
        for c in clients:
            r = c.response()
            assert r.status == 200 and r.body.endswith(b"# EOF\n")
    assert s.wait_exit() == 0


def test_admin_answers_through_many_reloads(site, start):
    """Reloads and an upgrade with admin requests all the while: none is reset."""
    site.scripts()
    pid_file = site.scratch / "pid"
    s = start(args=("--pid", pid_file))
    with AdminLoad(s.admin) as load:
        for _ in range(8):
            reload(s)
            load.wait_more(20)
        upgrade(s, pid_file)
        load.wait_more(50)
    assert not load.problems, load.problems[:3]
    os.kill(int(pid_file.read_text()), signal.SIGTERM)


# -- connections without a request yet -----------------------------------------------------------------------------------
def test_stop_waits_a_moment_for_a_first_request(site, start):
    """A connection that is made just before the end, and whose request is on its way, is answered; a kept one is closed."""
    site.scripts("hello.php")
    for _ in range(5):  # the moment is a second, which a machine may well sleep through
        s = start(shutdown_timeout="30s")
        with Conn(s.listen, DEADLINE) as new, Conn(s.listen, DEADLINE) as kept:
            assert kept.get("/hello.php").status == 200
            accepted(s, 2)
            s.signal(signal.SIGTERM)
            kept.expect_close()
            try:
                new.send(build("GET", "/hello.php"))
                r = new.response()
            except (Closed, OSError):
                assert s.wait_exit() == 0
                continue
            assert r.body == b"hello" and r.closes
        assert s.wait_exit() == 0
        return
    raise AssertionError("never answered")


# -- what a reload gives up ----------------------------------------------------------------------------------------------
def test_reload_frees_an_address_it_no_longer_names(site, start):
    """An address that the new configuration lacks refuses at once, whatever still runs; what its queue holds is answered."""
    site.scripts()
    conf = "[global]\nlisten = 127.0.0.1:0\nlisten = unix:{}\n"
    path = site.scratch / "second.sock"
    s = start(listen=(), conf=conf.format(path), shutdown_timeout="30s")
    held, go = hold(s, site)
    edge = s.pids("edge")[0]
    s.write_conf("[global]\nlisten = 127.0.0.1:0\n")
    reload(s)
    wait_until(lambda: not path.exists(), what="the socket file's end")
    with pytest.raises(OSError):
        Conn(f"unix:{path}")
    assert s.fetch("/hello.php").body == b"hello" and alive(edge)
    s.write_conf(conf.format(path))
    reload(s)
    assert fetch(f"unix:{path}", "/hello.php").body == b"hello"
    go.touch()
    assert held.response().text.startswith("held")


def test_reload_answers_the_queue_of_an_address_it_no_longer_names(site, start):
    """Connections that waited in the kernel's queue of such an address are answered."""
    site.scripts()
    path = site.scratch / "second.sock"
    s = start(listen=(), conf=f"[global]\nlisten = 127.0.0.1:0\nlisten = unix:{path}\n", shutdown_timeout="30s")
    edge = s.pids("edge")[0]
    os.kill(edge, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Conn(f"unix:{path}", DEADLINE)) for _ in range(400)]
        for c in clients:
            c.send(build("GET", "/hello.php"))
        s.write_conf("[global]\nlisten = 127.0.0.1:0\n")
        reload(s)
        os.kill(edge, signal.SIGCONT)
        for c in clients:
            assert c.response().body == b"hello"


def test_reload_forks_no_worker_for_what_drains(site, start):
    """A reload starts as many workers as the pool has, and not one more."""
    site.scripts("hello.php")
    s = start(workers=3)
    s.wait_workers(3)
    for n in range(1, 6):
        reload(s)
        s.wait_counter("workers_started", 3 * (n + 1))
        wait_until(lambda: len(s.status()["processes"]) == 6, what="the old generation's end")
        assert s.counter("workers_started") == 3 * (n + 1)
    # Told to leave one by one, before the service is over, they would each be replaced.
    assert s.counter("worker_ends", reason="orderly") == 0 and s.counter("worker_ends", reason="shutdown") == 15


def linger(s, site, n):
    """A request that runs on in each of the next n generations, with a reload behind each."""
    held = []
    for i in range(n):
        held.append(hold(s, site, f"linger-{n}-{i}"))
        reload(s)
    return held


def test_replaced_edge_that_hangs_is_killed(site, start):
    """A replaced edge that does not end within the time it was given is killed, and its workers go with it."""
    site.scripts()
    s = start(shutdown_timeout="300ms", exit_code=None)
    old = s.pids("edge") + s.pids("mold") + s.pids("worker")
    os.kill(old[0], signal.SIGSTOP)
    reload(s)
    linger(s, site, 2)  # the third replaced generation makes the first one's time finite
    s.error_log.wait_for(rf"edge \(pid {old[0]}\) does not end")
    wait_until(lambda: not any(alive(p) for p in old), what="the end of all of it")
    assert s.fetch("/hello.php").body == b"hello"


def test_frequent_reloads_do_not_put_off_the_end_of_what_lingers(site, start):
    """The time that the oldest of the replaced generations gets is not begun anew with every further reload."""
    site.scripts()
    s = start(shutdown_timeout="2s", exit_code=None)
    edge = s.pids("edge")[0]
    held = linger(s, site, 3)
    end = time.monotonic() + DEADLINE
    while alive(edge):
        assert time.monotonic() < end, "the first edge is still there"
        reload(s)
    with pytest.raises((Closed, OSError)):
        held[0][0].response()
