# SPDX-License-Identifier: Apache-2.0
"""PHP as on php-fpm behind nginx: what scripts see and what they can do with the response."""
import os
import re
import time

import pytest

from harness import DEADLINE, wait_until
from rawhttp import Closed, build


@pytest.fixture(scope="module")
def server(module_site, module_start):
    s = module_site
    s.scripts()
    s.write("data/secret.txt", "0123456789")
    s.write("file.bin", b"0123456789")
    return module_start(args=("-d", "display_errors=0", "--env", "FROM_FLAG=yes"), env={"APP_ENV": "test"}, workers=2)


@pytest.fixture
def run(server, module_site):
    """run(code, …) writes a script, requests it and returns the response."""
    def _run(code, query="", method="GET", fields=(), body=None, name=None):
        _run.n += 1
        name = name or f"t{time.monotonic_ns()}.php"
        module_site.php(name, code)
        return server.fetch(f"/{name}{query}", method=method, fields=fields, body=body)
    _run.n = 0
    return _run


# -- what a script sees ------------------------------------------------------------------------------------------------
def test_server_variables(server, module_site):
    """$_SERVER has FPM's and nginx's contents."""
    host = f"example.org:{server.port}"
    v = server.fetch("/echo.php?a=b&c=d%20e", host=host, fields={"User-Agent": "t", "Cookie": "k=v", "X-Custom-Field": "1"}).json()["server"]
    expected = {
        "QUERY_STRING": "a=b&c=d%20e", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "SCRIPT_NAME": "/echo.php",
        "REQUEST_URI": "/echo.php?a=b&c=d%20e", "DOCUMENT_URI": "/echo.php", "DOCUMENT_ROOT": str(module_site.app), "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "127.0.0.1", "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": str(server.port), "SCRIPT_FILENAME": str(module_site.app / "echo.php"), "PHP_SELF": "/echo.php", "PATH_INFO": "",
        "HTTP_HOST": host, "HTTP_USER_AGENT": "t", "HTTP_COOKIE": "k=v", "HTTP_X_CUSTOM_FIELD": "1", "REDIRECT_STATUS": "200",
    }
    got = {k: v.get(k) for k in expected}
    assert got == expected
    assert "HTTPS" not in v and "argv" not in v and "HTTP_PROXY" not in v
    assert v["REMOTE_PORT"].isdigit() and abs(v["REQUEST_TIME"] - time.time()) < 30 and isinstance(v["REQUEST_TIME_FLOAT"], float)
    assert not re.search(r"\d", v["SERVER_SOFTWARE"])
    assert "REMOTE_USER" in v


def test_sapi_name(server):
    """PHP_SAPI is our own name, not cli or embed."""
    assert server.fetch("/echo.php").json()["sapi"] not in ("cli", "cli-server", "embed", "fpm-fcgi", "cgi-fcgi")


def test_opcache_is_on(server, module_site, run):
    """OPcache is on, and shared by the workers."""
    # A file that is younger than opcache.file_update_protection is not cached.
    os.utime(module_site.php("cached.php", "echo 1;"), (1, 1))
    for _ in range(10):
        assert server.fetch("/cached.php").text == "1"
    r = run("$s = opcache_get_status(true); echo json_encode([$s['opcache_enabled'], array_column($s['scripts'], 'hits', 'full_path')]);").json()
    assert r[0] and r[1][str(module_site.app / "cached.php")] >= 8


def test_missing_opcache_is_said(site, start):
    """A PHP whose OPcache is off is said aloud."""
    site.scripts()
    s = start(args=("-d", "opcache.enable=0"))
    said = s.stderr.text + s.error_log.text
    assert re.search(r"(?i)opcache (is )?off", said)


def test_changed_script_is_seen(server, module_site):
    """A script that changes is compiled anew (as with FPM's revalidate_freq)."""
    module_site.php("change.php", "echo 'one';")
    os.utime(module_site.app / "change.php", (1, 1))
    assert server.fetch("/change.php").text == "one"
    module_site.php("change.php", "echo 'two';")
    wait_until(lambda: server.fetch("/change.php").text == "two", what="the new script")


def test_get_post_cookie_request(server):
    """$_GET, $_POST and $_COOKIE are parsed by PHP's own rules."""
    r = server.fetch("/echo.php?a[]=1&a[]=2&b.c=3", method="POST", fields=[("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", "x=1%202; y=a+b")],
                     body=b"p=q").json()
    assert r["get"] == {"a": ["1", "2"], "b_c": "3"}
    assert r["post"] == {"p": "q"}
    assert r["cookie"]["x"] == "1 2"
    assert r["server"]["CONTENT_TYPE"] == "application/x-www-form-urlencoded" and r["server"]["CONTENT_LENGTH"] == "3"


