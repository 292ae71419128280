# SPDX-License-Identifier: Apache-2.0
"""Scripts end, fail, answer and are configured as on nginx + php-fpm: status, fields and body are the same.

Each script of CASES runs twice on both servers, with errors shown (display_errors from a .user.ini) and hidden. One worker a
server, so that what one request leaves behind would meet the next.
"""
import difflib
import gzip
import os
import re

import pytest

import compare
import servers
from compare import Mask

CASES = {
    # -- how a script ends
    "exit text": "echo 'a'; exit('b');",
    "exit code": "echo 'a'; exit(3);",
    "exit in a function, shutdown functions and destructors run": """
        class D { function __destruct() { echo 'destructed '; } }
        function f() { echo 'f '; exit('out '); }
        register_shutdown_function(function () { echo 'shutdown ', http_response_code(), ' '; header('X-Late: 1'); });
        $d = new D; f();""",
    "return from the main script": "echo 'a'; return 7; echo 'b';",
    "uncaught exception": "echo 'a'; function f($x) { throw new RuntimeException('why', 5); } f([1]);",
    "uncaught exception before output": "throw new DomainException('nothing was said');",
    "uncaught exception with status set": "http_response_code(422); throw new Exception('x');",
    "uncaught exception after flush": "echo 'a'; flush(); ob_flush(); flush(); throw new Exception('late');",
    "exception handler": "set_exception_handler(function ($e) { http_response_code(503); echo 'caught ', $e->getMessage(); }); throw new Exception('x');",
    "exception in a destructor": "class D { function __destruct() { throw new Exception('from a destructor'); } } $d = new D; echo 'a';",
    "exception in a shutdown function": "register_shutdown_function(function () { throw new Exception('from shutdown'); }); echo 'a';",
    "call of an undefined function": "echo 'a'; nothing();",
    "type error": "strlen();",
    "parse error": "echo 'a' 'b';",
    "parse error in an include": "echo 'a'; include __DIR__ . '/parse-error.php'; echo 'b';",
    "compile error": "abstract class A { abstract function f(); } class B extends A {}",
    "include of a missing file": "echo 'a'; var_dump(@include 'nothing.php', include 'nothing.php'); echo 'b';",
    "require of a missing file": "echo 'a'; require 'nothing.php'; echo 'b';",
    "memory limit": "echo 'a'; $s = str_repeat('x', 200 << 20); echo 'b';",
    "memory limit by recursion": "function f($x) { return f([$x]); } f(1);",
    "memory limit, then a shutdown function": "register_shutdown_function(function () { echo error_get_last()['type'], ' still here'; }); $s = str_repeat('x', 200 << 20);",
    "time limit": "echo 'a'; set_time_limit(1); while (true);",
    "assertion": "assert(false); echo 'a';",
    "user error": "trigger_error('mine', E_USER_ERROR); echo 'not reached';",
    "warnings, notices and deprecations": "echo $undefined, [][1], (string)@$x; $a = 'x' . [1]; trigger_error('w', E_USER_WARNING); trigger_error('d', E_USER_DEPRECATED); echo 'end';",
    "error handler": "set_error_handler(function ($n, $s) { echo \"[$n $s]\"; return true; }); echo $undefined; echo 'end';",
    "error with status 200 kept by output": "echo str_repeat('x', 10000); nothing();",
    # -- output
    "nested output buffers": "ob_start(fn($s) => strtoupper($s)); echo 'a'; ob_start(); echo 'b'; ob_end_flush(); echo ob_get_level(); ob_end_clean(); echo 'c'; ob_start(fn($s) => \"<$s>\"); echo 'd';",
    "buffer callback sets a field": "ob_start(function ($s) { header('X-From-Callback: ' . strlen($s)); return $s; }); echo 'abc';",
    "flush between": "for ($i = 0; $i < 5; $i++) { echo \"part $i\\n\"; ob_flush(); flush(); } var_dump(headers_sent($f, $l), basename($f), $l);",
    "implicit flush": "ob_implicit_flush(); while (ob_get_level()) ob_end_flush(); echo 'a'; echo 'b'; var_dump(headers_sent());",
    "field after output": "while (ob_get_level()) ob_end_flush(); echo 'a'; flush(); header('X-Too-Late: 1'); http_response_code(404); echo 'b';",
    "output of 1 MB in small pieces": "for ($i = 0; $i < 20000; $i++) printf('%050d', $i);",
    "binary output": "header('Content-Type: application/octet-stream'); for ($i = 0; $i < 256; $i++) echo chr($i);",
    "php://output and print": "file_put_contents('php://output', 'a'); $r = print 'b'; printf('%s%d', 'c', $r); fprintf(fopen('php://output', 'w'), 'd');",
    "no output": "",
    "text outside PHP": "?>\nline\n<?= 'x' ?>\nend\n",
    "output rewriting": "output_add_rewrite_var('k', 'v'); echo '<a href=\"x.php\">x</a><form action=\"y\"></form>';",
    "highlight and phpversion": "highlight_string('<?php echo 1;'); echo PHP_VERSION, PHP_OS, PHP_INT_SIZE, PHP_EOL;",
    # -- header()
    "status by code": "http_response_code(418); echo http_response_code();",
    "status 599": "http_response_code(599); echo 'x';",
    "status line": "header('HTTP/1.1 404 Nope'); echo 'x';",
    "code after a status line": "header('HTTP/1.1 404 Not Found'); http_response_code(418); echo 'x';",
    "code 200 after a status line": "header('HTTP/1.1 404 Not Found'); http_response_code(200); echo 'x';",
    "code set after a fatal error": "register_shutdown_function(function () { http_response_code(507); echo 'still here'; }); nothing();",
    "fields after a flush() of nothing": "flush(); header('X-Late: 1'); http_response_code(404); echo 'a';",
    "exception after a flush() of nothing": "echo 'a'; flush(); throw new Exception('late');",
    "status line of 1.0": "header('HTTP/1.0 403 Forbidden'); echo http_response_code();",
    "Status field": "header('Status: 409 Conflict'); echo http_response_code();",
    "third parameter": "header('X-A: 1', true, 410); echo 'x';",
    "Location": "header('Location: /elsewhere'); echo 'go';",
    "Location, relative": "header('Location: elsewhere?x=1#f');",
    "Location, absolute and permanent": "header('Location: http://app.test:8080/x', true, 301); exit;",
    "Location with 201": "http_response_code(201); header('Location: /made'); echo 'made';",
    "Location with 303": "header('Location: /x', true, 303);",
    "Location, then 200": "header('Location: /x'); http_response_code(200); echo 'x';",
    "Location, then a status line of 200": "header('Location: /x'); header('HTTP/1.1 200 OK'); echo 'x';",
    "status line of 200, then Status": "header('HTTP/1.1 200 OK'); header('Status: 404 Not Found'); echo 'x';",
    "WWW-Authenticate": "header('WWW-Authenticate: Basic realm=\"x\"'); echo http_response_code();",
    "field replaced and added": "header('X-A: 1'); header('x-a: 2'); header('X-B: 1'); header('X-B: 2', false); header('X-C: 1'); header_remove('x-c'); echo implode('|', headers_list());",
    "all fields removed": "header('X-A: 1'); header_remove(); echo implode('|', headers_list());",
    "X-Powered-By removed": "header_remove('X-Powered-By'); echo 'x';",
    "type": "header('Content-Type: text/plain'); echo 'x';",
    "type with charset": "header('content-type: text/css;charset=iso-8859-1'); echo 'x';",
    "type without charset": "ini_set('default_charset', ''); echo 'x';",
    "type of our own default": "ini_set('default_mimetype', 'text/x-mine'); echo 'x';",
    "no type": "ini_set('default_mimetype', ''); echo 'x';",
    "type removed": "header_remove('Content-Type'); echo 'x';",
    "field with a line break": "header(\"X-A: 1\\r\\nX-B: 2\"); echo 'x';",
    "field with NUL": "header(\"X-A: 1\\0\"); echo 'x';",
    "field with empty value and odd spaces": "header('X-Empty:'); header('X-Spaces:   a   b   '); header('X-Tab:\ta'); header('X-No-Space:b'); echo 'x';",
    "field outside ASCII": "header('X-Utf8: \u00e4'); header('Content-Disposition: attachment; filename=\"\u00e4.txt\"'); echo 'x';",
    "callback before the fields": "header_register_callback(function () { header('X-Callback: 1'); header_remove('X-Gone'); }); header('X-Gone: 1'); echo 'x';",
    "many fields": "for ($i = 0; $i < 40; $i++) header(\"X-N$i: value of $i\"); echo 'x';",
    "long field": "header('X-Long: ' . str_repeat('v', 3000)); echo 'x';",
    "caching fields": "header('Cache-Control: public, max-age=60'); header('Expires: Thu, 01 Dec 1994 16:00:00 GMT'); header('Last-Modified: Thu, 01 Dec 1994 16:00:00 GMT'); header('ETag: \"x\"'); header('Vary: Cookie'); header('Link: </a.css>; rel=preload', false); header('Link: </b.css>; rel=preload', false); echo 'x';",
    "204 with a body": "http_response_code(204); echo 'not for you';",
    "204 without": "http_response_code(204);",
    "304 with a body": "http_response_code(304); header('ETag: \"x\"'); echo 'not for you';",
    "own Content-Length": "header('Content-Length: 5'); echo 'hello';",
    "own Content-Encoding": "header('Content-Encoding: gzip'); echo gzencode('packed');",
    "zlib.output_compression, not wanted": "ini_set('zlib.output_compression', 1); echo str_repeat('x', 5000);",
    "cookies": "setcookie('a', 'x y;', 2000000000, '/p', 'app.test', true, true); setrawcookie('b', 'raw/'); setcookie('c', ''); setcookie('d', '1', ['samesite' => 'Lax', 'httponly' => true]); setcookie('a', 'second'); echo 'x';",
    "bad cookie name": "try { setcookie('a=b', '1'); } catch (ValueError $e) { echo $e->getMessage(); }",
    # -- surroundings
    "limits and settings": "foreach (['memory_limit', 'precision', 'max_execution_time', 'post_max_size', 'error_prepend_string', 'open_basedir'] as $k) var_dump(ini_get($k));",
    "ini_set against php_admin_value": "var_dump(ini_set('memory_limit', '1G'), ini_get('memory_limit'), ini_set('error_prepend_string', 'mine'), ini_get('error_prepend_string'));",
    "ini_set against php_value": "var_dump(ini_set('precision', '3'), ini_get('precision'), 1 / 3); ini_restore('precision'); var_dump(ini_get('precision'));",
    "set_time_limit": "var_dump(set_time_limit(50), ini_get('max_execution_time'));",
    "connection": "var_dump(connection_status(), connection_aborted(), ignore_user_abort(), ignore_user_abort(true), ignore_user_abort());",
    "command line's things": "var_dump(defined('STDIN'), defined('STDOUT'), isset($argv), isset($argc), isset($_SERVER['argv']), getopt('a'));",
    "function and extension names": "$f = get_defined_functions()['internal']; sort($f); $e = array_map('strtolower', get_loaded_extensions()); sort($e); echo json_encode([$f, $e], 128);",
    "constants": "$c = get_defined_constants(true); unset($c['Core']['PHP_SAPI'], $c['Core']['PHP_BINARY'], $c['user']); echo json_encode($c['Core'] + $c['standard'], 128 | JSON_PARTIAL_OUTPUT_ON_ERROR);",
    "every ini value": "$i = ini_get_all(null, false); ksort($i); foreach ($i as $k => $v) echo $k, ' = ', var_export($v, true), \"\\n\";",
    "every ini value's access": "$i = ini_get_all(); ksort($i); foreach ($i as $k => $v) echo $k, ' ', $v['access'], ' ', var_export($v['global_value'], true), \"\\n\";",
    "commands": "echo shell_exec('echo out'); exec('echo a; echo b; exit 3', $o, $rc); var_dump($o, $rc); passthru('printf x'); var_dump(system('exit 4', $s), $s, pclose(popen('exit 5', 'r')));",
    "processes": "$p = proc_open(['sh', '-c', 'cat; echo err >&2; exit 6'], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes); fwrite($pipes[0], 'in'); fclose($pipes[0]); var_dump(stream_get_contents($pipes[1]), stream_get_contents($pipes[2]), proc_close($p));",
    "signals of a command": "echo shell_exec('grep ^Sig /proc/self/status | grep -v SigQ');",
    "standard input": "var_dump(file_get_contents('php://stdin'));",
    "streams": "var_dump(stream_get_wrappers(), stream_get_transports(), array_values(array_diff(stream_get_filters(), [])));",
    "locale and zone": "var_dump(setlocale(LC_ALL, 0), date_default_timezone_get(), mb_internal_encoding(), gettype(microtime(true)));",
    "files of a request": "var_dump(array_map('basename', get_included_files()), getcwd() === __DIR__, __LINE__);",
    "temporary files": "$f = tmpfile(); var_dump(fwrite($f, 'x')); var_dump(sys_get_temp_dir(), is_writable(sys_get_temp_dir()));",
    "opcache": "$s = opcache_get_status(false); var_dump($s['opcache_enabled'], $s['cache_full'], opcache_is_script_cached(__FILE__), ini_get('opcache.enable'));",
    "garbage": "class N { public $n; } for ($i = 0; $i < 20000; $i++) { $a = new N; $a->n = $a; } var_dump(gc_collect_cycles() >= 0, gc_enabled());",
    "uid": "var_dump(posix_getuid(), posix_geteuid(), posix_getgid(), posix_getgroups(), getmyuid());",
    "random numbers of two requests differ": "mt_srand(5); echo mt_rand(), ' ', rand(1, 100);",
    "unserialize, json and dates": "echo json_encode([1.1, '\u00e4', null]), serialize([true]), date('c', 0), json_last_error_msg();",
    "image": "header('Content-Type: image/png'); $i = imagecreatetruecolor(20, 20); imagefilledellipse($i, 10, 10, 9, 9, 0xff0000); imagepng($i);",
    "class autoloading": "spl_autoload_register(function ($c) { echo \"load $c \"; eval(\"class $c { const X = 1; }\"); }); echo Foo::X;",
    "apache's functions": "var_dump(function_exists('apache_response_headers'), function_exists('virtual'), function_exists('apache_setenv'), function_exists('fastcgi_finish_request'), function_exists('litespeed_finish_request'));",
    "finished before its end": "echo 'before'; header('X-Before: 1'); var_dump(fastcgi_finish_request()); echo 'after'; header('X-After: 1'); file_put_contents(__DIR__ . '/../../scratch/finished', 'yes');",
    "X-Accel fields stay inside": "header('X-Accel-Buffering: no'); header('X-Accel-Expires: 0'); header('X-Accel-Limit-Rate: 0'); echo 'x';",
}

