# SPDX-License-Identifier: Apache-2.0
"""Configuration: where values come from and in what order, what is refused and how it is said; help and check."""
import json
import re

import pytest

from harness import StartFailed, run_cli


@pytest.fixture
def conf(site):
    def write(text):
        path = site.base / "test.conf"
        path.write_text(text)
        path.chmod(0o644)
        return path
    return write


def check(site, *args, **kwargs):
    site.write("index.php", "<?php echo 1;")
    return run_cli("check", *args, site.app, **kwargs)


def value_of(r, key, section=None):
    """A key's effective value and origin in `check --json`, wherever it lies in the object."""
    found = []

    def walk(node, path):
        if isinstance(node, dict):
            if node.get("key") == key and "value" in node:
                found.append(node)
            for k, v in node.items():
                if k == key:
                    found.append(v)
                walk(v, path + [k])
        elif isinstance(node, list):
            for v in node:
                walk(v, path)
    walk(json.loads(r.stdout), [])
    assert found, f"{key} is not in {r.stdout[:500]}"
    return found[0]


def test_version():
    """--version prints one line, exit 0."""
    r = run_cli("--version")
    assert r.returncode == 0 and re.fullmatch(r"plimsoll \d+\.\d+\.\d+.*\n", r.stdout, re.S | re.I)


def test_help():
    """help and --help list every flag of the synopsis; exit 0."""
    for args in (("help",), ("--help",), ("serve", "--help")):
        r = run_cli(*args)
        assert r.returncode == 0
    r = run_cli("serve", "--help")
    both = r.stdout + run_cli("help").stdout
    for flag in ("--config", "--listen", "--root", "--front-controller", "--workers", "--max-requests", "--queue", "--queue-timeout", "--user", "--group", "--allow-root",
                 "-d", "--php-ini", "--env", "--clear-env", "--max-body-size", "--read-timeout", "--request-terminate-timeout", "--shutdown-timeout", "--trusted-proxies",
                 "--spool-dir", "--access-log", "--log-format", "--error-log", "--admin", "--control", "--pid", "--ready-fd"):
        assert flag in both, flag


def test_no_arguments():
    """No command: usage, exit 2."""
    r = run_cli()
    assert r.returncode == 2 and "serve" in r.stdout + r.stderr


def test_check_says_values_and_origins(site, conf):
    """check prints each option's effective value and where it came from: flag, environment, file with line, default, found."""
    site.scripts()
    path = conf("[global]\nkeepalive_timeout = 33s\nheader_max = 16k\n")
    r = check(site, "-c", path, "--queue", "77", env={"PLIMSOLL_HEADER_TIMEOUT": "7s"})
    assert r.returncode == 0, r.stderr
    lines = {line.split()[0]: line for line in r.stdout.splitlines() if line.split()}

    def line_of(key):
        found = [line for line in r.stdout.splitlines() if re.search(rf"\b{re.escape(key)}\b", line)]
        assert found, f"{key} is not in:\n{r.stdout}"
        return found[0]
    assert "33s" in line_of("keepalive_timeout") and "test.conf:2" in line_of("keepalive_timeout")
    assert re.search(r"16k|16384", line_of("header_max"), re.I) and "test.conf:3" in line_of("header_max")
    assert "7s" in line_of("header_timeout") and "PLIMSOLL_HEADER_TIMEOUT" in line_of("header_timeout")
    assert "77" in line_of("queue") and "--queue" in line_of("queue")
    assert "default" in line_of("send_timeout")
    assert lines


def test_check_json(site, conf):
    """check --json is JSON with the same."""
    site.scripts()
    r = check(site, "--json", "-c", conf("[global]\nkeepalive_timeout = 33s\n"))
    assert r.returncode == 0
    assert "33" in json.dumps(value_of(r, "keepalive_timeout"))


