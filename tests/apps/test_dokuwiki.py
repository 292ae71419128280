# SPDX-License-Identifier: Apache-2.0
"""DokuWiki, as Debian packages it, in one folder as upstream lays it out: read, written, searched; each page as on nginx +
php-fpm, and its data and configuration for nobody.

The tests are one story and depend on their order.
"""
import io
import os
import shutil
import subprocess

import pytest
import rawhttp
from PIL import Image

import servers
from compare import Mask

# Debian's own sample pages are for root's eyes.
PAGES = {
    "syntax": """====== Formatting Syntax ======

[[doku>DokuWiki]] supports **bold**, //italic//, __underlined__ and ''monospaced'' texts((a footnote)). See [[wiki:dokuwiki]] and
[[nothing]], http://www.example.org, <me@example.org>, {{wiki:dokuwiki-128.png}}, {{wiki:dokuwiki-128.png?50}}, (c), "quotes", :-).

===== Lists, tables, code =====

  * one
    - nested
> quoted

^ Heading ^ Other ^
| cell  |  right |

<code php>
<?php echo "hello"; // comment ?>
</code>

<file php example.php>
<?php echo "hello"; ?>
</file>

~~NOCACHE~~
""",
    "dokuwiki": "====== DokuWiki ======\n\nA wiki. {{ wiki:dokuwiki-128.png}} [[wiki:syntax|Syntax]]\n",
    "welcome": "====== Welcome ä ======\n\n{{wiki:dokuwiki-128.png?20x20}}\n",
}

# What DokuWiki's manual tells nginx to deny; Plimsoll knows by itself.
DENY = """
        location ~ ^/(data|conf|bin|inc|vendor)/ { return 403; }
        location ~ ^/(README|COPYING|VERSION)$ { return 403; }
        location ~ ^/lib/(plugins/[^/]+/(conf|lang)|tpl/[^/]+/(conf|lang))/.*\\.php$ { return 403; }
"""
MASKS = [
    Mask("now", r"SIG=\"[^\"]* (\d{4}\\/\d\d\\/\d\d \d\d:\d\d)"),
    Mask("now", r"<dc:date>(20(?:2[5-9]|[3-9]\d)-[^<]+)<"),
    # DokuWiki makes the cookie's name from the port it is called on, and the seed of its styles from its files' times.
    Mask("port", r"(?m)^set-cookie: DW([0-9a-f]{32})="),
    Mask("seed", r"[?&;]tseed=([0-9a-f]{32})"),
    Mask("token", r'(?:name="sectok" value|sectok)="?([0-9a-f]{32})'),
    Mask("time", r'<img src="/lib/exe/taskrunner\.php\?id=[^"]*&amp;(\d{10})"'),
]


@pytest.fixture(scope="module")
def pair(make_pair):
    def make_site(folder, n):
        app = folder / "app"
        # lib/plugins and lib/tpl stay links to /var/lib/dokuwiki; Debian's preload.php would lead to /etc/dokuwiki.
        servers.copy_app("/usr/share/dokuwiki", app, ignore=("preload.php",))
        shutil.copytree("/etc/dokuwiki", app / "conf", symlinks=True, ignore=shutil.ignore_patterns("*.auth.php", "apache.conf"))
        for name in ("pages/wiki", "media/wiki", "meta", "attic", "media_attic", "media_meta", "cache", "index", "locks", "tmp", "log"):
            (app / "data" / name).mkdir(parents=True)
        for name, text in PAGES.items():
            (app / "data" / "pages" / "wiki" / f"{name}.txt").write_text(text)
            os.utime(app / "data" / "pages" / "wiki" / f"{name}.txt", (1500000000, 1500000000))
        Image.linear_gradient("L").resize((128, 128)).save(app / "data" / "media" / "wiki" / "dokuwiki-128.png")
        os.utime(app / "data" / "media" / "wiki" / "dokuwiki-128.png", (1500000000, 1500000000))
        for name in ("_htcookiesalt", "_htcookiesalt2"):  # made by lot otherwise
            (app / "data" / "meta" / name).write_text("the tests' salt")
        (app / "conf" / "acl.auth.php").write_text("# acl\n* @ALL 1\n* @user 8\n")
        # smd5 of "wheel house": $1$, salt, checksum
        (app / "conf" / "users.auth.php").write_text("# <?php exit()?>\nadmin:" + password_hash("wheel house") + ":Ad Min:a@app.test:admin,user\n")
        (app / "conf" / "local.php").write_text("<?php\n$conf['title'] = 'Quay w\u00e4ki';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n"
                                                "$conf['savedir'] = './data';\n$conf['cookiedir'] = '/';\n$conf['updatecheck'] = 0;\n$conf['disableactions'] = '';\n")
        return servers.Site(app, front_controller="/doku.php", nginx=DENY, php_value={"date.timezone": "UTC"}), []

    return make_pair(make_site, MASKS)