# What differs on purpose or by the build of PHP, line by line: (a case, what is on the line, the side that has it, why).
DIFFERS = [
    ("function and extension names", r'"(?:fpm_get_status|cgi-fcgi)"', "peer", "php-fpm's own"),
    ("function and extension names", r'"(?:plimsoll|plimsoll_finish_request|headers_send)"', "subject", "our own"),
    ("function and extension names", r'"apache_response_headers"', "subject", "php-fpm has Apache's other functions; PHP's own server has this too"),
    ("function and extension names", r'"(?:pcntl(?:_\w+)?|chroot)"', "subject", "Debian builds libphp with what the command line has"),
    ("apache's functions", r"bool\((?:true|false)\)", "both", "the same: apache_response_headers"),
    ("constants", r'"PHP_CONFIG_FILE_(?:PATH|SCAN_DIR)"', "both", "where libphp was built to look; what is read is php-fpm's"),
    ("every ini value", r"(?:cgi|fastcgi|fpm)\.\w+ = ", "peer", "FastCGI's"),
    ("every ini value", r"opcache\.force_restart_timeout = ", "both", "a worker must not kill its siblings: the master ends workers"),
    ("every ini value's access", r"(?:cgi|fastcgi|fpm)\.\w+ \d ", "peer", "FastCGI's"),
    ("every ini value's access", r"opcache\.force_restart_timeout ", "both", "as above"),
]


