# SPDX-License-Identifier: Apache-2.0
"""Where plimsoll-xray runs: real php-fpm at three levels of sight, gVisor, an empty root, groups in groups."""
import json
import os
import subprocess

import pytest

from rigs import box, cachesite, emptyroot, group, levels, sandbox, tool

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
        site.load(50, 2).out.wait('"ok": [1-9][0-9]', 20, count=2)
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


def test_in_gvisor_it_says_what_it_can_not_see():
    if sandbox.unusable():
        pytest.skip(sandbox.unusable())
    folder = "/var/tmp" if not str(tool.BINARY).startswith("/var/tmp") else "/opt"
    done = sandbox.call(f"dd if=/dev/zero of={folder}/fill bs=1M count=20 2>/dev/null; {tool.BINARY} xray --color never; "
                        f"echo; echo JSON; {tool.BINARY} xray --json")
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
        assert done.returncode == 1, done
        assert "/proc" in done.stderr, done