def test_environment(server):
    """The server's environment and --env arrive; request variables win over them."""
    r = server.fetch("/echo.php").json()
    assert r["env"]["APP_ENV"] == "test" and r["env"]["FROM_FLAG"] == "yes"


def test_request_variables_win_over_environment(site, start):
    """An environment variable can't stand in for a request variable."""
    site.scripts()
    s = start(env={"REQUEST_METHOD": "EVIL", "HTTP_HOST": "evil", "SCRIPT_NAME": "evil", "HTTP_X_A": "evil", "HTTPS": "on"})
    v = s.fetch("/echo.php", fields={"X-A": "good"}).json()["server"]
    assert (v["REQUEST_METHOD"], v["SCRIPT_NAME"], v["HTTP_X_A"]) == ("GET", "/echo.php", "good")
    assert v["HTTP_HOST"] == "localhost"


def test_clear_env(site, start):
    """--clear-env hides the environment, --env still sets."""
    site.scripts()
    env = start(env={"SECRET_THING": "x"}, args=("--clear-env", "--env", "SHOWN=1")).fetch("/echo.php").json()["env"]
    assert "SECRET_THING" not in env and env["SHOWN"] == "1"


def test_env_from_the_environment(site, start):
    """env[NAME] = $OTHER is the server's own variable, as php-fpm's www.conf has it; empty where there is none."""
    site.scripts()
    s = start(env={"OUTSIDE": "x y"}, conf="[pool www]\nclear_env = yes\nenv[A] = $OUTSIDE\nenv[B] = $NOT_THERE\nenv[C] = 5$\n")
    env = s.fetch("/echo.php").json()["env"]
    assert env["A"] == "x y" and env["B"] == "" and env["C"] == "5$"


def test_getallheaders(server):
    """getallheaders() has the fields with their names as sent (or in canonical case)."""
    headers = {k.lower(): v for k, v in server.fetch("/echo.php", fields={"X-Abc": "1", "Authorization": "Bearer t"}).json()["headers"].items()}
    assert headers["x-abc"] == "1" and headers["authorization"] == "Bearer t" and headers["host"] == "localhost"


def test_basic_authentication(run):
    """Authorization: Basic sets PHP_AUTH_USER and PHP_AUTH_PW."""
    r = run("echo $_SERVER['PHP_AUTH_USER'] ?? '-', ':', $_SERVER['PHP_AUTH_PW'] ?? '-';", fields={"Authorization": "Basic dXNlcjpwYTpzcw=="})
    assert r.text == "user:pa:ss"
    assert run("echo $_SERVER['PHP_AUTH_USER'] ?? '-';").text == "-"


def test_digest_authentication(run):
    """Authorization: Digest sets PHP_AUTH_DIGEST."""
    assert run("echo $_SERVER['PHP_AUTH_DIGEST'] ?? '-';", fields={"Authorization": "Digest username=\"u\""}).text == 'username="u"'


def test_php_input_twice(run):
    """php://input can be read again and after $_POST."""
    r = run("echo file_get_contents('php://input'), '|', file_get_contents('php://input'), '|', $_POST['a'];", method="POST", body=b"a=b",
            fields=[("Content-Type", "application/x-www-form-urlencoded")])
    assert r.text == "a=b|a=b|b"


def test_session(server, module_site):
    """A session lives on over requests and workers."""
    module_site.php("session.php", "session_save_path('%s'); session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;" % module_site.scratch)
    r = server.fetch("/session.php")
    cookie = r.get("Set-Cookie").split(";")[0]
    assert r.text == "1" and "no-store" in r.get("Cache-Control")
    for n in ("2", "3", "4"):
        assert server.fetch("/session.php", fields={"Cookie": cookie}).text == n


def test_nothing_bleeds_into_the_next_request(server, module_site):
    """Headers, status, globals, ini settings, environment and handlers of one request are gone in the next."""
    module_site.php("dirty.php", """
        http_response_code(418); header('X-Dirty: 1'); $GLOBALS['dirty'] = 1; define('DIRTY', 1); ini_set('memory_limit', '64M'); putenv('DIRTY=1');
        set_error_handler(fn() => true); register_shutdown_function(fn() => print 'x'); ob_start(); chdir('/'); setlocale(LC_ALL, 'C'); ignore_user_abort(true);
        error_reporting(0); date_default_timezone_set('Asia/Tokyo'); umask(077);""")
    module_site.php("clean.php", """echo json_encode([isset($GLOBALS['dirty']), defined('DIRTY'), ini_get('memory_limit') === '64M', getenv('DIRTY'),
        getcwd() === __DIR__, ignore_user_abort(), error_reporting() === 0, date_default_timezone_get() === 'Asia/Tokyo', ob_get_level() > 1]);""")
    for _ in range(4):
        assert server.fetch("/dirty.php").status == 418
    for _ in range(4):
        r = server.fetch("/clean.php")
        assert r.status == 200 and "X-Dirty" not in r
        assert r.json() == [False, False, False, False, True, 0, False, False, False]


