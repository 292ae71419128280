# SPDX-License-Identifier: Apache-2.0
"""One script, two servers: each step is done on both, one right after the other, and the answers must be the same.

What may differ is named by masks: a regular expression whose groups are replaced by the mask's name, never more. A mask that
finds nothing in a whole file of tests is an error too (Pair.check_masks), so that none outlives its reason.
"""
import difflib
import email.utils
import hashlib
import html
import html.parser
import math
import re
import time
import urllib.parse

import requests

from servers import HOST

# Fields that belong to the connection or to the server, not to the application; everything else is compared.
UNCOMPARED = {
    "server": "names the server",
    "date": "the time",
    "connection": "framing",
    "keep-alive": "framing",
    "transfer-encoding": "framing: nginx chunks what it does not know the length of",
    "content-length": "framing; the bodies themselves are compared",
    "etag": "each server has its own way to make one",
    "x-request-id": "nginx makes none",
    "accept-ranges": "nginx repeats an application's own, and leaves it out of 304",
}
APART_SECONDS = 10  # so far may two dates be apart that were made at the same step; more if a step took longer
TEXT = re.compile(r"text/|json|xml|javascript|x-www-form|svg|multipart")


class Mask:
    def __init__(self, name, pattern, optional=False):
        self.name = name
        self.optional = optional  # only some versions of the application say it
        self.rx = re.compile(pattern)
        assert self.rx.groups, f"mask {name} has no group to replace"
        self.used = 0

    def apply(self, text):
        out, at = [], 0
        for m in self.rx.finditer(text):
            for g in range(1, self.rx.groups + 1):
                if m.start(g) >= at and m.group(g) is not None:
                    out += [text[at:m.start(g)], "{", self.name, "}"]
                    at = m.end(g)
                    self.used += 1
        return "".join(out) + text[at:]


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields  # [(name, value)]
        self.body = body

    @classmethod
    def of(cls, response):
        return cls(response.status_code, list(response.raw.headers.items()), response.content)

    def get(self, name):
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode("utf-8", "backslashreplace")

    @property
    def is_text(self):
        return bool(TEXT.search(self.get("Content-Type") or "text/plain"))

    def find(self, pattern):
        m = re.search(pattern, self.text)
        assert m, f"/{pattern}/ is not in:\n{self.text[:5000]}"
        return html.unescape(m.group(1))


def mask_cookie(value):
    """Set-Cookie without the cookie's value (session ids, signed times) and its date; deleted stays visible."""
    name, _, rest = value.partition("=")
    value, semicolon, attributes = rest.partition(";")
    attributes = re.sub(r"(expires)=(?!Thu, 01-Jan-1970)[^;]*(19[89]\d|20\d\d)[^;]*", r"\1={date}", attributes, flags=re.I)
    return f"{name}={value if value in ('', 'deleted') else '{value}'}{semicolon}{attributes}"


def visible_fields(answer):
    """The compared fields, in an order of their own: sorted by name, order kept among equals."""
    lines = []
    for name, value in answer.fields:
        if name.lower() not in UNCOMPARED:
            lines.append((name.lower(), mask_cookie(value) if name.lower() == "set-cookie" else value))
    return [f"{n}: {v}" for n, v in sorted(lines, key=lambda line: line[0])]


def same_moment(peer, subject, seconds):
    """Dates and ages that both made from the clock, so few seconds apart, are the same: the peer's."""
    if [line.partition(": ")[0] for line in peer] != [line.partition(": ")[0] for line in subject]:
        return subject
    return [a if a != b and is_close(*a.split(": ", 1), b.split(": ", 1)[1], seconds) else b for a, b in zip(peer, subject)]


def is_close(name, a, b, seconds):
    if name == "set-cookie":  # PHP says how long until the date, too
        parts = [re.split(r"; Max-Age=(\d+)", v) for v in (a, b)]
        return parts[0][::2] == parts[1][::2] and all(abs(int(x) - int(y)) <= seconds for x, y in zip(parts[0][1::2], parts[1][1::2]))
    try:
        return abs((email.utils.parsedate_to_datetime(a) - email.utils.parsedate_to_datetime(b)).total_seconds()) <= seconds
    except (TypeError, ValueError):
        return False


