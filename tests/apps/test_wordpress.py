# SPDX-License-Identifier: Apache-2.0
"""WordPress, as Debian packages it: installed in the browser, written in, read by visitors; each page as on nginx + php-fpm.

The tests are one story and depend on their order.
"""
import html
import io
import json
import re
import shutil

import pytest
from PIL import Image

import servers
from compare import HOST, Mask

CONFIG = """<?php
define('DB_NAME', '{db}');
define('DB_USER', '{db}');
define('DB_PASSWORD', '{db}');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $k)
    define($k, "the tests' $k");
$table_prefix = 'wp_';
define('WP_DEBUG', false);
define('DISABLE_WP_CRON', true);       // it would call the server in the middle of a page
define('WP_HTTP_BLOCK_EXTERNAL', true); // nobody outside is asked
define('AUTOMATIC_UPDATER_DISABLED', true);
define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

MASKS = [
    # Nonces are ten hexadecimal digits made from the session's token, which is random.
    Mask("nonce", r"""["'=]([0-9a-f]{10})["'&\\]"""),
    Mask("password", r'data-pw="([^"]{18,60})"'),
    Mask("lot", r"//([0-2])\.gravatar\.com", optional=True), Mask("lot", r"\\/\\/([0-2])\.gravatar\.com", optional=True),
    Mask("time", r'"activePostLock":"(\d+):'), Mask("time", r'"initialServerTimestamp":(\d+)'),
    Mask("nonce", r"(?m)^x-wp-nonce: ([0-9a-f]{10})$"),
    Mask("lot", r"wp-embed-share-(?:tab|description)-(?:wordpress|html)-\d+-(\d+)"),
    Mask("secret", r"(?:data-secret=(?:&quot;|\\\"|\")|#\?secret=)([0-9a-zA-Z]{10})"),
    Mask("now", r'"(?:date|modified)(?:_gmt)?":"(20(?:2[5-9]|[3-9]\d)-[^"]+)"'),
    Mask("now", r'<time datetime="(20(?:2[5-9]|[3-9]\d)-[^"]+)"'),
    Mask("now", r'"(?:publishDate|initialServerDate)":"(20[^"]+)"'),
    Mask("now", r'name="pagegen_timestamp" value="([^"]+)"'), Mask("now", r"Universal time is <code>([^<]+)<"),
    Mask("now", r"<dateCreated>([^<]+)<"),
    # The hour and the day, in the ways that one may choose from.
    Mask("now", r'class="date-time-text format-i18n">([^<]+)</span><code>'),
    Mask("now", r'Preview:</strong> <span class="example">([^<]+)<'),
    Mask("now", r'<code id="permalink-(?:day|month)-name">[^<]*?/(20\d\d/[\d/]+)/sample-post/<', optional=True),
    Mask("now", r'"months":\[\{"year":"(\d+)","month":"(\d+)","text":"([^"]+)"\}\]'),
    # Seconds until the next turn of a cron that nothing calls here, or since it was due.
    Mask("now", r"Automatic update ((?:scheduled in|overdue by) [^<]+)<"),
    Mask("uuid", r'"changeset":\{"uuid":"([0-9a-f-]{36})"'),
    # antispambot() encodes letters by lot.
    Mask("address", r'mailto:((?:&#\d+;|[\w.@-])+)">((?:&#\d+;|[\w.@-])+)</a>'),
]


@pytest.fixture(scope="module")
def pair(make_pair, database):
    def make_site(folder, n):
        app, db = folder / "app", f"wordpress_{'ab'[n]}"
        servers.copy_app("/usr/share/wordpress", app, ignore=("wp-config.php", "readme.html"))
        database.create(db)
        # The theme stays in /usr/share, behind a link: its styles and pictures are served from there.
        theme = app / "wp-content" / "themes" / "twentytwentythree"
        shutil.rmtree(theme)
        theme.symlink_to("/usr/share/wordpress/wp-content/themes/twentytwentythree")
        (app / "wp-config.php").write_text(CONFIG.format(db=db, socket=database.socket))
        return servers.Site(app, php_value={"upload_max_filesize": "8M"}), [(db, "database")]

    return make_pair(make_site, MASKS)