def test_user_ini(server, module_site):
    """.user.ini in the script's folder is read."""
    module_site.write("withini/.user.ini", "highlight.string = \"#123456\"\nauto_prepend_file = pre.inc\n")
    module_site.write("withini/pre.inc", "<?php echo 'pre ';")
    module_site.php("withini/x.php", "echo ini_get('highlight.string');")
    assert server.fetch("/withini/x.php").text == "pre #123456"
    assert server.fetch("/echo.php").status == 200


def test_auto_prepend(site, start):
    """auto_prepend_file and auto_append_file work."""
    site.write("pre.inc", "<?php echo '[';")
    site.write("post.inc", "<?php echo ']';")
    site.scripts("hello.php")
    s = start(args=("-d", f"auto_prepend_file={site.app}/pre.inc", "-d", f"auto_append_file={site.app}/post.inc"))
    assert s.fetch("/hello.php").text == "[hello]"


def test_admin_values_resist_ini_set(site, start):
    """php_admin_value can't be changed by a script, php_value can."""
    site.php("ini.php", """$a = ini_set('memory_limit', '99M'); $b = ini_set('precision', '7');
        echo json_encode([$a, ini_get('memory_limit'), $b !== false, ini_get('precision')]);""")
    s = start(conf="[pool www]\nphp_admin_value[memory_limit] = 77M\nphp_value[precision] = 11\n")
    for _ in range(2):
        assert s.fetch("/ini.php").json() == [False, "77M", True, "7"]


def test_php_flags(site, start):
    """php_flag and php_admin_flag take on and off."""
    site.php("ini.php", "echo json_encode([(int)ini_get('display_errors'), (int)ini_get('log_errors')]);")
    s = start(conf="[pool www]\nphp_flag[display_errors] = on\nphp_admin_flag[log_errors] = off\n")
    assert s.fetch("/ini.php").json() == [1, 0]


def test_php_ini_flag(site, start):
    """--php-ini names the php.ini."""
    (site.base / "my.ini").write_text("precision = 5\nuser_agent = plimsoll-test\n")
    site.php("ini.php", "echo ini_get('user_agent'), ' ', php_ini_loaded_file();")
    assert start(args=("--php-ini", site.base / "my.ini")).fetch("/ini.php").text == f"plimsoll-test {site.base}/my.ini"


def test_fpm_ini_is_found(run):
    """Without --php-ini FPM's php.ini is used where there is one."""
    version, loaded = run("echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION, ' ', php_ini_loaded_file();").text.split(" ", 1)
    if os.path.exists(f"/etc/php/{version}/fpm/php.ini"):
        assert loaded == f"/etc/php/{version}/fpm/php.ini"


def test_opcache_preload(site, start):
    """opcache.preload works; its classes are there in every request."""
    site.write("preload.php", "<?php class Preloaded { const X = 'preloaded'; }")
    site.php("use.php", "echo Preloaded::X;")
    args = ["-d", f"opcache.preload={site.app}/preload.php"]
    if os.geteuid() == 0:
        args += ["-d", "opcache.preload_user=www-data"]
    s = start(args=args)
    for _ in range(4):
        assert s.fetch("/use.php").text == "preloaded"


def test_script_folder_is_the_working_directory(run, module_site):
    """A script runs in its own folder."""
    assert run("echo getcwd();").text == str(module_site.app)


# -- what a script answers ---------------------------------------------------------------------------------------------
def test_headers(run):
    """header(), header_remove(), replaced and repeated fields, statuses."""
    r = run("""header('X-A: 1'); header('X-A: 2'); header('X-B: 1'); header('X-B: 2', false); header('X-C: 1'); header_remove('X-C');
        setcookie('a', 'b'); setcookie('c', 'd'); header('X-Powered-By: me'); http_response_code(201);""")
    assert r.status == 201
    assert r.get_all("X-A") == ["2"] and r.get_all("X-B") == ["1", "2"] and "X-C" not in r
    assert len(r.get_all("Set-Cookie")) == 2 and r.get("X-Powered-By") == "me"


