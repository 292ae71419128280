# SPDX-License-Identifier: Apache-2.0
"""The command line: what is refused, and in which words."""
import pathlib
import re
import shlex

import pytest


@pytest.mark.parametrize("args, said", [
    (["--nope"], "no such option"),
    (["positional"], "'positional' is no option; a process is --pid N"),
    (["--pid", "x"], "'x' is no process id"),
    (["--pid", "0"], "'0' is no process id"),
    (["--pid"], "wants a value"),
    (["--interval", "1ns"], "'1ns' is no time"),
    (["--interval", "0"], "out of range"),
    (["--self", "--pid", "1"], "one target"),
    (["--record-max", "1"], "out of range"),
    (["--log", ""], "wants a value"),
    (["--self=yes"], "takes no value"),
    (["--webhook", "https://example.org/x"], "--webhook-command"),
    (["--webhook", "http://example.org/x"], "--webhook-command"),
    (["--webhook", "http://user:pw@127.0.0.1/x"], "user name"),
    (["--webhook", "http://127.0.0.1:99999/"], "no IP address"),
    (["--webhook", "ftp://127.0.0.1/"], "http://"),
    (["--webhook", "http://127.0.0.1/a\r\nX: y"], "control character"),
    (["--listen", "example.org:80"], "an IP address with a port"),
    (["--listen", "127.0.0.1"], "an IP address with a port"),
    (["--listen", "unix:"], "the path is empty"),
])
def test_what_is_wrong_is_said(xray, args, said):
    done = xray("watch", *args)
    assert done.returncode == 2
    assert said in done.stderr, done.stderr
    assert done.stdout == ""


def test_help_names_every_option(xray):
    done = xray("watch", "--help")
    assert done.returncode == 0
    for option in ("--pid", "--process", "--cgroup", "--record", "--state", "--webhook-command", "--listen", "--exec", "--socket"):
        assert option in done.stdout


@pytest.mark.parametrize("args, said", [
    (["--pid", "4194304"], "no such process|No such process"),
    (["--cgroup", "/sys/fs/cgroup/cpu"], "this is no memory cgroup"),
    (["--proc", "/nonexistent"], "No such file"),
    (["--proc", "/var/empty-or-not-there/.."], "No such file"),
    (["--proc", "/usr/lib"], "/usr/lib isn't mounted here"),
    (["--log", "/nonexistent/x"], "No such file"),
    (["--state", "/nonexistent/a/b"], "No such file"),
])
def test_what_cannot_be_is_said_and_ends_it(xray, args, said):
    done = xray("watch", *args)
    assert done.returncode == 1
    assert any(s in done.stderr for s in said.split("|")), done.stderr


def test_every_command_line_of_the_manual_is_taken(xray):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/watch.md").read_text()
    manifest = [line.split("#")[0].strip()[2:] for line in text.splitlines() if line.strip().startswith("- --")]
    lines = [manifest] + [shlex.split(line.split("#")[0])[2:] for line in text.splitlines() if line.startswith("    plimsoll-xray watch")]
    assert len(manifest) >= 4 and len(lines) >= 4
    for args in lines:
        done = xray("watch", *args, "--help")
        assert done.returncode == 0, done.stderr


def test_the_manual_names_every_option(xray):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/watch.md").read_text()
    options = set(re.findall(r"--[a-z-]+", xray("watch", "--help").stdout)) - {"--data-binary", "--replay", "--last", "--help"}
    assert len(options) > 12
    assert [o for o in sorted(options) if o not in text] == []
