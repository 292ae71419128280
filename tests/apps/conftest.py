# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the application tests. APPS_SUBJECT=peer tests the tests: a second nginx + php-fpm stands where Plimsoll is."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

import compare
import servers

sys.path.insert(0, str(servers.REPO / "tests" / "e2e"))  # for rawhttp, the strict client
SUBJECT = servers.Peer if os.environ.get("APPS_SUBJECT") == "peer" else servers.Plimsoll


def pytest_sessionstart(session):
    if SUBJECT is servers.Plimsoll and not servers.BINARY.exists():
        pytest.exit(f"{servers.BINARY} is not there: build it, set PLIMSOLL, or test the tests with APPS_SUBJECT=peer", returncode=2)


@pytest.fixture(scope="module")
def workdir():
    """A folder that every user may enter (pytest's own are private)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-apps-"))
    path.chmod(0o755)
    yield path
    if not os.environ.get("APPS_KEEP"):
        subprocess.run(["chmod", "-R", "u+rwX", str(path)], check=True)  # tests lock folders
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def database():
    path = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-apps-db-"))
    path.chmod(0o755)
    db = servers.Database(path / "mariadb")
    yield db
    db.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def make_pair(workdir):
    """make_pair(make_site, masks): make_site(folder, n) lays an application out and returns (Site, [(literal, name)]), once a
    side, n being 0 for the peer and 1 for the server under test. Gives a compare.Pair with both running."""
    running = []

    def make(make_site, masks=()):
        literals = []
        for n, kind in enumerate((servers.Peer, SUBJECT)):
            folder = workdir / f"site{len(running) // 2}-{'ab'[n]}"
            folder.mkdir(mode=0o755)
            (folder / "sessions").mkdir()
            (folder / "tmp").mkdir()
            site, own = make_site(folder, n)
            site.php_value = {"session.save_path": folder / "sessions", "date.timezone": "UTC", **site.php_value}
            site.php_admin_value = {"upload_tmp_dir": folder / "tmp", **site.php_admin_value}
            servers.give_to_php(folder)
            running.append(kind(site, folder / "server"))
            literals.append([*own, (folder, "folder")])
        return compare.Pair(*running[-2:], masks, literals)

    yield make
    problems = []
    for server in running:
        try:
            server.stop()
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, "\n".join(problems)
