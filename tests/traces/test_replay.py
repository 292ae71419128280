# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray --replay: the verdict on real recordings, plimsoll.replay/1, causality, and files that are none.

The recordings lie in tests/traces/recordings; made-up traces come from judge-table --write.
"""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
XRAY = os.environ.get("PLIMSOLL_XRAY", str(BUILD / "plimsoll-xray"))
JUDGE_TABLE = os.environ.get("JUDGE_TABLE", str(BUILD / "tests/traces/judge-table"))
RECORDINGS = ROOT / "tests/traces/recordings"

VERDICTS = {"growing", "stepped", "warming_up", "cyclic", "steady", "saturated", "undecided"}
CAUSES = {"tmpfs", "deleted_files", "shared_memory", "php_heap", "native", "go_heap", "process_anon", "kernel", "page_cache",
          "unknown", None}

# verdict: several are right where the data allow several. alarms: None, or {verdict: raised before this t}.
EXPECTED = {
    "incident": ({"growing", "saturated"}, "tmpfs", {"growing": 150}),
    "incident_thrash": ({"saturated"}, "tmpfs", {"growing": 70, "saturated": 90}),
    "heapleak": ({"growing"}, "process_anon", {"growing": 1e9}),
    "pagecache": ({"steady", "warming_up"}, None, None),
    "sawtooth": ({"warming_up", "stepped", "steady"}, None, None),
    "sawtooth_go": ({"cyclic"}, None, None),
    "steady": ({"steady"}, None, None),
    "warmup": ({"warming_up"}, None, None),
    "step": ({"stepped"}, None, None),
    "tmpfs_cleaned": ({"cyclic"}, None, None),
}


def run(*args, stdin=None):
    return subprocess.run([XRAY, "--replay", *map(str, args)], input=stdin, capture_output=True, timeout=60)


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def check_schema(r):
    assert set(r) == {"schema", "rows", "limit_bytes", "verdict", "cause", "growth_bytes_per_min", "stall_in_s", "lines", "alarms"}
    assert r["schema"] == "plimsoll.replay/1"
    assert isinstance(r["rows"], int) and r["rows"] >= 0
    assert r["limit_bytes"] is None or (isinstance(r["limit_bytes"], int) and r["limit_bytes"] > 0)
    assert r["verdict"] in VERDICTS and r["cause"] in CAUSES
    lo, mid, hi = r["growth_bytes_per_min"]
    assert is_number(lo) and is_number(mid) and is_number(hi) and lo <= mid <= hi
    if r["stall_in_s"] is not None:
        first, last = r["stall_in_s"]
        assert is_number(first) and is_number(last) and 0 <= first <= last
    names = [line["line"] for line in r["lines"]]
    assert len(names) == len(set(names))
    for line in r["lines"]:
        assert set(line) == {"line", "verdict"} and line["verdict"] in VERDICTS
    last = None
    for alarm in r["alarms"]:
        assert set(alarm) == {"t", "verdict", "cause", "cleared_t"}
        assert is_number(alarm["t"]) and alarm["verdict"] in {"growing", "saturated"} and alarm["cause"] in CAUSES
        assert alarm["cleared_t"] is None or alarm["cleared_t"] >= alarm["t"]
        assert last is None or alarm["t"] >= last
        last = alarm["t"]


def replay(path, **kw):
    done = run(path, "--json", **kw)
    assert done.returncode == 0, done.stderr.decode()
    r = json.loads(done.stdout)
    check_schema(r)
    return r


def test_there_is_an_expectation_for_each_recording():
    assert {p.stem for p in RECORDINGS.glob("*.csv") if not p.name.endswith(".procs.csv")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_on_a_real_recording(name):
    verdicts, cause, alarms = EXPECTED[name]
    r = replay(RECORDINGS / f"{name}.csv")
    assert r["limit_bytes"] == 256 << 20
    assert r["verdict"] in verdicts, r
    if alarms is None:
        assert r["alarms"] == []
        return
    assert r["cause"] == cause
    for verdict, before in alarms.items():
        first = next((a for a in r["alarms"] if a["verdict"] == verdict), None)
        assert first and first["t"] < before, r["alarms"]
        assert first["cause"] == cause
    # One can't grow by files in memory while those level off.
    lines = {line["line"]: line["verdict"] for line in r["lines"]}
    if any(a["verdict"] == "growing" and a["cleared_t"] is None for a in r["alarms"]):
        assert lines[{"tmpfs": "files_in_memory", "process_anon": "anonymous"}[cause]] == "growing", r


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_does_not_depend_on_the_processes_beside_it(name, tmp_path):
    alone = tmp_path / f"{name}.csv"
    alone.write_bytes((RECORDINGS / f"{name}.csv").read_bytes())
    assert replay(alone) == replay(RECORDINGS / f"{name}.csv")


def known_by(alarms, t):
    """What of these alarms was known at t."""
    return [dict(a, cleared_t=a["cleared_t"] if a["cleared_t"] is not None and a["cleared_t"] <= t else None)
            for a in alarms if a["t"] <= t]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_prefix_gives_the_alarms_known_by_then(name, tmp_path):
    head, *rows = (RECORDINGS / f"{name}.csv").read_text().splitlines(keepends=True)
    full = replay(RECORDINGS / f"{name}.csv")
    cuts = sorted({1, 2, 10, len(rows) // 4, len(rows) // 3, len(rows) // 2, 2 * len(rows) // 3, len(rows) - 5}
                  | {int(a["t"]) + k for a in full["alarms"] for k in (0, 1, 2)})
    for n in cuts:
        if not 0 < n <= len(rows):
            continue
        part = tmp_path / "part.csv"
        part.write_text(head + "".join(rows[:n]))
        r = replay(part)
        assert r["rows"] == min(n, full["rows"])
        assert r["alarms"] == known_by(full["alarms"], float(rows[n - 1].split(",")[0])), n


def test_a_later_row_does_not_change_an_earlier_alarm(tmp_path):
    text = (RECORDINGS / "heapleak.csv").read_text().splitlines()
    head, rows = text[0], [r for r in text[1:] if r]
    names = head.split(",")
    rows = [r for r in rows if r.split(",")[names.index("nprocs")] != "0"]
    last = rows[-1].split(",")
    fallen = []
    for i in range(1, 300):  # all is given back
        row = rows[0].split(",")
        row[0] = f"{float(last[0]) + i:.2f}"
        fallen.append(",".join(row))
    whole = tmp_path / "fallen.csv"
    whole.write_text("\n".join([head, *rows, *fallen]) + "\n")
    before, after = replay(RECORDINGS / "heapleak.csv"), replay(whole)
    assert before["alarms"] and before["alarms"][0]["cleared_t"] is None
    assert after["alarms"][0]["cleared_t"] > float(last[0])
    assert known_by(after["alarms"], float(last[0])) == known_by(before["alarms"], float(last[0]))


def test_teardown_is_not_judged(tmp_path):
    text = (RECORDINGS / "heapleak.csv").read_text().splitlines(keepends=True)
    column = text[0].strip().split(",").index("nprocs")
    living = [row for row in text[1:] if row.split(",")[column] != "0"]
    cut = tmp_path / "cut.csv"
    cut.write_text(text[0] + "".join(living))
    assert len(living) < len(text) - 1
    assert replay(cut) == replay(RECORDINGS / "heapleak.csv")
    assert replay(cut)["rows"] == len(living)
    later = tmp_path / "later.csv"  # whatever follows teardown belongs to it
    later.write_text("".join(text) + "".join(living))
    assert replay(later) == replay(cut)


# The same recording in other clothes.
def shuffled(text):
    rows = [line.split(",") for line in text.splitlines()]
    order = sorted(range(len(rows[0])), key=lambda i: rows[0][i][::-1])
    return "\n".join(",".join(row[i] for i in order) for row in rows) + "\n"


def renamed(text):
    head, rest = text.split("\n", 1)
    names = {"usage": "memory.current", "rss": "anon", "cache": "file", "kmem_usage": "kernel", "mapped_file": "file_mapped",
             "max_usage": "peak", "dirty": "file_dirty", "writeback": "file_writeback"}
    return ",".join(names.get(n, n) for n in head.split(",")) + "\n" + rest


def floats(text):
    head, *rows = text.splitlines()
    return "\n".join([head, *(",".join(f if "." in f or not f else f + ".0" for f in row.split(",")) for row in rows)]) + "\n"


def more_columns(text):
    lines = text.splitlines()
    return "\n".join(["color," + lines[0] + ",note", *(f'"a, b",{row},"x ""y"""' for row in lines[1:])]) + "\n"


