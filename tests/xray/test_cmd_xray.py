# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray xray: the command line, the answer as text and JSON, the terminal, a real container, an empty root."""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from rigs import box, emptyroot, tool

MIB = 1 << 20
STORE = "/app/var/cache/prod/http_cache"
# What may be null is in the second place.
NUMBER, TEXT, FLAG, LIST, OBJECT = (int, float), str, bool, list, dict
SCHEMA = {
    "schema": (TEXT, 0), "version": (TEXT, 0), "time": (int, 0), "target": (OBJECT, 0), "sight": (TEXT, 0), "gvisor": (FLAG, 0),
    "limit_bytes": (int, 1), "limit_from": (TEXT, 0), "host_bytes": (int, 1), "cpus": (NUMBER, 0), "usage_bytes": (int, 0),
    "hard_bytes": (int, 0), "peak_bytes": (int, 1), "unexplained_bytes": (int, 0), "reserve_bytes": (int, 0), "balances": (FLAG, 0),
    "oom_kill": (int, 1), "events_max": (int, 1), "failcnt": (int, 1), "headline": (TEXT, 0), "verdict": (TEXT, 0), "cause": (TEXT, 1),
    "cause_text": (TEXT, 1), "signature": (TEXT, 1), "place": (TEXT, 1), "growth_bytes_per_min": (LIST, 1), "growth_from_ages": (FLAG, 0),
    "total_growth_bytes_per_min": (LIST, 1), "share_of_growth": (NUMBER, 1), "stall_in_s": (LIST, 1), "seconds_judged": (NUMBER, 0),
    "seconds_needed": (NUMBER, 1), "history": (TEXT, 0), "lines": (LIST, 0), "processes": (LIST, 0), "mounts": (LIST, 0),
    "directories": (LIST, 0), "files": (LIST, 0), "shared_segments": (LIST, 0), "deleted_files": (LIST, 0), "walk": (OBJECT, 0),
    "requests": (OBJECT, 1), "server": (TEXT, 0), "application": (TEXT, 1), "memory_limit_bytes": (int, 1),
    "memory_limit_from": (TEXT, 1), "max_children": (int, 1), "threads": (int, 1), "fixes": (LIST, 0), "conditions": (LIST, 0),
    "other_numbers": (LIST, 0), "notes": (LIST, 0),
}
VERDICTS = {"undecided", "steady", "warming_up", "cyclic", "stepped", "growing", "saturated"}
CATEGORIES = ["anonymous", "files_in_memory", "shared_memory", "page_cache", "kernel", "unexplained", "beside"]
FILL = """
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
done = 0
for line in sys.stdin:
    for _ in range(int(line)):
        h = hashlib.sha256(str(done).encode()).hexdigest()
        done += 1
        for kind, rest, size in (("md", h[4:], 300), ("en", h[4:32], 20000)):
            path = root / kind / h[:2] / h[2:4]
            path.mkdir(parents=True, exist_ok=True)
            (path / rest).write_bytes(b"x" * size)
    print("filled", done, flush=True)
"""


