# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a process costs the request that it was running, and nothing else; its cause is logged."""
import contextlib
import os
import re
import signal
import threading

import pytest

from harness import ASAN, DEADLINE, IS_ROOT, alive, proc_status, session_pids, stat_of, wait_until
from rawhttp import Closed, build, fetch


def held(s, site, name="h"):
    """A request that is running: (connection, file that lets it go, pid of its worker)."""
    mark, go = site.scratch / f"{name}-mark", site.scratch / f"{name}-go"
    c = s.conn(deadline=DEADLINE)
    c.send(build("GET", f"/hold.php?file={go}&mark={mark}"))
    wait_until(mark.exists, what="the script's start")
    pid = wait_until(lambda: next((p["pid"] for p in s.processes("worker") if p["state"] == "busy" and f"{name}-go" in str(p)), None), what="the busy worker in status")
    return c, go, pid


@pytest.fixture
def server(site, start):
    site.scripts()
    s = start(workers=2)
    s.wait_workers(2)
    return s


# -- workers -----------------------------------------------------------------------------------------------------------
def test_processes_are_seen(server):
    """status shows master, edge, mold and workers, and they are who they say."""
    roles = {p["role"] for p in server.status()["processes"]}
    assert roles == {"master", "edge", "mold", "worker"}
    for p in server.status()["processes"]:
        assert alive(p["pid"])
        if p["role"] != "master":
            assert stat_of(p["pid"])["ppid"] == server.pid, f"{p['role']} is no child of the master"
    assert server.pids("master") == [server.pid]


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_killed_worker_costs_its_request(server, site, sig):
    """A worker that is killed in a request: 502 for that one, the cause with script and URI in the log, a new worker."""
    c, _, pid = held(server, site)
    other, go, _ = held(server, site, "o")
    os.kill(pid, sig)
    r = c.response()
    assert r.status == 502
    line = server.error_log.wait_for(rf"signal {int(sig)}\b|{sig.name}")
    assert "hold.php" in line and "h-go" in line
    server.wait_workers(1)
    go.touch()
    assert other.response().text.startswith("held")
    workers = server.wait_workers(2)
    assert pid not in workers
    assert server.counter("worker_ends", reason="signal") == 1


def test_request_that_no_worker_read_goes_to_another(site, start):
    """A worker that dies before it reads its request costs nothing: the request goes to its successor."""
    site.scripts("hello.php")
    s = start(workers=2)
    wait_until(lambda: len(s.pids("worker")) == 2, what="two workers")
    stopped = s.pids("worker")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    # Only a worker that has stopped can't read the request any more.
    wait_until(lambda: all(stat_of(pid)["state"] == "T" for pid in stopped), what="the workers' stop")
    with s.conn(deadline=DEADLINE) as c:
        c.send(build("GET", "/hello.php"))
        wait_until(lambda: any(p["state"] == "busy" for p in s.processes("worker")), what="the request is given to a worker")
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
        r = c.response()
        assert r.status == 200 and r.body == b"hello"
    assert "while it ran" not in s.error_log.text


def test_killed_worker_after_the_answer_began(server, site):
    """If the answer had begun the connection is cut, so that the client sees that it is incomplete."""
    go = site.scratch / "never"
    site.php("begun.php", f"echo str_repeat('x', 1000), getmypid(); flush(); while (!file_exists('{go}')) usleep(10000);")
    with server.conn() as c:
        c.send(build("GET", "/begun.php"))
        r, _ = c.response_head()
        pieces = c.body_pieces(r)
        pid = int(next(pieces).lstrip(b"x"))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Closed):
            list(pieces)
    server.wait_workers(2)


def test_killed_idle_worker_is_replaced(server):
    """An idle worker that dies is replaced, and no request fails for it."""
    old = server.pids("worker")
    kill_all(old)
    wait_until(lambda: not set(old) & set(server.pids("worker")), what="the old ones' end")
    for _ in range(20):
        assert server.fetch("/hello.php").body == b"hello"
    server.wait_workers(2)


