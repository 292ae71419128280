# SPDX-License-Identifier: Apache-2.0
"""[route] rules: on the normalised path and again on the resolved script; built-in denies; sites by name."""
import pytest


@pytest.fixture
def uploads(site):
    site.scripts("hello.php", "echo.php")
    site.php("uploads/evil.php", "echo 'RAN';")
    site.php("uploads/sub/evil.php", "echo 'RAN';")
    site.write("uploads/pic.jpg", "jpg")
    site.php("index.php", "echo 'front ', $_SERVER['REQUEST_URI'];")
    return site


@pytest.mark.parametrize("target", ["/uploads/evil.php", "/uploads/evil.php/x", "/uploads/evil.php/x.jpg", "/uploads/sub/evil.php", "//uploads/evil.php", "/x/../uploads/evil.php",
                                    "/uploads/%65vil.php", "/%75ploads/evil.php", "/uploads//evil.php", "/./uploads/./evil.php", "/uploads/evil.php?x", "/uploads/pic.jpg/../evil.php",
                                    "/UPLOADS/../uploads/evil.php"])
@pytest.mark.parametrize("front", ["off", "index.php"])
def test_php_off(uploads, start, target, front):
    """php = off: an uploaded script neither runs nor shows its source, whatever the spelling."""
    s = start(conf="[route uploads]\npath = /uploads/*\nphp = off\n", front_controller=front)
    r = s.fetch(target)
    assert r.status in (403, 404) and "RAN" not in r.text and "<?php" not in r.text
    assert s.fetch("/uploads/pic.jpg").text == "jpg" and s.fetch("/hello.php").text == "hello"


def test_php_off_through_a_link(uploads, start):
    """A link from elsewhere to a script in the folder does not run it either: the resolved script is matched again."""
    (uploads.app / "door.php").symlink_to("uploads/evil.php")
    (uploads.app / "up2").symlink_to("uploads")
    s = start(conf="[route uploads]\npath = /uploads/*\nphp = off\n")
    for target in ("/door.php", "/up2/evil.php", "/up2/sub/evil.php"):
        r = s.fetch(target)
        assert "RAN" not in r.text and r.status in (403, 404), target


def test_deny(uploads, start):
    """deny answers 403 for files and scripts, PATH_INFO and all."""
    uploads.write("private/x.txt", "PRIVATE")
    uploads.php("private/x.php", "echo 'PRIVATE';")
    s = start(conf="[route private]\npath = /private/*\ndeny = yes\n")
    for target in ("/private/x.txt", "/private/x.php", "/private/x.php/y", "/a/../private/x.txt", "/%70rivate/x.txt", "//private//x.txt", "/private/", "/private/none"):
        r = s.fetch(target)
        assert r.status == 403 and "PRIVATE" not in r.text, target
    assert s.fetch("/hello.php").status == 200


def test_deny_one_script(uploads, start):
    """A path without * is exact, but /x.php/anything is /x.php."""
    s = start(conf="[route one]\npath = /echo.php\ndeny = yes\n")
    assert s.fetch("/echo.php").status == 403
    assert s.fetch("/echo.php/x").status == 403
    assert s.fetch("/hello.php").status == 200


def test_allow(uploads, start):
    """allow lets only these clients through."""
    conf = "[route a]\npath = /hello.php\nallow = {}\n"
    assert start(conf=conf.format("127.0.0.0/8")).fetch("/hello.php").status == 200
    assert start(conf=conf.format("10.0.0.0/8, ::1")).fetch("/hello.php").status == 403
    assert start(conf=conf.format("10.0.0.0/8, 127.0.0.1")).fetch("/hello.php").status == 200


@pytest.mark.parametrize("value,status,location", [("https://new.example/x", 302, "https://new.example/x"), ("301 /new", 301, "/new"), ("308 /new?a=b", 308, "/new?a=b")])
def test_redirect(uploads, start, value, status, location):
    """redirect answers with a Location."""
    r = start(conf=f"[route old]\npath = /old\npath = /old/*\nredirect = {value}\n").fetch("/old/x")
    assert r.status == status and r.get("Location").endswith(location)


def test_header(uploads, start):
    """header adds fields to files and scripts, errors included."""
    s = start(conf="[route all]\npath = /*\nheader = X-Frame-Options: DENY\nheader = X-Two: a: b\n")
    for target in ("/uploads/pic.jpg", "/hello.php", "/uploads/none.jpg"):
        r = s.fetch(target)
        assert (r.get("X-Frame-Options"), r.get("X-Two")) == ("DENY", "a: b"), target


def test_expires(uploads, start):
    """expires sets Expires and Cache-Control: max-age on files."""
    r = start(conf="[route static]\npath = /uploads/*\nexpires = 1h\n").fetch("/uploads/pic.jpg")
    assert r.get("Cache-Control") == "max-age=3600" and r.get("Expires")


def test_max_body_size(uploads, start):
    """A route's max_body_size holds for its path only."""
    s = start(conf="[route small]\npath = /echo.php\nmax_body_size = 10\n[route b]\npath = /hello.php\nmax_body_size = 1M\n")
    assert s.fetch("/echo.php", method="POST", body=b"x" * 10).status == 200
    assert s.fetch("/echo.php", method="POST", body=b"x" * 11).status == 413
    assert s.fetch("/echo.php/x", method="POST", body=b"x" * 11).status == 413
    assert s.fetch("/hello.php", method="POST", body=b"x" * 5000).status == 200


