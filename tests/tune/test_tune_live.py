# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray tune looks at a running php-fpm in a memory cgroup: its limit, its pools' memory_limit, its processes."""
import glob
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import group  # noqa: E402
from rigs.lines import Running  # noqa: E402

from test_tune import MIB, run, settings, tune  # noqa: E402

FPM = max(glob.glob("/usr/sbin/php-fpm*"), default=None) or shutil.which("php-fpm")


@pytest.fixture(scope="module")
def fpm(tmp_path_factory):
    """A php-fpm with two pools in a group of 512 MiB; the pid of its master."""
    if not FPM or group.unusable():
        pytest.skip(group.unusable() or "php-fpm is not installed")
    folder = tmp_path_factory.mktemp("fpm")
    user = "user = nobody\ngroup = nogroup\n" if os.geteuid() == 0 else ""
    conf = folder / "fpm.conf"
    conf.write_text(f"[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n"
                    f"[www]\n{user}listen = {folder}/www.sock\npm = static\npm.max_children = 3\nphp_admin_value[memory_limit] = 96M\n"
                    f"[small]\n{user}listen = {folder}/small.sock\npm = static\npm.max_children = 1\nphp_admin_value[memory_limit] = 32M\n")
    g = group.Group("tune", 512 * MIB)
    server = Running(g.entering([FPM, "-F", "-y", str(conf)]), name="php-fpm")
    try:
        server.wait("ready to handle connections", 60)
        yield g.pids()[0]
    finally:
        server.end()
        g.close()


def test_the_running_pools_memory_limit_and_the_groups_limit_are_used(fpm):
    r = tune("--pid", fpm)
    assert r["limit_bytes"] == 512 * MIB
    assert r["memory_limit_bytes"] == 96 * MIB  # the largest of the pools
    assert [s["server"] for s in r["servers"]] == ["php-fpm"]
    server = r["servers"][0]
    assert settings(server)["memory_limit"] == "96M"
    assert server["workers"] * 96 * MIB <= 512 * MIB and server["workers"] >= 1
    budget = {line["name"]: line for line in server["budget"]}
    assert not budget["other processes"]["assumed"] and not budget["kernel"]["assumed"]


def test_an_option_holds_over_the_running_servers(fpm):
    assert tune("--pid", fpm, "--memory-limit", "16M")["memory_limit_bytes"] == 16 * MIB


def test_a_process_that_is_not_there_is_refused():
    done = run("--pid", 4194300)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no process 4194300" in done.stderr
