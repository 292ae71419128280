# SPDX-License-Identifier: Apache-2.0
"""The edge between client and worker: who waits for whom, and what is left when one of them goes."""
import hashlib
import socket
import time

import harness
import rawhttp

READ_ALL = """$h = hash_init('sha1'); $f = fopen('php://input', 'r'); $n = 0;
    while (!feof($f)) { $s = fread($f, 8192); $n += strlen($s); hash_update($h, $s); }
    echo $n, ' ', hash_final($h);"""
STREAM = "[route all]\npath = /*\nrequest_buffering = off\n"
HOLD = "touch($_GET['mark']); while (!file_exists($_GET['go'])) { usleep(2000); clearstatcache(); }"


def hold(site, name):
    """A query that makes HOLD wait, and the files by which it says that it waits and is let go."""
    mark, go = site.scratch / f"{name}.mark", site.scratch / f"{name}.go"
    return f"mark={mark}&go={go}", mark, go


def expect_sha(r, body):
    assert (r.status, r.text) == (200, f"{len(body)} {hashlib.sha1(body).hexdigest()}"), r


def test_thousands_of_tiny_chunks_reach_a_busy_script_in_order(site, start):
    """More pieces than the worker's channel holds messages, sent while it reads none of them."""
    site.php("late.php", HOLD + READ_ALL)
    server = start(conf=STREAM)
    query, mark, go = hold(site, "a")
    body = bytes(i % 251 for i in range(20000))
    with server.conn() as c:
        c.send(rawhttp.build("POST", f"/late.php?{query}", [("Transfer-Encoding", "chunked")]))
        harness.wait_until(mark.exists)
        data = rawhttp.chunked(*[body[i:i + 1] for i in range(len(body))])
        c.send(data[:60000])
        go.touch()
        c.send(data[60000:])
        expect_sha(c.response("POST"), body)


def test_an_empty_stream_that_ends_in_the_queue_ends_for_the_worker(site, start):
    site.php("hold.php", HOLD)
    site.php("read.php", READ_ALL)
    server = start(conf=STREAM, workers=1)
    query, mark, go = hold(site, "a")
    with server.conn() as holder, server.conn() as c:
        holder.send(rawhttp.build("GET", f"/hold.php?{query}"))
        harness.wait_until(mark.exists)
        c.send(rawhttp.build("POST", "/read.php", [("Transfer-Encoding", "chunked")], b"0\r\n\r\n"))
        harness.wait_until(lambda: server.counter("queue_length") == 1)
        go.touch()
        expect_sha(c.response("POST"), b"")


def test_the_rest_of_a_streamed_body_is_not_given_to_the_page_behind_a_redirect(site, start):
    """X-Accel-Redirect to PHP while the body still comes: the second worker expects none of it, and lives."""
    site.php("first.php", "header('X-Accel-Redirect: /second.php?' . $_SERVER['QUERY_STRING']);")
    site.php("second.php", HOLD + "echo str_repeat('second', 200000);")  # so long that it listens for room
    server = start(conf=STREAM, workers=2)
    query, mark, go = hold(site, "a")
    with server.conn() as c:
        c.send(rawhttp.build("POST", f"/first.php?{query}", [("Content-Length", "50000")]) + b"x" * 1000)
        harness.wait_until(mark.exists)
        c.send(b"x" * 49000)
        with server.conn() as other:  # a round trip: the edge has read the body
            other.request("GET", "/none")
        go.touch()
        r = c.response("POST")
        assert (r.status, r.text) == (200, "second" * 200000)
    assert not server.error_log.find("worker .* was ended|broke the protocol")


def test_a_flushed_head_arrives_while_the_script_runs(site, start):
    site.php("head.php", "header('X-Early: 1'); echo 'early'; flush();" + HOLD + "echo ' late';")
    server = start()
    for method, body in ("GET", b"early late"), ("HEAD", b""):
        query, mark, go = hold(site, method)
        with server.conn() as c:
            c.send(rawhttp.build(method, f"/head.php?{query}"))
            r, _ = c.response_head(method)
            assert r.get("X-Early") == "1"
            go.touch()
            assert b"".join(c.body_pieces(r)) == body


