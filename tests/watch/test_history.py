# SPDX-License-Identifier: Apache-2.0
"""What watch keeps: the recording, the state folder, and the history that xray asks for over the socket."""
import csv
import fcntl
import io
import json
import os
import signal
import socket
import subprocess

import pytest

from fakebox import LIMIT, MIB
from rigs.lines import until

GROWS = {"shmem": 0.8 * MIB}


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(path))
        s.sendall(request.encode() + b"\n")
        answer = b""
        while part := s.recv(65536):
            answer += part
        return answer.decode()


def report(tmp_path):
    return json.loads(ask(tmp_path / "socket", "report"))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("version", [1, 2])
def test_a_recording_replays_to_the_same_verdict(box, watch, xray, tmp_path, version):
    b = box(version=version)
    w = watch(b, "--record", tmp_path / "rec.csv")
    w.wait("watching")
    b.set(GROWS)
    w.wait("alarm: growing")
    b.set(shmem=4 * MIB)
    w.wait("all clear")
    assert w.end() == 0
    done = xray("--replay", tmp_path / "rec.csv", "--json")
    assert done.returncode == 0, done.stderr
    replay = json.loads(done.stdout)
    assert [(a["verdict"], a["cause"]) for a in replay["alarms"]] == [("growing", "tmpfs")]
    assert replay["alarms"][0]["cleared_t"] is not None
    assert replay["limit_bytes"] == LIMIT
    names = (tmp_path / "rec.csv").read_text().split("\n")[0].split(",")
    for name in ("php_heap", "go_heap", "native", "deleted_files", "requests", "nprocs"):
        assert name in names
    assert ("kmem_usage" if version == 1 else "kernel") in names


def test_a_recording_goes_on_where_it_ended(box, watch, tmp_path):
    b, rec = box(), tmp_path / "rec.csv"
    for _ in range(2):
        w = watch(b, "--record", rec)
        w.wait("watching")
        before = rec.stat().st_size if rec.exists() else 0
        until(lambda: rec.exists() and rec.stat().st_size > before + 3000, 60, "rows")
        w.kill()
    with open(rec, "a") as f:
        f.write("123.4,5")  # a run that ended in the middle of a row
    w = watch(b, "--record", rec)
    before = rec.stat().st_size
    until(lambda: rec.stat().st_size > before + 3000, 60, "rows")
    assert w.end() == 0
    lines = rec.read_text().split("\n")
    assert sum(line.startswith("t,") for line in lines) == 1
    width = lines[0].count(",")
    assert [line for line in lines[1:-1] if line.count(",") != width] == ["123.4,5"]


def test_a_file_that_is_another_is_moved_away_not_written_into(box, watch, tmp_path):
    rec = tmp_path / "rec.csv"
    rec.write_text("my,own,data\n1,2,3\n")
    w = watch(box(), "--record", rec)
    until(lambda: rec.read_text().startswith("t,usage"), 60, w.log)
    assert (tmp_path / "rec.csv.1").read_text() == "my,own,data\n1,2,3\n"


def test_a_recording_is_bounded(box, watch, tmp_path):
    rec = tmp_path / "rec.csv"
    w = watch(box(), "--record", rec, "--record-max", "64k")
    until(lambda: (tmp_path / "rec.csv.1").exists(), 60, w.log)
    until(lambda: rec.stat().st_size > 1000, 60, w.log)
    assert (tmp_path / "rec.csv.1").stat().st_size < 70000
    assert rec.read_text().startswith("t,usage")


def test_rows_that_cannot_be_written_are_said_once(box, watch, tmp_path):
    w = watch(box(), "--record", "/dev/full")
    w.wait(r"--record /dev/full: No space left on device: its rows wait in memory")
    until(lambda: report(tmp_path)["rows"] > 20, 60, w.log)
    assert w.log().count("wait in memory") == 1


def test_rows_that_had_to_wait_are_written_as_soon_as_they_can_be(box, watch, tmp_path):
    os.mkfifo(tmp_path / "rec")
    fd = os.open(tmp_path / "rec", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)  # a dozen rows
    try:
        w = watch(box(), "--record", tmp_path / "rec")
        w.wait("--record .*: its rows wait in memory")
        seen = report(tmp_path)["rows"]
        until(lambda: report(tmp_path)["rows"] > seen + 20, 60, w.log)
        text = b""

        def drained():
            nonlocal text
            try:
                text += os.read(fd, 65536)
            except BlockingIOError:
                pass
            return "rows are written again" in w.log()

        until(drained, 60, w.log, every=0.002)
        known = [r["t"] for r in rows(ask(tmp_path / "socket", "history"))]
        until(lambda: drained() and known[-1].encode() in text, 60, w.log, every=0.002)
        recorded = [r["t"] for r in rows(text.decode())]
        assert [t for t in known if t not in recorded] == []
        assert sorted(recorded, key=float) == recorded and len(set(recorded)) == len(recorded)
    finally:
        os.close(fd)