def xray(*arguments, env=None, **kwargs):
    base = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run([tool.BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env={**base, **(env or {})}, **kwargs)


def check_schema(look):
    assert set(look) == set(SCHEMA), set(look) ^ set(SCHEMA)
    for name, (kind, nullable) in SCHEMA.items():
        value = look[name]
        assert value is None and nullable or isinstance(value, kind), (name, value)
    assert look["verdict"] in VERDICTS and look["sight"] in {"full", "docker", "none"}
    lines = look["lines"]
    tops = [line for line in lines if line["parent"] is None]
    assert [line["line"] for line in tops] == CATEGORIES
    assert sum(line["bytes"] for line in tops if line["in_usage"]) == look["usage_bytes"]
    assert tops[5]["bytes"] == look["unexplained_bytes"]
    for i, line in enumerate(lines):
        parts = [part for part in lines if part["parent"] == i and not part["elsewhere"]]
        if line["parent"] is None and parts:
            assert sum(part["bytes"] for part in parts) == line["bytes"], line
        if line["parent"] is not None:
            assert 0 <= line["parent"] < i and lines[line["parent"]]["line"] == line["line"], line
    for name in ("growth_bytes_per_min", "total_growth_bytes_per_min"):
        assert look[name] is None or len(look[name]) == 3
    assert {n["name"] for n in look["other_numbers"]} == {"kubectl", "docker", "podman", "cloud_run", "sum_rss"}
    return look


# --- the command line


@pytest.mark.parametrize("arguments, says", [
    (["--jsn"], "did you mean --json"),
    (["17"], "a process is --pid N"),
    (["--pid"], "--pid wants a value"),
    (["--pid", "0"], "'0' is no process id"),
    (["--pid", "4194305999"], "is no process id"),
    (["--for", "soon"], "'soon' is no time"),
    (["--for", "-5s"], "is no time"),
    (["--pid", "1", "--self"], "one target"),
    (["--live", "--json"], "doesn't go with --json"),
    (["--last"], "--state DIR"),
    (["--color", "red"], "none of auto, always, never"),
    (["--requests", "http://example.com/status"], "names are not looked up"),
])
def test_a_wrong_command_line_is_2_with_the_reason(arguments, says):
    done = xray("xray", *arguments)
    assert done.returncode == 2 and says in done.stderr and done.stdout == "", done


def test_help_and_version_are_0():
    for arguments in (["--help"], ["help"], ["xray", "--help"], ["-h"]):
        done = xray(*arguments)
        assert done.returncode == 0 and "--cgroup PATH" in done.stdout, arguments
    for arguments in (["--version"], ["-V"], ["xray", "--version"], ["watch", "--version"], ["tune", "--version"]):
        done = xray(*arguments)
        assert done.returncode == 0 and re.fullmatch(r"plimsoll-xray \d+\.\d+\.\d+\n", done.stdout), arguments


@pytest.mark.parametrize("command, option", [("xray", "--cgroup PATH"), ("watch", "--webhook URL"), ("tune", "--recording FILE")])
def test_help_of_a_command_is_its_own(command, option):
    for arguments in (["help", command], [command, "--help"]):
        done = xray(*arguments)
        assert done.returncode == 0 and option in done.stdout, arguments
    assert xray("help", "nothing").returncode == 2


def test_what_is_not_there_to_look_at_is_2(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for arguments, says in ((["--pid", gone.pid], "no process"), (["--cgroup", "/no/such/group"], "/no/such/group"),
                            (["--cgroup", tmp_path], "memory cgroup"), (["--proc", tmp_path / "x"], "can't be opened"),
                            (["--socket", tmp_path / "none"], "no watch listens")):
        done = xray(*arguments)
        assert done.returncode == 2 and says in done.stderr, (arguments, done)


def test_garbage_instead_of_kernel_files_ends_in_words_or_an_answer(tmp_path):
    for name, text in (("empty", b""), ("garbage", bytes(range(256)) * 64), ("huge", b"9" * 200000)):
        proc, sys = tmp_path / name / "proc", tmp_path / name / "sys"
        (proc / "self").mkdir(parents=True)
        (sys / "memory").mkdir(parents=True)
        for file in ("meminfo", "self/cgroup", "self/mountinfo", "self/status", "self/stat", "self/smaps_rollup", "self/maps"):
            (proc / file).write_bytes(text)
        for file in ("memory.stat", "memory.usage_in_bytes", "memory.limit_in_bytes", "cgroup.procs"):
            (sys / "memory" / file).write_bytes(text)
        done = xray("--proc", proc, "--sys", sys, "--root", tmp_path, "--json")
        assert done.returncode in (0, 2), (name, done)
        if done.returncode == 0:
            check_schema(json.loads(done.stdout))
        else:
            assert done.stderr.startswith("plimsoll-xray: "), done


def test_an_output_that_cannot_be_written_is_1():
    with open("/dev/full", "w") as full:
        done = subprocess.run([tool.BINARY, "--self"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "No space left" in done.stderr, done
    done = xray("--self", "--report", "/no/such/folder/x.html")
    assert done.returncode == 1 and "/no/such/folder/x.html" in done.stderr, done


# --- the answer


def test_one_look_has_a_ledger_that_adds_up_and_says_how_to_go_on():
    look = check_schema(tool.parse(xray("--self", "--json").stdout))
    assert look["history"] == "none" and look["verdict"] == "undecided" and look["seconds_needed"] > 0
    text = xray("--self").stdout
    assert "One look. For a verdict: plimsoll-xray --for 60s." in text and "\033" not in text


OUT = "out of file descriptors: ulimit -n 1024"


def test_too_few_descriptors_are_said_and_no_other_cure():
    for n in range(8, 64):
        def few(n=n):
            resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))

        done = xray("--self", "--json", preexec_fn=few)
        said = done.stderr if done.returncode else "\n".join(json.loads(done.stdout)["notes"])
        assert OUT in said, f"{n}: {said}"
        assert not re.search("SYS_PTRACE|run it as", said), f"{n}: {said}"
        if done.returncode == 0:  # enough for an answer with holes
            break
        assert done.returncode == 1
    assert done.returncode == 0 and OUT in xray("tune", preexec_fn=few).stderr
    assert "Sight   not known: out of file descriptors" in xray("--self", preexec_fn=few).stdout


def test_a_soft_limit_on_descriptors_is_raised():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 1024))

    done = xray("--self", preexec_fn=few)
    assert done.returncode == 0 and "Sight" in done.stdout and OUT not in " ".join(done.stdout.split())
    assert "of file descriptors" not in done.stdout


