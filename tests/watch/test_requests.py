# SPDX-License-Identifier: Apache-2.0
"""Requests are counted on the side, and stand in the recording."""
import csv
import http.server
import threading

import pytest

from rigs.lines import until


class Server:
    """Caddy's metrics, as far as they are read."""

    def __init__(self):
        server = self
        self.total = 1000

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = ("# HELP caddy_http_requests_total Counter of HTTP(S) requests made.\n# TYPE caddy_http_requests_total counter\n"
                        f'caddy_http_requests_total{{handler="php",server="srv0"}} {server.total}\n').encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def requests_in(path):
    with open(path, newline="") as f:
        return [int(r["requests"]) for r in csv.DictReader(f) if r["requests"]]


def test_requests_are_counted_and_never_fall(box, watch, tmp_path):
    s, rec = Server(), tmp_path / "rec.csv"
    try:
        w = watch(box(), "--record", rec, "--requests", f"http://127.0.0.1:{s.http.server_port}/metrics")
        w.wait("requests are counted by")
        until(lambda: rec.exists() and requests_in(rec), 60, w.log)
        first = requests_in(rec)[-1]
        assert 0 < first <= 1000
        s.total = 1500
        until(lambda: requests_in(rec)[-1] >= first + 490, 60, w.log)
        s.total = 10  # the server was started again
        until(lambda: requests_in(rec)[-1] > 1500 - 10, 60, w.log)
        counts = requests_in(rec)
        assert counts == sorted(counts)
    finally:
        s.http.shutdown()
        s.http.server_close()


def test_a_server_that_does_not_answer_is_said_once_and_holds_up_nothing(box, watch, tmp_path):
    rec = tmp_path / "rec.csv"
    w = watch(box(), "--record", rec, "--requests", "http://127.0.0.1:1/metrics")
    w.wait("requests can't be counted by .*: Connection refused")
    until(lambda: rec.exists() and rec.read_text().count("\n") > 30, 60, w.log)
    assert requests_in(rec) == []
    assert w.log().count("requests can't be counted") == 1


@pytest.mark.parametrize("url", ["http://example.org/metrics", "nonsense", "ftp://127.0.0.1/"])
def test_what_is_no_place_to_count_is_refused(xray, url):
    done = xray("watch", "--requests", url)
    assert done.returncode == 2 and "--requests" in done.stderr
