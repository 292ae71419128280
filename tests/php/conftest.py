# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import tempfile

import pytest

from driver import Php

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")


@pytest.fixture
def folder():
    """The scripts in a folder that every user can read."""
    top = os.path.realpath(tempfile.mkdtemp(prefix="php-test-"))
    os.chmod(top, 0o755)
    shutil.copytree(SCRIPTS, top, dirs_exist_ok=True)
    yield top
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def start(folder):
    """Starts a mold with the given settings and one worker."""
    running = []

    def go(**spec):
        running.append(Php(folder, **spec))
        return running[-1]

    yield go
    for php in running:
        php.close()


@pytest.fixture
def php(start):
    return start()