def test_status_line_forms(run):
    """header('HTTP/1.1 404 …') and header('Status: 404') set the status."""
    r = run("header('HTTP/1.1 404 Nope, not here');")  # jQuery shows these words
    assert (r.status, r.reason) == (404, "Nope, not here") and "Status" not in r
    r = run("header('Status: 403 Keep out');")
    assert (r.status, r.reason) == (403, "Keep out") and "Status" not in r
    r = run("header('HTTP/1.1 404 Nope'); http_response_code(200);")
    assert (r.status, r.reason) == (200, "OK")
    r = run("header('HTTP/1.1 500 ' . str_repeat('x', 1000));")
    assert (r.status, r.reason) == (500, "Internal Server Error")
    assert run("header('HTTP/1.1 404');").reason == "Not Found"


def test_request_id_of_a_script(run):
    """A script that sets X-Request-Id itself: there is one, its own."""
    assert run("header('X-Request-Id: mine');").get_all("X-Request-Id") == ["mine"]


def test_location(run):
    """Location makes a 302, kept as the script writes it; an explicit status stays."""
    r = run("header('Location: /x?y');")
    assert r.status == 302 and r.get("Location") == "/x?y"
    assert run("header('Location: http://a.example/', true, 301);").status == 301
    assert run("header('Location: /x'); http_response_code(200);").status == 302  # CGI knows no 200 with a Location; so nginx
    assert run("header('Location: /x');", method="POST", body=b"").status in (302, 303)


def test_content_type(run):
    """Content-Type is the script's, with default_charset added to text."""
    assert run("header('Content-Type: text/plain'); echo 1;").get("Content-Type") == "text/plain;charset=UTF-8"
    assert run("header('Content-Type: application/json'); echo 1;").get("Content-Type") == "application/json"


def test_header_injection(run):
    """CR LF in a field is refused by PHP; nothing is split."""
    r = run("@header(\"X-A: 1\\r\\nX-Evil: 1\"); @header(\"X-B: a\\nX-Evil: 2\"); @header('Location: ' . $_GET['u']); @header(\"X-N: a\\0b\"); echo 'ok';",
            query="?u=/x%0d%0aX-Evil:%203")
    assert "X-Evil" not in r and r.text.startswith("ok")


@pytest.mark.parametrize("field", ["Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Connection: keep-alive, x", "Connection: upgrade", "Keep-Alive: timeout=99",
                                   "Upgrade: websocket", "Date: Tue, 14 Nov 2023 22:13:20 GMT", "Trailer: x", "Content-Length: 999", "Content-Length: -1", "Content-Length: abc",
                                   "Content-Length: 2, 2", "Content-Length: 3"])
def test_scripts_cannot_break_the_framing(server, module_site, field):
    """Framing fields are the server's: what a script sets can't desynchronise the connection."""
    module_site.php("framing.php", f"@header({field!r}); echo 'ok';")
    with server.conn() as c:
        c.send(build("GET", "/framing.php"))
        try:
            r = c.response()
        except Closed:
            return  # a length that was not kept: cut
        assert r.status in (200, 500, 502) and r.body in (b"ok", b"") or r.status >= 500
        if not r.closes:
            assert c.get("/hello.php").body == b"hello"


def test_content_length_too_large_is_cut(server, module_site):
    """A script that promises more than it writes: the client sees that it is incomplete."""
    module_site.php("short.php", "header('Content-Length: 100'); echo 'short'; flush();")
    with server.conn() as c:
        c.send(build("GET", "/short.php"))
        r, _ = c.response_head()
        if r.get("Content-Length") == "100":
            with pytest.raises(Closed):
                list(c.body_pieces(r))
        else:
            assert r.status >= 500 or b"".join(c.body_pieces(r)) == b"short"


def test_content_length_too_small_is_not_exceeded(server, module_site):
    """A script that writes more than it promised can't put bytes into the next response."""
    module_site.php("long.php", "header('Content-Length: 3'); echo 'abcHTTP/1.1 200 OK'; flush(); echo str_repeat('x', 100000);")
    with server.conn() as c:
        c.send(build("GET", "/long.php"))
        r = c.response()
        assert r.status >= 500 or r.body == b"abc" or r.framing != "length"
        if not r.closes:
            assert c.get("/hello.php").body == b"hello"
        else:
            c.expect_close()


def test_many_and_large_headers(run):
    """A hundred fields, and 30 KB of them, arrive."""
    r = run("for ($i = 0; $i < 100; $i++) header(\"X-$i: $i\"); header('X-Long: ' . str_repeat('a', 20000)); echo 'ok';")
    assert r.text == "ok" and r.get("X-99") == "99" and len(r.get("X-Long")) == 20000


def test_no_field_is_lost_for_their_number(run):
    """A thousand cookies and the field behind them arrive: none is left out silently."""
    r = run("for ($i = 0; $i < 1000; $i++) setcookie(\"c$i\", 'v'); header('X-Last: 1'); echo 'ok';")
    assert r.text == "ok" and len(r.get_all("Set-Cookie")) == 1000 and r.get("X-Last") == "1"