def settle(pair, database):
    """Both sides did the same at different seconds: gives everything that was made just now the same time."""
    for side in pair.sides:
        name = next(literal for literal, what in side.literals if what == "database")
        database.sql("""
            SET sql_mode = ''; SET @t = '2024-01-02 03:04:05';
            UPDATE wp_posts SET post_date = @t + INTERVAL ID HOUR, post_date_gmt = IF(post_date_gmt = '0000-00-00 00:00:00', post_date_gmt, post_date) WHERE post_date > '2025-01-01';
            UPDATE wp_posts SET post_modified = post_date, post_modified_gmt = post_date;
            UPDATE wp_comments SET comment_date = @t, comment_date_gmt = @t;
            UPDATE wp_users SET user_registered = @t;""", name)


def test_an_empty_folder_leads_to_the_installer(pair):
    assert pair.get("/").status == 302
    pair.follow()
    pair.get("/wp-admin/install.php")


def test_install(pair, database):
    pair.get("/wp-admin/install.php?step=1")
    pair.submit({"id": "setup"}, {"weblog_title": "Quay \u00e4 & side", "user_name": "admin", "admin_password": "correct horse",
                                  "admin_password2": "correct horse", "pw_weak": "on", "admin_email": "admin@app.test"})
    assert "Success!" in pair.sides[1].page.text
    settle(pair, database)


def test_log_in(pair):
    pair.get("/wp-login.php")
    pair.submit({"id": "loginform"}, {"log": "admin", "pwd": "wrong"})
    assert "is incorrect" in pair.sides[1].page.text
    pair.get("/wp-admin/edit.php", status=302)
    pair.follow()
    pair.submit({"id": "loginform"}, {"log": "admin", "pwd": "correct horse"}, status=302)
    assert "Hello world!" in pair.follow().text


@pytest.mark.parametrize("path", ["", "edit.php", "upload.php", "media-new.php", "edit-comments.php", "themes.php", "plugins.php",
                                  "users.php", "profile.php", "tools.php", "options-general.php", "options-permalink.php",
                                  "options-reading.php", "edit-tags.php?taxonomy=category", "post.php?post=1&action=edit",
                                  "edit.php?s=hello&post_status=all", "export.php"])
def test_the_dashboard(pair, path):
    pair.get(f"/wp-admin/{path}")


def test_what_the_dashboard_loads(pair):
    page = pair.get("/wp-admin/")
    found = [html_path(m) for m in re.findall(r"(?:href|src)=['\"]([^'\"]+load-(?:styles|scripts)\.php[^'\"]*)", page.text)]
    assert len(found) >= 2
    for path in found:
        assert len(pair.get(path).body) > 5000


def html_path(url):
    return html.unescape(url).removeprefix(f"http://{HOST}")


def test_an_admin_ajax_call(pair):
    pair.get("/wp-admin/index.php")
    pair.post("/wp-admin/admin-ajax.php", data=lambda side: {"action": "heartbeat", "_nonce": side.page.find(
        r'heartbeatSettings = \{"nonce":"([0-9a-f]+)"'), "interval": "60", "screen_id": "dashboard", "has_focus": "true"},
        masks=[Mask("time", r'"server_time":(\d+)')])
    pair.post("/wp-admin/admin-ajax.php", data={"action": "nothing"}, status=400)


def test_pretty_permalinks(pair):
    pair.get("/wp-admin/options-permalink.php")
    pair.submit({"name": "form"}, {"selection": "custom", "permalink_structure": "/%year%/%postname%/"}, status="any")
    pair.get("/wp-admin/options-permalink.php")
    assert 'value="/%year%/%postname%/"' in pair.sides[1].page.text


def rest_nonce(side):
    return side.page.find(r'createNonceMiddleware\( "([0-9a-f]+)"')


def rest(pair, method, path, **kwargs):
    """As the block editor calls it, with the nonce of the page that is open."""
    for side in pair.sides:
        side.nonce = getattr(side, "nonce", None) or rest_nonce(side)
    headers = kwargs.pop("headers", {})
    return pair.step(method, f"/wp-json/wp/v2/{path}", headers=lambda side: {"X-WP-Nonce": side.nonce, **headers}, **kwargs)