def test_workers_killed_under_load(server):
    """Workers that are killed again and again fail only requests with 502; the rest is answered."""
    stop = threading.Event()
    results, problems = [], []

    def client():
        try:
            with server.conn(deadline=DEADLINE) as c:
                while not stop.is_set():
                    results.append(c.get("/hello.php").status)
        except Exception as e:
            problems.append(repr(e))
    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(4):  # a fifth within ten seconds, if all hit an idle worker, would be a reason to pause
        n = len(results)
        wait_until(lambda: len(results) > n + 75 or problems, what="requests")
        for pid in server.pids("worker")[:1]:
            with contextlib.suppress(ProcessLookupError):  # the one killed before, that the master has yet to miss
                os.kill(pid, signal.SIGKILL)
    stop.set()
    for t in threads:
        t.join()
    assert not problems and set(results) <= {200, 502, 503}
    assert results.count(200) > 200
    assert sum(r != 200 for r in results) <= 4


OVERFLOWS = {
    # Recursion in C, one PHP frame or none: overflows the C stack in PHP 8.2.
    "compare": "$a = $b = []; for ($i = 0; $i < 1000000; $i++) { $a = [$a]; $b = [$b]; } echo $a == $b;",
    "count": "$a = []; for ($i = 0; $i < 2000000; $i++) $a = [$a]; echo count($a, COUNT_RECURSIVE);",
    "serialize": "$a = []; for ($i = 0; $i < 3000000; $i++) $a = [$a]; serialize($a);",
    "destructor": "class N { public $n; } $h = null; for ($i = 0; $i < 5000000; $i++) { $n = new N; $n->n = $h; $h = $n; } $h = null;",
    "sort": "function f($a, $b) { $x = [2, 1]; usort($x, 'f'); return 0; } $x = [2, 1]; usort($x, 'f');",
    "tostring": "class A { function __toString() { return (string)new A . ''; } } echo new A;",
}


@pytest.mark.parametrize("how", sorted(OVERFLOWS))
def test_c_stack_overflow(server, site, how):
    """A script that overflows the C stack costs its own request: 502 (or PHP's own 500), SIGSEGV in the log."""
    site.php("deep.php", "ini_set('memory_limit', '-1'); " + OVERFLOWS[how] + " echo 'survived';")
    r = server.fetch("/deep.php", deadline=DEADLINE * 2)
    if r.status == 502:
        line = server.error_log.wait_for(r"signal 11|SIGSEGV")
        assert "deep.php" in line
    else:
        assert r.status in (200, 500)
        if how in ("sort", "tostring"):  # since 8.3 PHP notices where its stack ends
            assert r.status == 500 and server.error_log.wait_for("Maximum call stack size")
    server.wait_workers(2)
    assert server.fetch("/hello.php").body == b"hello"


@pytest.fixture
def ffi(site, start):
    site.scripts()
    site.php("has_ffi.php", "echo (int)class_exists('FFI');")
    s = start(workers=2, args=("-d", "ffi.enable=1"))
    if s.fetch("/has_ffi.php").text != "1":
        pytest.skip("this PHP has no FFI")
    s.wait_workers(2)
    return s


def test_process_that_exits_in_a_request(ffi, site):
    """A library that calls _exit: 502, and the log says exit with its code, script and URI."""
    site.php("die.php", "FFI::cdef('void _exit(int);')->_exit(7);")
    assert ffi.fetch("/die.php?who").status == 502
    line = ffi.error_log.wait_for(r"exited.*7|exit.*code 7|status 7")
    assert "die.php" in line
    ffi.wait_workers(2)
    assert ffi.fetch("/hello.php").body == b"hello"


