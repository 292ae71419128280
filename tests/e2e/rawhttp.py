# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client for tests: sends the exact bytes it is told, and refuses a response that is not to the letter.

Nothing here is lenient. A response whose framing two readers could understand differently is a failed test.
"""
import re
import select
import socket
import time

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t -~]*)\Z")
DEADLINE = 60.0


class Malformed(AssertionError):
    """The server sent something that is not HTTP/1.1."""


class Closed(Exception):
    """The server closed the connection where a byte was expected."""


class Response:
    def __init__(self, status, reason, fields):
        self.status = status
        self.reason = reason
        self.fields = fields  # [(name, value)], as sent
        self.body = b""
        self.trailers = []
        self.interim = []  # 1xx responses before this one
        self.framing = None  # "none", "length", "chunked", "close"
        self.chunks = []

    def get_all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def __contains__(self, name):
        return bool(self.get_all(name))

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        import json
        return json.loads(self.body)

    @property
    def closes(self):
        return "close" in [t.strip().lower() for t in (self.get("Connection") or "").split(",")]

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.fields} {self.body[:200]!r}>"


def address_of(listen):
    """'127.0.0.1:80', '[::1]:80' or 'unix:/path' as (family, address)."""
    if listen.startswith("unix:"):
        return socket.AF_UNIX, listen[5:]
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if host in ("0.0.0.0", "*"):
        host = "127.0.0.1"
    if host == "::":
        host = "::1"
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


class Conn:
    def __init__(self, listen, deadline=DEADLINE, rcvbuf=None):
        family, address = address_of(listen)
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(deadline)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = deadline
        self.buf = b""
        self.eof = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST, as a client that crashes."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    # -- sending ------------------------------------------------------------------------------------------------------
    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def send_lenient(self, data):
        """Sends what the server will take; True if that was all of it."""
        try:
            self.send(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def request(self, method="GET", target="/", fields=(), body=None, host="localhost", version="1.1"):
        self.send(build(method, target, fields, body, host, version))
        return self.response(method)

    def get(self, target, **fields):
        return self.request("GET", target, pairs(fields))

    # -- receiving ----------------------------------------------------------------------------------------------------
    def _fill(self):
        if self.eof:
            raise Closed("end of file")
        try:
            data = self.sock.recv(262144)
        except ConnectionResetError:
            self.eof = True
            raise Closed("reset") from None
        if not data:
            self.eof = True
            raise Closed("end of file")
        self.buf += data

    def line(self):
        while b"\n" not in self.buf:
            if len(self.buf) > 1 << 20:
                raise Malformed("a line longer than 1 MiB")
            self._fill()
        line, self.buf = self.buf.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Malformed(f"a line that does not end in CRLF: {line!r}")
        line = line[:-1]
        if b"\r" in line or b"\0" in line:
            raise Malformed(f"CR or NUL in a line: {line!r}")
        return line

    def exactly(self, n):
        if len(self.buf) < n:
            parts, have = [self.buf], len(self.buf)
            self.buf = b""
            while have < n:
                self._fill()
                parts.append(self.buf)
                have += len(self.buf)
                self.buf = b""
            self.buf = b"".join(parts)
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def _fields(self):
        fields = []
        while True:
            line = self.line()
            if not line:
                return fields
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Malformed(f"not a field line: {line!r}")
            value = value.strip(b" \t")
            if any(c < 0x20 and c != 9 or c == 0x7F for c in value):
                raise Malformed(f"a control byte in a field value: {line!r}")
            fields.append((name.decode("ascii"), value.decode("latin-1")))

    def head(self):
        line = self.line()
        m = STATUS_LINE.match(line)
        if not m:
            raise Malformed(f"not a status line: {line!r}")
        r = Response(int(m[1]), m[2].decode("ascii"), self._fields())
        check_head(r)
        return r

    def response(self, method="GET"):
        """The next final response, complete; 1xx before it are in .interim."""
        r, interim = self.response_head(method)
        r.interim = interim
        for piece in self.body_pieces(r):
            r.chunks.append(piece)
        r.body = b"".join(r.chunks)
        return r

    def response_head(self, method="GET"):
        interim = []
        while True:
            r = self.head()
            if r.status >= 200:
                break
            if r.status == 101:
                raise Malformed("101 that nobody asked for")
            interim.append(r)
        if method == "HEAD" or r.status in (204, 304):
            r.framing = "none"
        elif r.get("Transfer-Encoding"):
            r.framing = "chunked"
        elif r.get("Content-Length") is not None:
            r.framing = "length"
        else:
            r.framing = "close"
            if not r.closes:
                raise Malformed(f"neither length nor chunked nor Connection: close: {r}")
        return r, interim

    def body_pieces(self, r):
        if r.framing == "length":
            left = int(r.get("Content-Length"))
            while left:
                if not self.buf:
                    self._fill()
                piece, self.buf = self.buf[:left], self.buf[left:]
                left -= len(piece)
                yield piece
        elif r.framing == "chunked":
            while True:
                line = self.line()
                if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
                    raise Malformed(f"not a chunk size: {line!r}")
                n = int(line, 16)
                if n == 0:
                    break
                yield self.exactly(n)
                if self.exactly(2) != b"\r\n":
                    raise Malformed("no CRLF behind a chunk")
            r.trailers = self._fields()
        elif r.framing == "close":
            while True:
                if self.buf:
                    piece, self.buf = self.buf, b""
                    yield piece
                try:
                    self._fill()
                except Closed:
                    return

    def expect_close(self, deadline=DEADLINE):
        """Asserts that the server closes and sends nothing more."""
        rest = self.rest(deadline)
        assert rest == b"", f"bytes behind the response: {rest[:300]!r}"

    def rest(self, deadline=DEADLINE):
        """Everything until the server closes, within the deadline."""
        end = time.monotonic() + deadline
        while not self.eof:
            left = end - time.monotonic()
            assert left > 0, f"the server did not close; so far: {self.buf[:300]!r}"
            self.sock.settimeout(left)
            try:
                self._fill()
            except Closed:
                break
            except socket.timeout:
                continue
            finally:
                self.sock.settimeout(self.deadline)
        data, self.buf = self.buf, b""
        return data

    def is_quiet(self):
        """True if nothing has arrived (and the server has not closed) so far."""
        if self.buf:
            return False
        readable, _, _ = select.select([self.sock], [], [], 0)
        return not readable


def check_head(r):
    lengths = r.get_all("Content-Length")
    codings = r.get_all("Transfer-Encoding")
    if len(lengths) > 1:
        raise Malformed(f"more than one Content-Length: {r.fields}")
    if lengths and not re.fullmatch(r"[0-9]+", lengths[0]):
        raise Malformed(f"Content-Length {lengths[0]!r}")
    if codings and codings != ["chunked"]:
        raise Malformed(f"Transfer-Encoding {codings}")
    if lengths and codings:
        raise Malformed("Content-Length and Transfer-Encoding")
    if (r.status < 200 or r.status == 204) and (lengths or codings):
        raise Malformed(f"{r.status} with framing: {r.fields}")
    if r.status >= 200:
        for name in ("Date",):
            if len(r.get_all(name)) != 1:
                raise Malformed(f"{len(r.get_all(name))} fields {name}: {r.fields}")
        if not re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d [A-Z][a-z]{2} \d{4} [0-2]\d:[0-5]\d:[0-6]\d GMT",
                            r.get("Date")):
            raise Malformed(f"Date {r.get('Date')!r}")
        for name in ("Server", "Content-Type", "Location", "ETag", "Last-Modified", "Content-Encoding"):
            if len(r.get_all(name)) > 1:
                raise Malformed(f"{name} more than once: {r.fields}")
        if re.search(r"\d", r.get("Server", "")):
            raise Malformed(f"a version in Server: {r.get('Server')!r}")


def pairs(fields):
    return [(n.replace("_", "-"), v) for n, v in fields.items()]


def build(method="GET", target="/", fields=(), body=None, host="localhost", version="1.1"):
    """The bytes of a request; Content-Length is added for a body unless the fields frame it."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    lines = [f"{method} {target} HTTP/{version}"]
    names = {n.lower() for n, _ in fields}
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in fields]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + (body or b"")


def chunked(*pieces, trailers=()):
    out = [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces if p]
    out.append(b"0\r\n")
    out += [f"{n}: {v}\r\n".encode() for n, v in trailers]
    out.append(b"\r\n")
    return b"".join(out)


def fetch(listen, target="/", method="GET", fields=(), body=None, host="localhost", version="1.1", deadline=DEADLINE):
    """One request on a connection of its own."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    with Conn(listen, deadline) as c:
        return c.request(method, target, list(fields) + [("Connection", "close")], body, host, version)


def raw(listen, data, method="GET", deadline=DEADLINE):
    """Sends the bytes, returns the first response and what the server sent behind it until it closed."""
    with Conn(listen, deadline) as c:
        c.send_lenient(data)
        r = c.response(method)
        return r, c.rest(deadline)
