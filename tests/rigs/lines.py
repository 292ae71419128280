# SPDX-License-Identifier: Apache-2.0
"""Waiting for lines instead of time: a reader of a process's output with one deadline per wait."""
import re
import subprocess
import threading
import time


class Missing(AssertionError):
    """The line didn't come: the message holds what came instead."""


class Lines:
    """Collects the lines of a pipe in a thread. Bounded: the oldest lines go after 50,000."""

    def __init__(self, pipe, name="output", echo=None):
        self.name, self.lines, self.dropped, self.ended = name, [], 0, False
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe, echo), daemon=True)
        self._thread.start()

    def _read(self, pipe, echo):
        with pipe:
            for raw in iter(lambda: pipe.readline(65536), b""):
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if echo:
                    echo(line)
                with self._more:
                    self.lines.append((time.monotonic(), line))
                    if len(self.lines) > 50000:
                        del self.lines[:10000]
                        self.dropped += 10000
                    self._more.notify_all()
        with self._more:
            self.ended = True
            self._more.notify_all()

    def mark(self):
        """A place to wait from: only lines that come later count."""
        with self._more:
            return self.dropped + len(self.lines)

    def find(self, pattern, since=0):
        """The matches so far."""
        with self._more:
            part = self.lines[max(0, since - self.dropped):]
        return [m for m in (re.search(pattern, line) for _, line in part) if m]

    def text(self):
        with self._more:
            return "\n".join(line for _, line in self.lines)

    def wait(self, pattern, seconds, since=0, count=1):
        """The match of the count-th line that has `pattern`; raises Missing after `seconds`, or at once when the output ended."""
        end = time.monotonic() + seconds
        compiled, at, seen = re.compile(pattern), since, 0
        with self._more:
            while True:
                for _, line in self.lines[max(0, at - self.dropped):]:
                    match = compiled.search(line)
                    seen += bool(match)
                    if match and seen >= count:
                        return match
                at = self.dropped + len(self.lines)
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    why = "ended" if self.ended else f"said no such thing in {seconds} s"
                    tail = "\n    ".join(line for _, line in self.lines[-25:])
                    raise Missing(f"{self.name} {why}: /{pattern}/\n    {tail}")
                self._more.wait(left)


class Running:
    """A process whose output is read as lines. Its end is ours: kill() in a finally."""

    def __init__(self, command, name=None, echo=None, **popen):
        self.name = name or str(command[0])
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True, **popen)
        self.out = Lines(self.process.stdout, self.name, echo)

    @property
    def pid(self):
        return self.process.pid

    def wait(self, pattern, seconds, **kwargs):
        return self.out.wait(pattern, seconds, **kwargs)

    def end(self, seconds=60):
        """SIGTERM, then SIGKILL; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(60)


def until(condition, seconds, what, every=0.05):
    """Polls until condition() is true and returns its value; raises Missing after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Missing(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)
