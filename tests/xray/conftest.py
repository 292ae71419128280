# SPDX-License-Identifier: Apache-2.0
"""Tests of the command plimsoll-xray xray: what it prints and how it ends."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs import tool  # noqa: E402


def pytest_sessionstart(session):
    if tool.missing():
        pytest.exit(tool.missing(), returncode=2)
