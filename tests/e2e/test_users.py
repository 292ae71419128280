# SPDX-License-Identifier: Apache-2.0
"""Who the processes are: as root the application's owner or www-data, otherwise the caller and nobody else."""
import ctypes
import json
import os
import platform
import pwd
import struct
import subprocess
import tempfile

import pytest

import rawhttp
from harness import BINARY, DEADLINE, IS_ROOT, Site, StartFailed, proc_status

root_only = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


def uids(pid):
    return {int(u) for u in proc_status(pid)["Uid"].split()}


@root_only
def test_www_data_for_roots_folder(site, start):
    """A folder of root's: PHP and edge run as www-data, in its group and no other; the master stays root."""
    site.scripts()
    s = start()
    r = s.fetch("/echo.php").json()
    assert (r["uid"], r["gid"]) == (uid_of("www-data"), pwd.getpwnam("www-data").pw_gid)
    assert set(r["groups"]) <= {r["gid"]}
    for p in s.status()["processes"]:
        expected = {0} if p["role"] == "master" else {uid_of("www-data")}
        assert uids(p["pid"]) == expected, p


@root_only
def test_owner_of_the_folder(site, start):
    """A folder of somebody's: PHP and edge run as that user."""
    site.scripts()
    os.chown(site.app, uid_of("nobody"), 65534)
    s = start()
    assert s.fetch("/echo.php").json()["uid"] == uid_of("nobody")
    for role in ("edge", "mold", "worker"):
        for pid in s.pids(role):
            assert uids(pid) == {uid_of("nobody")}


@root_only
def test_user_flag(site, start):
    """--user and --group choose."""
    site.scripts()
    s = start(args=("--user", "nobody", "--group", "www-data"))
    r = s.fetch("/echo.php").json()
    assert (r["uid"], r["gid"]) == (uid_of("nobody"), pwd.getpwnam("www-data").pw_gid)


@root_only
def test_edge_user(site, start):
    """edge.user gives the edge a user of its own."""
    site.scripts()
    s = start(conf="[global]\nedge.user = nobody\n")
    assert uids(s.pids("edge")[0]) == {uid_of("nobody")}
    assert s.fetch("/echo.php").json()["uid"] == uid_of("www-data")


@root_only
def test_pools_with_users_of_their_own(site, start):
    """Each pool has its user; one can't read the other's files."""
    for n, u in (("a", "nobody"), ("b", "www-data")):
        site.write(f"{n}/index.php", "<?php echo posix_geteuid(), ' ', @file_get_contents($_GET['f'] ?? '') ?: 'no';")
    secret = site.write("b/secret.txt", "SECRET", mode=0o600)
    os.chown(secret, uid_of("www-data"), 0)
    s = start(workers=0, directory=site.app / "a", conf=f"""
[site a]
dir = {site.app}/a
server_name = a
pool = one
[site b]
dir = {site.app}/b
server_name = b
pool = two
[pool one]
user = nobody
pm.max_children = 1
[pool two]
user = www-data
pm.max_children = 1
""")
    assert s.fetch(f"/?f={secret}", host="a").text == f"{uid_of('nobody')} no"
    assert s.fetch(f"/?f={secret}", host="b").text == f"{uid_of('www-data')} SECRET"


@root_only
def test_root_is_refused(site, start):
    """PHP as root is refused with exit 3 and a sentence that names --allow-root; with it it runs."""
    site.scripts()
    with pytest.raises(StartFailed) as e:
        start(args=("--user", "root"))
    assert e.value.code == 3 and "allow" in e.value.stderr
    s = start(args=("--user", "root", "--allow-root"))
    assert s.fetch("/echo.php").json()["uid"] == 0


