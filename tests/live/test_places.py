# SPDX-License-Identifier: Apache-2.0
"""Where plimsoll-xray runs: real php-fpm at three levels of sight, gVisor, an empty root, groups in groups."""
import json
import os
import pathlib
import subprocess

import pytest

from rigs import box, cachesite, emptyroot, group, levels, sandbox, tool

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
XRAY = "/app/plimsoll-xray"


@pytest.fixture(scope="module")
def fpm():
    """php-fpm with OPcache behind Caddy, as root in Docker starts them, with some pages in its store."""
    why = box.unusable() or cachesite.needs()
    if why:
        pytest.skip(why)
    with box.Box("fpm", 256 * MIB, cachesite.TMPFS) as b:
        b.write(XRAY, tool.BINARY.read_bytes(), 0o755)
        site = cachesite.Site(b)
        site.load(50, 8).out.wait('"ok": ([5-9][0-9]|[1-9][0-9]{2})', 30)
        yield b


def look(b, *args, level="full", charged=True):
    return tool.parse(b.call([XRAY, "xray", "--json", *args], level=level, charged=charged).stdout)


@pytest.mark.parametrize("level", levels.LEVELS)
def test_php_fpm_balances_at_each_level_of_sight(fpm, level):
    seen = look(fpm, level=level)
    assert seen["sight"] == level, seen
    assert abs(seen["unexplained_bytes"]) <= tool.reserve(seen["usage_bytes"]), seen


@pytest.mark.parametrize("level", levels.LEVELS)
def test_what_is_not_visible_names_its_cure(fpm, level):
    text = fpm.call([XRAY, "xray", "--color", "never"], level=level).stdout
    for cure in ("SYS_PTRACE", "process.dumpable", "--profile=sysadmin"):
        assert (cure in text) == (level != "full"), text


@pytest.mark.parametrize("level", levels.LEVELS)
def test_roles_and_mounts_are_named_at_each_level(fpm, level):
    text = fpm.call([XRAY, "xray", "--color", "never"], level=level).stdout
    for word in ("php-fpm", "caddy", "/app/var/cache"):
        assert word in text, text


