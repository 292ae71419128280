# SPDX-License-Identifier: Apache-2.0
"""gVisor for real: runs a command under runsc, on the machine's files with an overlay in the sandbox's memory."""
import functools
import os
import shutil
import subprocess

COMMAND = ["runsc", "--rootless=false", "--platform=ptrace", "--network=none", "do"]


@functools.cache
def unusable():
    """Why runsc can't be used here; None if it can."""
    if not shutil.which("runsc"):
        return "runsc is not installed"
    if os.geteuid() != 0:
        return "only root can start runsc"
    done = subprocess.run([*COMMAND, "true"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return None if done.returncode == 0 else f"runsc does not run here: {done.stderr.strip().splitlines()[-1:]}"


def call(script, seconds=60):
    """Runs a shell script inside to its end: a CompletedProcess with text."""
    # Its own session, and the sandbox goes with runsc: timeout's KILL reaches both.
    return subprocess.run(["timeout", "-s", "KILL", str(seconds), *COMMAND, "sh", "-c", script], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=seconds + 10)