# -- a worker that attacks ---------------------------------------------------------------------------------------------
FFI_HEAD = """
$c = FFI::cdef('
    int ftruncate(int, long); int open(const char *, int); long write(int, const void *, unsigned long); int close(int); long send(int, const void *, unsigned long, int);
    void *mmap(void *, unsigned long, int, int, int, long); void *memset(void *, int, unsigned long); int fallocate(int, int, long, long); int shutdown(int, int); int dup2(int, int);
    int kill(int, int); int *__errno_location(void); int getppid(void); int ptrace(int, int, void *, void *); void raise(int);
');
$fds = []; foreach (scandir('/proc/self/fd') as $f) if (is_numeric($f)) $fds[(int)$f] = (string)@readlink("/proc/self/fd/$f");
$maps = []; foreach (file('/proc/self/maps') as $l) if (preg_match('~^([0-9a-f]+)-([0-9a-f]+) (....) .*memfd:(?!opcache)~', $l, $m)) $maps[] = [hexdec($m[1]), hexdec($m[2]), $m[3]];
$memfds = array_keys(array_filter($fds, fn($t) => str_contains($t, 'memfd:') && !str_contains($t, 'memfd:opcache')));
$sockets = array_keys(array_filter($fds, fn($t) => str_starts_with($t, 'socket:')));
"""


def test_worker_truncates_its_memory(ffi, site):
    """A worker can't shrink the shared memory (sealed): ftruncate and hole punching harm only itself, the edge lives."""
    site.php("trunc.php", FFI_HEAD + """
        $r = [];
        foreach ($memfds as $fd) { $r[] = $c->ftruncate($fd, 0); $r[] = $c->fallocate($fd, 3, 0, 1 << 20); }
        echo json_encode($r);""")
    edge = ffi.pids("edge")
    for _ in range(3):
        try:
            r = ffi.fetch("/trunc.php")
            assert r.status in (200, 502), r
            if r.status == 200 and r.json():
                assert r.json()[0] == -1, "the memory could be shrunk"
        except Closed:
            pass
    ffi.wait_workers(2)
    assert ffi.fetch("/hello.php").body == b"hello"
    assert ffi.pids("edge") == edge


@pytest.mark.parametrize("value", [0, 0x41, 0xff])
def test_worker_scribbles_over_its_memory(ffi, site, value):
    """A worker that overwrites all of its shared memory spoils its own answer; the edge lives and others are served."""
    site.php("scribble.php", FFI_HEAD + f"""
        echo 'before'; flush();
        foreach ($maps as [$a, $b, $p]) if ($p[1] === 'w') $c->memset($c->cast('void *', $a), {value}, $b - $a);
        echo str_repeat('after', 100000);""")
    edge = ffi.pids("edge")
    for _ in range(3):
        with ffi.conn() as c:
            c.send(build("GET", "/scribble.php"))
            try:
                c.response()
            except (Closed, AssertionError):
                pass
    ffi.wait_workers(2)
    for _ in range(10):
        assert ffi.fetch("/hello.php").body == b"hello"
    assert ffi.pids("edge") == edge


def test_worker_scribbles_while_the_edge_reads(ffi, site):
    """A child of a worker that keeps overwriting the shared memory gets no further than that worker's answers."""
    site.php("racer.php", FFI_HEAD + """
        $pid = pcntl_fork();
        if (!$pid) { $end = microtime(true) + 1.5; while (microtime(true) < $end)
            foreach ($maps as [$a, $b, $p]) if ($p[1] === 'w') $c->memset($c->cast('void *', $a), random_int(0, 255), $b - $a); $c->kill(getmypid(), 9); }
        echo 'racing'; fastcgi_finish_request();""")
    edge = ffi.pids("edge")
    with ffi.conn() as c:
        c.send(build("GET", "/racer.php"))
        try:
            c.response()
        except (Closed, AssertionError):
            pass
    for _ in range(60):
        with ffi.conn() as c:
            c.send(build("GET", "/hello.php"))
            try:
                c.response()
            except (Closed, AssertionError):
                pass
    assert ffi.pids("edge") == edge, "the edge died"


def test_worker_talks_nonsense_on_its_channels(ffi, site):
    """Garbage messages from a worker end that worker ('protocol'), nobody else."""
    site.php("noise.php", FFI_HEAD + """
        foreach ($sockets as $fd) for ($i = 0; $i < 20; $i++) { $s = random_bytes(random_int(1, 600)); $c->send($fd, $s, strlen($s), 0x4000); }
        echo 'noise';""")
    edge = ffi.pids("edge")
    for _ in range(3):
        try:
            assert ffi.fetch("/noise.php").status in (200, 502)
        except Closed:
            pass
    ffi.wait_workers(2)
    assert ffi.fetch("/hello.php").body == b"hello"
    assert ffi.pids("edge") == edge and alive(ffi.pid)


