# SPDX-License-Identifier: Apache-2.0
"""Real containers on this machine's cgroup: what watch alarms on, what it does not, what xray says then, and that ledgers balance."""
import re

import pytest

from rigs import levels, recorder, tool

MIB = 1 << 20
LEAKS = {
    # scenario: (cause where everything is visible, a word of the whole's owner)
    "heap": "php_heap",
    "native": "native",
    "go": "go_heap",
    "deleted": "deleted_files",
    "inodes": "kernel",
    "tmpfs": "tmpfs",
}
QUIET = ("pagecache", "cleaned", "missing", "files", "recycling")


def scenarios(names):
    return pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.scenario(n), id=n) for n in names])


def balance(look, cpus=None):
    """A ledger's unexplained bytes against how far it may be off."""
    usage, off = look["usage_bytes"], look["unexplained_bytes"]
    assert abs(off) <= tool.reserve(usage, cpus), f"{off} bytes of {usage} unexplained, sight {look['sight']}\n{look}"


@scenarios(LEAKS)
def test_a_leak_raises_one_alarm_that_names_its_cause(name, seen):
    assert seen.alarms == ["growing"], seen
    assert [(n["event"], n["verdict"], n["cause"]) for n in seen.notices] == [("raised", "growing", LEAKS[name])], seen


@scenarios(LEAKS)
def test_xray_names_a_leak_that_watch_has_seen(name, seen):
    look = seen.looks["full"]
    assert look["verdict"] == "growing", seen
    assert look["cause"] == LEAKS[name], seen
    lo, mid, hi = look["growth_bytes_per_min"]
    assert 0 < lo <= mid <= hi, seen
    # By our own recording, from the first tenth to the last row.
    rows = seen.rows[len(seen.rows) // 10:]
    own = (rows[-1]["hard"] - rows[0]["hard"]) * 60 / (rows[-1]["t"] - rows[0]["t"])
    assert 0.7 * own < mid < 1.4 * own, f"{mid} a minute, by our own recording {own:.0f}\n{seen}"
    assert look["fixes"], seen


@scenarios(QUIET)
def test_what_the_kernel_gives_back_raises_no_alarm(name, seen):
    assert seen.alarms == [], seen
    assert seen.looks["full"]["verdict"] not in ("growing", "saturated"), seen
    assert seen.rows[-1]["oom_kill"] == 0, seen


@pytest.mark.scenario("recycling")
def test_recycling_happened(seen):
    assert seen.extra["recycled"] >= 6, seen


@scenarios([*LEAKS, *QUIET])
def test_the_ledger_balances_at_every_level_of_sight(name, seen):
    assert list(seen.looks) == list(levels.LEVELS)
    for look in seen.looks.values():
        balance(look)


@scenarios([*LEAKS, *QUIET])
def test_usage_is_what_the_kernel_says(name, seen):
    """Within what the group gained while we looked; what the kernel can take back it may take any time."""
    for look in seen.looks.values():
        near = [row["usage"] for row in seen.rows[-12:]]
        given_back = min(near) if name in ("missing", "files") else 4 * MIB
        assert min(near) - given_back <= look["usage_bytes"] <= max(near) + 8 * MIB, seen


@scenarios([*LEAKS, *QUIET])
def test_watch_is_small_and_ends_when_told(name, seen):
    assert seen.extra["watch_peak"] < 8 * MIB, seen.extra["watch_peak"]
    assert seen.extra["watch_exit"] == 0, seen


@scenarios([*LEAKS, *QUIET])
def test_a_replay_of_what_watch_recorded_gives_the_same_alarms(name, seen):
    replay = tool.replay(seen.extra["recording"])
    assert replay["rows"] >= len(seen.rows) - 5, seen
    assert [(a["verdict"], a["cause"]) for a in replay["alarms"]] == [(n["verdict"], n["cause"]) for n in seen.notices], f"{replay}\n{seen}"


# The incident.

@pytest.mark.scenario("incident_v1")
def test_the_incident_stalls_without_a_kill(seen):
    """Our own recording: else the tests below prove nothing."""
    assert seen["rows"][-1]["oom_kill"] == 0, seen["table"]
    assert recorder.stalls(seen["rows"]), seen["table"]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.scenario(n), id=n) for n in ("incident_v1", "incident_v2")])
