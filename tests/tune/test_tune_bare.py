# SPDX-License-Identifier: Apache-2.0
"""plimsoll-xray tune and a PHP without OPcache, as images are that don't ask for it: nothing is set aside for what isn't there."""
import glob
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import group  # noqa: E402
from rigs.lines import Running  # noqa: E402

from test_tune import MIB, tune  # noqa: E402

FPM = max(glob.glob("/usr/sbin/php-fpm*"), default=None) or shutil.which("php-fpm")


def shared_memory(folder, *options):
    user = "user = nobody\ngroup = nogroup\n" if os.geteuid() == 0 else ""
    conf = folder / "fpm.conf"
    conf.write_text(f"[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n"
                    f"[www]\n{user}listen = {folder}/www.sock\npm = static\npm.max_children = 1\n")
    g = group.Group("tune-bare", 512 * MIB)
    server = Running(g.entering([FPM, "-n", "-F", "-y", str(conf), *options]), name="php-fpm")
    try:
        server.wait("ready to handle connections", 60)
        budget = tune("--pid", g.pids()[0])["servers"][0]["budget"]
        return next(line for line in budget if line["name"] == "shared memory")
    finally:
        server.end()
        g.close()


@pytest.mark.skipif(not FPM or bool(group.unusable()), reason=group.unusable() or "php-fpm is not installed")
def test_opcache_that_isnt_loaded_takes_nothing(tmp_path):
    line = shared_memory(tmp_path)
    assert line["bytes"] == 0 and "isn't loaded" in line["why"] and not line["assumed"]
    line = shared_memory(tmp_path, "-d", "zend_extension=opcache")
    assert line["bytes"] <= -8 * MIB and "isn't loaded" not in line["why"]