def test_absurdly_large_headers(server, module_site, run):
    """A megabyte of fields is an error (or arrives), never a broken connection for others."""
    r = run("header('X-Long: ' . str_repeat('a', 1000000)); echo 'ok';")
    assert r.status in (200, 500, 502)
    assert server.fetch("/hello.php").body == b"hello"


def test_streaming(server, module_site):
    """flush() sends what there is while the script goes on."""
    go = module_site.scratch / "stream-go"
    module_site.php("stream.php", f"echo 'first'; flush(); while (!file_exists('{go}')) {{ usleep(5000); clearstatcache(); }} echo 'second';")
    with server.conn() as c:
        c.send(build("GET", "/stream.php"))
        r, _ = c.response_head()
        pieces = c.body_pieces(r)
        assert next(pieces) == b"first"
        go.touch()
        assert b"".join(pieces) == b"second"


def test_short_output_has_a_length(server):
    """Output that is complete before anything was flushed comes with a Content-Length."""
    assert server.fetch("/hello.php").framing == "length"


def test_output_buffering_of_php_ini(site, start):
    """output_buffering of php.ini holds: flush() alone sends nothing then, ob_flush() and flush() do, as on FPM."""
    go = site.scratch / "go"
    wait = f"while (!file_exists('{go}')) {{ usleep(5000); clearstatcache(); }}"
    site.php("ob.php", f"echo 'first'; flush(); echo 'second'; ob_flush(); flush(); {wait} echo 'third';")
    s = start(output_buffering=True, args=("-d", "output_buffering=4096"))
    with s.conn() as c:
        c.send(build("GET", "/ob.php"))
        r, _ = c.response_head()
        pieces = c.body_pieces(r)
        assert next(pieces) == b"firstsecond"
        go.touch()
        assert b"".join(pieces) == b"third"


def test_flush_before_output(server, module_site):
    """flush() before the first byte sends the header since PHP 8.4; before, header() and an error's status stay possible; as on FPM."""
    module_site.php("version.php", "echo PHP_VERSION_ID;")
    young = int(server.fetch("/version.php").text) >= 80400
    module_site.php("early-flush.php", "flush(); @header('X-Late: 1'); @http_response_code(418); echo 'body';")
    r = server.fetch("/early-flush.php")
    assert (r.status, r.get("X-Late"), r.text) == ((200, None, "body") if young else (418, "1", "body"))
    module_site.php("early-flush-exc.php", "flush(); throw new Exception('after an empty flush');")
    assert server.fetch("/early-flush-exc.php").status == (200 if young else 500)


@pytest.mark.parametrize("age", [0, 3600], ids=["fresh", "cached"])
def test_a_script_that_is_gone_is_not_found(site, start, age):
    """A script that ran a moment ago and is removed, or may no longer be read, runs no more: 404 and 403, as on FPM."""
    s = start()
    for name in ("gone.php", "locked.php"):
        path = site.php(name, "echo 'ran';")
        os.utime(path, (time.time() - age,) * 2)
        assert [s.fetch("/" + name).text for _ in range(3)] == ["ran"] * 3
        path.unlink() if name == "gone.php" else path.chmod(0)
    assert s.fetch("/gone.php").status == 404
    if os.geteuid() == 0:  # PHP runs as another user then, and the file's mode binds it
        assert s.fetch("/locked.php").status == 403


def test_early_hints(server, module_site):
    """headers_send(103) sends an early hint before the script ends; the final answer follows."""
    go = module_site.scratch / "hints-go"
    module_site.php("hints.php", f"""header('Link: </a.css>; rel=preload'); headers_send(103);
        while (!file_exists('{go}')) {{ usleep(5000); clearstatcache(); }} header('X-Final: 1'); echo 'done';""")
    with server.conn() as c:
        c.send(build("GET", "/hints.php"))
        hint = c.head()
        assert hint.status == 103 and hint.get("Link") == "</a.css>; rel=preload"
        go.touch()
        r = c.response()
        assert (r.status, r.body, r.get("X-Final")) == (200, b"done", "1")


def test_early_hints_in_http10(server, module_site):
    """HTTP/1.0 clients get no 1xx."""
    module_site.php("hints10.php", "header('Link: </a.css>; rel=preload'); headers_send(103); echo 'done';")
    r = server.fetch("/hints10.php", version="1.0")
    assert (r.status, r.body) == (200, b"done")