def password_hash(text):
    return subprocess.run(["php", "-r", "echo password_hash($argv[1], PASSWORD_BCRYPT, ['cost' => 4]);", text], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.parametrize("path", ["/", "/doku.php", "/doku.php?id=wiki:syntax", "/doku.php?id=wiki:dokuwiki", "/doku.php/wiki/welcome",
                                  "/doku.php?id=start&do=index", "/doku.php?do=recent", "/doku.php?id=wiki:syntax&do=export_raw",
                                  "/doku.php?id=wiki:syntax&do=export_xhtml", "/doku.php?id=wiki:syntax&do=export_code&codeblock=1", "/doku.php?id=nothing", "/doku.php?id=start&do=login",
                                  "/doku.php?id=wiki:syntax&do=backlink", "/doku.php?id=wiki:dokuwiki&do=media", "/feed.php",
                                  "/lib/exe/css.php?t=dokuwiki", "/lib/exe/js.php?t=dokuwiki", "/lib/exe/manifest.php", "/lib/exe/opensearch.php",
                                  "/lib/exe/fetch.php?media=wiki:dokuwiki-128.png",
                                  "/lib/exe/detail.php?id=wiki:syntax&media=wiki:dokuwiki-128.png", "/lib/exe/mediamanager.php?ns=wiki",
                                  "/lib/exe/taskrunner.php?id=start", "/lib/exe/ajax.php"])
def test_what_a_visitor_reads(pair, path):
    pair.get(path, status="any")
    assert pair.sides[0].page.status in (200, 301, 302, 404), pair.sides[0].page.text


def test_a_resized_picture(pair):
    pair.get("/doku.php?id=wiki:syntax")
    size = len(pair.get(lambda side: side.page.find(r'src="(/lib/exe/fetch\.php\?w=\d+&[^"]+dokuwiki-128\.png)"')).body)
    assert size > 100


def test_log_in(pair):
    pair.get("/doku.php?id=start&do=login")
    pair.submit({"id": "dw__login"}, {"u": "admin", "p": "wrong"}, status=403)
    assert "username or password was wrong" in pair.sides[1].page.text
    pair.submit({"id": "dw__login"}, {"u": "admin", "p": "wheel house"}, status="any")
    assert "Ad Min" in pair.get("/doku.php?id=start").text


def test_edit_a_page(pair):
    pair.get("/doku.php?id=quay:side&do=edit")
    pair.submit({"id": "dw__editform"}, {"wikitext": "====== Quay s\u00efde ======\n\nA **mark** [[wiki:syntax]]\n\n  * one\n  * two",
                                         "summary": "first", "do[preview]": ""}, masks=PAGE_TIME)
    assert "<strong>mark</strong>" in pair.sides[1].page.text
    pair.get("/doku.php?id=quay:side&do=edit")
    pair.submit({"id": "dw__editform"}, {"wikitext": "====== Quay s\u00efde ======\n\nA **mark** [[wiki:syntax]]\n\n<code php>echo 1;</code>",
                                         "summary": "first", "do[save]": ""}, status=302)
    page = pair.follow(masks=PAGE_TIME)
    assert "Quay s\u00efde" in page.text


PAGE_TIME = [Mask("time", r'<time datetime="([^"]+)" title="([^"]+)">([^<]+)</time>'),
             Mask("time", r'name="rev2\[\]" type="checkbox" value="(\d{10})"'),
             Mask("time", r"(?:Last modified: |docInfo\">.*?)(\d{4}/\d\d/\d\d \d\d:\d\d)"), Mask("time", r"[?&;](?:rev|lastmod|mtime)=(\d{10})\b"),
             Mask("time", r'name="(?:date|changecheck|rev)" value="([0-9a-f]{10,32})"')]


def test_history_and_difference(pair):
    pair.get("/doku.php?id=quay:side&do=revisions", masks=PAGE_TIME)
    pair.get("/doku.php?id=quay:side&do=edit", masks=PAGE_TIME)
    pair.submit({"id": "dw__editform"}, {"wikitext": "====== Quay s\u00efde ======\n\nchanged", "summary": "second", "do[save]": ""}, status=302)
    pair.follow(masks=PAGE_TIME)


def test_search(pair):
    for side in pair.sides:  # the indexer is what a page's invisible picture calls
        side.request("GET", "/lib/exe/taskrunner.php?id=quay:side")
        side.request("GET", "/lib/exe/taskrunner.php?id=wiki:syntax")
    page = pair.get("/doku.php?do=search&id=start&q=changed", masks=PAGE_TIME)
    assert "quay:side" in page.text
    pair.get("/doku.php?do=search&id=start&q=nothinglikethis")
    pair.post("/lib/exe/ajax.php", data={"call": "qsearch", "q": "quay"})


def test_upload_media(pair):
    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "PNG")
    pair.get("/lib/exe/mediamanager.php?ns=quay")
    pair.submit({"id": "dw__upload"}, {"mediaid": "grey.png"}, files={"upload": ("grey.png", out.getvalue(), "image/png")}, masks=MEDIA_TIME)
    assert "Upload successful" in pair.sides[1].page.text
    assert pair.get("/lib/exe/fetch.php?media=quay:grey.png", masks=MEDIA_TIME).body == out.getvalue()
    answer = pair.get("/lib/exe/fetch.php?media=quay:grey.png", masks=MEDIA_TIME, headers={"Range": "bytes=10-19"})
    assert answer.status == 206 and answer.body == out.getvalue()[10:20]
    pair.get("/doku.php?id=quay:side&do=media&ns=quay", masks=MEDIA_TIME)