CLOTHES = {
    "crlf": lambda s: s.replace("\n", "\r\n"),
    "quoted": lambda s: "\n".join(",".join(f'"{f}"' for f in row.split(",")) for row in s.splitlines()) + "\n",
    "byte order mark": lambda s: "\ufeff" + s,
    "blank lines": lambda s: "\n\n" + s.replace("\n", "\n\n"),
    "no last line end": lambda s: s.rstrip("\n"),
    "columns in another order": shuffled,
    "names of cgroup v2": renamed,
    "numbers as floats": floats,
    "unknown columns": more_columns,
    "blanks around fields": lambda s: s.replace(",", " , "),
    "rows again": lambda s: "\n".join([s.splitlines()[0], *(row for row in s.splitlines()[1:] for _ in (0, 1))]) + "\n",
}


@pytest.mark.parametrize("name", CLOTHES)
@pytest.mark.parametrize("recording", ["incident", "incident_thrash", "tmpfs_cleaned"])
def test_a_recording_in_other_clothes_gets_the_same_verdict(name, recording, tmp_path):
    text = (RECORDINGS / f"{recording}.csv").read_text()
    other = tmp_path / "other.csv"
    other.write_text(CLOTHES[name](text), encoding="utf-8", newline="")
    assert replay(other) == replay(RECORDINGS / f"{recording}.csv")