class TestIncident:
    def show(self, seen):
        return f"{seen['watch_log']}\n{seen['before_text']}\n{seen['within_text']}\n{seen['table']}\n{seen['requests']['log'][-3000:]}"

    def test_watch_alarms_before_the_stall(self, name, seen):
        assert seen["alarm_at"] < seen["stall_at"], self.show(seen)
        assert seen["looked_at"] < seen["stall_at"], self.show(seen)
        assert tool.alarms(seen["watch_log"])[0] == "growing", self.show(seen)
        first = tool.notices(seen["watch_log"])[0]
        assert first["cause"] == "tmpfs" and first["place"].startswith("/app/var/cache/prod/http_cache"), first
        assert seen["requests"]["alarm"]["timeouts"] == 0, self.show(seen)

    def test_xray_names_directory_rate_and_fix_before_the_stall(self, name, seen):
        look = seen["before"]
        assert look["verdict"] == "growing" and look["cause"] == "tmpfs", self.show(seen)
        lo, mid, hi = look["growth_bytes_per_min"]
        rows = [row for row in seen["rows"] if row["t"] <= seen["looked_at"]]
        own = (rows[-1]["hard"] - rows[5]["hard"]) * 60 / (rows[-1]["t"] - rows[5]["t"])
        assert 0.7 * own < mid < 1.4 * own, f"{mid} a minute, by our own recording {own:.0f}\n{self.show(seen)}"
        assert "/app/var/cache/prod/http_cache" in seen["before_text"], self.show(seen)
        assert look["place"].startswith("/app/var/cache/prod/http_cache"), look["place"]
        assert look["directories"][0]["path"].startswith("/app/var/cache/prod/http_cache"), look["directories"]
        files = (rows[-1]["shmem"] - rows[5]["shmem"]) * 60 / (rows[-1]["t"] - rows[5]["t"])
        assert 0.6 * files < look["directories"][0]["growth_bytes_per_min"] < 1.4 * files, f"{files}: {look['directories']}"
        assert any("Redis" in fix or "HttpCache" in fix for fix in look["fixes"]), look["fixes"]

    def test_watch_and_xray_say_saturated_in_the_stall(self, name, seen):
        assert tool.alarms(seen["watch_log"]) == ["growing", "saturated"], self.show(seen)
        first, last = tool.notices(seen["watch_log"])[:2]
        assert last["place"] == first["place"] and last["fixes"] == first["fixes"], (first, last)
        assert seen["within"]["verdict"] == "saturated", self.show(seen)

    def test_watch_goes_on_in_the_stall(self, name, seen):
        """It runs in the container itself: every second has its row, and it is small."""
        rows = [float(line.split(",")[0]) for line in seen["recording"].splitlines()[1:]]
        steps = [b - a for a, b in zip(rows, rows[1:])]
        assert len(rows) >= 0.8 * (seen["rows"][-1]["t"]), self.show(seen)
        assert max(steps[-5:]) < 5, f"{steps[-10:]}\n{self.show(seen)}"
        assert 0 < seen["watch_peak"] < 8 * MIB, seen["watch_peak"]

    def test_ledgers_balance_before_and_in_the_stall(self, name, seen):
        balance(seen["before"], seen["cpus"])
        balance(seen["within"], seen["cpus"])


@pytest.mark.scenario("places_v2")
def test_on_cgroup_v2_it_sees_the_same_in_all_places(seen):
    """test_places.py in user-mode Linux: only gVisor and an overlay, which its kernel has not, can't be there."""
    summary = re.findall(r"^=* ?(\d+ .*) in [\d.]+s", seen, re.M)[-1]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", summary)}
    skipped = re.findall(r"^SKIPPED \[(\d+)\] \S+: (?:runsc|no overlay)", seen, re.M)
    assert counts.get("passed", 0) >= 15 and counts.keys() <= {"passed", "skipped"}, seen[-8000:]
    assert counts.get("skipped", 0) == sum(map(int, skipped)), seen[-8000:]