@pytest.fixture(scope="module")
def pair(make_pair):
    def make_site(folder, n):
        app = folder / "app"
        for name in ("shown", "hidden", "userini", "userini/deep"):
            (app / name).mkdir(parents=True)
        (folder / "scratch").mkdir()
        for name, code in [*CASES.items(), ("parse-error", "echo 1 2;")]:
            for where in ("shown", "hidden"):
                (app / where / file_of(name)).write_text("<?php\n" + code)
        (app / "shown" / ".user.ini").write_text("display_errors = On\n")
        for name, code in SCRIPTS.items():
            (app / name).parent.mkdir(exist_ok=True)
            (app / name).write_text(code)
        for path in app.rglob("*.php"):
            os.utime(path, (1500000000, 1500000000))
        (app / "locked.php").chmod(0)
        (app / "folder.php").mkdir()
        (app / "locked").mkdir(mode=0)
        with open(app / "big.bin", "wb") as big:
            for i in range(20):
                big.write(bytes([65 + i]) * (1 << 20))
        return servers.Site(app, workers=1, front_controller=None, php_value={"precision": "11", "post_max_size": "1M",
                            "upload_max_filesize": "100K", "max_file_uploads": "4", "max_input_vars": "50"},
                            php_admin_value={"memory_limit": "48M", "error_prepend_string": "PREPENDED "}), []

    return make_pair(make_site)