def test_worker_closes_its_channels(ffi, site):
    """A worker that closes its descriptors is replaced."""
    site.php("closer.php", FFI_HEAD + "foreach ($sockets as $fd) $c->close($fd); echo 'closed';")
    try:
        assert ffi.fetch("/closer.php").status in (200, 502)
    except Closed:
        pass
    ffi.wait_workers(2)
    assert ffi.fetch("/hello.php").body == b"hello"


def test_worker_cannot_reach_the_others(ffi, site):
    """A worker can neither kill nor trace master and edge where they run as others, nor read the master's memory."""
    site.php("attack.php", FFI_HEAD + """
        $r = []; $master = posix_getppid();
        foreach (explode(',', $_GET['pids']) as $pid) $r[$pid] = [@file_get_contents("/proc/$pid/environ") === false, @file_get_contents("/proc/$pid/maps") === false,
            (int)$c->ptrace(16, (int)$pid, null, null)];
        echo json_encode($r);""")
    pids = [ffi.pid] + ffi.pids("edge")
    r = ffi.fetch(f"/attack.php?pids={','.join(map(str, pids))}").json()
    for pid, (environ, maps, traced) in r.items():
        assert environ and maps and traced == -1, f"{pid} is open to a worker"


# -- deadlines ---------------------------------------------------------------------------------------------------------
def test_read_timeout(site, start):
    """sleep(60) against read_timeout = 3s: 504, the worker is replaced, script and URI are in the log, others go on."""
    site.scripts()
    site.php("sleep.php", "sleep(60);")
    s = start(workers=2, args=("--read-timeout", "3s"))
    old = s.wait_workers(2)
    with s.conn(deadline=DEADLINE) as c:
        c.send(build("GET", "/sleep.php?marker"))
        assert s.fetch("/hello.php").body == b"hello"
        assert c.response().status == 504
    line = s.error_log.wait_for(r"read_timeout")
    assert "sleep.php" in line and "marker" in line
    new = s.wait_workers(2)
    assert len(set(old) & set(new)) == 1
    assert s.counter("worker_ends", reason="read_timeout") == 1
    assert s.fetch("/hello.php").body == b"hello"


def test_read_timeout_counts_silence(site, start):
    """A script that keeps sending is not silent: read_timeout leaves it alone."""
    site.php("slow.php", "for ($i = 0; $i < 10; $i++) { echo $i; flush(); usleep(350000); }")
    s = start(args=("--read-timeout", "3s"))
    assert s.fetch("/slow.php").text == "0123456789"


def test_read_timeout_after_the_answer_began(site, start):
    """Silence after the answer began: the connection is cut."""
    site.php("stall.php", "echo 'x'; flush(); sleep(60);")
    s = start(args=("--read-timeout", "2s"))
    with s.conn(deadline=DEADLINE) as c:
        c.send(build("GET", "/stall.php"))
        r, _ = c.response_head()
        with pytest.raises(Closed):
            list(c.body_pieces(r))
    s.wait_workers(2)


@pytest.mark.parametrize("name,code", [("loop", "set_time_limit(0); while (true);"), ("io", "set_time_limit(0); $s = stream_socket_server('tcp://127.0.0.1:0'); stream_socket_accept($s, 600);"),
                                       ("talking", "set_time_limit(0); while (true) { echo 'x'; flush(); usleep(10000); }"),
                                       ("ignoring", "set_time_limit(0); pcntl_async_signals(true); foreach ([1,2,3,15,10,12] as $n) pcntl_signal($n, function () {}); while (true);")])