def test_hup_opens_log_and_recording_anew(box, watch, tmp_path):
    rec, log = tmp_path / "rec.csv", tmp_path / "log"
    w = watch(box(), "--record", rec, "--log", log)
    until(lambda: rec.exists() and rec.stat().st_size > 2000, 60, "a recording")
    rec.rename(tmp_path / "rec.old")
    log.rename(tmp_path / "log.old")
    w.signal(signal.SIGHUP)
    until(lambda: log.exists() and "opened anew" in log.read_text(), 60, "a new log")
    until(lambda: rec.exists() and rec.stat().st_size > 2000, 60, "a new recording")
    assert rec.read_text().startswith("t,usage")
    size = (tmp_path / "rec.old").stat().st_size
    until(lambda: rec.stat().st_size > 4000, 60, "rows in the new one")
    assert (tmp_path / "rec.old").stat().st_size == size
    assert "watching" in (tmp_path / "log.old").read_text()


def test_xray_gets_history_and_report_from_the_socket(box, watch, tmp_path):
    b = box()
    w = watch(b)
    w.wait("watching")
    b.set(GROWS)
    w.wait("alarm: growing")
    got = rows(ask(tmp_path / "socket", "history"))
    assert len(got) > 20
    times = [float(r["t"]) for r in got]
    assert times == sorted(times) and len(set(times)) == len(times)
    assert int(got[-1]["shmem"]) > int(got[0]["shmem"]) + 10 * MIB
    r = report(tmp_path)
    assert r["schema"] == "plimsoll.replay/1" and r["verdict"] == "growing" and r["alarms"][0]["cleared_t"] is None
    assert r["line_growth"]["files_in_memory"][1] > 0 and r["directories"] == []
    assert ask(tmp_path / "socket", "nonsense").startswith("error:")


def test_the_socket_is_for_the_same_user_and_root_only(box, watch, tmp_path):
    if subprocess.run(["id", "-u"], capture_output=True, text=True).stdout.strip() != "0":
        pytest.skip("only root can be another user")
    name = f"plimsoll-test-{tmp_path.name}-{id(tmp_path)}"
    watch(box(), "--socket", "@" + name, socket=False).wait("watching")
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect('\\0%s')\n"
            "try: s.sendall(b'report\\n'); print(len(s.recv(9)))\nexcept OSError: print(0)" % name)
    own = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True)
    assert own.stdout.strip() == "9", own.stderr
    other = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", code], capture_output=True,
                           text=True)
    assert other.stdout.strip() == "0", other.stderr


