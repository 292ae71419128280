# SPDX-License-Identifier: Apache-2.0
"""The tests' own tools: the client and the metrics reader refuse what is not to the letter. A tool that lets everything
through would make every test below pass."""
import socket
import threading

import pytest

import harness
import rawhttp

HEAD = b"HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"


def receive(data, method="GET"):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            c, _ = listener.accept()
            c.sendall(data)
            c.close()
        t = threading.Thread(target=serve)
        t.start()
        try:
            with rawhttp.Conn(f"127.0.0.1:{listener.getsockname()[1]}") as c:
                r = c.response(method)
                return r, c.rest()
        finally:
            t.join()


@pytest.mark.parametrize("data,body", [
    (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n", b"abc"),
    (HEAD + b"Connection: close\r\n\r\nabc", b"abc"),
    (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n", b""),
], ids=("length", "chunked", "close", "interim"))
def test_client_understands(data, body):
    """Each framing is understood."""
    r, rest = receive(data)
    assert r.body == body and rest == b""


@pytest.mark.parametrize("data", [
    b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n",
    HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n", HEAD + b"Content-Length: 0\n\r\n", HEAD + b"X : y\r\nContent-Length: 0\r\n\r\n",
    HEAD + b" X: y\r\nContent-Length: 0\r\n\r\n", HEAD + b"X: \0\r\nContent-Length: 0\r\n\r\n", HEAD + b"X\r\nContent-Length: 0\r\n\r\n",
    HEAD + b"\r\n", HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", HEAD + b"Content-Length: +3\r\n\r\nabc",
    HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HEAD + b"Date: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: 0\r\n\r\n",
    HEAD + b"Server: x/1.0\r\nContent-Length: 0\r\n\r\n", HEAD.replace(b"200 OK", b"204 No Content") + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",
], ids=ascii)
def test_client_refuses(data):
    """A response that is not to the letter fails the test."""
    with pytest.raises(rawhttp.Malformed):
        receive(data)


@pytest.mark.parametrize("data", [HEAD + b"Content-Length: 4\r\n\r\nabc", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", HEAD], ids=("length", "chunked", "head"))
def test_client_notices_a_cut(data):
    """A response that breaks off is not taken for a whole one."""
    with pytest.raises(rawhttp.Closed):
        receive(data)


METRICS = "# TYPE a counter\n# HELP a Text.\na_total 1\n# EOF\n"


@pytest.mark.parametrize("text", [
    METRICS.replace("# EOF\n", ""), METRICS.replace("a_total", "a"), METRICS.replace("# HELP a Text.\n", ""), METRICS.replace("# TYPE a counter\n", ""),
    METRICS.replace("a_total 1\n", "a_total 1\na_total 2\n"), METRICS.replace("a_total 1\n", "a_total 1\n\n"), METRICS.replace(" 1\n", " 1 \n"),
    METRICS.replace("# EOF", "# TYPE b gauge\n# HELP b B.\nb 1\na_total{x=\"y\"} 2\n# EOF"), METRICS.replace("a_total 1", "a_total{x=y} 1"),
], ids=ascii)
def test_metrics_reader_refuses(text):
    """An exposition that is not OpenMetrics fails the test."""
    assert harness.parse_openmetrics(METRICS) == {("a_total", ()): 1.0}
    with pytest.raises((AssertionError, ValueError)):
        harness.parse_openmetrics(text)


def test_left_processes_are_found():
    """A process that stays behind in the server's session is noticed."""
    import subprocess
    p = subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True)
    try:
        p.stdout.readline()
        harness.wait_until(lambda: len(harness.session_pids(p.pid)) == 2, what="two processes")
    finally:
        for pid in harness.session_pids(p.pid):
            harness.os.kill(pid, 9)
        p.wait()