def test_order_flag_environment_file_default(site, conf):
    """flag > environment > file > default, at each step."""
    site.scripts()
    path = conf("[global]\nshutdown_timeout = 11s\n")

    def effective(*args, **env):
        return json.dumps(value_of(check(site, "--json", *args, env=env), "shutdown_timeout"))
    assert "8" in effective() and "default" in effective()
    assert "11" in effective("-c", path)
    assert "12" in effective("-c", path, PLIMSOLL_SHUTDOWN_TIMEOUT="12s")
    assert "13" in effective("-c", path, "--shutdown-timeout", "13s", PLIMSOLL_SHUTDOWN_TIMEOUT="12s")


def test_dots_in_environment_names(site):
    """A '.' of a key is '_' in the environment."""
    site.scripts()
    r = check(site, "--json", env={"PLIMSOLL_PM_MAX_CHILDREN": "9", "PLIMSOLL_PING_PATH": "/p"})
    assert "9" in json.dumps(value_of(r, "pm.max_children")) and "/p" in json.dumps(value_of(r, "ping.path"))


def test_environment_at_work(site, start):
    """The environment configures a server."""
    site.scripts()
    s = start(workers=0, env={"PLIMSOLL_PM_MAX_CHILDREN": "3", "PLIMSOLL_PING_PATH": "/pp"})
    assert s.fetch("/pp").status == 200
    s.wait_workers(3)
    assert len(s.pids("worker")) == 3


def test_port_variable(site, start):
    """PORT sets the port if no listen is given, and only then."""
    import socket
    site.scripts()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    s = start(listen=(), env={"PORT": str(port)})
    assert s.ready["listen"] and all(l.endswith(f":{port}") for l in s.ready["listen"])
    from rawhttp import fetch
    assert fetch(f"127.0.0.1:{port}", "/hello.php").body == b"hello"
    s = start(env={"PORT": str(port)})
    assert s.port != port


@pytest.mark.parametrize("text,line,words", [
    ("[global]\nkeepalive_timout = 5s\n", 2, ["keepalive_timout", "keepalive_timeout"]),
    ("[pool www]\npm.max_childs = 5\n", 2, ["pm.max_childs", "pm.max_children"]),
    ("[site default]\nfollow_symlink = on\n", 2, ["follow_symlinks"]),
    ("[route r]\npath = /*\ndenny = yes\n", 3, ["deny"]),
    ("[globl]\n", 1, ["globl", "global"]),
    ("[pool www]\npm = dynamic\n", 2, ["dynamic", "pm.max_children"]),
    ("[pool www]\npm = ondemand\n", 2, ["ondemand"]),
    ("[pool www]\npm.start_servers = 5\n", 2, ["pm.start_servers", "pm.max_children"]),
    ("[global]\nkeepalive_timeout = -1\n", 2, ["keepalive_timeout"]),
    ("[global]\nkeepalive_timeout = 5 parsecs\n", 2, ["parsecs"]),
    ("[global]\nheader_max = 10\n", 2, ["header_max", "1"]),
    ("[global]\nheader_max = 99999999999999999999\n", 2, ["header_max"]),
    ("[global]\nmax_connections = many\n", 2, ["many"]),
    ("[global]\nlog_format = xml\n", 2, ["xml", "combined", "json"]),
    ("[global]\ntrusted_proxies = 10.0.0.0/99\n", 2, ["10.0.0.0/99"]),
    ("[global]\ntrusted_proxies = nonsense\n", 2, ["nonsense"]),
    ("[site default]\nfollow_symlinks = maybe\n", 2, ["maybe"]),
    ("[route r]\nredirect = 999 /x\npath = /\n", 2, ["999"]),
    ("[route r]\npath = /*\nheader = no colon here\n", 3, ["header"]),
    ("[route r]\npath = /*\nheader = X-A: b\x01c\n", 3, ["header"]),
    ("no section = 1\n", 1, []),
    ("[global\n", 1, []),
    ("[global]\njust words\n", 2, []),
    ("[global]\nkeepalive_timeout = 5s\nkeepalive_timeout = 6s\n", 3, ["keepalive_timeout"]),
    ("[site a]\npool = nowhere\n", 2, ["nowhere"]),
    ("[pool www]\nuser = no-such-user-here\n", 2, ["no-such-user-here"]),
    ("[global]\ndaemonize = yes\n", 2, ["daemonize"]),
    ("[site default]\nlocation = /x\n", 2, ["route"]),
], ids=lambda v: ascii(v)[:50] if isinstance(v, str) else "")
def test_refused_with_file_line_and_reason(site, conf, text, line, words):
    """What is wrong in a file is refused with file, line, reason and the nearest right name; exit 3."""
    site.scripts()
    path = conf(text)
    r = check(site, "-c", path)
    if "no-such-user" in text and r.returncode == 0:
        pytest.skip("not root: the user is not looked at")
    assert r.returncode == 3, (r.stdout, r.stderr)
    assert re.search(rf"test\.conf:{line}\b", r.stderr), r.stderr
    for w in words:
        assert w in r.stderr, (w, r.stderr)