def test_request_terminate_timeout(site, start, name, code):
    """request_terminate_timeout ends an endless loop, blocking I/O, an endless talker and one that ignores signals."""
    site.scripts()
    site.php(f"{name}.php", code)
    s = start(workers=1, args=("--request-terminate-timeout", "2s"))
    with s.conn(deadline=DEADLINE) as c:
        c.send(build("GET", f"/{name}.php?marker"))
        r, _ = c.response_head()
        if r.status == 200:
            with pytest.raises(Closed):
                list(c.body_pieces(r))
        else:
            assert r.status == 504
    line = s.error_log.wait_for("request_terminate_timeout")
    assert f"{name}.php" in line and "marker" in line
    assert s.fetch("/hello.php").body == b"hello"
    assert s.counter("worker_ends", reason="terminate_timeout") == 1


def test_request_terminate_timeout_after_finish(site, start):
    """It also ends a script that goes on after fastcgi_finish_request()."""
    site.scripts()
    site.php("after.php", "echo 'done'; fastcgi_finish_request(); sleep(60);")
    s = start(workers=1, args=("--request-terminate-timeout", "2s"))
    assert s.fetch("/after.php").text == "done"
    s.error_log.wait_for("request_terminate_timeout.*after.php|after.php.*request_terminate_timeout")
    assert s.fetch("/hello.php").body == b"hello"


# -- backoff -----------------------------------------------------------------------------------------------------------
def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_workers_that_keep_dying(site, start):
    """Five deaths in 10 s outside a request: backoff, 503 with Retry-After meanwhile, at last a new generation that serves."""
    site.scripts()
    s = start(workers=1)
    s.wait_workers(1)
    mold, refusals = s.pids("mold"), []

    def new_mold():
        workers = s.pids("worker")
        kill_all(workers)
        if not workers:
            r = s.fetch("/hello.php")
            if r.status == 503:
                refusals.append(int(r.get("Retry-After")))
        return s.pids("mold") and s.pids("mold") != mold
    wait_until(new_mold, 30 + DEADLINE, "a new generation")
    assert refusals and min(refusals) >= 1
    s.error_log.wait_for(r"keep dying")
    wait_until(lambda: s.fetch("/hello.php").status == 200, 20 + DEADLINE, "service after the backoff")


def test_deaths_in_requests_are_no_reason_to_pause(site, start):
    """A script that kills its worker each time costs its own requests only: no backoff for others."""
    site.scripts()
    site.php("suicide.php", "posix_kill(getmypid(), 9);")
    s = start(workers=1)
    for _ in range(8):
        assert s.fetch("/suicide.php").status == 502
        assert s.fetch("/hello.php").status == 200


@pytest.fixture
def memory_cgroup():
    """A memory cgroup (v1) of 256 MB for a whole server."""
    path = f"/sys/fs/cgroup/memory/plimsoll-e2e-{os.getpid()}"
    try:
        os.makedirs(path, exist_ok=True)
        open(f"{path}/memory.limit_in_bytes", "w").write(str(256 << 20))
    except OSError:
        pytest.skip("no cgroup can be made here")
    yield path
    wait_until(lambda: not open(f"{path}/cgroup.procs").read(), what="an empty cgroup")
    os.rmdir(path)


@pytest.mark.skipif(ASAN, reason="the sanitizer's own memory does not fit")
def test_out_of_memory(memory_cgroup, workshop, site, start):
    """A worker that the kernel kills for want of memory costs its request; the log says so."""
    site.scripts()
    site.php("eat.php", "ini_set('memory_limit', '-1'); $s = []; while (true) $s[] = str_repeat(random_bytes(1024), 1024);")
    s = start(workers=1, cgroup=memory_cgroup)
    assert s.fetch("/eat.php?much", deadline=DEADLINE * 2).status == 502
    line = s.error_log.wait_for("out of memory")
    assert "eat.php" in line
    assert s.fetch("/hello.php").body == b"hello"
    assert s.counter("worker_ends", reason="oom") == 1
    s.stop()


