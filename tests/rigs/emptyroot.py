# SPDX-License-Identifier: Apache-2.0
"""An empty root: a folder with one static program and, if wanted, /proc and /sys/fs/cgroup. What a distroless image is, or less."""
import os
import pathlib
import shutil
import subprocess
import tempfile


class EmptyRoot:
    """mounts: "proc", "cgroup". Mounted in a private namespace of each call, so nothing can stay mounted."""

    def __init__(self, program, mounts=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-empty-"))
        self.folder.chmod(0o755)
        shutil.copy(program, self.folder / "program")
        (self.folder / "program").chmod(0o755)
        for d in ("proc", "sys/fs/cgroup"):
            (self.folder / d).mkdir(parents=True)
        self.mounts = mounts

    def call(self, *arguments, seconds=60, group=None):
        steps = ["mount --make-rprivate /"]
        if "proc" in self.mounts:
            steps.append('mount -t proc proc "$0/proc"')
        if "cgroup" in self.mounts:
            steps.append('mount --rbind /sys/fs/cgroup "$0/sys/fs/cgroup"')
        steps.append('exec chroot "$0" "$@"')
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", " && ".join(steps), str(self.folder), "/program", *map(str, arguments)]
        if group:
            command = group.entering(command)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                              env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")})

    def close(self):
        shutil.rmtree(self.folder, True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