def test_publish_a_post(pair, database):
    pair.get("/wp-admin/post-new.php")
    made = rest(pair, "POST", "posts", json={"title": "Load \u201clines\u201d & more", "slug": "load-lines", "status": "publish",
                                             "date": "2024-05-06T07:08:09", "categories": [1], "content":
                                             "<!-- wp:paragraph -->\n<p>A ship's mark \u2014 1 < 2 &amp; so on.</p>\n<!-- /wp:paragraph -->"},
                status=201)
    post = json.loads(made.text)
    assert post["link"] == f"http://{HOST}/2024/load-lines/"
    rest(pair, "PUT", f"posts/{post['id']}", json={"excerpt": "short"})
    rest(pair, "POST", f"posts/{post['id']}", json={"sticky": True}, headers={"X-HTTP-Method-Override": "PATCH"})
    rest(pair, "GET", f"posts/{post['id']}?context=edit")
    pair.get(f"/wp-admin/post.php?post={post['id']}&action=edit")
    pair.get("/wp-admin/post-new.php?post_type=page")
    rest(pair, "POST", "pages", json={"title": "Harbour", "slug": "harbour", "status": "publish", "date": "2024-05-06T07:08:09"},
         status=201)
    settle(pair, database)


FILE_TIME = Mask("time", r"(?m)^last-modified: (.*)$")


def picture():
    image = Image.linear_gradient("L").resize((1600, 1200)).convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def test_upload_an_image_by_form(pair, database):
    pair.get("/wp-admin/media-new.php")
    pair.submit({"id": "file-form"}, {"html-upload": "Upload"}, files={"async-upload": ("quay side.jpg", picture(), "image/jpeg")},
                status=302)
    pair.follow()
    media = json.loads(pair.get("/wp-json/wp/v2/media?search=quay").text)[0]
    assert pair.get(media["source_url"], masks=[FILE_TIME]).body == picture()
    thumbnail = pair.get(media["media_details"]["sizes"]["thumbnail"]["source_url"], masks=[FILE_TIME])
    assert Image.open(io.BytesIO(thumbnail.body)).size == (150, 150)
    settle(pair, database)


def test_upload_an_image_by_the_editor(pair):
    pair.get("/wp-admin/post-new.php")
    for side in pair.sides:
        side.nonce = None
    made = rest(pair, "POST", "media", data=picture(), status=201, headers={
        "Content-Type": "image/jpeg", "Content-Disposition": 'attachment; filename="second.jpg"'})
    media = json.loads(made.text)
    assert media["media_details"]["sizes"]["medium"]["width"] == 300
    pair.get(media["source_url"], masks=[FILE_TIME])
    rest(pair, "DELETE", f"media/{media['id']}?force=true")
    pair.by_server(media["source_url"], 404)


def test_an_upload_that_is_no_image_is_refused(pair):
    pair.get("/wp-admin/media-new.php")
    pair.submit({"id": "file-form"}, {"html-upload": "Upload"}, files={"async-upload": ("evil.php", b"<?php echo 'evil';", "image/jpeg")},
                status="any")
    assert "not allowed to upload this file type" in pair.sides[1].page.text


def test_the_customizer_and_the_site_editor_answer(pair):
    for path in ("site-editor.php", "customize.php"):
        pair.get(f"/wp-admin/{path}", status="any")


def test_log_out(pair):
    page = pair.get("/wp-admin/")
    assert "Log Out" in page.text
    pair.get(lambda side: side.page.find(r"""href=["']([^"']+action=logout[^"']+)["']"""), status=302)
    assert "You are now logged out" in pair.follow().text
    pair.get("/wp-admin/", status=302)


@pytest.mark.parametrize("path", ["/", "/?s=ship", "/2024/load-lines/", "/2024/", "/harbour/", "/author/admin/", "/category/uncategorized/",
                                  "/feed/", "/comments/feed/", "/feed/atom/", "/2024/load-lines/feed/", "/wp-json/", "/wp-json/wp/v2/posts",
                                  "/wp-json/wp/v2/posts?per_page=1&page=2&_fields=id,link", "/wp-json/wp/v2/media", "/wp-json/wp/v2/users",
                                  "/wp-json/oembed/1.0/embed?url=http%3A%2F%2Fapp.test%3A8080%2F2024%2Fload-lines%2F",
                                  "/wp-sitemap.xml", "/wp-sitemap-posts-post-1.xml", "/wp-sitemap-index.xsl", "/robots.txt", "/wp-links-opml.php",
                                  "/?rest_route=/wp/v2/categories", "/index.php/2024/load-lines/", "/2024/load-lines/?embed=true",
                                  "/wp-login.php?action=lostpassword"])
def test_what_a_visitor_reads(pair, path):
    pair.get(path, status="any")
    assert pair.sides[0].page.status in (200, 301)


@pytest.mark.parametrize("path", ["/2024/load-lines", "/?p=1", "/2024//load-lines/", "/harbour", "/load-lines",
                                  "/login", "/favicon.ico", "/index.php", "/?author=1"])