@root_only
def test_unreachable_folder_is_named(start):
    """If the user can't get to the document root the folder that blocks is named; exit 3."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-e2e-") as top:
        os.chmod(top, 0o755)
        blocked = os.path.join(top, "blocked")
        inner = os.path.join(blocked, "inner")
        os.makedirs(inner)
        os.chmod(blocked, 0o700)
        site = Site(inner)
        site.scripts()
        with pytest.raises(StartFailed) as e:
            start(site)
        assert e.value.code == 3 and blocked in e.value.stderr and "www-data" in e.value.stderr


@root_only
def test_as_an_ordinary_user(site, start):
    """Started as nobody: everything runs as nobody, and it serves."""
    site.scripts()
    s = start(user="nobody")
    assert s.fetch("/echo.php").json()["uid"] == uid_of("nobody")
    for p in s.status()["processes"]:
        assert uids(p["pid"]) == {uid_of("nobody")}, p


@root_only
def test_an_ordinary_user_cannot_choose(site, start):
    """Not root: another user in the configuration is refused (or ignored aloud), never half done."""
    site.scripts()
    try:
        s = start(user="nobody", args=("--user", "www-data"))
    except StartFailed as e:
        assert e.code == 3 and "www-data" in e.stderr
    else:
        assert s.fetch("/echo.php").json()["uid"] == uid_of("nobody")
        assert "www-data" in s.stderr.text + s.error_log.text


@root_only
def test_ordinary_user_at_work(site, start, workshop):
    """Started as nobody: kill, reload and stop work as they do for root."""
    import signal

    from harness import wait_until
    site.scripts()
    s = start(user="nobody")
    worker = s.wait_workers(2)[0]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in s.pids("worker") and len(s.pids("worker")) == 2, what="a new worker")
    s.signal(signal.SIGHUP)
    s.wait_counter("reloads", 1, result="done")
    assert s.fetch("/hello.php").body == b"hello"


def test_caller_without_setuid(site, start):
    """Whoever starts it as an ordinary user is who all of it runs as, with no trace of another identity."""
    site.scripts()
    s = start(user="nobody" if IS_ROOT else None)
    uid = uid_of("nobody") if IS_ROOT else os.geteuid()
    assert s.fetch("/echo.php").json()["uid"] == uid
    assert uids(s.pid) == {uid}


def test_processes_cannot_be_dumped(site, start):
    """Master and edge are not dumpable: their memory belongs to root, out of their own user's reach."""
    site.scripts()
    s = start()
    for pid in [s.pid] + s.pids("edge"):
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0, pid


# openat2, faccessat2, close_range, clone3: what a container runtime older than they are refuses with EPERM (Docker before 20.10.9).
YOUNG_SYSCALLS = (437, 439, 436, 435)


def refuse_young_syscalls():
    """Runs in the child: a seccomp filter, as a container runtime sets one."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = [struct.pack("<HBBI", 0x20, 0, 0, 0)]  # the system call's number
    for n, number in enumerate(YOUNG_SYSCALLS):
        code.append(struct.pack("<HBBI", 0x15, len(YOUNG_SYSCALLS) - n, 0, number))
    code.append(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))  # allow
    code.append(struct.pack("<HBBI", 0x06, 0, 0, 0x00050000 | 1))  # EPERM
    text = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(text))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no_new_privs
    assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0  # seccomp


@pytest.mark.skipif(platform.machine() != "x86_64", reason="system calls by number")
def test_an_old_container_runtime(site):
    """What it doesn't know it refuses with EPERM: PHP and files, links included, are served all the same."""
    site.scripts("hello.php")
    site.write("f.txt", "file")
    (site.app / "link.txt").symlink_to("f.txt")
    read_fd, write_fd = os.pipe()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL") and k != "PORT"}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    p = subprocess.Popen([BINARY, "serve", site.app, "-l", "127.0.0.1:0", "--ready-fd", str(write_fd), "--control",
                          site.scratch / "control", "-a", "off"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         pass_fds=(write_fd,), env=env, preexec_fn=refuse_young_syscalls)
    os.close(write_fd)
    try:
        with open(read_fd) as ready:
            line = ready.readline()
        assert line, p.communicate(timeout=DEADLINE)
        listen = json.loads(line)["listen"][0]
        for path, text in (("/hello.php", "hello"), ("/f.txt", "file"), ("/link.txt", "file")):
            assert rawhttp.fetch(listen, path).text == text
        p.terminate()
        p.communicate(timeout=DEADLINE)
    finally:
        p.kill()
        p.wait()
    assert p.returncode == 0
