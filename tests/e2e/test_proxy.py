# SPDX-License-Identifier: Apache-2.0
"""What trusted proxies say of the client, and what others say in vain."""
import pytest


def seen(s, fields, host="front.example"):
    v = s.fetch("/echo.php", fields=fields, host=host).json()["server"]
    return {k: v.get(k) for k in ("REMOTE_ADDR", "HTTPS", "REQUEST_SCHEME", "HTTP_HOST", "SERVER_PORT")}


@pytest.fixture(scope="module")
def trusting(module_site, module_start):
    module_site.scripts()
    return module_start(args=("--trusted-proxies", "127.0.0.1, 10.0.0.0/8"))


@pytest.fixture(scope="module")
def strict(module_site, module_start, trusting):
    return module_start()


def test_untrusted(strict):
    """Without trusted proxies the fields change nothing; scripts still see them as fields."""
    r = strict.fetch("/echo.php", fields=[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=1.2.3.4;proto=https")]).json()["server"]
    assert r["REMOTE_ADDR"] == "127.0.0.1" and "HTTPS" not in r and r["REQUEST_SCHEME"] == "http"
    assert r["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"


@pytest.mark.parametrize("value,client", [("1.2.3.4", "1.2.3.4"), ("9.9.9.9, 1.2.3.4", "1.2.3.4"), ("1.2.3.4, 10.1.1.1", "1.2.3.4"), ("evil, 1.2.3.4, 10.0.0.2, 10.0.0.3", "1.2.3.4"),
                                          ("2001:db8::1", "2001:db8::1"), ("1.2.3.4:5678", "1.2.3.4"), ("[2001:db8::1]:99", "2001:db8::1"), ("10.0.0.1", "10.0.0.1"),
                                          ("unknown", "127.0.0.1"), ("", "127.0.0.1"), ("<script>", "127.0.0.1"), ("1.2.3.4, garbage", "127.0.0.1")])
def test_x_forwarded_for(trusting, value, client):
    """The rightmost address that is no trusted proxy is the client; what stands left of it is not believed."""
    assert seen(trusting, {"X-Forwarded-For": value})["REMOTE_ADDR"] == client


def test_several_x_forwarded_for(trusting):
    """Several fields are one list."""
    assert seen(trusting, [("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-For", "1.2.3.4, 10.0.0.1")])["REMOTE_ADDR"] == "1.2.3.4"


@pytest.mark.parametrize("value,client", [("for=1.2.3.4", "1.2.3.4"), ("for=9.9.9.9, for=1.2.3.4", "1.2.3.4"), ('for="[2001:db8::1]:4711"', "2001:db8::1"), ("For=1.2.3.4;proto=https;by=10.0.0.1", "1.2.3.4"),
                                          ('for="1.2.3.4:80", for=10.0.0.9', "1.2.3.4"), ("for=_hidden", "127.0.0.1"), ("for=unknown", "127.0.0.1")])
def test_forwarded(trusting, value, client):
    """Forwarded (RFC 7239) is read the same way."""
    assert seen(trusting, {"Forwarded": value})["REMOTE_ADDR"] == client


def test_proto(trusting):
    """https from a trusted proxy sets HTTPS=on and the scheme."""
    for fields in ({"X-Forwarded-Proto": "https"}, {"Forwarded": "for=1.2.3.4;proto=https"}):
        v = seen(trusting, fields)
        assert (v["HTTPS"], v["REQUEST_SCHEME"]) == ("on", "https")
    v = seen(trusting, {"X-Forwarded-Proto": "http"})
    assert (v["HTTPS"], v["REQUEST_SCHEME"]) == (None, "http")
    assert seen(trusting, {"X-Forwarded-Proto": "javascript"})["REQUEST_SCHEME"] == "http"


def test_port(trusting):
    """X-Forwarded-Port is SERVER_PORT."""
    assert seen(trusting, {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"})["SERVER_PORT"] == "443"


def test_host(trusting):
    """X-Forwarded-Host from a trusted proxy is a valid host or is not used."""
    v = seen(trusting, {"X-Forwarded-Host": "public.example"})
    assert v["HTTP_HOST"] in ("public.example", "front.example")
    v = seen(trusting, {"X-Forwarded-Host": "evil host/<x>"})
    assert v["HTTP_HOST"] == "front.example"


def test_contradicting_fields(trusting):
    """Beside X-Forwarded-For, Forwarded is what the proxy passed through: the client can't name itself, its host or scheme."""
    v = seen(trusting, {"Forwarded": "for=1.1.1.1;proto=https;host=evil.example", "X-Forwarded-For": "2.2.2.2"})
    assert v["REMOTE_ADDR"] == "2.2.2.2" and not v["HTTPS"] and v["HTTP_HOST"] != "evil.example"
    assert seen(trusting, {"Forwarded": "for=1.1.1.1", "X-Forwarded-For": "1.1.1.1"})["REMOTE_ADDR"] == "1.1.1.1"


def test_access_log_has_the_client(trusting):
    """The access log names the real client."""
    trusting.fetch("/echo.php?client-line", fields={"X-Forwarded-For": "1.2.3.4"})
    assert trusting.access_log.wait_for("client-line").startswith("1.2.3.4 ")


def test_allow_is_not_opened_by_a_second_dialect(site, start):
    """A client behind a proxy that writes X-Forwarded-For can't pass for the proxy by sending Forwarded."""
    site.scripts("hello.php")
    s = start(conf="[route a]\npath = /*\nallow = 127.0.0.1\n", args=("--trusted-proxies", "127.0.0.1"))
    assert s.fetch("/hello.php", fields={"X-Forwarded-For": "2.2.2.2"}).status == 403
    assert s.fetch("/hello.php", fields={"X-Forwarded-For": "2.2.2.2", "Forwarded": "for=1.1.1.1"}).status == 403


def test_allow_uses_the_client(site, start):
    """allow judges the real client, not the proxy."""
    site.scripts("hello.php")
    s = start(conf="[route a]\npath = /*\nallow = 1.2.3.4\n", args=("--trusted-proxies", "127.0.0.1"))
    assert s.fetch("/hello.php", fields={"X-Forwarded-For": "1.2.3.4"}).status == 200
    assert s.fetch("/hello.php", fields={"X-Forwarded-For": "1.2.3.5"}).status == 403
    assert s.fetch("/hello.php").status == 403


def test_unix_peers(site, start):
    """Peers on a unix socket count as loopback if `unix` (or loopback) is trusted, and not otherwise."""
    site.scripts("echo.php")
    path = f"unix:{site.scratch}/w.sock"
    assert seen(start(listen=(path,), args=("--trusted-proxies", "unix")), {"X-Forwarded-For": "1.2.3.4"})["REMOTE_ADDR"] == "1.2.3.4"
    assert seen(start(listen=(f"unix:{site.scratch}/w2.sock",)), {"X-Forwarded-For": "1.2.3.4"})["REMOTE_ADDR"] != "1.2.3.4"


def test_folder_redirect_behind_a_proxy(trusting, module_site):
    """A folder redirect doesn't leak the inner scheme and port."""
    module_site.write("folder/index.html", "x")
    location = trusting.fetch("/folder", host="front.example", fields={"X-Forwarded-Proto": "https"}).get("Location")
    assert location in ("/folder/", "https://front.example/folder/")