def test_standard_input_is_read_as_minus():
    text = (RECORDINGS / "incident.csv").read_bytes()
    assert replay("-", stdin=text) == replay(RECORDINGS / "incident.csv")


UNREADABLE = {
    "empty": (b"", "empty"),
    "blank": (b"\n\n\n", "blank lines only"),
    "without t": (b"time,usage\n1,2\n", "line 1: no column is called t"),
    "with semicolons": (b"t;usage\n1;2\n", "commas"),
    "binary": (bytes(range(256)) * 64, "no column is called t"),
    "one endless line": (b"x" * 1_000_000, "longer than 64 KiB"),
    "without a single number in t": (b"t,usage\nnow,1\nthen,2\n", 'line 2, column 1: no row can be used: t is "now"'),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("json_too", [True, False])
def test_what_is_no_recording_is_refused_with_the_reason(name, json_too, tmp_path):
    data, reason = UNREADABLE[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    done = run(path, *(["--json"] if json_too else []))
    assert done.returncode == 2
    assert done.stdout == b""
    assert str(path) in done.stderr.decode() and reason in done.stderr.decode()


def test_what_is_not_there_or_a_folder_is_refused(tmp_path):
    for path, reason in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        done = run(path, "--json")
        assert (done.returncode, done.stdout) == (2, b"")
        assert str(path) in done.stderr.decode() and reason in done.stderr.decode()


HEAD = "t,usage,limit,inactive_file,active_file,rss,shmem,kmem_usage,nprocs\n"
HOSTILE = {
    "a header only": (HEAD, 0),
    "t alone": ("t\n1\n2\n3\n", 3),
    "one row": (HEAD + "0,1,2,0,0,1,0,0,1\n", 1),
    "garbage numbers": (HEAD + "".join(f"{i},x,-5,0x10,1e999,nan,,--,1\n" for i in range(100)), 100),
    "huge numbers": (HEAD + "".join(f"{i},{10**18},{10**30},{2**63},{2**64},{10**18},{10**18},{2**60},1\n" for i in range(300)), 300),
    "usage above the limit": (HEAD + "".join(f"{i},{900 + i},100,0,0,{900 + i},0,0,1\n" for i in range(300)), 300),
    "page cache larger than usage": (HEAD + "".join(f"{i},100,1000,500,500,9,9,9,1\n" for i in range(300)), 300),
    "short and long rows": (HEAD + "0\n1,5\n2,5,6,7,8,9,10,11,12,13,14,15\n3,,,,\n", 4),
    "t falling": (HEAD + "".join(f"{-i},5,6,0,0,0,0,0,1\n" for i in range(50)), 1),
    "t standing": (HEAD + "7,5,6,0,0,0,0,0,1\n" * 50, 1),
    "t in epoch seconds": (HEAD + "".join(f"{1.7e9 + i / 3:.3f},5,6,0,0,0,0,0,1\n" for i in range(100)), 100),
    "years between rows": (HEAD + "".join(f"{i * 1e8:.0f},{5 + i},600,0,0,0,0,0,1\n" for i in range(100)), 100),
    "a thousandth between rows": (HEAD + "".join(f"{i / 1000},{5 + i},600000,0,0,0,0,0,1\n" for i in range(3000)), 3000),
    "teardown at once": (HEAD + "0,5,6,0,0,0,0,0,0\n1,5,6,0,0,0,0,0,1\n", 0),
    "limits that change": (HEAD + "".join(f"{i},5000,{'max' if i % 3 else 6000 + i},0,0,0,0,0,1\n" for i in range(100)), 100),
    "counters that fall": ("t,usage,workingset_refault_file,oom_kill,requests\n" +
                           "".join(f"{i},5000,{10**9 if i % 2 else 0},{i % 5},{1000 - i}\n" for i in range(500)), 500),
    "NUL bytes": (HEAD + "0,5\0,6,0,0,0,0,0,1\n1,5,6,0,0,0,0,\0,1\n", 2),
    "a row without an end": (HEAD + "0,5,6,0,0,0,0,0,1\n1,5,6,0,0", 1),
    "a line too long": (HEAD + "0,5,6,0,0,0,0,0,1\n1," + "9" * 200_000 + "\n2,5,6,0,0,0,0,0,1\n", 2),
    "the same column twice": ("t,usage,usage,t\n1,5,6,9\n2,5,6,9\n", 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_recording_is_judged_in_good_order(name, tmp_path):
    text, rows = HOSTILE[name]
    path = tmp_path / "hostile.csv"
    path.write_text(text, newline="")
    assert replay(path)["rows"] == rows
    done = run(path)  # and as text
    assert done.returncode == 0
    assert b"verdict  " in done.stdout and b"nan" not in done.stdout and b"inf " not in done.stdout


def test_what_was_put_up_with_is_said(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(HEAD + "0,5,6,0,0,0,0,0,1\nsoon,5,6,0,0,0,0,0,1\n1,five,6,0,0,0,0,0,1\n2,5,6,0,0,0,0,0,0\n")
    text = run(path).stdout.decode()
    assert "1 rows were left out" in text and "line 4, column 2" in text and "teardown" in text


def test_no_limit_is_null(tmp_path):
    path = tmp_path / "free.csv"
    for limit in ("max", "9223372036854771712", ""):
        path.write_text(HEAD + "".join(f"{i},5000000,{limit},0,0,0,0,0,1\n" for i in range(10)))
        r = replay(path)
        assert r["limit_bytes"] is None and r["stall_in_s"] is None


def test_broken_processes_beside_a_recording_are_said_and_left_out(tmp_path):
    path = tmp_path / "incident.csv"
    path.write_bytes((RECORDINGS / "incident.csv").read_bytes())
    (tmp_path / "incident.procs.csv").write_bytes(b"\0\1\2no csv at all\n1,2,3\n")
    done = run(path, "--json")
    assert done.returncode == 0
    assert "incident.procs.csv" in done.stderr.decode()
    assert json.loads(done.stdout) == replay(RECORDINGS / "incident.csv")


def test_the_process_that_grew_is_named():
    assert "(php), anonymous memory +206 MiB" in run(RECORDINGS / "heapleak.csv").stdout.decode()


def test_a_full_disk_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([XRAY, "--replay", str(RECORDINGS / "steady.csv"), "--json"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"can't be written" in done.stderr


@pytest.mark.parametrize("args", [["--replay"], ["--replay", "a", "b"], ["--replay", "a", "--jason"]])
def test_a_wrong_call_is_refused(args):
    done = subprocess.run([XRAY, *args], capture_output=True, timeout=60)
    assert done.returncode == 2 and done.stdout == b"" and done.stderr


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made-up")
    # The table's own exit code is another test's; here its traces are wanted.
    subprocess.run([JUDGE_TABLE, "--seeds", "5000001", "--write", str(folder)], capture_output=True, timeout=300)
    return folder


def test_made_up_traces_get_the_same_verdict_through_files(made_up):
    files = sorted(made_up.glob("*.csv"))
    assert len(files) >= 40
    for path in files:
        label, r = json.loads(path.with_suffix(".json").read_text()), replay(path)
        assert r["rows"] == label["rows"]
        assert (r["verdict"], r["cause"] or "null") == (label["verdict"], label["cause"]), path.name
        assert [(a["t"], a["verdict"], a["cause"]) for a in r["alarms"]] == \
            [(a["t"], a["verdict"], a["cause"]) for a in label["raised"]], path.name


def test_a_leak_that_counts_is_one(made_up):
    leaks = [json.loads(p.read_text()) for p in made_up.glob("*.json")]
    leaks = [label for label in leaks if label["leak"]]
    assert len(leaks) >= 15
    for label in leaks:
        assert label["rise"] >= max(8 << 20, label["swing"])