SCRIPTS = {
    "count.php": "<?php session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'], ' ', strlen(session_id()), ' ', session_status();",
    "regenerate.php": "<?php session_start(); $old = session_id(); session_regenerate_id(true); var_dump($old === session_id(), $_SESSION);",
    "destroy.php": "<?php session_start(); $_SESSION = []; setcookie(session_name(), '', 1); var_dump(session_destroy());",
    "readonly.php": "<?php session_cache_limiter('public'); session_start(['read_and_close' => true]); var_dump($_SESSION, session_status());",
    "upload.php": """<?php foreach ($_FILES as $k => $f) {
        echo $k, ' ', json_encode($f['error']), ' ', json_encode($f['size']), ' ', json_encode($f['name']), ' ', json_encode($f['full_path']);
        if ($f['error'] === 0) { $to = __DIR__ . '/../scratch/uploaded';
            echo ' ', decoct(fileperms($f['tmp_name']) & 0777), ' ', dirname($f['tmp_name']), ' ', json_encode(move_uploaded_file($f['tmp_name'], $to)), ' ', md5_file($to), ' ', decoct(fileperms($to) & 0777); }
        echo "\\n"; }
        echo count($_POST), ' ', json_encode(array_slice($_POST, 0, 3)), ' ', strlen(file_get_contents('php://input')), ' ', json_encode(error_get_last());""",
    "readfile.php": "<?php header('Content-Type: application/octet-stream'); readfile(__DIR__ . '/big.bin');",
    "passthru.php": "<?php header('Content-Type: application/octet-stream'); while (ob_get_level()) ob_end_clean(); $f = fopen(__DIR__ . '/big.bin', 'r'); fseek($f, 12345); fpassthru($f);",
    "sapi.php": "<?php echo PHP_SAPI, ' ', php_sapi_name();",
    "locked.php": "<?php echo 'secret';",
    "leave.php": "<?php putenv('LEFT=1'); setlocale(LC_ALL, 'C.UTF-8'); chdir('/'); ini_set('precision', 4); umask(0); set_error_handler(fn() => true); set_include_path('/left'); date_default_timezone_set('Asia/Tokyo'); mb_internal_encoding('UTF-7'); define('LEFT', 1); $_SERVER['LEFT'] = $GLOBALS['left'] = 1; ignore_user_abort(true); set_time_limit(7); ob_start(); http_response_code(404); function left() {} mt_srand(1); session_name('LEFT'); error_reporting(0); class Left {} $_ENV['LEFT'] = 1; header('X-Left: 1'); setcookie('left', '1'); echo 'left';",
    "found.php": "<?php var_dump(getenv('LEFT'), setlocale(LC_ALL, 0), getcwd(), ini_get('precision'), umask(), get_include_path(), date_default_timezone_get(), mb_internal_encoding(), defined('LEFT'), isset($_SERVER['LEFT']), isset($left), ignore_user_abort(), ini_get('max_execution_time'), ob_get_level(), http_response_code(), function_exists('left'), session_name(), error_reporting(), class_exists('Left'), isset($_ENV['LEFT']), headers_list(), error_get_last());",
    "no-colon.php": "<?php header('nonsense'); echo 'x';",
    "log.php": "<?php error_log('said by error_log'); trigger_error('said by a warning', E_USER_WARNING); throw new Exception('said by an exception');",
    "gzip.php": "<?php ob_start('ob_gzhandler'); echo str_repeat('packed ', 1000);",
    "deflate.php": "<?php ini_set('zlib.output_compression', 1); echo str_repeat('packed ', 1000);",
    "input.php": "<?php $f = fopen('php://input', 'r'); echo fread($f, 3), '|', stream_get_contents($f), '|'; rewind($f); echo stream_get_contents($f), '|', file_get_contents('php://input'), '|', json_encode($_POST);",
    "userini/.user.ini": "auto_prepend_file = prepend.inc\nauto_append_file = append.inc\nprecision = 5\nmemory_limit = 999M\nupload_max_filesize = 3M\ndefault_charset = iso-8859-1\n",
    "userini/prepend.inc": "<?php echo 'prepended '; header('X-Prepended: 1');",
    "userini/append.inc": "<?php echo ' appended';",
    "userini/index.php": "<?php foreach (['precision', 'memory_limit', 'upload_max_filesize', 'default_charset', 'auto_prepend_file'] as $k) echo $k, '=', ini_get($k), ' '; exit('exited');",
    "userini/deep/.user.ini": "precision = 6\nauto_prepend_file = none\nauto_append_file = none\n",
    "userini/deep/index.php": "<?php echo ini_get('precision'), ' ', ini_get('memory_limit');",
    "descriptors.php": "<?php header('Content-Type: text/plain'); echo shell_exec('ls -l /proc/self/fd');",
    "static.txt": "static text\n",
    "page.html": "<p>static</p>\n",
    "style.css": "p { color: red }\n",
}