def as_text(answer, masks, literals, fields=None):
    """What is compared, as one text."""
    if answer.is_text:
        body = answer.text
    else:
        body = f"{len(answer.body)} bytes, sha1 {hashlib.sha1(answer.body).hexdigest()}"
    head = "\n".join(visible_fields(answer) if fields is None else fields)
    text = f"{answer.status}\n{head}\n\n{body}"
    for literal, name in literals:
        for form in {literal, literal.replace("/", "\\/"), urllib.parse.quote(literal, safe="")}:
            text = text.replace(form, "{" + name + "}")
    for mask in masks:
        text = mask.apply(text)
    return text


def difference(peer, subject, masks=(), literals=((), ()), names=("peer", "subject"), context=3, apart=APART_SECONDS):
    """A unified diff of two answers after masking, empty if they say the same."""
    fields = visible_fields(peer)
    a = as_text(peer, masks, literals[0], fields)
    b = as_text(subject, masks, literals[1], same_moment(fields, visible_fields(subject), apart))
    if a == b:
        return ""
    lines = list(difflib.unified_diff(readable(a), readable(b), *names, lineterm="", n=context))
    return "\n".join(line[:600] for line in lines[:200]) or "they differ in white space only"


def readable(text):
    """Lines; very long ones (JSON, packed scripts) broken where it does no harm."""
    return [part for line in text.split("\n") for part in (re.split(r"(?<=[>,;}])(?=[<\"{}\[])", line) if len(line) > 400 else [line])]