MEDIA_TIME = [Mask("time", r"(\d{4}/\d\d/\d\d \d\d:\d\d)"), Mask("time", r"(?m)^(?:last-modified|expires): (.*)$"),
              Mask("time", r"[?&;](?:rev|lastmod|mtime)=(\d{10})\b")]


def test_the_administration(pair):
    for page in ("", "&page=config", "&page=acl", "&page=usermanager", "&page=extension"):
        pair.get(f"/doku.php?id=start&do=admin{page}")


def test_log_out(pair):
    pair.get(lambda side: side.request("GET", "/doku.php?id=start").find(r'href="([^"]+do=logout[^"]*)"'), status=302)
    assert "Ad Min" not in pair.follow().text
    pair.get("/doku.php?id=start&do=admin", status="any")


@pytest.mark.parametrize("path", ["/data/", "/data/pages/wiki/syntax.txt", "/data/media/wiki/dokuwiki-128.png", "/conf/local.php", "/conf/users.auth.php",
                                  "/conf/acl.auth.php", "/conf/mime.conf", "/conf/", "/inc/init.php", "/inc/lang/en/adminacl.txt", "/bin/gittool.php",
                                  "/vendor/autoload.php", "/VERSION", "/.htaccess", "/data/.htaccess", "/data/pages/../pages/wiki/syntax.txt",
                                  "/%64ata/pages/wiki/syntax.txt", "//data//pages/wiki/syntax.txt", "/lib/../conf/users.auth.php",
                                  "/doku.php/../conf/mime.conf", "/data/index.php"])
def test_what_nobody_may_read(pair, path):
    for side in pair.sides:
        answer = rawhttp.fetch(side.server.listen, path)
        assert answer.status in (403, 404), f"{side.server.kind}: {answer.status} {answer.text[:200]}"
        assert b"admin:" not in answer.body and b"mime" not in answer.body


@pytest.mark.parametrize("path", ["/lib/tpl/dokuwiki/images/logo.png", "/lib/plugins/acl/pix/group.png", "/lib/images/fileicons/pdf.png",
                                  "/lib/scripts/helpers.js", "/lib/images/interwiki.svg"])
def test_static_files_also_behind_links_of_the_package(pair, path):
    pair.static(path)


def test_every_mask_was_needed(pair):
    pair.check_masks()
