# SPDX-License-Identifier: Apache-2.0
"""plimsoll-php with drive.c as its master and edge."""
import json
import os
import subprocess

DRIVE = os.environ.get("PHP_DRIVE", "build/tests/php/php-drive")
PHP = os.environ.get("PLIMSOLL_PHP", "build/plimsoll-php")


class Answer:
    def __init__(self, raw):
        self.raw = raw
        self.status = raw["status"]
        self.body = raw["body"].encode("latin1")
        self.lines = [s.encode("latin1").decode() for s in raw["head"] or []]
        self.log = [(level, text.encode("latin1").decode()) for level, text in raw["log"]]

    def __getattr__(self, name):
        return self.raw[name]

    def header(self, name):
        return [l.split(":", 1)[1].strip() for l in self.lines if l.lower().startswith(name.lower() + ":")]

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def logged(self):
        return "\n".join(text for _, text in self.log)


class Php:
    def __init__(self, scripts, env=None, spawn=True, **spec):
        self.scripts = scripts
        self.stderr_path = os.path.join(scripts, ".stderr")
        self.stderr = open(self.stderr_path, "wb")
        self.proc = subprocess.Popen([DRIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr,
                                     env=dict({"PATH": "/usr/bin:/bin"}, **(env or {})))
        spec.setdefault("php", PHP)
        self.ready = self.say(spec)
        if spawn and "failed" not in self.ready:
            self.pid = self.spawn()["pid"]

    def say(self, order):
        self.proc.stdin.write(json.dumps(order).encode() + b"\n")
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        assert line, "the driver ended: " + self.errors()
        answer = json.loads(line)
        assert "error" not in answer, answer["error"] + "\n" + self.errors()
        return answer

    def errors(self):
        return open(self.stderr_path, errors="replace").read()

    def spawn(self, worker=1, **more):
        return self.say(dict(do="spawn", worker=worker, **more))

    def order(self, script, query="", method="GET", fields=(), vars=None, path=None, worker=1, **more):
        name = script if script.startswith("/") else "/" + script
        v = {"REQUEST_METHOD": method, "QUERY_STRING": query, "SCRIPT_NAME": name, "DOCUMENT_URI": name,
             "REQUEST_URI": name + ("?" + query if query else ""), "DOCUMENT_ROOT": self.scripts, "SERVER_PROTOCOL": "HTTP/1.1",
             "REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "plimsoll", "REMOTE_ADDR": "127.0.0.1",
             "REMOTE_PORT": "4711", "SERVER_ADDR": "127.0.0.1", "SERVER_PORT": "8080", "SERVER_NAME": "localhost",
             "REDIRECT_STATUS": "200", "SCRIPT_FILENAME": path or self.scripts + name}
        v.update(vars or {})
        return dict(worker=worker, vars=v, fields=list(map(list, fields)), **more)

    def job(self, script, query="", **more):
        order = self.order(script, query, **more)
        if isinstance(order.get("body"), bytes):
            order["body"] = order["body"].decode("latin1")
        return Answer(self.say(dict(order, do="job")))

    def post(self, script, body, kind="inline", type="application/octet-stream", **more):
        return self.job(script, method="POST", body=body, body_kind=kind, vars={"CONTENT_TYPE": type}, **more)

    def bench(self, script, n):
        return self.say(dict(self.order(script), do="bench", n=n))

    def do(self, verb, worker=1, **more):
        return self.say(dict(do=verb, worker=worker, **more))

    def close(self):
        self.proc.stdin.close()
        self.proc.wait(20)
        self.stderr.close()
