# SPDX-License-Identifier: Apache-2.0
"""A machine with a cgroup v2 kernel: Debian's user-mode Linux on the host's files. Boots in about two seconds; one CPU, no network
but loopback, no PSI.

    with uml.Machine("python3 /repo/tests/live/in_uml.py") as m:
        m.wait("uml ready", 20)
        m.wait("stalled", 60)

What the script writes to its output are the lines. `folder` (RIG_FOLDER inside) is shared and removed with the machine; `files`
({name: path}) are copied there. The machine ends with its script, with close(), and with the process that made it.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

from .lines import Lines

HERE = pathlib.Path(__file__).resolve().parent


def unusable():
    """Why there can be no such machine here; None if there can."""
    if not shutil.which("linux.uml"):
        return "user-mode-linux is not installed"
    if os.geteuid() != 0:
        return "only root can use the host's files as the machine's"
    return None


def memory_folder(otherwise):
    """Where the machine's memory lies, as a file that has no name: in memory, if there is room."""
    shm = pathlib.Path("/dev/shm")
    if shm.is_dir() and not os.statvfs(shm).f_flag & os.ST_NOEXEC and shutil.disk_usage(shm).free > 1 << 30:
        return str(shm)
    return str(otherwise)


class Machine:
    def __init__(self, script, memory="640M", files=None, echo=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-uml-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "script.sh").write_text(f"cd {self.folder}\nexport RIG_FOLDER={self.folder}\n{script}\n")
        for name, file in (files or {}).items():  # what lies in /tmp is not visible inside
            if pathlib.Path(file).is_dir():
                shutil.copytree(file, self.folder / name, symlinks=True)
            else:
                shutil.copy(file, self.folder / name)
        command = ["linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs", "rw", "init=/bin/sh",
                   "cgroup_no_v1=all", "con=null", "con0=null,fd:1", "quiet", "panic=-1", f"uml_dir={self.folder}/", "umid=uml",
                   f"RIG_SCRIPT={self.folder / 'script.sh'}", "--", str(HERE / "uml_init.sh")]
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"), "TMPDIR": memory_folder(self.folder), "HOME": "/root"}
        self.keeper = subprocess.Popen(["sh", str(HERE / "uml_keeper.sh"), "outer", str(self.folder), *command], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.out = Lines(self.keeper.stdout, "uml", echo)

    def wait(self, pattern, seconds, **kwargs):
        return self.out.wait(pattern, seconds, **kwargs)

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