def test_the_screen_is_100_columns_or_80_and_ascii_without_a_locale():
    for columns in (100, 80):
        text = xray("--self", env={"COLUMNS": str(columns), "LC_ALL": "C"}).stdout
        assert text.isascii()
        wide = [line for line in text.splitlines() if len(line) > columns and not line.startswith("       ")]
        assert not wide, wide
    assert "█" in xray("--self").stdout


def test_color_is_asked_for_or_a_terminals():
    assert "\033[" in xray("--self", "--color", "always").stdout
    assert "\033[" not in xray("--self", "--color", "auto").stdout


def test_ctrl_c_ends_for_early_with_an_answer():
    p = subprocess.Popen([tool.BINARY, "--self", "--for", "1h", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    caught = pathlib.Path(f"/proc/{p.pid}/status")
    deadline = time.monotonic() + 60
    while not int(re.search(r"SigBlk:\s*(\w+)", caught.read_text())[1], 16) & 1 << signal.SIGINT - 1:  # until it minds it
        assert time.monotonic() < deadline
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    check_schema(json.loads(out))


def test_a_report_is_one_page(tmp_path):
    page = tmp_path / "memory.html"
    done = xray("--self", "--for", "2s", "--json", "--report", page)
    assert done.returncode == 0, done
    look = check_schema(json.loads(done.stdout))
    assert look["history"] == "own" and look["seconds_judged"] >= 1
    html = page.read_text()
    assert html.startswith("<!doctype html>") or html.startswith("<!DOCTYPE html>")
    assert look["headline"][:9] in html and "<script" not in html


# --- the terminal


class Terminal:
    def __init__(self, *arguments, rows=40, columns=100, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("NO_COLOR", None)
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"} | (env or {}))
            os.execv(tool.BINARY, [str(tool.BINARY), *arguments])
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.fd)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition(self.seen):
            assert time.monotonic() < end, self.seen[-3000:]
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    assert condition(self.seen), self.seen[-3000:]
                    return
                self.seen += data

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        after = termios.tcgetattr(self.fd)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), after


def test_the_live_picture_renews_itself_and_q_gives_the_terminal_back():
    t = Terminal("--self", "--live")
    t.until(lambda seen: seen.count(b"\033[H") >= 3 and b"q ends" in seen)
    assert t.seen.count(b"\033[2J") == 1  # redrawn in place
    os.write(t.fd, b"q")
    t.until(lambda seen: seen.rstrip().endswith(b"\033[?25h"))
    code, after = t.end()
    assert code == 0 and after[3] == t.before[3]  # echo and line mode


def test_the_live_picture_fits_a_terminal_that_is_made_smaller():
    t = Terminal("--self", "--live", rows=50, columns=100)
    t.until(lambda seen: seen.count(b"\033[H") >= 1 and b"q ends" in seen)
    t.resize(12, 80)
    t.until(lambda seen: seen.count(b"\033[2J") >= 2 and seen.rfind(b"\033[J") > seen.rfind(b"\033[2J"))
    picture = t.seen[t.seen.rfind(b"\033[2J"):].split(b"\033[J")[0].decode()
    plain = re.sub(r"\033\[[0-9;?]*[A-Za-z]|\r", "", picture).split("\n")
    assert len(plain) <= 12 and max(map(len, plain)) <= 80, plain
    os.kill(t.pid, signal.SIGTERM)
    t.until(lambda seen: seen.rstrip().endswith(b"\033[?25h"))
    assert t.end()[0] == 0


def test_on_a_narrow_terminal_nothing_wraps_and_the_verdict_stays_in_sight():
    t = Terminal("--self", "--live", rows=24, columns=44)
    t.until(lambda seen: b"q ends" in seen or seen.count(b"\033[H") >= 3)
    os.write(t.fd, b"q")
    t.until(lambda seen: seen.rstrip().endswith(b"\033[?25h"))
    assert t.end()[0] == 0
    begin = t.seen.index(b"\033[2J")
    assert b"\033[?7l" in t.seen[:begin] and b"\033[?7h" in t.seen[begin:]  # the terminal cuts off, and wraps again after it
    picture = t.seen[begin:].split(b"\033[J")[0].decode()
    plain = re.sub(r"\033\[[0-9;?]*[A-Za-z]|\r", "", picture).split("\n")
    assert len(plain) <= 24 and plain[2].startswith("Undecided") and max(map(len, plain)) <= 44, plain


@pytest.mark.parametrize("how", [b"q", b"\x1c"])
def test_q_and_the_quit_key_end_the_picture_in_a_storm_of_resizes_too(how):
    t = Terminal("--self", "--live")
    t.until(lambda seen: b"q ends" in seen)
    calm = threading.Event()

    def storm():
        while not calm.wait(0.0005):
            os.kill(t.pid, signal.SIGWINCH)

    thread = threading.Thread(target=storm, daemon=True)
    thread.start()
    try:
        t.until(lambda seen: seen.count(b"\033[2J") > 5)
        os.write(t.fd, how)
        t.until(lambda seen: seen.rstrip().endswith(b"\033[?25h"))
    finally:
        calm.set()
        thread.join()
    code, after = t.end()
    lines = termios.ICANON | termios.ECHO
    assert (code, after[3] & lines) == (0, lines)


def test_a_terminal_has_color_unless_no_color_says_otherwise():
    for env, has in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        t = Terminal("--self", env=env)
        t.until(lambda seen: b"One look." in seen)
        t.end()
        assert (re.search(rb"\033\[[0-9]+m", t.seen) is not None) == has, env


def test_the_live_picture_needs_no_keyboard():
    master, slave = pty.openpty()
    p = subprocess.Popen([tool.BINARY, "--self", "--live", "--for", "5s"], stdin=subprocess.DEVNULL, stdout=slave, env={"TERM": "xterm"})
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        seen += data
    os.close(master)
    assert p.wait(60) == 0 and seen.count(b"\033[H") >= 3, seen[-2000:]


def test_live_without_a_terminal_is_2():
    done = xray("--self", "--live")
    assert done.returncode == 2 and "terminal" in done.stderr


def test_people_see_a_first_answer_and_progress_before_the_verdict():
    t = Terminal("--self", "--for", "2s")
    t.until(lambda seen: b"The other numbers" in seen)
    first, last = t.seen.find(b"Ledger"), t.seen.rfind(b"Ledger")
    assert 0 < first < last
    assert b" of 2 s" in t.seen[first:last] and t.end()[0] == 0


# --- a real container


@pytest.fixture(scope="module")
def shop():
    """A container with a page cache on tmpfs, and what fills it."""
    why = box.unusable()
    if why:
        pytest.skip(why)
    with box.Box("cmd-xray", 256 * MIB, tmpfs=["/dev/shm mode=1777,size=64m", "/app/var mode=1777,size=200m"]) as b:
        b.write("/app/plimsoll-xray", tool.BINARY.read_bytes(), 0o755)
        b.write("/app/fill.py", FILL)
        b.write("/app/sleeper.py", "import time\nprint('here', flush=True)\ntime.sleep(3600)\n")
        b.run(["/usr/bin/python3", "/app/sleeper.py"]).wait("here", 20)
        yield b


@pytest.fixture(scope="module")
def filled(shop):
    done = subprocess.run(shop.command(["/usr/bin/python3", "/app/fill.py", STORE]), input="400\n", capture_output=True, text=True, timeout=60,
                          env={"PATH": box.PATH})
    assert "filled 400" in done.stdout, done
    return shop


def test_inside_a_container_the_directory_is_named_with_cause_and_fix(filled):
    look = check_schema(tool.parse(filled.call(["/app/plimsoll-xray", "--json"]).stdout))
    assert look["limit_bytes"] == 256 * MIB and look["limit_from"] in ("cgroup", "ancestor") and not look["target"]["machine"]
    assert look["balances"], look["unexplained_bytes"]
    assert look["place"] == STORE and look["signature"] == "symfony_http_cache" and look["growth_from_ages"]
    assert look["directories"][0]["path"] == STORE
    assert 400 * (20480 + 4096) <= look["directories"][0]["bytes"] < 500 * (20480 + 4096)
    assert "Redis" in look["fixes"][0] and f"find {STORE} -type f" in look["fixes"][-1]
    assert "Symfony HttpCache never deletes" in look["headline"]
    assert look["growth_bytes_per_min"][1] > 0


def mask(text):
    """Numbers, bars and what depends on the machine are masked; columns become one space."""
    text = re.sub(r"[█▏▎▍▌▋▊▉·]+", "BAR", text)
    text = re.sub(r"[-+~≈ ]*\b[\d.]+ (B|KiB|MiB|GiB)\b", " SIZE", text)
    text = re.sub(r"\d+(\.\d+)?", "N", text)
    return "\n".join(re.sub(r"\s+", " ", line).rstrip() for line in text.splitlines())


def test_the_text_of_a_container_has_its_parts_in_order(filled):
    text = mask(filled.call(["/app/plimsoll-xray", "--color", "never"]).stdout)
    lines = text.splitlines()
    assert lines[0].startswith("plimsoll-xray this container, cgroup vN /sys/fs/cgroup")
    assert lines[2].startswith(f"Undecided: a verdict needs N s more. {STORE} (tmpfs) grows about")
    parts = ["Memory BAR SIZE of SIZE (N %)", " oom_kill N", "Ledger bytes of the usage growth/min verdict", "anonymous SIZE BAR",
             "files in memory SIZE BAR", " /app/var SIZE", "shared memory SIZE BAR", "page cache SIZE BAR", "kernel SIZE BAR",
             "unexplained SIZE BAR", "= usage SIZE", "Processes PSS private PHP heap native Go heap stacks text",
             "Directories in memory, fastest growing first", f" {STORE} SIZE", "What to change",
             " N. Move the store to Redis", "The other numbers", " kubectl top, cAdvisor SIZE", "Sight"]
    at = 0
    for part in parts:
        found = next((i for i in range(at, len(lines)) if lines[i].startswith(part)), None)
        assert found is not None, f"{part!r} does not follow {lines[at - 1]!r}\n{text}"
        at = found + 1


def test_from_outside_pid_and_cgroup_show_the_same_container(filled):
    pid = filled.pids("python3")[0]
    by_pid = check_schema(tool.parse(xray("--pid", pid, "--json").stdout))
    by_group = check_schema(tool.parse(xray("--cgroup", filled.group.path, "--json").stdout))
    for look in (by_pid, by_group):
        assert look["limit_bytes"] == 256 * MIB
        assert look["place"] == STORE, look["headline"]
        assert [p["name"] for p in look["processes"]].count("python3") == 1
        assert not any(p["role"] == "plimsoll-xray" for p in look["processes"])
    assert by_pid["target"]["pid"] == pid


@pytest.mark.parametrize("level", ["docker", "none"])
def test_with_less_sight_it_says_what_is_missing_and_the_cure(filled, level):
    done = filled.call(["/app/plimsoll-xray", "--json"], level=level)
    look = check_schema(tool.parse(done.stdout))
    assert look["balances"], look["unexplained_bytes"]
    if look["sight"] != "full":
        assert any("SYS_PTRACE" in note and "kubectl debug" in note for note in look["notes"]), look["notes"]
        assert not any("process.dumpable" in note for note in look["notes"]), "no server that has it runs here"


def test_a_second_look_is_judged(filled):
    look = check_schema(tool.parse(filled.call(["/app/plimsoll-xray", "--for", "2s", "--json"]).stdout))
    assert look["history"] == "own" and look["total_growth_bytes_per_min"] is not None
    assert look["lines"][0]["verdict"] in VERDICTS


def test_a_running_watch_is_asked_for_its_history(shop):
    watch = shop.run(["/app/plimsoll-xray", "watch", "--log", "-"])
    watch.wait(tool.WATCHING, 20)
    end = time.monotonic() + 60
    while True:
        look = check_schema(tool.parse(shop.call(["/app/plimsoll-xray", "--json"]).stdout))
        if look["history"] == "watch" and look["seconds_judged"] >= 2:
            break
        assert time.monotonic() < end, look["history"]
        time.sleep(0.2)
    assert look["growth_bytes_per_min"] is None or not look["growth_from_ages"] or look["verdict"] == "undecided"


# --- an empty root


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
@pytest.mark.parametrize("mounts", [(), ("proc",), ("proc", "cgroup")])
def test_in_an_empty_root_it_answers_or_says_what_is_missing(mounts):
    with emptyroot.EmptyRoot(tool.BINARY, mounts) as root:
        assert root.call("--version").stdout.startswith("plimsoll-xray ")
        done = root.call("--json")
        if "proc" in mounts:
            assert done.returncode == 0, done
            check_schema(tool.parse(done.stdout))
        else:
            assert done.returncode == 2 and "mount -t proc proc /proc" in done.stderr and done.stdout == "", done
