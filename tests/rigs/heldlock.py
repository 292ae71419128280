# SPDX-License-Identifier: Apache-2.0
"""A process whose memory map stays locked: part of it is of a file system in user space that doesn't answer any more, somebody reads
that part through /proc/PID/mem, and it wants to map more. What then reads its smaps_rollup, cmdline or environ waits, and can only be
killed.

    with HeldLock(folder) as held:
        ...
        held.hold()
"""
import ctypes
import os
import signal
import struct
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rigs.lines import until  # noqa: E402

INIT, LOOKUP, GETATTR, OPEN, READ = 26, 1, 3, 14, 15
MAPPED = 0x700000000000  # where nothing else is
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def serve(device):
    """Answers what it takes to open a file of 4096 bytes, and never a read of it."""
    attr = struct.pack("=QQQQQQIIIIIIIIII", 2, 4096, 8, 0, 0, 0, 0, 0, 0, 0o100644, 1, 0, 0, 0, 4096, 0)
    answers = {INIT: struct.pack("=IIIIHHIIHHI7I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0, *[0] * 7),
               LOOKUP: struct.pack("=QQQQII", 2, 0, 1000, 1000, 0, 0) + attr,
               GETATTR: struct.pack("=QII", 1000, 0, 0) + attr, OPEN: struct.pack("=QII", 1, 0, 0)}
    while True:
        request = os.read(device, 1 << 18)
        opcode, unique = struct.unpack_from("=IQ", request, 4)
        if opcode == READ:
            continue
        body = answers.get(opcode, b"")
        os.write(device, struct.pack("=IiQ", 16 + len(body), 0 if body else -38, unique) + body)


def victim(path):
    """Maps the file; at a line of input a thread of it maps more, which takes the lock for writing."""
    import threading
    fd = os.open(path, os.O_RDONLY)
    if libc.mmap(MAPPED, 4096, 1, 0x12, fd, 0) != MAPPED:  # PROT_READ, MAP_PRIVATE | MAP_FIXED
        sys.exit("it can't be mapped")
    print("mapped", flush=True)
    sys.stdin.readline()
    threading.Thread(target=libc.mmap, args=(None, 1 << 20, 1, 0x22, -1, 0), daemon=True).start()
    signal.pause()


def holder(pid):
    os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), 16, MAPPED)


def state(pid):
    """"S", "D", ... of a process; "" where it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class HeldLock:
    def __init__(self, folder):
        self.folder, self.made = folder, []

    def _start(self, *args, **kwargs):
        self.made.append(subprocess.Popen([sys.executable, __file__, *map(str, args)], **kwargs))
        return self.made[-1]

    def __enter__(self):
        """OSError where such a file system can't be mounted."""
        device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"held", str(self.folder).encode(), b"fuse", 0, options) != 0:
            os.close(device)
            raise OSError(ctypes.get_errno(), "mount")
        self._start("serve", device, pass_fds=[device])
        os.close(device)
        self.process = self._start("victim", self.folder / "file", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "mapped\n":
            self.__exit__()
            raise OSError("it can't be mapped")
        self.pid = self.process.pid
        return self

    def hold(self):
        """The lock is held, and stays so until release()."""
        self.holder = self._start("holder", self.pid)
        until(lambda: "request_wait" in self._wchan(self.holder.pid) or "fuse" in self._wchan(self.holder.pid), 20, "a read that waits")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        until(lambda: any(state(f"{self.pid}/task/{t}") == "D" for t in os.listdir(f"/proc/{self.pid}/task")), 20, "a waiting mmap()")

    def release(self):
        self.made[0].kill()  # the file system's end lets go whoever waits for it

    @staticmethod
    def _wchan(pid):
        with open(f"/proc/{pid}/wchan") as f:
            return f.read()

    def __exit__(self, *args):
        for process in reversed(self.made):
            process.kill()
        libc.umount2(str(self.folder).encode(), 2)  # MNT_DETACH
        for process in self.made:
            process.wait(30)


if __name__ == "__main__":
    {"serve": lambda a: serve(int(a)), "victim": victim, "holder": holder}[sys.argv[1]](sys.argv[2])