@pytest.mark.parametrize("where", ["shown", "hidden"])
@pytest.mark.parametrize("case", CASES)
def test_a_script_answers_as_on_php_fpm(pair, case, where):
    on_purpose = [rule for rule in DIFFERS if rule[0] == case]
    pair.get(f"/{where}/{file_of(case)}", status="any", compare=not on_purpose)
    if on_purpose:
        texts = [compare.as_text(side.page, [], side.literals).replace(",\n", "\n").split("\n") for side in pair.sides]
        changes = [line for line in difflib.ndiff(*texts) if line[:2] in ("- ", "+ ")]
        for side, sign in (("peer", "- "), ("subject", "+ ")):
            allowed = [rx for _, rx, who, _ in on_purpose if who in (side, "both")]
            left = [line for line in changes if line.startswith(sign) and not any(re.match(rf"[-+] *{rx}", line) for rx in allowed)]
            assert not left, f"only on the {side}: {left}"
        assert changes or isinstance(pair.sides[1].server, servers.Peer), "nothing differs: take the rules out"


def file_of(case):
    return case.replace(" ", "-").replace("/", "-") + ".php"


@pytest.mark.parametrize("case", ["exit text", "Location", "uncaught exception", "output of 1 MB in small pieces", "204 without",
                                  "own Content-Length", "no output"])
