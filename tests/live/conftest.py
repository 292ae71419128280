# SPDX-License-Identifier: Apache-2.0
"""The live scenarios of a session run at the same time, each in its container; a test waits for its own.

`@pytest.mark.scenario(name)` names the scenario of a test; `seen` is what came of it.
"""
import concurrent.futures
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import box, tool  # noqa: E402

import machines  # noqa: E402
import scenarios  # noqa: E402

ALL = scenarios.ALL | machines.ALL


def pytest_configure(config):
    config.addinivalue_line("markers", "scenario(name): the scenario that a test judges")


def pytest_sessionstart(session):
    if tool.missing():
        pytest.exit(tool.missing(), returncode=2)


def pytest_collection_modifyitems(items):
    """What waits for scenarios comes last: they run meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("scenario") is not None)


class Runs:
    def __init__(self, names):
        self.prepared = {name: scenarios.PREPARE[name]() for name in names if name in scenarios.PREPARE}
        # The containers are light and run all at once; of the machines, which want a CPU each, one at a time.
        self.light = concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(names)))
        self.heavy = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self.futures = {}
        for name in names:
            pool = self.heavy if name in machines.ALL else self.light
            self.futures[name] = pool.submit(ALL[name], *([self.prepared[name]] if name in self.prepared else []))

    def close(self):
        self.light.shutdown(cancel_futures=True)
        self.heavy.shutdown(cancel_futures=True)
        for folder in self.prepared.values():
            shutil.rmtree(folder, True)


@pytest.fixture(scope="session", autouse=True)
def runs(request):
    markers = (item.get_closest_marker("scenario") for item in request.session.items)
    names = dict.fromkeys(marker.args[0] for marker in markers if marker)
    r = Runs([name for name in names if not why_not(name)])
    yield r
    r.close()


def why_not(name):
    """Why a scenario can't run on this machine."""
    if name in machines.ALL:
        return machines.NEEDS[name]()
    return box.unusable() or scenarios.needs(name)


@pytest.fixture
def seen(request):
    name = request.node.get_closest_marker("scenario").args[0]
    why = why_not(name)
    if why:
        pytest.skip(why)
    return request.getfixturevalue("runs").futures[name].result()