def test_fastcgi_finish_request(server, module_site):
    """fastcgi_finish_request() completes the answer; the script goes on behind it."""
    go, done = module_site.scratch / "finish-go", module_site.scratch / "finish-done"
    module_site.php("finish.php", f"""echo 'answer'; $r = fastcgi_finish_request(); echo 'lost';
        while (!file_exists('{go}')) {{ usleep(5000); clearstatcache(); }} file_put_contents('{done}', var_export($r, true));""")
    with server.conn() as c:
        assert c.get("/finish.php").body == b"answer"
        assert c.get("/hello.php").body == b"hello"
        assert not done.exists()
        go.touch()
    wait_until(done.exists, what="the rest of the script")
    wait_until(lambda: done.read_text() == "true", what="true from fastcgi_finish_request")


def test_head_runs_the_script(server, module_site):
    """HEAD runs the script; fields arrive, the body does not."""
    module_site.php("head.php", "header('X-A: ' . $_SERVER['REQUEST_METHOD']); echo 'body'; flush(); echo 'more';")
    with server.conn() as c:
        r = c.request("HEAD", "/head.php")
        assert (r.status, r.body, r.get("X-A")) == (200, b"", "HEAD")
        assert c.get("/hello.php").body == b"hello"


def test_early_hints_are_bounded(site, start):
    """A script that sends early hints without end gets some of them out, and its answer."""
    site.php("hints.php", "for ($i = 0; $i < 500; $i++) { header(\"Link: </$i>\"); headers_send(103); } header_remove(); echo 'end';")
    with start().conn() as c:
        c.send(build("GET", "/hints.php"))
        hints = 0
        while (head := c.head()).status == 103:
            hints += 1
        assert head.status == 200 and 0 < hints <= 100


# -- X-Sendfile, X-Accel-Redirect --------------------------------------------------------------------------------------
def test_x_sendfile(server, module_site):
    """X-Sendfile answers with the file: range, conditionals; the script's own type and disposition stay; its body is dropped."""
    module_site.php("sf.php", "header('X-Sendfile: ' . __DIR__ . '/file.bin'); header('Content-Type: image/x-test'); header('Content-Disposition: attachment'); echo 'dropped';")
    r = server.fetch("/sf.php")
    assert (r.status, r.body, r.get("Content-Disposition")) == (200, b"0123456789", "attachment")
    assert r.get("Content-Type") == "image/x-test" and "X-Sendfile" not in r
    r = server.fetch("/sf.php", fields={"Range": "bytes=2-3"})
    assert (r.status, r.body) == (206, b"23")
    tag = server.fetch("/sf.php").get("ETag")
    assert server.fetch("/sf.php", fields={"If-None-Match": tag}).status == 304
    r = server.fetch("/sf.php", method="HEAD")
    assert r.get("Content-Length") == "10"


@pytest.mark.parametrize("path", ["/etc/passwd", "{base}/outside.txt", "{app}/../outside.txt", "{app}/none", "relative.txt", "", "{app}/.env"])
def test_x_sendfile_stays_inside(server, module_site, path):
    """X-Sendfile leaves the site's folder for nothing."""
    (module_site.base / "outside.txt").write_text("OUTSIDE")
    module_site.write(".env", "DOTENV")
    path = path.format(base=module_site.base, app=module_site.app)
    module_site.php("sf2.php", f"header('X-Sendfile: {path}'); echo 'dropped';")
    r = server.fetch("/sf2.php")
    assert "OUTSIDE" not in r.text and "root:" not in r.text and "DOTENV" not in r.text
    assert r.status in (403, 404, 500) or path == ""


def test_sendfile_root(site, start):
    """sendfile_root opens further folders to X-Sendfile."""
    (site.base / "vault").mkdir()
    (site.base / "vault" / "f.txt").write_text("vault")
    site.php("sf.php", f"header('X-Sendfile: {site.base}/vault/f.txt');")
    assert start(conf=f"[site default]\nsendfile_root = {site.base}/vault\n").fetch("/sf.php").text == "vault"


def test_x_accel_redirect(site, start):
    """X-Accel-Redirect serves a route that clients can't reach."""
    site.write("protected/file.txt", "protected")
    site.php("accel.php", "header('X-Accel-Redirect: /protected/file.txt'); header('X-Kept: 1'); echo 'dropped';")
    s = start(conf="[route protected]\npath = /protected/*\ninternal = yes\n")
    assert s.fetch("/protected/file.txt").status == 404
    r = s.fetch("/accel.php")
    assert (r.status, r.text) == (200, "protected") and "X-Accel-Redirect" not in r
    site.php("encoded.php", "header('X-Accel-Redirect: ' . rawurlencode('/protected/file.txt'));")  # as Symfony does it
    assert s.fetch("/encoded.php").text == "protected"
    assert s.fetch("/accel.php", fields={"Range": "bytes=0-1"}).text == "pr"


def test_x_accel_redirect_loop(site, start):
    """A script that redirects to itself ends in an error."""
    site.php("loop.php", "header('X-Accel-Redirect: /loop.php');")
    assert start().fetch("/loop.php").status in (500, 502, 508)