def test_HEAD_says_what_GET_says_without_the_body(pair, case):
    pair.step("HEAD", f"/hidden/{file_of(case)}", status="any")


def test_the_server_interface_has_a_name_of_its_own(pair):
    pair.get("/sapi.php", compare=False)
    peer, subject = (side.page.text for side in pair.sides)
    assert peer == "fpm-fcgi fpm-fcgi"
    assert subject == ("plimsoll plimsoll" if isinstance(pair.sides[1].server, servers.Plimsoll) else peer)


def test_a_session_lives_across_requests(pair):
    for n in (1, 2, 3):
        # An id's length is 26 in Debian's php.ini of 8.2 and 32 by itself.
        assert re.fullmatch(f"{n} (26|32) 2", pair.get("/count.php").text)
    pair.get("/regenerate.php")
    assert re.fullmatch("4 (26|32) 2", pair.get("/count.php").text)
    pair.get("/readonly.php")
    pair.get("/destroy.php")
    assert re.fullmatch("1 (26|32) 2", pair.get("/count.php").text)


def test_a_session_id_that_the_client_made_up_is_not_taken_from_the_url(pair):
    pair.get("/count.php?PHPSESSID=abcdefghijklmnopqrstuvwxyz")
    pair.get("/count.php", headers={"Cookie": "PHPSESSID=../../etc/passwd"})


def test_nothing_of_a_request_is_left_for_the_next(pair):
    pair.get("/leave.php", status=404)
    pair.get("/found.php")