def test_where_a_visitor_is_led(pair, path):
    pair.get(path, status="any")
    assert pair.sides[0].page.status in (301, 302), pair.sides[0].page.status
    pair.follow(status="any")


def test_a_folder_without_slash(pair):
    pair.by_server("/wp-admin", 301)
    pair.by_server("/wp-content/uploads?a=b", 301)


@pytest.mark.parametrize("path", ["/nothing/here", "/nothing.html", "/2023/load-lines-not/", "/wp-json/nothing", "/wp-json/wp/v2/posts/99999",
                                  "/?p=99999", "/%e4/"])
def test_what_is_not_there(pair, path):
    assert pair.get(path, status="any").status in (404, 400)


def test_a_missing_upload_is_not_worth_a_page(pair):
    """On nginx WordPress makes its page for it; here no PHP runs for that folder."""
    pair.by_server("/wp-content/uploads/nothing.jpg", 404)


def test_rest_refusals(pair):
    pair.post("/wp-json/wp/v2/posts", data={"title": "x"}, status=401)
    pair.step("OPTIONS", "/wp-json/wp/v2/posts")
    pair.step("HEAD", "/wp-json/wp/v2/posts")
    pair.post("/wp-json/wp/v2/posts", data=b"{", headers={"Content-Type": "application/json"}, status=400)


def test_a_feed_is_conditional(pair):
    at = pair.get("/feed/").get("Last-Modified")
    assert at
    pair.get("/feed/", headers=lambda side: {"If-Modified-Since": side.page.get("Last-Modified"), "If-None-Match": side.page.get("ETag")},
             status=304)


def test_xmlrpc(pair):
    pair.get("/xmlrpc.php", status=405)
    body = "<?xml version='1.0'?><methodCall><methodName>demo.addTwoNumbers</methodName><params><param><value><int>2</int></value></param>" \
           "<param><value><int>3</int></value></param></params></methodCall>"
    assert "<int>5</int>" in pair.post("/xmlrpc.php", data=body, headers={"Content-Type": "text/xml"}).text


def test_comment(pair):
    pair.get("/2024/load-lines/")
    pair.submit({"id": "commentform"}, {"comment": "Well \u00e4 said <b>here</b>", "author": "V. Isitor", "email": "v@app.test", "url": "",
                                        "wp-comment-cookies-consent": "yes"}, status=302, masks=[COMMENT_TIME])
    written = Mask("now", r'<time [^>]+><a [^>]*>([^<]+)<')
    page = pair.follow(masks=[COMMENT_TIME, written])
    assert "awaiting moderation" in page.text
    pair.get("/2024/load-lines/", masks=[written])
    pair.submit({"id": "commentform"}, {"comment": "", "author": "", "email": ""}, status="any")


COMMENT_TIME = Mask("time", r"[?&;]moderation-hash=([0-9a-f]{32})")


@pytest.mark.parametrize("path", ["/wp-includes/js/underscore.min.js", "/wp-includes/js/jquery/jquery.min.js", "/wp-includes/css/dashicons.min.css",
                                  "/wp-includes/js/crop/cropper.css", "/wp-content/themes/twentytwentythree/style.css",
                                  "/wp-content/themes/twentytwentythree/screenshot.png", "/wp-admin/images/wordpress-logo.svg",
                                  "/wp-includes/fonts/dashicons.woff2", "/wp-content/themes/twentytwentythree/theme.json"])
def test_static_files_also_behind_links_of_the_package(pair, path):
    assert len(pair.static(path).body) > 100


@pytest.mark.parametrize("path", ["/.htaccess", "/wp-content/themes/twentytwentythree/nothing.css", "/wp-content/uploads/nothing.php"])
def test_files_that_are_not_for_visitors(pair, path):
    pair.get(path, compare=False, status="any")
    assert all(side.page.status in (403, 404) for side in pair.sides)


def test_the_configuration_is_denied(pair):
    """The script prints nothing, which is all that protects it on nginx."""
    assert pair.get("/wp-config.php", compare=False).body == b""
    if isinstance(pair.sides[1].server, servers.Plimsoll):
        assert pair.sides[1].page.status == 403


@pytest.mark.parametrize("path", ["/wp-settings.php", "/wp-includes/version.php", "/wp-cron.php", "/wp-trackback.php",
                                  "/wp-mail.php", "/wp-activate.php", "/wp-signup.php", "/wp-load.php"])
def test_scripts_that_nobody_should_call_answer_alike(pair, path):
    pair.get(path, status="any")


def test_every_mask_was_needed(pair):
    pair.check_masks()