def test_all_errors_at_once(site, conf):
    """Every wrong line is told, not just the first."""
    site.scripts()
    r = check(site, "-c", conf("[global]\nnonsense = 1\nkeepalive_timeout = x\n[pool www]\npm = dynamic\n"))
    assert r.returncode == 3
    for line in (2, 3, 5):
        assert f"test.conf:{line}" in r.stderr


def test_errors_as_json(site, conf):
    """check --json says what is refused as JSON too, each with its line; a site that lacks its name included."""
    site.scripts()
    for text, line, word in (("[global]\nnonsense = 1\n", 2, "nonsense"),
                             ("[site a]\nserver_name = a.test\n[site b]\ndir = /tmp\n", 3, "server_name")):
        r = check(site, "--json", "-c", conf(text))
        assert r.returncode == 3
        told = json.loads(r.stdout)
        assert told["schema"] == "plimsoll.check/1" and len(told["errors"]) == 1
        assert f"test.conf:{line}:" in told["errors"][0] and word in told["errors"][0]


def test_unreadable_file(site):
    """A configuration file that is not there or can't be read is refused by name, exit 3."""
    site.scripts()
    r = check(site, "-c", site.base / "none.conf")
    assert r.returncode == 3 and "none.conf" in r.stderr
    r = check(site, "-c", site.base)
    assert r.returncode == 3


@pytest.mark.parametrize("args,word", [(("--workers", "x"), "workers"), (("--workers", "0"), "workers"), (("--max-body-size", "1X"), "max-body-size"), (("-l", "nonsense"), "nonsense"),
                                       (("-l", "127.0.0.1:99999"), "99999"), (("--trusted-proxies", "x"), "trusted"), (("--log-format", "xml"), "xml"), (("--read-timeout", "soon"), "soon")])
def test_bad_flag_values(site, args, word):
    """A bad value of a flag is refused with the flag's name; exit 3 (or 2)."""
    site.scripts()
    r = check(site, *args)
    assert r.returncode in (2, 3) and word in r.stderr


def test_unknown_flag_suggests(site):
    """An unknown flag is exit 2, with the nearest."""
    r = run_cli("serve", "--worker", "2")
    assert r.returncode == 2 and "--workers" in r.stderr


def test_bad_environment_value(site):
    """A bad value in the environment is refused with the variable's name; an unknown variable too, with the nearest."""
    site.scripts()
    r = check(site, env={"PLIMSOLL_KEEPALIVE_TIMEOUT": "x"})
    assert r.returncode == 3 and "PLIMSOLL_KEEPALIVE_TIMEOUT" in r.stderr
    r = check(site, env={"PLIMSOLL_KEEPALIVE_TIMOUT": "5s"})
    assert "PLIMSOLL_KEEPALIVE_TIMOUT" in r.stderr