UPLOADS = {
    "fits": {"files": {"f": ("na me.txt", b"x" * 50000, "text/plain")}},
    "too large for upload_max_filesize": {"files": {"f": ("a.bin", b"x" * 150000)}, "data": {"k": "v"}},
    "too large for MAX_FILE_SIZE": {"files": {"f": ("a.bin", b"x" * 2000)}, "data": {"MAX_FILE_SIZE": "1000"}},
    "none chosen": {"files": {"f": ("", b"")}},
    "empty": {"files": {"f": ("empty", b"")}},
    "more than max_file_uploads": {"files": [(f"f{i}", (f"{i}", b"x")) for i in range(6)]},
    "cut in the middle": {"headers": {"Content-Type": "multipart/form-data; boundary=b"}, "data":
                          b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + b"x" * 5000},
    "path in the name": {"files": {"f": ("../../evil.php", b"x")}},
    "more than max_input_vars": {"data": {f"v{i}": i for i in range(60)}},
    "nested too deep": {"data": {"a" + "[x]" * 70: "1"}},
    "bad boundary": {"headers": {"Content-Type": "multipart/form-data; boundary=" + "b" * 8000}, "data": b"--b\r\n"},
}


@pytest.mark.parametrize("case", UPLOADS)
def test_an_upload_ends_as_on_php_fpm(pair, case):
    pair.post("/upload.php", **UPLOADS[case])


def test_an_upload_as_large_as_post_max_size_arrives(pair):
    pair.post("/input.php", data=b"x" * (1 << 20), headers={"Content-Type": "application/octet-stream"})


def test_input_can_be_read_again(pair):
    pair.post("/input.php", data=b"a=1&b=2&c=3")
    pair.post("/input.php", data={"a": "1", "b": "2"})
    pair.step("PUT", "/input.php", data=b"put")


def test_20_MB_arrive_whole(pair):
    assert len(pair.get("/readfile.php").body) == 20 << 20
    assert len(pair.get("/passthru.php").body) == (20 << 20) - 12345


