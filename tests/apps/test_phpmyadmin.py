# SPDX-License-Identifier: Apache-2.0
"""phpMyAdmin, as Debian packages it: log in to MariaDB, look at a table, ask, change, import, export; as on nginx + php-fpm.

The tests are one story and depend on their order.
"""
import base64
import shutil

import pytest

import servers
from compare import Mask

CONFIG = """<?php
$cfg['blowfish_secret'] = 'thirty-two letters of the tests!';
$cfg['Servers'][1] = ['host' => 'localhost', 'socket' => '{socket}', 'auth_type' => 'cookie', 'AllowNoPassword' => false];
$cfg['VersionCheck'] = false;
$cfg['SendErrorReports'] = 'never';
"""
DENY = "location ~ ^/(libraries|templates)/ { return 403; }"
MASKS = [
    Mask("server", r"(?m)^ +(nginx/[\d.]+|plimsoll \(like nginx\))$"),
    Mask("session", r'name="set_session" value="([0-9a-z]{26,32})"'),
    # The token is random and each page carries it; signatures are made with it, favourites' key with the user's name.
    Mask("token", r'(?:name="token" value|token"?)[=:]"?([0-9a-f]{32})'),
    Mask("signature", r"(?:sql|clause)_signature=([0-9a-f]{64})"), Mask("user", r'data-favtargets="([0-9a-f]{32})"'),
    Mask("lot", r'(?:data-uniqueId="|data-for="|showAll_|Radio(?:[PF]|Geom|Wkt|Wkb)|resultsForm_|display_(?:binary|blob)_|hide_transformation_)(\d+)'),
    Mask("time", r"(?m)^(?:expires|last-modified): (\w{3}, .* \+0000)$"), Mask("time", r'class="table_create_time" type="hidden" value="([^"]+)"'),
    Mask("time", r'name="noplugin" value="([0-9a-f]{13})"'),
    Mask("time", r'<td class="value">([A-Z][a-z]{2} \d\d, 20\d\d at \d\d:\d\d [AP]M)</td>'),
    Mask("time", r"Query took (\d+\.\d+) seconds"),
]


@pytest.fixture(scope="module")
def pair(make_pair, database):
    def make_site(folder, n):
        app, db = folder / "app", f"harbour_{'ab'[n]}"
        app.mkdir()
        for name in ("index.php", "url.php", "show_config_errors.php", "autoload.php", "robots.txt", "favicon.ico"):
            shutil.copy2(f"/usr/share/phpmyadmin/{name}", app / name)
        servers.copy_app("/usr/share/phpmyadmin/libraries", app / "libraries")
        for name in ("js", "themes", "templates", "locale", "sql", "doc"):  # behind links, as much of Debian's is
            (app / name).symlink_to(f"/usr/share/phpmyadmin/{name}")
        vendor = app / "libraries" / "vendor_config.php"
        text = vendor.read_text()
        for old, new in (("/var/lib/phpmyadmin/tmp/", f"{folder}/tmp/"), ("/etc/phpmyadmin/config.inc.php", f"{app}/config.inc.php")):
            assert old in text
            text = text.replace(old, new)
        vendor.write_text(text)
        (app / "config.inc.php").write_text(CONFIG.format(socket=database.socket))
        database.create(db)
        database.sql("CREATE TABLE ships (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40), tons DECIMAL(8,2), built DATE, note TEXT) "
                     "ENGINE=InnoDB; INSERT INTO ships (name, tons, built, note) VALUES ('Cutty Sark', 921.5, '1869-11-22', 'tea & wool'), "
                     "('S\u00f8rlandet', 499, '1927-06-11', NULL), ('Great <b>Eastern</b>', 18915, '1858-01-31', 'x');", db)
        return servers.Site(app, nginx=DENY, front_controller=None), [(db, "database"), (db.upper(), "DATABASE"), (base64.b64encode(db.encode()).decode(), "database in base64")]

    return make_pair(make_site, MASKS)


def name_of(side):
    return next(literal for literal, name in side.literals if name == "database")


def args(**values):
    """The same parameters for both sides, the database's name and the page's token filled in."""
    return lambda side: {k: v.format(db=name_of(side)) if isinstance(v, str) else v for k, v in values.items()} | {"token": side.token}


def test_log_in(pair):
    pair.get("/")
    for side in pair.sides:
        side.request("GET", "/")
    pair.submit({"id": "login_form"}, {"pma_username": "nobody", "pma_password": "wrong"}, status="any", compare=False)
    assert "Access denied" in pair.sides[1].page.text and "Access denied" in pair.sides[0].page.text
    pair.get("/")
    pair.step("POST", "/index.php?route=/", status=302, data=lambda side: {
        "pma_username": name_of(side), "pma_password": name_of(side), "server": "1", "target": "index.php",
        "token": side.page.find(r'name="token" value="([^"]+)"'), "set_session": side.http.cookies.get("phpMyAdmin", "")})
    pair.follow()
    for side in pair.sides:
        side.token = side.page.find(r'name="token" value="([^"]+)"')
        assert name_of(side) + "@localhost" in side.page.text


