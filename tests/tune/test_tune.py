# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray tune: what it proposes fits; plimsoll.tune/1; options, a recording, a container (made-up files)."""
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
XRAY = os.environ.get("PLIMSOLL_XRAY", str(BUILD / "plimsoll-xray"))
RECORDINGS = ROOT / "tests/traces/recordings"
FILES = {"frankenphp": "Caddyfile", "php-fpm": "www.conf", "fpm": "www.conf", "apache": "mpm_prefork.conf", "plimsoll": "plimsoll.conf"}
SERVERS = ["frankenphp", "php-fpm", "apache", "plimsoll"]
MIB = 1 << 20


def run(*args):
    return subprocess.run([XRAY, "tune", *map(str, args)], capture_output=True, timeout=60)


def check_schema(r):
    assert set(r) == {"schema", "limit_bytes", "cpus", "cpus_from", "memory_limit_bytes", "memory_limit_from", "servers"}
    assert r["schema"] == "plimsoll.tune/1" and r["cpus"] > 0
    for server in r["servers"]:
        assert set(server) == {"server", "workers", "by", "by_memory_limit", "by_measured", "by_cpu", "left_bytes", "workers_bytes",
                               "limit_needed_bytes", "budget", "settings", "instead", "notes"}
        assert server["server"] in SERVERS
        assert min(server["workers"], server["left_bytes"], server["workers_bytes"], server["limit_needed_bytes"]) >= 0
        assert server["workers_bytes"] <= server["left_bytes"]
        if r["limit_bytes"] is not None and server["workers"]:
            spoken_for = -sum(line["bytes"] for line in server["budget"])
            assert spoken_for + server["left_bytes"] <= r["limit_bytes"]
        assert all(line["bytes"] <= 0 and line["why"] for line in server["budget"])
        assert bool(server["settings"]) == (server["workers"] > 0)
        assert bool(server["instead"]) == (server["workers"] == 0)
        for s in server["settings"]:
            assert s["where"] and s["name"] and s["arithmetic"]
            assert not re.search(r"-\d", s["value"]) and s["value"] not in ("", "0")


def tune(*args):
    done = run(*args, "--json")
    assert done.returncode == 0, done.stderr.decode()
    r = json.loads(done.stdout)
    check_schema(r)
    return r


def settings(server):
    return {s["name"]: s["value"] for s in server["settings"]}


@pytest.mark.parametrize("limit", ["1", "16M", "64M", "128M", "256M", "512M", "2G", "4G", "32G", "9999T"])
@pytest.mark.parametrize("memory_limit", ["-1", "1K", "64M", "128M", "512M", "9999T"])
def test_nothing_negative_or_overcommitted_is_proposed(limit, memory_limit):
    for cpus in ("0.1", "2", "64"):
        r = tune("--limit", limit, "--cpus", cpus, "--memory-limit", memory_limit)
        assert [s["server"] for s in r["servers"]] == SERVERS
        for server in r["servers"]:
            if server["workers"]:
                assert server["workers"] * r["memory_limit_bytes"] <= r["limit_bytes"]


def test_the_numbers_that_the_classic_formula_makes_negative():
    server = tune("--server", "frankenphp", "--limit", "2G", "--cpus", 8, "--memory-limit", "512M")["servers"][0]
    assert settings(server)["num_threads"] == "3" and settings(server)["GOMEMLIMIT"] == "64MiB"
    assert "gives -6.00 GiB" in server["notes"][0] and "negative from 4 threads (2 CPUs) on" in server["notes"][0]


@pytest.mark.parametrize("server,name", [("frankenphp", "max_threads"), ("php-fpm", "pm.max_children"), ("fpm", "pm.max_children"),
                                         ("apache", "MaxRequestWorkers"), ("plimsoll", "pm.max_children")])
def test_each_server_gets_its_own_words(server, name):
    r = tune("--server", server, "--limit", "2G", "--cpus", 2)["servers"]
    assert len(r) == 1
    assert settings(r[0])[name] == "11"
    assert settings(r[0])["--concurrency"] == "11" and settings(r[0])["limits.memory"] == "2048Mi"
    text = run("--server", server, "--limit", "2G", "--cpus", 2).stdout.decode()
    assert name in text and "left for workers" in text
    assert FILES[server] in text


def test_where_nothing_fits_the_text_says_what_to_change():
    done = run("--server", "php-fpm", "--limit", "128M", "--memory-limit", "512M", "--cpus", 1)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "nothing fits; change something instead" in text
    # A target that is the same for one worker and for all that the CPUs are good for is said once.
    one = run("--server", "php-fpm", "--limit", "128M", "--cpus", "0.5", "--memory-limit", "256M").stdout.decode()
    assert re.search(r"raise the container's limit to [\d.]+ MiB for one worker$", one, re.M), one
    none = run("--server", "php-fpm", "--limit", "max", "--cpus", "1").stdout.decode()
    assert "nothing fits" not in none and "without a limit there is nothing to fit into" in none
    assert re.search(r"-> lower memory_limit to \d", text) and re.search(r"-> raise the container's limit to \d", text)
    assert "max_children" not in text


def test_without_a_limit_it_asks_for_one():
    r = tune("--limit", "max", "--cpus", 2)
    assert r["limit_bytes"] is None
    assert all("set a memory limit" in s["instead"][0] and not s["budget"] for s in r["servers"])


