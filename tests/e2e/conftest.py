# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. `site` and `start` belong to one test, `module_site` and `module_start` to a file."""
import pytest

import harness


def pytest_sessionstart(session):
    if not harness.BINARY.exists():
        pytest.exit(f"{harness.BINARY} is not there: build it, or set PLIMSOLL", returncode=2)


@pytest.fixture
def workshop():
    w = harness.Workshop()
    yield w
    w.done()


@pytest.fixture
def site(workshop):
    return workshop.site()


@pytest.fixture
def start(workshop, site):
    """start(args=…, conf=…, …) gives a running harness.Server on `site`."""
    return lambda s=None, **kwargs: workshop.start(s or site, **kwargs)


@pytest.fixture(scope="module")
def module_workshop():
    w = harness.Workshop()
    yield w
    w.done()


@pytest.fixture(scope="module")
def module_site(module_workshop):
    return module_workshop.site()


@pytest.fixture(scope="module")
def module_start(module_workshop, module_site):
    return lambda s=None, **kwargs: module_workshop.start(s or module_site, **kwargs)


def need_root():
    return pytest.mark.skipif(not harness.IS_ROOT, reason="only root can become another user or mount")