@pytest.mark.parametrize("script", ["gzip", "deflate"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_PHP_may_compress(pair, script, coding):
    for side in pair.sides:
        response = side.http.get(f"{side.server.base_url}/{script}.php", headers={"Accept-Encoding": coding}, stream=True)
        side.raw = response.raw.read(decode_content=False)
        side.fields = compare.visible_fields(compare.Answer(200, list(response.raw.headers.items()), b""))
    assert pair.sides[0].fields == pair.sides[1].fields
    assert any(f.startswith("content-encoding: gzip") for f in pair.sides[1].fields) == (coding == "gzip")
    for side in pair.sides:
        assert (gzip.decompress(side.raw) if coding == "gzip" else side.raw) == b"packed " * 1000


def test_user_ini_and_prepended_files_hold_in_their_folder(pair):
    assert pair.get("/userini/").text.startswith("prepended precision=5 memory_limit=48M ")
    pair.get("/userini/index.php")
    assert pair.get("/userini/deep/").text == "6 48M"
    pair.get("/found.php")


@pytest.mark.parametrize("path", ["/nothing.php", "/nothing.php/x", "/locked.php", "/locked/x.php", "/folder.php", "/folder.php/",
                                  "/nothing/x.php", "/static.txt", "/page.html", "/style.css", "/static.txt/x", "/nothing.txt", "/shown/",
                                  "/.user.ini", "/userini/.user.ini", "/userini/prepend.inc", "/sapi.php.bak", "/sapi.phps"])
def test_what_is_not_a_script_is_answered_with_the_same_status(pair, path):
    pair.get(path, compare=False, status="any")
    peer, subject = (side.page for side in pair.sides)
    expected = (peer.status, peer.status)
    if isinstance(pair.sides[1].server, servers.Plimsoll):
        expected = STATUS_DIFFERS.get(path, expected)
    assert (peer.status, subject.status) == expected[:2], (path, peer.status, subject.status)
    if peer.status == subject.status == 200:
        assert subject.body == peer.body
        assert subject.get("Content-Type").partition(";")[0] == peer.get("Content-Type").partition(";")[0]
    for side in pair.sides:
        assert "secret" not in side.page.text and "<?php" not in side.page.text.replace(SCRIPTS["userini/prepend.inc"], "")


STATUS_DIFFERS = {
    "/locked/x.php": (404, 403, "php-fpm takes what it may not see for missing"),
    "/folder.php": (404, 301, "a folder is a folder, whatever its name"),
    "/folder.php/": (404, 403, "the same"),
    "/userini/prepend.inc": (200, 404, "nginx sends PHP's source if it is named so; we never do, nor say that it is there"),
}


def test_a_missing_script_is_not_found(pair):
    assert pair.get("/nothing.php", status=404, compare=False).text == "File not found.\n"  # php-fpm's words; ours are a page
    assert pair.sides[1].page.status == 404


def test_a_header_line_without_colon_is_dropped(pair):
    """php-fpm passes it on, nginx makes it a field with no value."""
    for side in pair.sides:
        page = side.request("GET", "/no-colon.php")
        assert (page.status, page.text) == (200, "x")
    assert "nonsense" not in [n for n, _ in pair.sides[1].page.fields] or isinstance(pair.sides[1].server, servers.Peer)


def test_errors_are_logged(pair):
    assert pair.get("/log.php", status=500)
    for side in pair.sides:
        for text in ("said by error_log", "PHP Warning:  said by a warning", "PHP Fatal error:  Uncaught Exception: said by an exception"):
            servers.wait_until(lambda: text in side.server.logs(), f"{text!r} in the log of {side.server.kind}")


def test_a_command_of_a_script_inherits_no_descriptor_of_the_server(pair):
    pair.get("/descriptors.php", compare=False)
    lines = [line for line in pair.sides[1].page.text.splitlines() if " -> " in line]
    numbers = [int(line.partition(" -> ")[0].split()[-1]) for line in lines]
    assert {0, 1, 2} <= set(numbers)
    # PHP itself leaves the script's file open. (php-fpm leaves its sockets and logs to commands, too.)
    leaked = [line for n, line in zip(numbers, lines) if n > 2 and "/proc/" not in line and "/app/" not in line]
    assert not leaked or isinstance(pair.sides[1].server, servers.Peer), leaked


def test_what_is_done_after_fastcgi_finish_request_is_done(pair):
    for side in pair.sides:
        (side.server.folder.parent / "scratch" / "finished").unlink(missing_ok=True)
    assert pair.get("/hidden/finished-before-its-end.php").text == "before"
    for side in pair.sides:
        servers.wait_until((side.server.folder.parent / "scratch" / "finished").exists, "the file written after the answer")


@pytest.fixture(scope="module")
def without_tmp(make_pair, pair):
    def make_site(folder, n):
        app = folder / "app"
        app.mkdir()
        (app / "upload.php").write_text(SCRIPTS["upload.php"])
        return servers.Site(app, workers=1, front_controller=None, php_admin_value={"upload_tmp_dir": "/nonexistent/a", "sys_temp_dir": "/nonexistent/b",
                                                             "display_errors": "1"}), []

    return make_pair(make_site)


def test_an_upload_without_a_folder_for_it_says_so(without_tmp):
    assert "f 6 " in without_tmp.post("/upload.php", files={"f": ("x", b"x" * 100)}).text


def test_a_seeded_difference_is_found(pair):
    """The test's own test."""
    peer, subject = compare.Answer(200, [("X-A", "1")], b"same"), compare.Answer(200, [("X-A", "2")], b"same")
    assert "+x-a: 2" in compare.difference(peer, subject)
    assert not compare.difference(peer, peer)
    other = compare.Answer(200, [("X-A", "1")], b"sane")
    assert "+sane" in compare.difference(peer, other)
    assert "+404" in compare.difference(peer, compare.Answer(404, [("X-A", "1")], b"same"))
    masked = [Mask("m", r"sa(.)e")]
    assert not compare.difference(peer, other, masked)
    assert masked[0].used == 2
    cookie = "a={value}; expires={date}; Max-Age=%d; path=/"
    for name, value, near, far in (("Set-Cookie", cookie % 204470796, cookie % 204470795, cookie % 204470000),
                                   ("Expires", "Tue, 24 Nov 2026 14:59:59 GMT", "Tue, 24 Nov 2026 15:00:00 GMT", "Tue, 24 Nov 2026 16:00:00 GMT")):
        a, b, c = (compare.Answer(200, [(name, v)], b"") for v in (value, near, far))
        assert not compare.difference(a, b) and compare.difference(a, c)
    assert compare.difference(*(compare.Answer(200, [("X-Age", v)], b"") for v in ("Max-Age=10", "Max-Age=11")))
    with pytest.raises(AssertionError, match="the answers differ"):
        pair.step("GET", lambda side: "/sapi.php" if side is pair.sides[0] else "/static.txt")