def test_x_accel_redirect_to_a_script(site, start):
    """X-Accel-Redirect to another script runs it."""
    site.php("a.php", "header('X-Accel-Redirect: /b.php?x=1');")
    site.php("b.php", "echo 'b ', $_GET['x'];")
    s = start()
    assert s.fetch("/a.php").text == "b 1"
    assert s.fetch("/a.php", method="POST", body=b"x" * 10).status in (200, 500)


def test_accel_redirect_after_a_post(site, start):
    """The script behind X-Accel-Redirect sees a GET without a body: the first one used it up."""
    site.php("a.php", "header('X-Accel-Redirect: /b.php');")
    site.php("b.php", "echo json_encode([$_SERVER['REQUEST_METHOD'], $_SERVER['CONTENT_LENGTH'], isset($_SERVER['HTTP_CONTENT_LENGTH']),"
                      " file_get_contents('php://input')]);")
    assert start().fetch("/a.php", method="POST", body=b"abc").json() == ["GET", "", False, ""]


# -- ends of scripts ---------------------------------------------------------------------------------------------------
def test_exit(run):
    """exit ends the script with what it wrote; the worker goes on."""
    assert run("echo 'a'; exit; echo 'b';").text == "a"
    assert run("echo 'a'; exit('b');").text == "ab"
    r = run("http_response_code(404); exit(3);")
    assert r.status == 404


def test_uncaught_exception(server, run):
    """An uncaught exception is a 500 and a line in the error log."""
    r = run("throw new Exception('boom-exception');", name="exc.php")
    assert r.status == 500 and "boom" not in r.text
    server.error_log.wait_for(r"Uncaught Exception: boom-exception")


def test_fatal_error(server, run):
    """A fatal error is a 500 and a line; output that was sent before stays."""
    assert run("undefined_function_xyz();").status == 500
    server.error_log.wait_for("undefined_function_xyz")


def test_parse_error(server, run):
    """A script that does not compile is a 500 and a line."""
    assert run("this is no php").status == 500
    server.error_log.wait_for("syntax error")


def test_display_errors(site, start):
    """With display_errors the message is in the body, and the status is 200 as PHP has it."""
    site.php("exc.php", "throw new Exception('shown');")
    r = start(args=("-d", "display_errors=1")).fetch("/exc.php")
    assert "Uncaught Exception: shown" in r.text


def test_error_after_output(server, module_site):
    """An exception after flushed output: the status stands, the body is what there was."""
    module_site.php("late.php", "echo 'early'; flush(); throw new Exception('late-exc');")
    with server.conn() as c:
        c.send(build("GET", "/late.php"))
        r, _ = c.response_head()
        assert r.status == 200
        try:
            body = b"".join(c.body_pieces(r))
            assert body.startswith(b"early")
        except Closed:
            pass
    server.error_log.wait_for("late-exc")


def test_memory_limit(server, run):
    """memory_limit ends the script with 500 and a line; the next request is served."""
    r = run("ini_set('memory_limit', '16M'); $s = []; while (true) $s[] = str_repeat('x', 100000);")
    assert r.status == 500
    server.error_log.wait_for("Allowed memory size of 16777216 bytes exhausted")
    assert server.fetch("/hello.php").body == b"hello"


def test_max_execution_time(server, run):
    """max_execution_time (CPU time) ends the script with 500 and a line."""
    r = run("set_time_limit(1); while (true);")
    assert r.status == 500
    server.error_log.wait_for("Maximum execution time of 1 second exceeded")
    assert server.fetch("/hello.php").body == b"hello"


def test_shutdown_functions_and_destructors(run):
    """Shutdown functions and destructors write into the answer."""
    assert run("class D { function __destruct() { echo 'd'; } } $d = new D; register_shutdown_function(fn() => print 's'); echo 'a';").text == "asd"


def test_output_of_children(server, run):
    """What a script's child writes to stderr does not get into a response; the exec family works."""
    r = run("echo trim(shell_exec('echo out; echo err-of-child >&2'));")
    assert r.text == "out"


def test_error_log_function(server, run):
    """error_log() arrives in the error log."""
    run("error_log('hello from error_log');")
    server.error_log.wait_for("hello from error_log")


def test_stdout_and_stderr_streams(server, run):
    """Writing to php://stderr goes to the error log (catch_workers_output), not to clients."""
    r = run("fwrite(fopen('php://stderr', 'w'), \"to-stderr-stream\\n\"); echo 'ok';")
    assert r.text == "ok"
    server.error_log.wait_for("to-stderr-stream")


