# SPDX-License-Identifier: Apache-2.0
"""A small application on Debian's Symfony packages answers as on nginx + php-fpm. In prod mode, as one deploys it."""
import os
import pathlib
import shutil

import pytest

import servers
from compare import HOST, Mask
from conftest import SUBJECT

APP = pathlib.Path(__file__).resolve().parent / "symfony-app"


def lay_out(folder, header):
    """The application; the server sends its files if asked in the way that `header` names."""
    app = folder / "app"
    shutil.copytree(APP, app)
    (app / "var" / "files").mkdir(parents=True)
    (app / "var" / "files" / "big.bin").write_bytes(bytes(range(256)) * 8192)
    os.utime(app / "var" / "files" / "big.bin", (1500000000, 1500000000))
    return servers.Site(
        app, root="public", env={"APP_ENV": "prod", "HTTP_X_SENDFILE_TYPE": header, "HTTP_X_ACCEL_MAPPING": f"{app}/var/files/=/internal-files/"},
        nginx=f"location /internal-files/ {{ internal; alias {app}/var/files/; }}",
        plimsoll_conf=f"[route files]\npath = /internal-files/*\ninternal = yes\nroot = {app}/var/files\n")


@pytest.fixture(scope="module")
def pair(make_pair):
    return make_pair(lambda folder, n: (lay_out(folder, "X-Accel-Redirect"), []))


@pytest.fixture(scope="module")
def sendfile_pair(make_pair):
    """nginx knows no X-Sendfile."""
    return make_pair(lambda folder, n: (lay_out(folder, ("X-Accel-Redirect", "X-Sendfile")[n and SUBJECT is servers.Plimsoll]), []))


@pytest.mark.parametrize("path", ["/", "/?a=1", "/index.php", "/index.php/item/3/x", "/item/5", "/item/5/blue%20thing?x[]=1&y=%C3%A4",
                                  "/item/5/%C3%A4", "/item/5/a+b", "/any/", "/any/a/b", "/any/a%2Fb", "/any/a%20b;c=d", "/any//a",
                                  "/any/a.b.c", "/any/%25", "/item/5/", "/order", "/cart", "/upload",
                                  "/subrequest", "/api/items", "/api/items.json", "/api/items/4"])
def test_pages(pair, path):
    pair.get(path)


@pytest.mark.parametrize("path", ["/nothing", "/item/", "/item/500/x", "/item/five", "/api/items.xml", "/fails", "/download/nothing"])
def test_failures_in_prod_mode(pair, path):
    answer = pair.get(path, status="any")
    assert answer.status in (404, 500) and "Oops! An Error Occurred" in answer.text


def test_a_route_that_looks_like_a_script_is_none(pair):
    pair.by_server("/any/x.php", 404)


def test_a_method_that_a_route_has_not(pair):
    pair.step("DELETE", "/order", status=405)
    pair.get("/logout", status=405)
    pair.step("OPTIONS", "/order", status=405)


def test_methods_and_json_bodies(pair):
    for method in ("PUT", "PATCH"):
        assert pair.step(method, "/api/items/3", json={"a": [1, "\u00e4"]}).status == 202
    assert pair.step("DELETE", "/api/items/3").status == 204
    pair.step("PUT", "/api/items/3", data=b"{broken", status="any")
    pair.post("/api/items/3", data={"_method": "DELETE"}, status=204)
    pair.step("HEAD", "/api/items")


def test_form_session_flash_and_cookies(pair):
    pair.get("/order")
    pair.submit({"id": "order"}, {"thing": "blue \u00e4 & <b>"})
    assert pair.sides[1].page.status == 303
    page = pair.follow()
    assert "Ordered: blue" in page.text
    page = pair.get("/cart")
    assert "Ordered" not in page.text and "<li>blue" in page.text
    pair.get("/order")
    pair.submit({"id": "order"}, {"thing": "second"})
    assert pair.follow().text.count("<li>") == 2
    pair.post("/logout")
    pair.follow()
    assert "<li>" not in pair.get("/cart").text


def test_redirects(pair):
    answer = pair.get("/old/")
    assert answer.status == 301
    pair.follow()
    assert pair.get("/old").status == 301


def test_a_streamed_response(pair):
    assert pair.get("/stream").text.endswith("piece 19\n")


def test_uploads_and_their_download(pair):
    pair.get("/upload")
    pair.submit({"id": "upload"}, {"title": "two"}, files=[("files[]", ("one.txt", b"one" * 1000, "text/plain")),
                                                          ("files[]", ("two \u00e4.bin", bytes(range(256)) * 4000, "x/y"))])
    assert pair.get("/download/one.txt", masks=[Mask("time", r"(?m)^last-modified: (.*)$")]).body == b"one" * 1000
    pair.post("/upload", data={"title": "large"}, files=[("files[]", ("l", b"x" * (3 << 20)))])


RANGES = pytest.mark.parametrize("headers", [{}, {"Range": "bytes=100-199"}, {"Range": "bytes=-5"}, {"Range": "bytes=99999999-"},
                                             {"If-Modified-Since": "Fri, 14 Jul 2017 02:40:00 GMT"}], ids=str)


@RANGES
def test_a_file_is_sent_by_the_server(pair, headers):
    unsatisfiable = headers == {"Range": "bytes=99999999-"}
    answer = pair.get("/download/big.bin", headers=headers, status="any", compare=not unsatisfiable)
    assert answer.status == pair.sides[1].page.status == (416 if unsatisfiable else 206 if "Range" in headers else 304 if headers else 200)
    for side in pair.sides:
        assert not {n.lower() for n, _ in side.page.fields} & {"x-accel-redirect", "x-sendfile"}


@RANGES
def test_a_file_is_sent_by_its_name(sendfile_pair, headers):
    sendfile_pair.get("/download/big.bin", headers=headers, status="any", compare=False)
    peer, ours = (side.page for side in sendfile_pair.sides)
    assert ours.status == peer.status
    for name in ("Content-Type", "Content-Range", "Content-Disposition", "Last-Modified", "Cache-Control", "X-Sendfile"):
        if peer.status != 416:
            assert ours.get(name) == peer.get(name), name
    assert ours.body == peer.body or peer.status == 416
    if SUBJECT is servers.Plimsoll and peer.status == 200:
        assert ours.get("X-Own") == "kept"


def test_the_internal_location_is_not_public(pair):
    pair.by_server("/internal-files/big.bin", 404)


def test_conditions(pair):
    assert pair.get("/conditional").text == "fresh"
    for field in ({"If-None-Match": '"v1"'}, {"If-Modified-Since": "Thu, 01 Jan 2020 00:00:00 GMT"}):
        assert pair.get("/conditional", headers=field).status in (200, 304)


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}, {"Authorization": "Basic dTpw"},
                                     {"X-Requested-With": "XMLHttpRequest", "Accept-Language": "de,en;q=0.5", "If-None-Match": '"a", "b"'}],
                         ids=str)
def test_what_the_framework_makes_of_a_request(pair, headers):
    seen = pair.get("/request?b=2&a=1", headers=headers)
    assert f'"host":"{HOST}"' in seen.text.replace("\\/", "/")


def test_static_files_and_what_lies_outside(pair):
    pair.static("/assets/shop.css", status=200)
    for path in ("/assets/", "/../src/Kernel.php", "/config/services.yaml", "/vendor/autoload.php", "/assets/nothing.css"):
        pair.get(path, status="any", compare=False)
        statuses = [side.page.status for side in pair.sides]
        assert set(statuses) <= {403, 404}, (path, statuses)  # a folder without index: nginx refuses, here the application answers