# -- mold, edge, master ------------------------------------------------------------------------------------------------
def test_mold_killed(server, site):
    """A dead mold is replaced; running requests go on, none fails."""
    c, go, pid = held(server, site)
    mold = server.pids("mold")[0]
    os.kill(mold, signal.SIGKILL)
    for _ in range(10):
        assert server.fetch("/hello.php").body == b"hello"
    wait_until(lambda: server.pids("mold") and mold not in server.pids("mold"), what="a new mold")
    go.touch()
    assert c.response().text == f"held {pid}"
    wait_until(lambda: len(server.pids("worker")) == 2 and pid not in server.pids("worker"), what="retired old workers")
    assert server.fetch("/hello.php").body == b"hello"
    assert server.counter("molds_lost") == 1


def holds_memory_of_a_worker(pid):
    folder = f"/proc/{pid}/fd"
    links = []
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"{folder}/{fd}"))
    return any("memfd:" in link and "opcache" not in link for link in links)


def test_mold_that_hangs(site, start):
    """A mold that makes no worker any more is replaced: the requests that wait meanwhile are answered."""
    site.scripts()
    s = start(workers=2)
    mold, workers = s.pids("mold")[0], s.wait_workers(2)
    # Stopped while it still holds the last one's descriptors, it would keep that one's end from the edge.
    wait_until(lambda: not holds_memory_of_a_worker(mold), what="the mold's rest")
    os.kill(mold, signal.SIGSTOP)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(workers) & set(s.pids("worker")), what="the reaping")
    with s.conn(deadline=DEADLINE * 2) as c:
        assert c.get("/hello.php").body == b"hello"
    wait_until(lambda: not alive(mold), what="the mold's end")
    s.wait_workers(2)


def test_edge_killed(server, site):
    """A dead edge is replaced at once: the worker's script goes on, the server answers again on the same port."""
    out, go, mark = (site.scratch / n for n in ("edge-out", "edge-go", "edge-mark"))
    site.php("long.php", f"ignore_user_abort(true); touch('{mark}'); while (!file_exists('{go}')) {{ usleep(5000); clearstatcache(); }} file_put_contents('{out}', getmypid());")
    c = server.conn()
    c.send(build("GET", "/long.php"))
    wait_until(mark.exists, what="the script's start")
    edge = server.pids("edge")[0]
    os.kill(edge, signal.SIGKILL)
    with pytest.raises(Closed):
        c.response()
    r = wait_until(lambda: try_fetch(server, "/hello.php"), what="an answer of the new edge")
    assert r.body == b"hello"
    go.touch()
    wait_until(lambda: out.exists() and out.read_text(), what="the script's end")
    assert server.pids("edge") != [edge]
    wait_until(lambda: int(out.read_text()) in server.wait_workers(2), what="the worker attached to the new edge")
    assert server.counter("edges_lost") == 1
    assert server.error_log.wait_for(r"edge.*(signal 9|SIGKILL|killed)")


def try_fetch(s, target):
    try:
        r = s.fetch(target)
        return r if r.status == 200 else None
    except (Closed, OSError):
        return None


def test_counters_outlive_an_edge(server):
    """Counters go on when an edge is replaced."""
    for _ in range(5):
        server.fetch("/hello.php")
    server.wait_counter("php_requests", 5)
    os.kill(server.pids("edge")[0], signal.SIGKILL)
    wait_until(lambda: try_fetch(server, "/hello.php"), what="the new edge")
    assert server.counter("php_requests") >= 6


@pytest.mark.parametrize("running", [False, True])
def test_master_killed(site, start, running):
    """If the master dies nothing is left behind, a running script included."""
    site.scripts()
    s = start(exit_code=-9)
    s.wait_workers(2)
    if running:
        held(s, site)
    os.kill(s.pid, signal.SIGKILL)
    s.wait_exit()
    wait_until(lambda: not session_pids(s.session), what=f"the end of all processes; left: {session_pids(s.session)}")


def test_stopped_edge_does_not_block_the_end(site, start):
    """TERM ends the server within its time limit although the edge hangs (SIGSTOP)."""
    site.scripts()
    s = start(shutdown_timeout="1s", exit_code=None)
    os.kill(s.pids("edge")[0], signal.SIGSTOP)
    s.signal(signal.SIGTERM)
    s.wait_exit()