class Forms(html.parser.HTMLParser):
    """The forms of a page with what a browser would send for each: [(attributes, [(name, value)])]."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.forms = []
        self.select = self.textarea = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.forms.append((a, []))
        if not self.forms:
            return
        fields = self.forms[-1][1]
        if tag == "input" and a.get("name"):
            kind = a.get("type", "text").lower()
            if kind in ("checkbox", "radio") and "checked" not in a or kind in ("submit", "button", "image", "file", "reset"):
                return
            fields.append((a["name"], a.get("value", "on" if kind in ("checkbox", "radio") else "")))
        elif tag == "select":
            self.select = a.get("name")
            self.first_option = True
        elif tag == "option" and self.select:
            if self.first_option:
                fields.append((self.select, a.get("value", "")))
                self.first_option = False
            elif "selected" in a:
                fields[-1] = (self.select, a.get("value", ""))
        elif tag == "textarea":
            self.textarea = a.get("name")
            fields.append((self.textarea or "", ""))

    def handle_endtag(self, tag):
        if tag == "select":
            self.select = None
        elif tag == "textarea":
            self.textarea = None

    def handle_data(self, data):
        if self.textarea is not None and self.forms:
            name, value = self.forms[-1][1][-1]
            self.forms[-1][1][-1] = (name, value + data)


def find_form(answer, **wanted):
    """The one form whose attributes match (a value ending in * matches a beginning)."""
    forms = Forms(answer.text).forms
    for attrs, fields in forms:
        if all(attrs.get(k, "") == v or (v.endswith("*") and attrs.get(k, "").startswith(v[:-1])) for k, v in wanted.items()):
            return attrs, [(n, v) for n, v in fields if n]
    raise AssertionError(f"no form {wanted} among {[a for a, _ in forms]} in:\n{answer.text[:3000]}")


class Side:
    """One of the two servers as a browser sees it: cookies, the page it is on, and what its own words are."""

    def __init__(self, server, literals=()):
        self.server = server
        self.http = requests.Session()
        self.http.headers.clear()
        self.http.headers.update({"Host": HOST, "User-Agent": "Mozilla/5.0 (compatible; apps)", "Accept": "*/*",
                                  "Accept-Encoding": "identity"})
        self.http.trust_env = False
        self.literals = [(str(l), n) for l, n in literals]
        self.page = None
        self.at = "/"

    def request(self, method, path, **kwargs):
        if not path.startswith("/"):
            path = urllib.parse.urljoin(f"http://{HOST}{self.at}", path)
        if path.startswith(f"http://{HOST}"):
            path = path[len(f"http://{HOST}"):]
        assert path.startswith("/"), f"{path} is not on {HOST}"
        kwargs = {k: v(self) if callable(v) else v for k, v in kwargs.items()}
        response = self.http.request(method, self.server.base_url + path, allow_redirects=False, timeout=120, **kwargs)
        self.page, self.at = Answer.of(response), path
        return self.page


class Pair:
    """The peer and the server under test, going through the same script."""

    def __init__(self, peer, subject, masks=(), literals=((), ())):
        self.sides = [Side(peer, literals[0]), Side(subject, literals[1])]
        self.masks = list(masks)
        self.apart = APART_SECONDS

    def step(self, method, path, masks=(), compare=True, status=None, **kwargs):
        """Does one request on both. A value that is callable is called with the side: nonces and the like differ. The peer's
        status must be the one given ("any" for any), or no failure. Returns the peer's answer."""
        began = time.monotonic()
        answers = [side.request(method, path(side) if callable(path) else path, **kwargs) for side in self.sides]
        # Also of the steps to come: what was made at this one may be shown again.
        self.apart = max(self.apart, math.ceil(time.monotonic() - began) + 1)
        if compare:
            diff = difference(*answers, [*masks, *self.masks], [s.literals for s in self.sides],
                              [f"{s.server.kind} {method} {s.at}" for s in self.sides], apart=self.apart)
            assert not diff, f"the answers differ:\n{diff}"
        got = answers[0].status
        assert status == "any" or (got == status if status else got < 400), f"{method} {path}: {got}\n{answers[0].text[:3000]}"
        return answers[0]

    def get(self, path, **kwargs):
        return self.step("GET", path, **kwargs)

    def post(self, path, data=None, **kwargs):
        return self.step("POST", path, data=data, **kwargs)

    def submit(self, form, fields=(), drop=(), files=None, **kwargs):
        """Sends a form of the page that each side is on: its own hidden fields, and those given."""
        new = list(dict(fields).items())
        names = {n for n, _ in new} | set(drop)

        def data(side):
            return [(n, v) for n, v in find_form(side.page, **form)[1] if n not in names] + new

        attrs = [find_form(side.page, **form)[0] for side in self.sides]
        where = iter([urllib.parse.urljoin(s.at, a.get("action") or s.at) for s, a in zip(self.sides, attrs)])
        method = attrs[0].get("method", "get").upper()
        if method == "GET":
            return self.step("GET", lambda side: next(where), params=data, **kwargs)
        return self.step("POST", lambda side: next(where), data=data, files=files, **kwargs)

    def static(self, path, **kwargs):
        """A file: the same bytes, date and kind. The charset that we add to text, and JavaScript's newer name, are no difference."""
        peer = self.get(path, compare=False, **kwargs)
        subject = self.sides[1].page
        kinds = [re.sub(r"^application/javascript", "text/javascript", (p.get("Content-Type") or "").partition(";")[0])
                 for p in (peer, subject)]
        assert peer.status == 200 and peer.get("Last-Modified"), f"{path} is no file on the peer: {peer.status}"
        assert (subject.status, kinds[1], subject.get("Last-Modified")) == (peer.status, kinds[0], peer.get("Last-Modified"))
        assert subject.body == peer.body, f"{path} has other bytes"
        return peer

    def by_server(self, path, status):
        """An answer of the server's own: each has its own page for it. Where it leads to is compared."""
        self.get(path, compare=False, status=status)
        ours = self.sides[1].page
        assert ours.status == status, f"{ours.status} instead of {status} for {path}"
        places = [urllib.parse.urljoin(f"http://{HOST}", s.page.get("Location") or "") for s in self.sides]
        assert places[0] == places[1], places

    def follow(self, **kwargs):
        """Follows the redirect that the last step ended in."""
        for side in self.sides:
            assert side.page.status in (301, 302, 303, 307, 308), f"{side.server.kind}: no redirect but {side.page.status}"
        return self.step("GET", lambda side: side.page.get("Location"), **kwargs)

    def each(self, fn):
        """What fn finds on both sides' pages; the same for both or it is not a result."""
        found = [fn(side) for side in self.sides]
        assert found[0] == found[1], f"{found[0]!r} on the peer, {found[1]!r} under test"
        return found[0]

    def check_masks(self):
        unused = [f"{m.name} {m.rx.pattern}" for m in self.masks if not m.used and not m.optional]
        assert not unused, f"these masks hide nothing, take them out: {unused}"