def test_a_script_slow_behind_its_head_is_not_taken_for_a_slow_client(site, start):
    site.php("head.php", "echo 'early '; flush();" + HOLD + "echo 'late';")
    server = start(conf="[global]\nsend_timeout = 2s\nheader_timeout = 2s\nkeepalive_timeout = 2s\n")
    query, mark, go = hold(site, "a")
    with server.conn() as c:
        c.send(rawhttp.build("HEAD", f"/head.php?{query}") + rawhttp.build("GET", f"/head.php?{query}"))
        with server.conn() as idle:  # closed by the same limit, so that it has passed
            idle.expect_close()
        with server.conn() as idle:
            idle.expect_close()
        go.touch()
        assert c.response("HEAD").status == 200
        assert c.response().text == "early late"
    assert server.counter("http_timeouts", what="send") == 0


def test_a_worker_that_leaves_does_not_take_its_last_bytes_with_it(site, start):
    """max_requests = 1, no room for the answer but the ring, a client that reads late: all of it arrives."""
    site.php("big.php", harness.SCRIPTS["big.php"])
    server = start(workers=1, conf="[global]\nresponse_buffer = 0\nresponse_spool = 0\n[pool www]\npm.max_requests = 1\n")
    n = 8 << 20
    with server.conn(rcvbuf=4096) as c:
        c.send(rawhttp.build("GET", f"/big.php?n={n}"))
        first = server.pids("worker")[0]
        r, _ = c.response_head()
        got, pieces = 0, c.body_pieces(r)
        while got < n - (250 << 10):  # less than the ring holds is left: the script is at its end
            got += len(next(pieces))
        harness.wait_until(lambda: not harness.alive(first), what="the worker's end")
        got += sum(len(p) for p in pieces)
        assert got == n


def test_a_worker_that_ignores_its_streamed_body_runs_into_read_timeout(site, start):
    site.php("loop.php", "touch($_GET['mark']); while (true) usleep(1000);")
    server = start(conf="[pool www]\nread_timeout = 500ms\n" + STREAM, workers=1)
    query, mark, _ = hold(site, "a")
    with server.conn() as c:
        c.send(rawhttp.build("POST", f"/loop.php?{query}", [("Content-Length", "1000000")]) + b"x" * 200000)
        assert c.response("POST").status == 504


def test_bodies_larger_than_a_workers_memory_with_a_large_body_memory(site, start):
    site.php("read.php", READ_ALL)
    server = start(conf="[global]\nbody_memory = 1M\n")
    edge = server.pids("edge")
    for n in (65536, 65537, 300000):
        body = bytes(n)
        expect_sha(server.fetch("/read.php", method="POST", body=body), body)
    assert server.pids("edge") == edge


def test_an_answer_before_the_bodys_end_survives_a_half_closed_client(site, start):
    """What the client still sends is read to its end, or the reset would destroy the answer."""
    site.php("hold.php", HOLD + "echo 'early';")
    server = start(conf=STREAM)
    for i in range(20):
        query, mark, go = hold(site, f"a{i}")
        with server.conn() as c:
            c.send(rawhttp.build("POST", f"/hold.php?{query}", [("Content-Length", "150000")]) + bytes(150000))
            c.sock.shutdown(socket.SHUT_WR)
            harness.wait_until(mark.exists)
            go.touch()
            time.sleep(0.01)  # reads late, so that a reset would be in front of the answer; the claim holds either way
            r = c.response("POST")
            assert (r.status, r.text) == (200, "early")


def test_a_finished_answer_whose_client_is_gone_costs_no_worker(site, start):
    site.php("finish.php", "ignore_user_abort(true); " + HOLD + "echo str_repeat('x', 400000); fastcgi_finish_request();"
                           " touch($_GET['mark'] . '.end');")
    server = start(workers=1)
    query, mark, go = hold(site, "a")
    pid = server.pids("worker")
    c = server.conn()
    c.send(rawhttp.build("GET", f"/finish.php?{query}"))
    harness.wait_until(mark.exists)
    c.reset()
    server.wait_counter("http_clients_gone", 1)
    go.touch()
    harness.wait_until(lambda: server.counter("workers_busy") == 0)
    assert server.pids("worker") == pid
    assert not server.error_log.find("it is ended")


def test_a_1xx_status_as_final_one_leaves_no_client_waiting(site, start):
    site.php("odd.php", "http_response_code(101); echo 'x';")
    with start().conn() as c:
        assert c.get("/odd.php").status == 500
        assert c.get("/odd.php").status == 500