# -- queue -------------------------------------------------------------------------------------------------------------
def test_queue_full(site, start):
    """Past the queue's length a request gets 503 with Retry-After at once."""
    site.scripts()
    s = start(workers=1, args=("--queue", "2"))
    c, go, _ = held(s, site)
    waiting = []
    for _ in range(2):
        w = s.conn(deadline=DEADLINE)
        w.send(build("GET", "/hello.php"))
        waiting.append(w)
    wait_until(lambda: s.counter("queue_length") == 2, what="two waiting requests")
    r = s.fetch("/hello.php")
    assert r.status == 503 and int(r.get("Retry-After")) >= 1
    assert s.counter("queue_rejected", reason="full") == 1
    go.touch()
    assert [w.response().status for w in waiting] == [200, 200]
    assert c.response().status == 200


def test_queue_timeout(site, start):
    """A request that waits longer than queue_timeout gets 503 with Retry-After."""
    site.scripts()
    s = start(workers=1, args=("--queue-timeout", "2s"))
    _, go, _ = held(s, site)
    r = s.fetch("/hello.php")
    assert r.status == 503 and int(r.get("Retry-After")) >= 1
    assert s.counter("queue_rejected", reason="timeout") == 1
    go.touch()


def test_static_files_do_not_queue(site, start):
    """Files are served while every worker is busy."""
    site.scripts()
    site.write("f.txt", "file")
    s = start(workers=1)
    _, go, _ = held(s, site)
    assert s.fetch("/f.txt").text == "file"
    go.touch()


def test_client_gone_in_the_queue(site, start):
    """A client that leaves while it waits is not run."""
    site.scripts()
    s = start(workers=1)
    _, go, _ = held(s, site)
    w = s.conn()
    w.send(build("GET", "/hello.php"))
    wait_until(lambda: s.counter("queue_length") == 1, what="a waiting request")
    w.reset()
    wait_until(lambda: s.counter("queue_length") == 0, what="an empty queue")
    go.touch()
    assert s.fetch("/hello.php").status == 200
    assert s.counter("php_requests") == 2


# -- recycling ---------------------------------------------------------------------------------------------------------
def test_max_requests_loses_nothing(site, start):
    """With max_requests = 5 workers change all the time; no request fails."""
    site.scripts()
    s = start(workers=2, args=("--max-requests", "5"))
    pids, problems = set(), []

    def client():
        try:
            with s.conn(deadline=DEADLINE) as c:
                for _ in range(100):
                    r = c.get("/pid.php")
                    assert r.status == 200, r
                    pids.add(r.text)
        except Exception as e:
            problems.append(repr(e))
    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems
    assert len(pids) >= 40
    s.wait_counter("worker_ends", 40, reason="recycled")
    s.wait_workers(2)


def test_no_zombies(server):
    """Dead workers are reaped."""
    for _ in range(5):
        pids = server.wait_workers(2)
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: stat_of(pids[0]) is None, what="the reaping")


# -- rights ------------------------------------------------------------------------------------------------------------
def test_no_new_privs(server):
    """Edge and workers run with no_new_privs."""
    for p in server.status()["processes"]:
        if p["role"] in ("edge", "worker"):
            assert proc_status(p["pid"])["NoNewPrivs"] == "1", p


def test_no_new_privs_off_is_for_workers_only(site, start):
    """no_new_privs = off frees the workers, never the edge."""
    site.scripts()
    s = start(conf="[pool www]\nno_new_privs = off\n")
    s.wait_workers(2)
    assert {proc_status(pid)["NoNewPrivs"] for pid in s.pids("worker")} == {"0"}
    assert {proc_status(pid)["NoNewPrivs"] for pid in s.pids("edge")} == {"1"}


def test_capabilities(server):
    """Edge and workers hold no capability (as root they were dropped)."""
    for p in server.status()["processes"]:
        if p["role"] in ("edge", "worker"):
            st = proc_status(p["pid"])
            assert int(st["CapEff"], 16) == 0 and int(st["CapPrm"], 16) == 0, (p["role"], st["CapEff"])


