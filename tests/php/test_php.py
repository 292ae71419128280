# SPDX-License-Identifier: Apache-2.0
"""What a PHP script sees and says, through our SAPI: as on php-fpm."""
import hashlib
import json
import os
import signal
import subprocess
import time

import pytest


def pattern(n):
    return (bytes(range(256)) * (n // 256 + 1))[:n]


def md5(data):
    return hashlib.md5(data).hexdigest()


# ---- one request ----

def test_hello_is_one_message(php):
    a = php.job("hello.php")
    assert (a.status, a.text, a.messages) == (200, "Hello, world\n", 1)
    assert a.header("Content-Type") == ["text/html; charset=UTF-8"]
    assert a.done and a.reason == 0 and a.peak > 0 and a.log == []


def is_zts(php):
    return php.job("zts.php").text == "1"


def test_the_mold_tells_what_it_is(start):
    php = start(pairs=[["admin_value", "memory_limit", "64M"], ["value", "post_max_size", "7M"],
                       ["admin_value", "upload_tmp_dir", "/tmp"]])
    r = php.ready
    assert r["version"].count(".") == 2 and r["opcache"] and r["threads"] == 1
    assert r["zts"] == is_zts(php)
    assert (r["memory_limit"], r["post_max_size"], r["upload_tmp_dir"]) == (64 << 20, 7 << 20, "/tmp")
    assert os.path.isabs(r["ini"])


def test_a_libphp_of_another_version_is_refused_by_name(start, folder):
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", folder + "/other.so"], check=True,
                   input=b"unsigned php_version_id(void) { return 90314; }")
    failed = start(env={"LD_PRELOAD": folder + "/other.so"}, spawn=False).ready["failed"]
    assert "was built for PHP 8." in failed and "is PHP 9.3" in failed


def test_memory_limit_off_is_told_as_none(start):
    assert start(pairs=[["value", "memory_limit", "-1"]]).ready["memory_limit"] in (-1, 2**64 - 1)


def test_opcache_off_is_told(start):
    assert not start(pairs=[["admin_flag", "opcache.enable", "off"]]).ready["opcache"]


def test_scripts_run_without_opcache(start):
    php = start(pairs=[["admin_flag", "opcache.enable", "off"]])
    assert [php.job("hello.php").text for _ in range(3)] == ["Hello, world\n"] * 3
    assert php.job("none.php").status == 404


def test_superglobals(php):
    a = php.job("server.php", "a=1&b[]=2", fields=[("Host", "example.org:8080"), ("Cookie", "c=1"), ("Cookie", "d=2"), ("X-Dup", "1"),
                                                  ("x-dup", "2"), ("Proxy", "http://evil"), ("Content-Type", "text/x")],
                vars={"CONTENT_TYPE": "text/x", "PATH_INFO": "/more stuff", "REMOTE_USER": ""})
    j = a.json
    s = j["server"]
    assert s["HTTP_HOST"] == "example.org:8080" and s["HTTP_X_DUP"] == "1, 2" and s["HTTP_COOKIE"] == "c=1; d=2"
    assert s["HTTP_CONTENT_TYPE"] == "text/x" and s["CONTENT_TYPE"] == "text/x" and s["CONTENT_LENGTH"] == ""
    assert s["PHP_SELF"] == "/server.php/more stuff" and s["PATH_INFO"] == "/more stuff"
    assert s["REQUEST_URI"] == "/server.php?a=1&b[]=2" and s["SCRIPT_FILENAME"] == j["file"] and s["REDIRECT_STATUS"] == "200"
    assert "HTTP_PROXY" not in s and "HTTP_PROXY" not in j["getenv"] and "HTTPS" not in s and "argv" not in s and not j["argv"] and s["REMOTE_USER"] == ""
    assert isinstance(s["REQUEST_TIME"], int) and isinstance(s["REQUEST_TIME_FLOAT"], float)
    assert j["get"] == {"a": "1", "b": ["2"]} and j["cookie"] == {"c": "1", "d": "2"} and j["request"] == j["get"]
    assert j["sapi"] == "plimsoll" and j["cwd"] == php.scripts
    assert j["filter"] == "example.org:8080" and j["host"] == "example.org:8080" and j["method"] == "GET"
    assert j["headers"]["Host"] == "example.org:8080" and j["headers"]["X-Dup"] == "1, 2" and j["headers"]["Cookie"] == "c=1; d=2"


def test_environment_arrives_and_request_variables_win(start):
    php = start(env={"APP_ENV": "prod", "REQUEST_METHOD": "EVIL", "HTTP_HOST": "evil"}, pairs=[["env", "ADDED", "x"]], user="joe", home="/home/joe")
    j = php.job("server.php", fields=[("Host", "good")]).json
    for where in j["server"], j["getenv"]:
        assert (where["APP_ENV"], where["ADDED"], where["USER"], where["HOME"]) == ("prod", "x", "joe", "/home/joe")
        assert where["REQUEST_METHOD"] == "GET" and where["HTTP_HOST"] == "good"
        assert "PHP_INI_SCAN_DIR" not in where
    assert j["env"] == [] or j["env"] == {}


def test_env_superglobal_when_asked_for(start):
    j = start(env={"APP_ENV": "prod"}, pairs=[["value", "variables_order", "EGPCS"]]).job("server.php").json
    assert j["env"]["APP_ENV"] == "prod"


def test_clear_env_leaves_what_the_pool_adds(start):
    s = start(env={"APP_ENV": "prod"}, clear_env=True, pairs=[["env", "ADDED", "x"]]).job("server.php").json["server"]
    assert s["ADDED"] == "x" and "APP_ENV" not in s and "PATH" not in s


def test_default_filter_still_filters_server_variables(start):
    php = start(pairs=[["value", "filter.default", "special_chars"]])
    assert php.job("server.php", fields=[("X-A", "<b>")]).json["server"]["HTTP_X_A"] == "&#60;b&#62;"


def test_authentication_variables(php):
    basic = [("Authorization", "Basic bWU6cHc=")]
    assert php.job("auth.php", fields=basic).json == ["me", "pw", None]
    assert php.job("auth.php").json == [None, None, None]
    assert php.job("auth.php", fields=[("Authorization", 'Digest username="x"')]).json == [None, None, 'username="x"']


def test_missing_script_is_404_and_logged(php):
    a = php.job("none.php")
    assert (a.status, a.text) == (404, "File not found.\n") and "Primary script unknown" in a.logged


def test_script_that_vanishes_is_404_once_looked_at_again(php, folder):
    assert php.job("hello.php").status == 200
    os.rename(folder + "/hello.php", folder + "/other.php")
    assert php.job("other.php").text == "Hello, world\n"


def test_deleted_script_is_404_at_once(php, folder):
    for _ in range(3):
        assert php.job("hello.php").status == 200
    os.rename(folder + "/hello.php", folder + "/other.php")
    assert php.job("hello.php").status == 404


def test_script_whose_folder_was_replaced_is_404_soon(php, folder):
    os.mkdir(folder + "/a")
    os.rename(folder + "/hello.php", folder + "/a/hello.php")
    assert [php.job("a/hello.php").status for _ in range(3)] == [200] * 3
    os.rename(folder + "/a", folder + "/b")
    os.mkdir(folder + "/a")
    deadline = time.monotonic() + 10
    while (status := php.job("a/hello.php").status) == 200 and time.monotonic() < deadline:
        pass
    assert status == 404
    os.rename(folder + "/b/hello.php", folder + "/a/hello.php")
    assert php.job("a/hello.php").status == 200


def test_unreadable_script_is_403(start, folder):
    os.chmod(folder + "/hello.php", 0)
    php = start(uid=65534) if os.getuid() == 0 else start()
    a = php.job("hello.php")
    assert (a.status, a.text) == (403, "Access denied.\n") and "Permission denied" in a.logged


def test_folder_as_script_is_refused(php, folder):
    os.mkdir(folder + "/dir.php")
    assert php.job("dir.php").status == 404


def test_linked_script_knows_its_real_name(php, folder):
    os.mkdir(folder + "/real")
    os.rename(folder + "/server.php", folder + "/real/server.php")
    os.symlink("real/server.php", folder + "/linked.php")
    for _ in range(2):
        j = php.job("linked.php").json
        assert j["file"] == folder + "/real/server.php" and j["server"]["SCRIPT_FILENAME"] == folder + "/linked.php"


def test_each_request_starts_in_its_script_folder(php, folder):
    os.mkdir(folder + "/sub")
    os.rename(folder + "/cwd.php", folder + "/sub/cwd.php")
    assert [php.job("sub/cwd.php").text for _ in range(2)] == [folder + "/sub"] * 2
    assert php.job("server.php").json["cwd"] == folder


def test_nothing_is_left_of_a_request(php):
    first, second = php.job("state.php", "x=1"), php.job("state.php")
    assert first.status == 404
    a, b = first.json, second.json
    assert a[7] == {"x": "1"} and b[7] in ([], {})
    assert a[:7] == b[:7] and b[8] is None and b[6] == 200 and b[2] is False


# ---- output ----

@pytest.mark.parametrize("n,piece", [(100_000, 16), (1 << 20, 8192), (1 << 20, 1 << 20), (5_000_000 // 16 * 16, 4096)])
def test_large_output_arrives_whole(php, n, piece):
    body = php.job("big.php", f"n={n}&piece={piece}").body
    whole = -(-n // piece) * piece
    assert len(body) == whole and body == b"0123456789abcdef" * (whole // 16)


def test_flush_sends_each_part(php):
    a = php.job("flush.php")
    assert a.text == "part 0\npart 1\npart 2\n" and a.messages >= 3


def test_headers(php):
    a = php.job("headers.php")
    assert a.status == 418 and a.header("X-One") == ["1"] and a.header("X-Two") == ["a", "b"] and a.header("X-Gone") == []
    assert a.header("Set-Cookie") == ["c=v"] and a.json[0]["X-One"] == "1" and a.json[1] == 418


def test_redirect(php):
    a = php.job("redirect.php")
    assert a.status == 302 and a.header("Location") == ["/elsewhere"]
    assert php.job("redirect.php", method="POST").status == 302


@pytest.mark.parametrize("line,status,words", [
    ("HTTP/1.1 404 Gone fishing", 404, ["404 Gone fishing"]), ("Status: 405 Nope", 405, ["405 Nope"]), ("HTTP/1.0 204 x", 204, ["204 x"]),
    ("HTTP/1.1 404", 404, []), ("Status: 9999", 500, []), ("X: y", 200, [])])
def test_status_lines(php, line, status, words):
    """The script's own words go along as CGI's Status line."""
    a = php.job("status_line.php", "line=" + line.replace(" ", "%20"))
    assert a.status == status and a.header("Status") == words


def test_304_has_no_content_type(php):
    assert php.job("status_line.php", "line=HTTP/1.1%20304%20x").header("Content-Type") == []


def test_expose_php_tells_the_version(start):
    assert start(pairs=[["admin_flag", "expose_php", "on"]]).job("hello.php").header("X-Powered-By")[0].startswith("PHP/")


def test_head_runs_the_script_and_sends_headers_only(php):
    a = php.job("headers.php", method="HEAD")
    assert a.status == 418 and a.header("X-One") == ["1"] and a.body == b""


def test_early_hints_then_the_answer(php):
    a = php.job("hints.php")
    assert a.informs == [{"status": 103, "head": ["Link: </a.css>; rel=preload"]}]
    assert a.status == 200 and a.header("X-Final") == ["1"] and a.header("Link") == [] and a.text == "103200"


def test_headers_send_ends_the_header(php):
    a = php.job("early.php")
    assert a.status == 201 and a.header("X-A") == ["1"] and a.text == "sent" and a.messages == 2


def test_header_callback(php):
    assert php.job("header_callback.php").header("X-Callback") == ["1"]


def test_header_block_too_large_is_500(php):
    assert php.job("huge_header.php", "n=60000").status == 200
    a = php.job("huge_header.php", "n=70000")
    assert a.status == 500 and "larger than" in a.logged
    assert php.job("hello.php").text == "Hello, world\n"


def test_finish_request_ends_the_answer_and_the_script_goes_on(php, folder):
    a = php.job("finish.php", f"mark={folder}/mark")
    assert a.text == "before" and a.ended_early and a.header("X-A") == ["1"]
    assert open(folder + "/mark").read() == "went on, status 0"


def test_output_handlers(php):
    assert php.job("output_buffer.php").text == "BUFFERED"


# ---- the body ----

@pytest.mark.parametrize("kind", ["inline", "fd", "stream"])
@pytest.mark.parametrize("n", [1, 8192, 65536])
def test_body_kinds(php, kind, n):
    data = pattern(n)
    j = php.post("input.php", data, kind).json
    assert (j["n"], j["md5"], j["again"]) == (n, md5(data), md5(data))


@pytest.mark.parametrize("kind", ["fd", "stream"])
def test_large_body(php, kind):
    data = pattern(3_000_000)
    j = php.post("slurp.php", data, kind).json
    assert (j["n"], j["md5"]) == (len(data), md5(data))


def test_stream_of_unknown_length(php):
    data = pattern(200_000)
    j = php.post("slurp.php", data, "stream", unknown_length=True).json
    assert (j["n"], j["md5"]) == (len(data), md5(data))


def test_form(php):
    a = php.post("input.php", b"a=1&b=%20x", type="application/x-www-form-urlencoded")
    assert a.json["post"] == {"a": "1", "b": " x"} and a.json["n"] == 10


def multipart(*parts):
    out = b""
    for name, filename, data in parts:
        out += b"--XX\r\nContent-Disposition: form-data; name=\"" + name.encode() + b"\""
        out += b"; filename=\"" + filename.encode() + b"\"\r\nContent-Type: image/x" if filename else b""
        out += b"\r\n\r\n" + data + b"\r\n"
    return out + b"--XX--\r\n"


@pytest.mark.parametrize("kind", ["fd", "stream"])
def test_upload(php, kind):
    data = pattern(1_500_000)
    a = php.post("upload.php", multipart(("f", "a.bin", data), ("t", None, b"text")), kind, "multipart/form-data; boundary=XX")
    f = a.json["files"]["f"]
    assert (f["error"], f["size"], f["md5"], f["name"]) == (0, len(data), md5(data), "a.bin") and a.json["post"] == {"t": "text"}


def test_upload_over_upload_max_filesize(start):
    php = start(pairs=[["admin_value", "upload_max_filesize", "1000"]])
    a = php.post("upload.php", multipart(("f", "a", pattern(5000)),), type="multipart/form-data; boundary=XX")
    assert a.json["files"]["f"]["error"] == 1


def test_post_over_post_max_size_leaves_post_empty(start):
    php = start(pairs=[["admin_value", "post_max_size", "1000"]])
    a = php.post("input.php", b"a=" + b"x" * 5000, type="application/x-www-form-urlencoded")
    assert a.json["post"] == [] and "exceeds the limit" in a.logged


def test_upload_where_there_is_no_room(start, folder):
    php = start(pairs=[["admin_value", "upload_tmp_dir", "/dev/full"]])
    a = php.post("upload.php", multipart(("f", "a", pattern(5000)),), type="multipart/form-data; boundary=XX")
    assert a.status == 200 and a.json["files"]["f"]["error"] in (0, 6, 7)


@pytest.mark.parametrize("kind", ["fd", "stream"])
def test_body_that_nobody_reads_harms_nothing(php, kind):
    for _ in range(2):
        assert php.post("hello.php", pattern(60_000), kind).text == "Hello, world\n"
    assert php.job("hello.php").text == "Hello, world\n"


def test_streamed_body_cut_by_its_client(php):
    data = pattern(100_000)
    assert php.post("slurp.php", data, "stream", stream_end=2).json["n"] == len(data)
    assert php.job("hello.php").status == 200


def test_large_body_against_large_answer(php):
    a = php.job("big.php", "n=1000000&piece=16000", method="POST", body=pattern(300_000), body_kind="stream")
    assert len(a.body) == 1008000


# ---- how scripts end ----

def test_fatal_error_is_500_and_logged(php):
    a = php.job("fatal.php")
    assert (a.status, a.reason, a.body) == (500, 1, b"") and "Call to undefined function" in a.logged
    assert php.job("hello.php").text == "Hello, world\n"


def test_fatal_error_after_output_keeps_the_status(php):
    a = php.job("fatal.php", "out=1")
    assert (a.status, a.reason, a.text) == (200, 1, "some output")


def test_uncaught_exception_is_500_with_trace_in_the_log(php):
    a = php.job("throw.php")
    assert (a.status, a.reason) == (500, 1) and "second line" in a.logged and "Stack trace" in a.logged


def test_exit_runs_shutdown_functions_and_destructors(php):
    a = php.job("exit.php")
    assert (a.status, a.reason, a.text) == (200, 0, "exits shutdown destructor")


def test_memory_limit(php):
    a = php.job("memory.php")
    assert (a.status, a.reason) == (500, 3) and a.logged.count("Allowed memory size") == 1
    assert php.job("hello.php").text == "Hello, world\n"


def test_time_limit_holds_in_a_forked_worker_every_time(php):
    for _ in range(2):
        a = php.job("loop.php")
        assert (a.status, a.reason) == (500, 2) and "Maximum execution time of 1 second" in a.logged
    assert php.job("hello.php").text == "Hello, world\n"


def test_time_limit_of_php_ini(start):
    php = start(pairs=[["value", "max_execution_time", "1"]])
    assert php.job("default_limit.php").reason == 2


@pytest.mark.parametrize("kind", ["none", "inline"])
def test_time_for_input_is_another_matter(start, kind):
    """max_input_time does not lengthen what the script has, with a body or without one, and shows as it was set."""
    php = start(pairs=[["value", "max_execution_time", "1"], ["value", "max_input_time", "50"]])
    body = {"body": "a=b", "body_kind": kind} if kind != "none" else {}
    for _ in range(2):
        assert php.job("default_limit.php", **body).reason == 2
        assert php.job("ini.php", "k=max_input_time&v=1", **body).json["before"] == {"max_input_time": "50"}


def test_hard_timeout_ends_the_process(start):
    php = start(pairs=[["admin_value", "hard_timeout", "1"]])
    if is_zts(php):
        pytest.skip("a threaded PHP has no hard timeout")
    a = php.job("hard_loop.php")
    assert a.lost == "closed" and php.do("wait") == {"exit": 124}


def test_stack_overflow_costs_the_process_only(start):
    php = start(pairs=[["value", "memory_limit", "-1"]])
    a = php.job("stack.php")
    if tuple(map(int, php.ready["version"].split(".")[:2])) >= (8, 3):
        # PHP itself notices, in a worker too, where its stack ends (zend.max_allowed_stack_size).
        assert a.status == 500 and "Maximum call stack size" in a.logged
        assert php.job("hello.php").text == "Hello, world\n"
        return
    assert a.lost == "closed" and php.do("wait") == {"signal": signal.SIGSEGV}
    php.spawn(2)
    assert php.job("hello.php", worker=2).text == "Hello, world\n"


@pytest.mark.parametrize("ignore,end", [(0, "status 1 stopped"), (1, "status 1 to the end")])
def test_client_gone(php, folder, ignore, end):
    php.job("abort.php", f"ignore={ignore}&mark={folder}/mark", gone_at=1)
    assert open(folder + "/mark").read() == end
    assert php.job("hello.php").text == "Hello, world\n"


def test_client_gone_while_the_ring_is_full(php):
    a = php.job("big.php", "n=5000000", gone_at=1000)
    assert a.done and len(a.body) < 1_000_000
    assert php.job("hello.php").text == "Hello, world\n"


# ---- the worker's life ----

def test_recycled_after_max_requests(start):
    php = start(spawn=False)
    php.spawn(1, max_requests=2)
    assert php.job("hello.php").leaving == 0
    assert php.job("hello.php").leaving
    assert php.do("wait") == {"exit": 3}


def test_leave(php):
    php.do("leave")
    assert php.do("wait") == {"exit": 0}


def test_end_of_master_and_edge_ends_the_worker(php):
    php.do("close", master_too=True)
    assert php.do("wait") == {"exit": 0}


def test_new_edge_between_jobs(php):
    assert php.job("hello.php").status == 200
    php.do("attach")
    assert php.job("hello.php").text == "Hello, world\n"


def test_edge_lost_in_a_job(php, folder):
    php.job("abort.php", f"ignore=1&mark={folder}/mark", drop_edge=True)
    php.do("attach")
    assert open(folder + "/mark").read() == "status 1 to the end"
    assert php.job("hello.php").text == "Hello, world\n"


def test_random_numbers_differ_between_workers(start, folder):
    php = start(pairs=[["admin_value", "opcache.preload", folder + "/preload.php"]] + preload_user())
    for w in 2, 3:
        php.spawn(w)
    rows = [php.job("random.php", worker=w).json for w in (1, 2, 3)]
    for column in zip(*rows):
        assert len(set(column)) == 3


def test_title(php):
    cmdline, comm = php.job("title.php").body.split(b"|")
    assert cmdline.rstrip(b"\0") == b"plimsoll: worker test" and comm == b"plimsoll-worker\n"


def test_descriptors_of_ours_are_not_inherited(php):
    listing = php.job("fork.php").text
    assert "socket:" not in listing and "memfd:plimsoll" not in listing


def test_memory_stays_flat(php):
    php.bench("hello.php", 2000)
    before = php.do("memory")["private_dirty_kb"]
    php.bench("hello.php", 20000)
    assert abs(php.do("memory")["private_dirty_kb"] - before) <= 64


# ---- settings ----

def test_admin_settings_resist_and_values_do_not(start):
    php = start(pairs=[["value", "precision", "9"], ["admin_value", "memory_limit", "64M"], ["flag", "html_errors", "yes"],
                       ["admin_flag", "log_errors", "on"], ["value", "error_prepend_string", "it's \"quoted\" \\"],
                       ["value", "error_append_string", 'say "x" ${HOME} ; # =']])
    j = php.job("ini.php", "k=precision,memory_limit,html_errors,log_errors,error_prepend_string,error_append_string&v=5").json
    assert j["before"] == {"precision": "9", "memory_limit": "64M", "html_errors": "1", "log_errors": "1",
                           "error_prepend_string": "it's \"quoted\" \\", "error_append_string": 'say "x" ${HOME} ; # ='}
    assert j["set"]["precision"] == "9" and j["after"]["precision"] == "5"
    assert j["set"]["memory_limit"] is False and j["after"]["memory_limit"] == "64M" and j["set"]["log_errors"] is False


def test_user_ini(start, folder):
    os.mkdir(folder + "/sub")
    os.rename(folder + "/ini.php", folder + "/sub/ini.php")
    open(folder + "/.user.ini", "w").write("precision=7\nmemory_limit=33M\nuser_agent=top\n")
    open(folder + "/sub/.user.ini", "w").write("precision=8\n")
    php = start(pairs=[["admin_value", "memory_limit", "64M"], ["value", "user_agent", "pool"]])
    j = php.job("sub/ini.php", "k=precision,memory_limit,user_agent&v=1").json["before"]
    assert j == {"precision": "8", "memory_limit": "64M", "user_agent": "top"}
    assert php.job("hello.php").text == "Hello, world\n"


def test_user_ini_above_the_root_is_not_read(php, folder):
    os.mkdir(folder + "/root")
    os.rename(folder + "/ini.php", folder + "/root/ini.php")
    open(folder + "/.user.ini", "w").write("precision=7\n")
    j = php.job("ini.php", "k=precision&v=1", path=folder + "/root/ini.php", vars={"DOCUMENT_ROOT": folder + "/root"})
    assert j.json["before"]["precision"] == "14"


def test_auto_prepend(start, folder):
    php = start(pairs=[["value", "auto_prepend_file", folder + "/prepend.php"]])
    assert php.job("hello.php").text == "prepended Hello, world\n"


def test_php_ini_file_and_folder(start, folder):
    os.makedirs(folder + "/conf/conf.d")
    open(folder + "/conf/php.ini", "w").write("precision=3\n")
    open(folder + "/conf/conf.d/a.ini", "w").write("serialize_precision=4\n")
    for given in folder + "/conf", folder + "/conf/php.ini":
        php = start(php_ini=given)
        assert php.ready["ini"] == folder + "/conf/php.ini"
        before = php.job("ini.php", "k=precision,serialize_precision&v=1").json["before"]
        assert before == {"precision": "3", "serialize_precision": "4"}


def test_missing_php_ini_is_a_failure_with_its_name(start):
    assert "/nonexistent.ini" in start(php_ini="/nonexistent.ini").ready["failed"]


def test_setting_that_does_not_exist_is_said(start):
    php = start(pairs=[["value", "no.such_setting", "1"]])
    assert 'no setting "no.such_setting"' in php.errors()


def test_bad_name_is_a_failure(start):
    assert "no name of a PHP setting" in start(pairs=[["value", "a=b\nc", "1"]]).ready["failed"]


# ---- logs, sessions, OPcache ----

def test_log_lines_come_with_the_job(php):
    a = php.job("log.php")
    assert "a line for the log" in a.logged and "PHP Warning:  a warning" in a.logged


def test_standard_streams(php):
    a = php.job("stdio.php")
    assert a.text == '""'
    for line in "to stderr", "from a child":
        assert line in php.errors()


def test_output_of_workers_may_go_nowhere(start):
    php = start(catch_output=False)
    php.job("stdio.php")
    assert "to stderr" not in php.errors() and "from a child" not in php.errors()


def test_session(php, folder):
    os.mkdir(folder + "/s", 0o777)
    sid, n = php.job("session.php", f"dir={folder}/s").text.split()
    php.spawn(2)
    a = php.job("session.php", f"dir={folder}/s", fields=[("Cookie", f"PHPSESSID={sid}")], worker=2)
    assert (n, a.text) == ("1", sid + " 2")


def test_opcache_is_shared_between_workers(php):
    php.job("opcache.php")
    php.spawn(2)
    assert php.job("opcache.php", worker=2).json == [True, False, 0, True]


def test_opcache_reset_reaches_all_workers(php):
    php.spawn(2)
    php.job("hello.php", worker=2)
    assert php.job("opcache.php", "reset=1").json is True
    assert php.job("opcache.php", worker=2).json[:3] == [True, False, 1]
    assert php.job("opcache.php").json[:3] == [True, False, 1]


def preload_user():
    return [["admin_value", "opcache.preload_user", "nobody"]] if os.getuid() == 0 else []


def test_preload(start, folder):
    php = start(pairs=[["admin_value", "opcache.preload", folder + "/preload.php"]] + preload_user())
    php.spawn(2)
    assert php.job("preloaded.php").text == "preloaded" and php.job("preloaded.php", worker=2).text == "preloaded"
