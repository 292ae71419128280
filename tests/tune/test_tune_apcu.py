# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray tune and APCu: used, not used, not loaded; php-fpm in a memory cgroup."""
import glob
import os
import pathlib
import shutil
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import group  # noqa: E402
from rigs.lines import Running  # noqa: E402

from test_tune import MIB, settings, tune  # noqa: E402

FPM = max(glob.glob("/usr/sbin/php-fpm*"), default=None) or shutil.which("php-fpm")
CONF_D = f"/etc/php/{str(FPM).rpartition('php-fpm')[2]}/fpm/conf.d"
SIZE = 96


@pytest.fixture
def fpm(tmp_path):
    """fpm(options...) is the pid of a php-fpm that has them, in a group of 512 MiB."""
    if not FPM or not os.path.isdir(CONF_D) or os.geteuid() != 0 or group.unusable():
        pytest.skip(group.unusable() or "needs Debian's php-fpm, and root")
    if not glob.glob("/usr/lib/php/*/apcu.so"):
        pytest.skip("php-apcu is not installed")
    made = []

    def start(*options):
        user = "user = nobody\ngroup = nogroup\n"
        conf = tmp_path / "fpm.conf"
        conf.write_text(f"[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n[www]\n{user}listen = {tmp_path}/www.sock\n"
                        "pm = static\npm.max_children = 2\nphp_admin_value[memory_limit] = 32M\n")
        made.append(group.Group("apcu", 512 * MIB))
        (tmp_path / "conf.d").mkdir()
        (tmp_path / "conf.d/test.ini").write_text("\n".join(options) + "\n")
        # The running server's configuration: its files as it sees them.
        shell = f"mount --bind {tmp_path}/conf.d {CONF_D} && exec {FPM} -F -y {conf}"
        server = Running(made[0].entering(["unshare", "-m", "sh", "-c", shell]), name="php-fpm")
        made.append(server)
        server.wait("ready to handle connections", 60)
        return made[0].pids()[0]

    yield start
    for one in made[1:]:
        one.end()
    for one in made[:1]:
        one.close()


def planned(pid, *args):
    """Once the workers have taken the pool's memory_limit: just forked they still have the master's."""
    end = time.monotonic() + 60
    while True:
        server = tune("--pid", pid, "--cpus", 64, *args)["servers"][0]  # no matter how few this machine lets us have
        if settings(server)["memory_limit"] == "32M":
            return server
        assert time.monotonic() < end, server
        time.sleep(0.05)


def shared(server):
    line = next(line for line in server["budget"] if line["name"] == "shared memory")
    return -line["bytes"] // MIB, line["why"]


OPCACHE = ("zend_extension=opcache.so", "opcache.memory_consumption=64")
APCU = ("extension=apcu.so", f"apc.shm_size={SIZE}M")


def test_an_apcu_that_nobody_uses_counts_with_what_is_touched_and_may_not_grow(fpm):
    server = planned(fpm(*OPCACHE, *APCU))
    count, why = shared(server)
    assert count == 64 + 1 and "for APCu, of whose 96.0 MiB" in why
    assert settings(server)["apc.shm_size"] == "1M"
    note = next(note for note in server["notes"] if "APCu may grow" in note)
    fewer = int(note.split("then ")[1].split()[0])
    assert f"fit instead of {server['workers']}" in note and fewer < server["workers"]
    # By the same look: what a second one measures of processes that have just started is another number.
    assert server["by"] == "memory_limit"
    each = server["workers_bytes"] // server["workers"]
    assert fewer == (server["left_bytes"] - (SIZE - 1) * MIB) // each


def test_an_apcu_that_is_used_counts_as_configured(fpm, tmp_path):
    (tmp_path / "preload").mkdir()
    (tmp_path / "preload/kept.data").write_text(f's:{3 * MIB}:"{"x" * (3 * MIB)}";')
    server = planned(fpm(*OPCACHE, *APCU, f"apc.preload_path={tmp_path}/preload"))
    assert shared(server)[0] == 64 + SIZE
    assert "apc.shm_size" not in settings(server)


def test_an_apcu_that_is_not_loaded_does_not_count(fpm):
    server = planned(fpm(*OPCACHE))
    assert shared(server)[0] == 64
    assert "apc.shm_size" not in settings(server) and not any("APCu" in note for note in server["notes"])


def test_an_apcu_as_large_as_opcache_is_told_from_it(fpm):
    server = planned(fpm("zend_extension=opcache.so", f"opcache.memory_consumption={SIZE}", *APCU))
    assert shared(server)[0] == SIZE + 1