def test_another_user_who_has_taken_the_socket_is_said_and_not_believed(box, watch, xray, tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    name = f"plimsoll-test-{tmp_path.name}-{id(tmp_path)}"
    code = f"import socket; s=socket.socket(socket.AF_UNIX); s.bind('\\0{name}'); s.listen(); print('there', flush=True); input()"
    squatter = subprocess.Popen(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", code],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert squatter.stdout.readline() == b"there\n"
        watch(box(), "--socket", "@" + name, socket=False).wait("another user's process has taken the socket's name")
        done = xray("--self", "--socket", "@" + name)
        assert done.returncode == 2 and "another user's" in done.stderr
    finally:
        squatter.kill()
        squatter.wait()


def test_a_watch_that_was_killed_goes_on_with_its_history(box, watch, tmp_path):
    b = box()
    w = watch(b, "--state", tmp_path / "state")
    w.wait("watching")
    b.set(GROWS)
    w.wait("alarm: growing")
    before = report(tmp_path)
    assert w.kill() == -signal.SIGKILL
    w = watch(b, "--state", tmp_path / "state")
    w.wait("the history of this life goes on")
    until(lambda: report(tmp_path)["rows"] > 3, 60, w.log)
    after = report(tmp_path)
    assert after["began"] == pytest.approx(before["began"], abs=0.01)
    assert rows(ask(tmp_path / "socket", "history"))[0]["t"] <= rows(ask(tmp_path / "socket", "history"))[-1]["t"]
    b.set(shmem=4 * MIB)
    w.wait("all clear: growing")  # of an alarm that the first watch raised
    assert "alarm: growing" not in w.log().split("all clear")[0]


def test_two_watches_do_not_share_a_state(box, watch, xray, tmp_path):
    watch(box(), "--state", tmp_path / "state").wait("watching")
    done = xray("watch", *box("other").args(), "--state", tmp_path / "state", "--socket", tmp_path / "s2")
    assert done.returncode == 1 and "another watch uses it" in done.stderr


def last(xray, state, box=None):
    return xray("--last", "--state", state, "--json", *(box.args() if box else []))


def test_last_tells_a_stall(box, watch, xray, tmp_path):
    b = box()
    w = watch(b, "--state", tmp_path / "state")
    w.wait("watching")
    b.set({"shmem": 1.5 * MIB})
    until(lambda: b.level["shmem"] > 225 * MIB, 60, "the limit")
    b.set({"refault": 60000, "majfault": 300}, shmem=228 * MIB)
    w.wait("alarm: saturated")
    until(lambda: '"verdict":"saturated","since"' in (tmp_path / "state/last.json").read_text(), 60, "the alarm in the state")
    w.kill()  # with its container
    b.start_time(9999)
    done = last(xray, tmp_path / "state", b)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == "plimsoll.last/1"
    assert told["how"] == "stalled" and told["oom_kills"] == 0
    assert told["usage_bytes"] > 230 * MIB and told["ledger"]


def test_last_tells_the_oom_killer_from_the_rows_written_at_the_end(box, watch, xray, tmp_path):
    b = box()
    w = watch(b, "--state", tmp_path / "state")
    w.wait("watching")
    until(lambda: report(tmp_path)["rows"] > 10, 60, w.log)
    b.set(oom_kill=3)
    seen = report(tmp_path)["rows"]
    until(lambda: report(tmp_path)["rows"] > seen + 5, 60, w.log)
    w.kill()
    b.start_time(9999)
    told = json.loads(last(xray, tmp_path / "state", b).stdout)
    assert told["how"] == "oom_killed" and told["oom_kills"] == 3


def test_last_tells_an_end_in_order_and_the_lives_before(box, watch, xray, tmp_path):
    b = box()
    for life in range(3):
        b.start_time(5000 + life)
        w = watch(b, "--state", tmp_path / "state")
        w.wait("watching")
        until(lambda: report(tmp_path)["rows"] > 3, 60, w.log)
        assert w.end() == 0
    told = json.loads(last(xray, tmp_path / "state", b).stdout)  # the present life is not the last
    assert told["how"] == "told" and told["life"].endswith("start 5001")
    lives = (tmp_path / "state/lives.jsonl").read_text().splitlines()
    assert [json.loads(line)["how"] for line in lives] == ["told", "told"]
    text = xray("--last", "--state", tmp_path / "state", *b.args())
    assert text.returncode == 0 and "it was told to end" in text.stdout and "Lives that ended before" in text.stdout


def test_last_is_not_the_life_that_a_watch_looks_at(box, watch, xray, tmp_path):
    """Whatever process asks: the lock of the running watch tells."""
    b = box()
    w = watch(b, "--state", tmp_path / "state")
    w.wait("watching")
    until(lambda: (tmp_path / "state/last.json").exists(), 60, "a state")
    b.start_time(9999)
    for where in (b, None):  # also from a machine that is no container
        done = last(xray, tmp_path / "state", where)
        assert done.returncode == 2 and "there is no earlier life in it" in done.stderr


@pytest.mark.parametrize("garbage", ["", "{", "[]", "{\"life\": 3}", "\0\0\0", "{\"life\":\"x\",\"alarms\":[{}],\"began\":\"y\"}"])
def test_garbage_in_the_state_is_no_harm(box, watch, xray, tmp_path, garbage):
    state = tmp_path / "state"
    state.mkdir()
    for name in ("last.json", "history.csv", "tail.csv", "lives.jsonl"):
        (state / name).write_text(garbage)
    w = watch(box(), "--state", state)
    w.wait("watching")
    until(lambda: report(tmp_path)["rows"] > 3, 60, w.log)
    assert w.end() == 0
    assert json.loads((state / "last.json").read_text())["ended"] == "told"
    said = "can't be read, it begins anew" in w.log()
    assert said == ("\"x\"" not in garbage)  # that one is another life, if a poor one


def test_a_state_folder_full_of_traps_neither_stops_it_nor_has_others_files_written(box, watch, tmp_path):
    b, state, victim = box(), tmp_path / "state", tmp_path / "victim"
    w = watch(b, "--state", state)
    until(lambda: (state / "last.json").exists(), 60, w.log)
    assert w.end() == 0
    victim.write_text("precious\n")
    for name in ("history.csv", "history.csv.new", "lives.jsonl.new"):
        (state / name).unlink(missing_ok=True)
        os.mkfifo(state / name)
    for name in ("tail.csv", "last.json.new"):
        (state / name).unlink(missing_ok=True)
        os.link(victim, state / name)
    before = (state / "last.json").stat().st_ino
    w = watch(b, "--state", state)
    until(lambda: (state / "last.json").stat().st_ino != before, 60, w.log)
    until(lambda: (state / "tail.csv").stat().st_size > 2000, 60, w.log)
    assert w.end() == 0
    assert victim.read_text() == "precious\n"
    assert (state / "history.csv").is_file()