@pytest.mark.parametrize("path", ["/index.php?route=/database/structure&db={db}", "/index.php?route=/sql&db={db}&table=ships&pos=0",
                                  "/index.php?route=/table/structure&db={db}&table=ships", "/index.php?route=/table/search&db={db}&table=ships",
                                  "/index.php?route=/table/change&db={db}&table=ships", "/index.php?route=/database/sql&db={db}",
                                  "/index.php?route=/database/export&db={db}", "/index.php?route=/database/import&db={db}",
                                  "/index.php?route=/server/databases", "/index.php?route=/server/variables", "/index.php?route=/server/collations",
                                  "/index.php?route=/preferences/manage", "/index.php?route=/nothing"])
def test_pages(pair, path):
    pair.get(lambda side: path.format(db=name_of(side)), status="any")
    assert pair.sides[0].page.status in (200, 404)
    if "ships" in path:
        assert "tons" in pair.sides[1].page.text


def test_the_navigation_is_an_ajax_call(pair):
    pair.post("/index.php?route=/navigation&ajax_request=1", data=args(server="1", aPath="cm9vdA==", vPath="cm9vdA==", pos="0"),
              headers={"X-Requested-With": "XMLHttpRequest"})


def test_run_queries(pair):
    for query in ("SELECT name, tons * 2 AS twice FROM ships ORDER BY tons DESC", "SELECT nothing FROM ships",
                  "INSERT INTO ships (name, tons) VALUES ('New', 1)", "UPDATE ships SET tons = 2 WHERE name = 'New'", "SHOW CREATE TABLE ships"):
        pair.post("/index.php?route=/sql", data=args(db="{db}", table="ships", sql_query=query, is_js_confirmed="0", show_query="1",
                                                     sql_delimiter=";"))
    assert "CREATE TABLE" in pair.sides[1].page.text


def test_export(pair):
    for what, kind in (("sql", "text/"), ("csv", "text/"), ("json", "")):
        answer = pair.post("/index.php?route=/export", data=args(
            db="{db}", table="ships", export_type="table", export_method="quick", quick_or_custom="quick", what=what, single_table="1",
            output_format="sendit", filename_template="@TABLE@", remember_template="on", charset="utf-8", compression="none",
            sql_structure_or_data="structure_and_data", sql_include_comments="something", csv_separator=",", csv_enclosed='"',
            csv_escaped='"', csv_terminated="AUTO", csv_null="NULL", csv_structure_or_data="data", json_structure_or_data="data",
            **{"table_select[]": "ships"}), masks=[Mask("time", r"Generation Time: (.+)"), Mask("time", r"(?m)^last-modified: (.*)$")])
        assert "Cutty Sark" in answer.text, what


def test_import_a_file(pair):
    pair.post("/index.php?route=/import", data=args(db="{db}", import_type="database", format="sql", sql_compatibility="NONE",
                                                    is_js_confirmed="0", charset_of_file="utf-8", MAX_FILE_SIZE="2097152"),
              files={"import_file": ("more.sql", b"CREATE TABLE crew (id INT, who VARCHAR(20));\nINSERT INTO crew VALUES (1, 'helmsman');\n", "application/sql")})
    pair.get(lambda side: f"/index.php?route=/sql&db={name_of(side)}&table=crew")
    assert "helmsman" in pair.sides[1].page.text


def test_log_out(pair):
    pair.post("/index.php?route=/logout", data=args(), status=302)
    pair.follow()
    pair.get("/index.php?route=/server/databases")
    assert "login_form" in pair.sides[1].page.text


@pytest.mark.parametrize("path", ["/themes/pmahomme/css/theme.css", "/themes/pmahomme/img/logo_left.png", "/js/vendor/jquery/jquery.min.js",
                                  "/js/vendor/codemirror/lib/codemirror.css", "/js/dist/common.js", "/favicon.ico", "/robots.txt",
                                  "/themes/pmahomme/jquery/jquery-ui.css"])
def test_what_a_page_loads_also_behind_links_of_the_package(pair, path):
    pair.static(path)


def test_the_small_scripts(pair):
    pair.get("/js/messages.php?l=en&v=5", status="any")
    pair.get("/url.php?url=https://www.phpmyadmin.net/", status="any")
    pair.get("/url.php?url=https://evil.test/", status=302)


@pytest.mark.parametrize("path", ["/libraries/config.default.php", "/libraries/vendor_config.php", "/templates/base.twig", "/libraries/"])
def test_what_nobody_may_read(pair, path):
    pair.get(path, compare=False, status="any")
    assert {side.page.status for side in pair.sides} <= {403, 404}


def test_every_mask_was_needed(pair):
    pair.check_masks()