def test_time_limit(uploads, start):
    """A route's read_timeout holds for its path only."""
    uploads.php("slow.php", "sleep(1); echo 'slow';")
    uploads.php("quick.php", "sleep(60);")
    s = start(conf="[route quick]\npath = /quick.php\nread_timeout = 300ms\n", workers=1)
    assert s.fetch("/quick.php").status == 504
    assert s.fetch("/slow.php").text == "slow"


def test_route_request_buffering(uploads, start):
    """request_buffering is a route's setting too."""
    s = start(conf="[route s]\npath = /echo.php\nrequest_buffering = off\n")
    assert s.fetch("/echo.php", method="POST", body=b"x" * 100_000).json()["n"] == 100_000


def test_route_root(uploads, start):
    """A route's root stands for the path's fixed part."""
    (uploads.base / "docs").mkdir()
    (uploads.base / "docs" / "a.txt").write_text("handbook")
    (uploads.base / "docs" / "s.php").write_text("<?php echo 'alias ', $_SERVER['SCRIPT_NAME'];")
    s = start(conf=f"[route docs]\npath = /docs/*\nroot = {uploads.base}/docs\nphp = on\n[route shelf]\npath = /shelf/*\nroot = {uploads.base}/docs\n")
    assert s.fetch("/docs/a.txt").text == "handbook"
    assert s.fetch("/docs/s.php").text == "alias /docs/s.php"
    r = s.fetch("/shelf/s.php")  # a folder of files only, unless php = on
    assert r.status in (403, 404) and "<?php" not in r.text and "alias" not in r.text
    assert s.fetch("/docs/../hello.php").text == "hello"
    assert s.fetch("/docs/%2e%2e/app/hello.php").status == 404
    assert s.fetch("/docs/../../docs/a.txt").status in (400, 404)


def test_routes_are_tried_in_order(uploads, start):
    """The first route that decides wins."""
    s = start(conf="[route open]\npath = /uploads/pic.jpg\nallow = 127.0.0.1\n[route shut]\npath = /uploads/*\ndeny = yes\n")
    assert s.fetch("/uploads/evil.php").status == 403


def test_sites_by_name(site, start):
    """[site] sections by host name, case and port ignored, wildcards, first site for the rest."""
    for name in ("a", "b", "c"):
        site.write(f"{name}/index.php", f"<?php echo 'site {name} ', $_SERVER['SERVER_NAME'];")
    s = start(directory=site.app / "a", conf="".join(f"[site {n}]\ndir = {site.app}/{n}\nserver_name = {h}\n" for n, h in (("a", "a.example"), ("b", "b.example *.b.example"), ("c", "c.example"))))
    for host, expected in (("a.example", "a"), ("B.EXAMPLE", "b"), ("b.example:8080", "b"), ("x.y.b.example", "b"), ("c.example", "c"), ("unknown", "a"), ("c.example.", "c")):
        assert s.fetch("/", host=host).text.split()[1] == expected, host


def test_pools_of_sites(site, start):
    """Sites name their pool; each pool has its own settings and workers."""
    for name in ("a", "b"):
        site.write(f"{name}/index.php", "<?php echo ini_get('precision'), ' ', getmypid();")
    s = start(workers=0, directory=site.app / "a", conf=f"""
[site a]
dir = {site.app}/a
server_name = a
pool = one
[site b]
dir = {site.app}/b
server_name = b
pool = two
[pool one]
pm.max_children = 1
php_value[precision] = 5
[pool two]
pm.max_children = 1
php_value[precision] = 6
""")
    a, b = s.fetch("/", host="a").text.split(), s.fetch("/", host="b").text.split()
    assert (a[0], b[0]) == ("5", "6") and a[1] != b[1]
    assert {p["pool"] for p in s.processes("worker")} == {"one", "two"}


def test_builtin_denies(site, start):
    """A recognised application's own protected files are denied, and said at start."""
    site.write("wp-config.php", "<?php echo 'CONFIG';")
    site.write("wp-load.php", "<?php")
    site.write("wp-settings.php", "<?php")
    site.write("wp-includes/version.php", "<?php $wp_version = '6.1';")
    site.write("wp-admin/index.php", "<?php echo 'admin';")
    site.write("wp-content/uploads/2024/evil.php", "<?php echo 'RAN';")
    site.write("wp-content/uploads/2024/pic.jpg", "jpg")
    site.write("wp-content/plugins/x/y.php", "<?php echo 'plugin';")
    site.php("index.php", "echo 'blog';")
    s = start(front_controller=None)
    r = s.fetch("/wp-content/uploads/2024/evil.php")
    assert r.status in (403, 404) and "RAN" not in r.text
    assert s.fetch("/wp-content/uploads/2024/pic.jpg").text == "jpg"
    assert s.fetch("/wp-content/plugins/x/y.php").text == "plugin"
    assert s.fetch("/wp-content/uploads/2024/missing.jpg").text == "blog", "what is missing there is still WordPress' to answer"
    assert "CONFIG" not in s.fetch("/wp-config.php").text
    assert s.fetch("/some/permalink/").text == "blog"
    assert "ordpress" in s.stderr.text.lower() + s.error_log.text.lower()


def test_denied_copies_are_files_not_pages(site, start):
    """A dump beside the application is denied; a page of that name, which the front controller makes, is not."""
    site.write("dump.sql", "secret")
    site.php("index.php", "echo 'page ', $_SERVER['REQUEST_URI'];")
    s = start(front_controller=None)
    r = s.fetch("/dump.sql")
    assert r.status == 403 and "secret" not in r.text
    assert s.fetch("/wiki/dump.sql").text == "page /wiki/dump.sql"