def test_file_forms(site, conf):
    """Comments, blank lines, quotes, CRLF and a missing last newline are understood."""
    site.scripts()
    r = check(site, "--json", "-c", conf("; comment\n# comment\n\n[global]\r\n  keepalive_timeout = \"31s\" \r\nping.response = 'a b'"))
    assert r.returncode == 0, r.stderr
    assert "31" in json.dumps(value_of(r, "keepalive_timeout"))


@pytest.mark.parametrize("text,ms", [("1500ms", "1500ms|1.5s|1500"), ("2m", "2m|120"), ("90", "90|1m30"), ("1h", "1h|60m|3600")])
def test_units(site, conf, text, ms):
    """Times take ms, s, m, h; a bare number is seconds."""
    site.scripts()
    r = check(site, "--json", "-c", conf(f"[global]\nkeepalive_timeout = {text}\n"))
    assert re.search(ms, json.dumps(value_of(r, "keepalive_timeout")))


def test_long_lines(site, conf):
    """A value of a thousand bytes is taken whole."""
    site.scripts()
    r = check(site, "--json", "-c", conf("[global]\nping.response = " + "x" * 1000 + "\n"))
    assert r.returncode == 0 and "x" * 1000 in r.stdout


def test_hostile_files(site, conf):
    """Binary and endless files are refused, not crashed on."""
    import os
    site.scripts()
    path = site.base / "bin.conf"
    for data in (os.urandom(5000), b"[" * 100000, b"[global]\n" + b"\0" * 100, b"=" * 1000, b"[global]\n" + b"a" * 1000000 + b" = 1\n"):
        path.write_bytes(data)
        assert check(site, "-c", path).returncode == 3


def test_pools_and_sites_by_name(site, conf):
    """check lists every site, pool and route."""
    site.scripts()
    r = check(site, "-c", conf(f"[site one]\ndir = {site.app}\nserver_name = one\n[site two]\ndir = {site.app}\nserver_name = two\npool = p2\n[pool p1]\n[pool p2]\n[route r]\npath = /x/*\ndeny = yes\n"))
    assert r.returncode == 0, r.stderr
    for word in ("site one", "site two", "pool p1", "pool p2", "route r"):
        assert word in r.stdout


def test_sendmail_warning(site, start):
    """check warns if sendmail_path reaches a setgid binary while no_new_privs is on."""
    import os
    if os.geteuid() != 0:
        pytest.skip("a setgid file of another group is needed")
    site.scripts()
    mail = site.base / "sendmail"
    mail.write_bytes(open("/bin/true", "rb").read())
    os.chown(mail, 0, 8)
    mail.chmod(0o2755)
    r = check(site, "-d", f"sendmail_path={mail} -t -i")
    assert "no_new_privs" in r.stdout + r.stderr


def test_findings_are_said(site, start):
    """serve says what it found: root, front controller, PHP."""
    site.write("public/index.php", "<?php echo 1;")
    s = start(front_controller=None)
    said = s.stderr.text + s.error_log.text
    assert "public" in said and "index.php" in said


def test_start_refuses_what_check_refuses(site, start):
    """serve with the same file: exit 3 and the same line."""
    with pytest.raises(StartFailed) as e:
        start(conf="[global]\nkeepalive_timout = 5s\n")
    assert e.value.code == 3 and "keepalive_timeout" in e.value.stderr


def test_xray_is_run_from_plimsoll():
    """plimsoll xray, watch and tune run plimsoll-xray beside it, with all arguments and its exit code."""
    r = run_cli("xray", "--help")
    assert r.returncode == 0 and "--for T" in r.stdout
    assert "--limit" in run_cli("help", "tune").stdout
    r = run_cli("watch", "--no-such-option")
    assert r.returncode == 2 and "--no-such-option" in r.stderr