# -- clients that go ---------------------------------------------------------------------------------------------------
def test_client_gone_aborts_the_script(server, module_site):
    """A script that writes to a client that is gone is aborted; its shutdown functions see connection_status()."""
    mark, out = module_site.scratch / "abort-mark", module_site.scratch / "abort-out"
    module_site.php("abort.php", f"""register_shutdown_function(function () {{ file_put_contents('{out}', connection_status() . ' ' . connection_aborted()); }});
        touch('{mark}'); for ($i = 0; $i < 3000; $i++) {{ echo str_repeat('x', 1000); flush(); usleep(5000); }}""")
    c = server.conn()
    c.send(build("GET", "/abort.php"))
    wait_until(mark.exists, what="the script's start")
    c.reset()
    wait_until(lambda: out.exists() and out.read_text() != "", what="the abort")
    assert out.read_text() == "1 1"
    server.wait_counter("http_clients_gone", 1)


def test_ignore_user_abort(server, module_site):
    """With ignore_user_abort the script runs to its end."""
    mark, out, go = (module_site.scratch / n for n in ("iua-mark", "iua-out", "iua-go"))
    module_site.php("iua.php", f"""ignore_user_abort(true); touch('{mark}');
        while (!file_exists('{go}')) {{ echo str_repeat('x', 1000); flush(); usleep(5000); clearstatcache(); }}
        echo 'x'; flush(); file_put_contents('{out}', (string)connection_aborted());""")
    c = server.conn()
    c.send(build("GET", "/iua.php"))
    wait_until(mark.exists, what="the script's start")
    gone = server.counter("http_clients_gone")
    c.reset()
    server.wait_counter("http_clients_gone", gone + 1)
    go.touch()
    wait_until(lambda: out.exists() and out.read_text() != "", what="the script's end")
    assert out.read_text() == "1"


def test_large_answer_to_a_client_that_never_reads(site, start):
    """20 MB to a client that never reads: the one worker is free at once and serves others; the answer waits in the spool."""
    site.scripts()
    s = start(workers=1)
    with s.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/big.php?n=20000000"))
        s.wait_counter("php_requests", 1)
        wait_until(lambda: s.counter("workers_busy") == 0, what="a free worker")
        assert s.fetch("/hello.php").body == b"hello"
        assert s.counter("spool_bytes", what="response") > 10_000_000
        c.sock.setsockopt(1, 8, 1 << 20)
        r, _ = c.response_head()
        assert sum(len(p) for p in c.body_pieces(r)) == 20_000_000


def test_back_pressure_without_spool(site, start):
    """With response_spool = 0 a slow client holds its worker back, and still gets every byte in order."""
    site.scripts()
    site.php("seq.php", "for ($i = 0; $i < 600000; $i++) printf('%07d\n', $i);".replace("\n", "\\n").replace("'%07d\\n'", '"%07d\\n"'))
    s = start(workers=1, conf="[global]\nresponse_buffer = 64K\nresponse_spool = 0\n")
    with s.conn(rcvbuf=4096) as c:
        c.send(build("GET", "/seq.php"))
        r, _ = c.response_head()
        body = b"".join(c.body_pieces(r))
    assert body == b"".join(b"%07d\n" % i for i in range(600000))


@pytest.mark.parametrize("n", [0, 1, 4095, 65535, 65536, 262143, 262144, 262145, 1048577, 5_000_003])
def test_answer_sizes(server, n):
    """Answers of every size arrive whole."""
    with server.conn(deadline=DEADLINE) as c:
        r = c.get(f"/big.php?n={n}")
        assert r.body == (b"0123456789abcdef" * (n // 16 + 1))[:n]
        assert c.get("/hello.php").body == b"hello"


def test_answers_to_many_clients_do_not_mix(site, start):
    """Fifty clients at once each get their own answer."""
    import threading
    site.php("own.php", "echo str_repeat($_GET['k'], 20000);")
    s = start(workers=2)
    wrong = []

    def client(k):
        try:
            with s.conn(deadline=DEADLINE) as c:
                for i in range(10):
                    key = f"{k:03d}{i:03d}"
                    if c.get(f"/own.php?k={key}").body != key.encode() * 20000:
                        wrong.append(key)
        except Exception as e:
            wrong.append(repr(e))
    threads = [threading.Thread(target=client, args=(k,)) for k in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_pcntl_fork_in_a_script(server, run):
    """A script that forks does not answer twice and harms no worker."""
    r = run("echo 'a'; if (function_exists('pcntl_fork')) { $p = pcntl_fork(); if ($p === 0) { posix_kill(getmypid(), 9); } pcntl_waitpid($p, $st); } echo 'b';")
    assert r.text == "ab"
    assert server.fetch("/hello.php").body == b"hello"


def test_phpinfo(run):
    """phpinfo() works."""
    r = run("phpinfo();")
    assert r.status == 200 and "Server API" in r.text
