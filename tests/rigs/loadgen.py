#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An open-loop HTTP/1.1 client: requests leave when their time has come, whether or not answers do. Bounded: connections, time
a request, requests waiting (more are counted as skipped). Says one JSON line a second:
{"t", "sent", "ok", "bad", "timeouts", "errors", "skipped", "in_flight", "p50_ms", "p99_ms"}; latency counts from the due time.

In a path, {n} becomes the request's number and {k} that number modulo --keys.
"""
import argparse
import asyncio
import collections
import json
import sys
import time
import urllib.parse


class Client:
    def __init__(self, args):
        self.args = args
        url = urllib.parse.urlsplit(args.url)
        self.host, self.port = url.hostname, url.port or 80
        self.path = url.path + ("?" + url.query if url.query else "")
        self.idle, self.in_flight = [], 0
        self.count = collections.Counter()
        self.latency = []

    async def connection(self):
        while self.idle:
            reader, writer = self.idle.pop()
            if not writer.is_closing() and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    async def exchange(self, n):
        reader, writer = await self.connection()
        try:
            path = self.path.replace("{n}", str(n)).replace("{k}", str(n % self.args.keys))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head.split(" ", 2)[1])
            if "content-length:" in head:
                await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            elif "transfer-encoding:" in head:
                while size := int((await reader.readline()).split(b";")[0], 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            else:
                await reader.read()
                head += "connection: close"
            if "connection: close" in head:
                writer.close()
            else:
                self.idle.append((reader, writer))
            return status
        except BaseException:
            writer.close()
            raise

    async def one(self, n, due):
        try:
            status = await asyncio.wait_for(self.exchange(n), self.args.timeout)
            self.count["ok" if status < 400 else "bad"] += 1
        except asyncio.TimeoutError:
            self.count["timeouts"] += 1
        except (OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
            self.count["errors"] += 1
        finally:
            self.in_flight -= 1
            self.latency.append(time.monotonic() - due)

    def say(self, began):
        times, self.latency = sorted(self.latency), []
        line = {"t": round(time.monotonic() - began, 1), **{k: self.count[k] for k in ("sent", "ok", "bad", "timeouts", "errors", "skipped")},
                "in_flight": self.in_flight}
        for name, part in (("p50_ms", 0.5), ("p99_ms", 0.99)):
            line[name] = round(times[int(part * (len(times) - 1))] * 1000, 1) if times else None
        print(json.dumps(line), flush=True)

    async def drive(self):
        began = said = time.monotonic()
        tasks, n = set(), 0
        while time.monotonic() - began < self.args.duration:
            due = began + n / self.args.rate
            await asyncio.sleep(max(0, min(due, said + 1) - time.monotonic()))
            now = time.monotonic()
            if now - said >= 1:
                said = now
                self.say(began)
            if now < due:
                continue
            n += 1
            if self.in_flight >= self.args.max_in_flight:
                self.count["skipped"] += 1
                continue
            self.count["sent"] += 1
            self.in_flight += 1
            task = asyncio.ensure_future(self.one(n, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=self.args.timeout)
        self.say(began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=10, help="requests a second")
    parser.add_argument("--duration", type=float, default=60)
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--max-in-flight", type=int, default=128)
    parser.add_argument("--keys", type=int, default=100)
    try:
        asyncio.run(Client(parser.parse_args()).drive())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
