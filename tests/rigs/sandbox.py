# SPDX-License-Identifier: Apache-2.0
"""gVisor for real: runs commands under runsc, on a small root with an overlay in the sandbox's memory."""
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

COMMAND = ["runsc", "--rootless=false", "--platform=ptrace", "--network=none", "do"]


@functools.cache
def unusable():
    """Why runsc can't be used here; None if it can."""
    if not shutil.which("runsc"):
        return "runsc is not installed"
    if not os.path.exists("/bin/busybox"):
        return "busybox-static is not installed"
    if os.geteuid() != 0:
        return "only root can start runsc"
    # A pipe for stdin: runsc gives the files it is handed to nobody, /dev/null included.
    done = subprocess.run([*COMMAND, "true"], capture_output=True, text=True, timeout=60, input="")
    return None if done.returncode == 0 else f"runsc does not run here: {done.stderr.strip().splitlines()[-1:]}"


class Root:
    """A small root for a sandbox: busybox and what is copied in. The sandbox's own writes go to an overlay in its memory."""

    def __init__(self, files=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-sandbox-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        for d in ("bin", "dev", "proc", "sys", "tmp", "app"):
            (self.folder / d).mkdir()
        shutil.copy("/bin/busybox", self.folder / "bin")
        for name in ("sh", "dd", "cat", "ls", "echo", "sleep"):
            (self.folder / "bin" / name).symlink_to("busybox")
        for name, path in (files or {}).items():
            shutil.copy(path, self.folder / name)

    def call(self, script, seconds=60):
        """Runs a shell script inside to its end: a CompletedProcess with text."""
        # The sandbox goes with runsc: timeout's KILL reaches it.
        command = [*COMMAND, "--root", str(self.folder), "/bin/sh", "-c", script]
        return subprocess.run(["timeout", "-s", "KILL", str(seconds), *command], input="", capture_output=True, text=True,
                              timeout=seconds + 10, env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, True)