def test_a_recording_is_measured():
    r = tune("--recording", RECORDINGS / "incident.csv", "--cpus", 2, "--server", "php-fpm", "--memory-limit", "32M")
    budget = {line["name"]: (line["bytes"], line["why"]) for line in r["servers"][0]["budget"]}
    assert r["limit_bytes"] == 256 * MIB
    assert -budget["files in memory"][0] == pytest.approx(177 * MIB, rel=0.01)
    assert "recording" in budget["files in memory"][1] and "15395 x 950 B" in budget["their inodes"][1]
    assert "recording" in budget["other processes"][1]
    said = " ".join(r["servers"][0]["instead"] + r["servers"][0]["notes"])
    assert "the recording grows (tmpfs)" in said


def procs_of(folder, requests, peaks):
    """A recording of a php-fpm whose workers' private memory reaches `peaks` MiB."""
    t = range(0, 4000, 10)
    (folder / "fpm.csv").write_text("t,usage,limit,inactive_file,active_file,rss,shmem,kmem_usage,mnt_used,nprocs,requests\n" + "".join(
        f"{s},{600 * MIB},{2048 * MIB},{50 * MIB},{50 * MIB},{400 * MIB},{64 * MIB},{10 * MIB},0,9,{requests * s // 4000}\n" for s in t))
    rows = ["t,pid,comm,RssAnon,Pss_Anon"]
    for s in t:
        rows.append(f"{s},10,php-fpm8.2,{6 * MIB},{3 * MIB}")
        rows += [f"{s},{11 + i},php-fpm8.2,{30 * MIB},{(10 + (peak - 10) * (s > 1000)) * MIB}" for i, peak in enumerate(peaks)]
    (folder / "fpm.procs.csv").write_text("\n".join(rows) + "\n")
    return folder / "fpm.csv"


def test_workers_measured_in_a_recording_count_instead_of_memory_limit(tmp_path):
    peaks = [40, 42, 38, 45, 41, 39, 44, 40]
    args = ("--server", "php-fpm", "--cpus", 16, "--memory-limit", "256M")
    many = tune("--recording", procs_of(tmp_path, 100_000, peaks), *args)["servers"][0]
    few = tune("--recording", procs_of(tmp_path, 500, peaks), *args)["servers"][0]
    assert many["by"] == "measured" and few["by"] == "memory_limit"
    assert few["workers"] == many["by_memory_limit"] < many["workers"] < 2048 // 40
    assert f"{many['by_memory_limit']} would fit" in " ".join(many["notes"])
    assert "498 requests were recorded" in " ".join(few["notes"])
    # A request at memory_limit still fits beside the others at their mean.
    assert many["left_bytes"] >= (many["workers"] - 1) * 41 * MIB + 256 * MIB


@pytest.mark.parametrize("text,reason", [("", "empty"), ("a,b\n1,2\n", "no column is called t"), (None, "No such file")])
def test_an_unreadable_recording_is_refused(tmp_path, text, reason):
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text)
    done = run("--recording", path, "--json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert str(path) in done.stderr.decode() and reason in done.stderr.decode()


@pytest.mark.parametrize("args", [["--server", "iis"], ["--limit", "much"], ["--limit", "0"], ["--limit"], ["--cpus", "0"], ["--cpus", "-2"],
                                  ["--cpus", "nan"], ["--memory-limit", "x"], ["--tmpfs", "-5"], ["--pid", "self"], ["--colour"], ["2G"]])
def test_a_wrong_option_is_refused(args):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == b""
    assert args[0] in done.stderr.decode() and "usage:" in done.stderr.decode()


def test_help_names_every_option():
    text = run("--help").stdout.decode()
    for option in ("--server", "--recording", "--limit", "--cpus", "--memory-limit", "--opcache", "--tmpfs", "--pid", "--json"):
        assert option in text


def container(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return "--proc", folder / "proc", "--sys", folder / "sys"


V2 = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      "sys/memory.max": f"{1 << 30}\n", "sys/memory.current": "104857600\n", "sys/cgroup.procs": "",
      "sys/memory.stat": "anon 52428800\nfile 31457280\nkernel 5242880\nshmem 0\ninactive_file 4096\nactive_file 4096\n",
      "sys/cpu.max": "150000 100000\n"}


def test_a_containers_limit_and_quota_are_read(tmp_path):
    r = tune(*container(tmp_path, V2))
    assert r["limit_bytes"] == 1 << 30
    assert r["cpus"] == 1.5 and "quota" in r["cpus_from"]


def test_options_hold_over_what_is_seen(tmp_path):
    r = tune(*container(tmp_path, V2), "--cpus", 4, "--memory-limit", "64M", "--opcache", "32M", "--tmpfs", "8M")
    assert (r["cpus"], r["memory_limit_bytes"]) == (4, 64 * MIB)
    budget = {line["name"]: (line["bytes"], line["why"]) for line in r["servers"][1]["budget"]}
    assert budget["shared memory"] == (-32 * MIB, "--opcache") and budget["files in memory"] == (-8 * MIB, "--tmpfs")


@pytest.mark.parametrize("gone", sorted(V2))
@pytest.mark.parametrize("how", ["missing", "garbage", "empty"])
def test_any_file_of_the_container_may_be_missing_or_garbage(tmp_path, gone, how):
    files = dict(V2)
    args = container(tmp_path, files)
    path = tmp_path / gone
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"\xff\0garbage 99999999999999999999 -1\n" if how == "garbage" else b"")
    r = tune(*args)
    assert [s["server"] for s in r["servers"]] == SERVERS