def test_from_outside_by_pid_and_by_cgroup_it_is_the_same_container(fpm):
    inside = look(fpm)
    for args in (["--pid", str(fpm.init)], ["--cgroup", str(fpm.group.path)]):
        done = subprocess.run([tool.BINARY, "xray", "--json", *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        seen = tool.parse(done.stdout)
        assert seen["limit_bytes"] == inside["limit_bytes"] == 256 * MIB
        assert abs(seen["usage_bytes"] - inside["usage_bytes"]) < 16 * MIB
        assert abs(seen["unexplained_bytes"]) <= tool.reserve(seen["usage_bytes"]), seen
        assert any("/app/var/cache" in json.dumps(line) for line in seen["lines"]), seen


@pytest.mark.parametrize("level", ("docker", "none"))
def test_files_of_a_process_in_our_own_mounts_are_seen_though_its_root_is_closed(fpm, level):
    pid = next(p["pid"] for p in look(fpm)["processes"] if p["role"] == "php-fpm pool")
    denied = fpm.call(["ls", f"/proc/{pid}/root/"], level=level, check=False)
    assert "Permission denied" in denied.stderr, denied
    seen = look(fpm, "--pid", str(pid), level=level)
    assert any(mount["path"] == "/app/var/cache" and mount["used_bytes"] for mount in seen["mounts"]), seen
    assert abs(seen["unexplained_bytes"]) <= tool.reserve(seen["usage_bytes"]), seen


@pytest.fixture(scope="module")
def segments():
    """Shared memory of every kind in a container, beside files that another group pays for and a tmpfs that statvfs can't size."""
    why = box.unusable() or cachesite.needs()
    if why:
        pytest.skip(why)
    tmpfs = ("/dev/shm size=64m,mode=1777", "/app/cache size=64m,mode=1777", "/app/unsized size=0,nr_inodes=0,mode=1777")
    with box.Box("segments", 128 * MIB, tmpfs) as b:
        b.write(XRAY, tool.BINARY.read_bytes(), 0o755)
        b.write("/app/segments.php", (HERE / "segments.php").read_text())
        php = b.run([tool.PHP, "-n", "-d", "extension=shmop", "-d", "extension=ffi", "-d", "extension=apcu", "-d", "apc.enable_cli=1",
                     "-d", "apc.shm_size=16M", "-d", "memory_limit=-1", "/app/segments.php"], level="docker")
        php.wait("^ready$", 60)
        b.call(["dd", "if=/dev/urandom", "of=/app/cache/ours", "bs=1M", "count=8"])
        b.call(["dd", "if=/dev/urandom", "of=/app/cache/of-another-group", "bs=1M", "count=20"], charged=False)
        b.call(["dd", "if=/dev/urandom", "of=/app/unsized/walked", "bs=1M", "count=6"])
        yield b


@pytest.mark.parametrize("level", levels.LEVELS)
def test_shared_memory_of_every_kind_balances(segments, level):
    seen = look(segments, level=level)
    assert abs(seen["unexplained_bytes"]) <= tool.reserve(seen["usage_bytes"]), seen


def test_each_kind_of_shared_memory_has_its_line(segments):
    seen = look(segments)
    shared = sum(line["bytes"] for line in seen["lines"] if line["parent"] is None and line["line"] == "shared_memory")
    assert 16 * MIB <= shared <= 24 * MIB, seen
    # SysV, memfd, APCu and the anonymous mapping, each of 4 MiB.
    assert sum(3 * MIB < s["bytes"] < 6 * MIB for s in seen["shared_segments"]) == 4, seen["shared_segments"]
    assert [3 * MIB < f["bytes"] < 5 * MIB for f in seen["deleted_files"]] == [True], seen["deleted_files"]
    assert seen["deleted_files"][0]["pid"], seen["deleted_files"]


def test_files_that_another_group_pays_for_are_shown_and_not_summed(segments):
    seen = look(segments)
    files = next(line for line in seen["lines"] if line["line"] == "files_in_memory" and line["parent"] is None)
    assert 17 * MIB <= files["bytes"] <= 20 * MIB, seen  # 8 + 6 of ours, 4 deleted
    assert "/app/cache" in json.dumps([line for line in seen["lines"] if line.get("owner")])
    mounts = {m["path"]: m for m in seen["mounts"]}
    assert mounts["/app/cache"]["used_bytes"] >= 28 * MIB, mounts


def test_a_tmpfs_that_statvfs_cannot_size_is_walked(segments):
    mounts = {m["path"]: m for m in look(segments)["mounts"]}
    assert mounts["/app/unsized"]["walked"] and 6 * MIB <= mounts["/app/unsized"]["used_bytes"] < 7 * MIB, mounts


@pytest.mark.parametrize("shown", ("bind", "private", "none"))
def test_the_limit_is_found_however_the_group_is_shown(shown):
    if box.unusable():
        pytest.skip(box.unusable())
    with box.Box("shown", 96 * MIB, cgroup=shown) as b:
        b.write(XRAY, tool.BINARY.read_bytes(), 0o755)
        done = b.call([XRAY, "xray", "--json"], check=False)
        assert done.returncode == 0, done.stderr
        seen = tool.parse(done.stdout)
        if shown == "none":  # nothing tells it of a limit: it must say so, not invent one
            assert seen["limit_from"] in ("none", "machine"), seen
        else:
            assert seen["limit_bytes"] == 96 * MIB, seen


def test_the_tightest_ancestor_counts():
    if group.unusable():
        pytest.skip(group.unusable())
    outer = group.Group("outer", 80 * MIB)
    try:
        if outer.version == 2:
            (outer.path / "cgroup.subtree_control").write_text("+memory")
        inner = outer.path / "inner"
        inner.mkdir()
        try:
            (inner / group.FILES[outer.version]["limit"]).write_text(str(160 * MIB))
            done = subprocess.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', inner, tool.BINARY, "xray", "--json", "--self"],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert tool.parse(done.stdout)["limit_bytes"] == 80 * MIB, done.stdout
        finally:
            inner.rmdir()
    finally:
        outer.close()


# A container's root as Cloud Run's second generation and hosts with their images in memory make it: what is written lies on a
# tmpfs of the host's, which no mountpoint inside shows. The image's directories have small numbers, as in a squashfs: readdir
# tells those, which are others' by then. 77: no overlay can be mounted here.
HIDDEN = """
mount --make-rprivate / && mount -t tmpfs m "$0/mem" && mkdir "$0/mem/upper" "$0/mem/work" && cp "$1" "$0/mem/upper/xray" &&
mount -t tmpfs i "$0/image" && (cd "$0/image" && seq -f part%g 300 | xargs mkdir) &&
mount -t overlay o -o "lowerdir=$0/image:/,upperdir=$0/mem/upper,workdir=$0/mem/work" "$0/root" || exit 77
mkdir -p "$0/root/proc" "$0/root/sys/fs/cgroup" && mount -t proc proc "$0/root/proc" &&
mount --rbind /sys/fs/cgroup "$0/root/sys/fs/cgroup" && shift &&
exec chroot "$0/root" sh -c 'mkdir -p /app/var/cache && yes | head -c 20971520 >/app/var/cache/pages && exec /xray --json --self'
"""


def test_a_root_whose_writes_lie_on_a_tmpfs_out_of_sight_is_in_memory(tmp_path):
    if group.unusable():
        pytest.skip(group.unusable())
    for d in ("mem", "image", "root"):
        (tmp_path / d).mkdir()
    g = group.Group("hidden", 128 * MIB)
    try:
        done = subprocess.run(g.entering(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HIDDEN, tmp_path, tool.BINARY]),
                              capture_output=True, text=True, timeout=60)
    finally:
        g.close()
    if done.returncode == 77:
        pytest.skip(f"no overlay can be mounted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    seen = tool.parse(done.stdout)
    assert [(m["path"], m["kind"]) for m in seen["mounts"] if m["used_bytes"]] == [("/", "overlay")], seen
    assert any(d["path"] == "/app/var/cache" and d["bytes"] == 20 * MIB for d in seen["directories"]), seen
    assert abs(seen["unexplained_bytes"]) <= tool.reserve(seen["usage_bytes"]), seen


def test_a_proc_that_hides_processes_is_named_as_the_reason():
    if group.unusable():
        pytest.skip(group.unusable())
    g = group.Group("hidepid", 64 * MIB)
    inside = ["sh", "-c", 'mount --make-rprivate / && mount -t proc -o hidepid=2 proc /proc && "$@"; exit $?', "sh",
              *levels.at("none", [tool.BINARY, "xray", "--json", "--self"])]
    try:
        done = subprocess.run(g.entering(["unshare", "--mount", "--pid", "--fork", "--kill-child", *inside]),
                              capture_output=True, text=True, timeout=60)
    finally:
        g.close()
    assert done.returncode == 0, done.stderr
    notes = tool.parse(done.stdout)["notes"]
    assert any("hidepid" in note for note in notes) and not any("what 0 of" in note for note in notes), notes


def test_in_gvisor_it_says_what_it_can_not_see():
    if sandbox.unusable():
        pytest.skip(sandbox.unusable())
    with sandbox.Root({"app/plimsoll-xray": tool.BINARY}) as root:
        done = root.call("dd if=/dev/zero of=/app/fill bs=1M count=20 2>/dev/null; /app/plimsoll-xray xray --color never; "
                         "echo; echo JSON; /app/plimsoll-xray xray --json")
    assert done.returncode == 0, done.stderr + done.stdout
    text, _, rest = done.stdout.partition("\nJSON\n")
    seen = tool.parse(rest)
    assert "gVisor" in text, text
    assert seen["gvisor"] and any("can't be told" in note for note in seen["notes"]), seen["notes"]
    # What was written to the root lies in the sandbox's memory.
    files = sum(line["bytes"] for line in seen["lines"] if line["line"] == "files_in_memory")
    assert files >= 20 * MIB, seen


@pytest.fixture(scope="module")
def empty():
    if os.geteuid() != 0:
        pytest.skip("only root can chroot")
    made = {mounts: emptyroot.EmptyRoot(tool.BINARY, mounts) for mounts in ((), ("proc",), ("proc", "cgroup"))}
    yield made
    for e in made.values():
        e.close()


@pytest.mark.parametrize("mounts", [(), ("proc",), ("proc", "cgroup")], ids=["nothing", "proc", "proc_and_cgroup"])
def test_in_an_empty_root_it_runs(empty, mounts):
    version = empty[mounts].call("--version")
    assert version.returncode == 0 and version.stdout.startswith("plimsoll-xray "), version
    done = empty[mounts].call("xray", "--json")
    if mounts:
        assert done.returncode == 0, done
        assert tool.parse(done.stdout)["usage_bytes"] > 0
    else:  # without /proc there is nothing to see: it says so
        assert done.returncode in (1, 2) and "/proc" in done.stderr, done