def test_descriptors_of_a_worker(server, site):
    """A worker holds no listening socket, no client connection, no log file of the edge and no other worker's memory."""
    with server.conn() as c:
        assert c.get("/hello.php").status == 200
        for pid in server.pids("worker"):
            targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")] if IS_ROOT else []
            assert len([t for t in targets if t.startswith("socket:")]) <= 4, targets
            assert len([t for t in targets if "memfd:" in t and "opcache" not in t]) <= 1, targets
            assert not [t for t in targets if re.search(r"access-|error-", t)], targets


def test_rlimits_of_a_pool(site, start):
    """rlimit_files and rlimit_core are the workers'."""
    site.scripts()
    s = start(conf="[pool www]\nrlimit_files = 300\nrlimit_core = 0\n")
    s.wait_workers(2)
    for pid in s.pids("worker"):
        limits = open(f"/proc/{pid}/limits").read()
        assert re.search(r"Max open files\s+300\s+300", limits) and re.search(r"Max core file size\s+0\s+0", limits)


def test_process_titles(server):
    """ps tells the processes apart."""
    for p in server.status()["processes"]:
        title = open(f"/proc/{p['pid']}/cmdline", "rb").read().replace(b"\0", b" ") + open(f"/proc/{p['pid']}/comm", "rb").read()
        assert b"plimsoll" in title, (p, title)


def test_memory_of_hello_does_not_grow(site, start):
    """Two thousand requests on a warm server grow neither edge nor worker noticeably."""
    from harness import rss_kib
    site.scripts()
    s = start(workers=1)
    worker, edge = s.wait_workers(1)[0], s.pids("edge")[0]

    def run(n):
        with s.conn(deadline=DEADLINE * 2) as c:
            for _ in range(n):
                assert c.get("/hello.php").body == b"hello"
    run(500)
    before = rss_kib(worker), rss_kib(edge)
    run(2000)
    after = rss_kib(worker), rss_kib(edge)
    assert s.pids("worker") == [worker]
    if not ASAN:
        assert after[0] - before[0] < 512 and after[1] - before[1] < 512


def test_fetch_helper_reaches_admin(server):
    """The admin socket answers while all workers are busy."""
    assert fetch(server.admin, "/healthz").status == 200


def test_a_child_that_a_script_never_waited_for_is_no_zombie_for_long(site, start):
    """proc_open without proc_close: the child runs on behind the request, and once it has ended the next request clears it away."""
    site.scripts()
    site.php("leave.php", """$p = proc_open(['/bin/sh', '-c', 'until [ -e "$0" ]; do sleep 0.01; done', $_GET['go']], [], $pipes);
        echo proc_get_status($p)['pid'];""")
    s = start(workers=1)
    go = site.scratch / "go"
    child = int(s.fetch(f"/leave.php?go={go}").text)
    assert alive(child) and stat_of(child)["ppid"] == s.pids("worker")[0]
    assert s.fetch("/hello.php").body == b"hello" and alive(child)
    go.touch()
    wait_until(lambda: not alive(child), what="the child's end")
    s.fetch("/hello.php")
    wait_until(lambda: stat_of(child) is None, what="the end of its zombie")


def test_a_child_that_a_script_waits_for_is_its_own(site, start):
    """proc_close, pclose and exec get their child's status, at whatever time of the request they ask, also behind the answer."""
    site.scripts()
    site.php("wait.php", """$p = proc_open(['/bin/sh', '-c', 'exit 7'], [], $pipes);
        $f = popen('exit 5', 'r');
        exec('exit 3', $lines, $code);
        echo 'ok'; fastcgi_finish_request();
        file_put_contents($_GET['out'], json_encode([proc_close($p), pclose($f), $code]));""")
    s = start(workers=1)
    for n in range(3):
        out = site.scratch / f"out{n}"
        assert s.fetch(f"/wait.php?out={out}").text == "ok"
        assert wait_until(lambda: out.exists() and out.read_text(), what="the work behind the answer") == "[7,5,3]"
