# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: on a phone and on a desktop nothing sticks out sideways, and all panels have a size."""
import html
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

BUILD = pathlib.Path(os.environ["PLIMSOLL"]).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# The page itself runs no script (its policy forbids it), so a frame around it measures.
FRAME = r"""<!doctype html><body style="margin:0"><iframe id="f" src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<pre id="out"></pre><script>
document.getElementById('f').addEventListener('load', e => {{
  const d = e.target.contentDocument, root = d.scrollingElement;
  const box = s => {{ const r = s.getBoundingClientRect(); return [s.id, Math.round(r.width), Math.round(r.height)] }};
  document.getElementById('out').textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth, sections: [...d.querySelectorAll('section')].map(box),
    chart: box(d.querySelector('.chart')), treemap: box(d.querySelector('.treemap')),
    ledger: (s => s.scrollWidth - s.clientWidth)(d.querySelector('#ledger .scroll')),
    contrast: [...d.querySelectorAll('.field h3, .tile > span, .badge, .fixes small, .fixes pre, .dim')].map(contrast) }});
}});
// Of a text with what lies behind it (WCAG 2): transparent layers are put over each other.
const rgba = s => {{ const n = s.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; }};
const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
const light = c => c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const contrast = e => {{
  let layers = [], style = x => e.ownerDocument.defaultView.getComputedStyle(x);
  for (let x = e; x; x = x.parentElement) layers.push(rgba(style(x).backgroundColor));
  const behind = layers.reverse().reduce((b, a) => over(a, b), [255, 255, 255, 1]);
  const [a, b] = [light(over(rgba(style(e).color), behind)), light(behind)];
  return [e.textContent.slice(0, 30), Math.round((Math.max(a, b) + .05) / (Math.min(a, b) + .05) * 10) / 10];
}};
</script></body>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    at = tmp_path_factory.mktemp("report")
    page = subprocess.run([BUILD / "tests/unit/report/report-sample"], capture_output=True, check=True).stdout
    (at / "report.html").write_bytes(page)
    return at


def measured(folder, width, *options):
    (folder / f"frame{width}.html").write_text(FRAME.format(width=width))
    dom = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", *options,
                          f"--user-data-dir={folder}/profile{width}", "--virtual-time-budget=5000", "--dump-dom",
                          f"file://{folder}/frame{width}.html"], capture_output=True, text=True, timeout=180).stdout
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', dom, re.S)
    assert found, dom[-2000:]
    return json.loads(html.unescape(found.group(1)))


@pytest.mark.parametrize("scheme, options", [("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))])
def test_all_text_stands_out_from_what_is_behind_it(folder, scheme, options):
    seen = measured(folder, 1280, *options)["contrast"]
    assert len(seen) > 30, seen
    assert not [text for text in seen if text[1] < 4.5], scheme


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_sticks_out_at_any_width(folder, width):
    seen = measured(folder, width)
    assert seen["overflow"] == 0
    assert seen["ledger"] == 0 or width < 375, "the ledger must be read without scrolling sideways"
    assert [s[0] for s in seen["sections"]] == ["time", "fixes", "treemap", "ledger", "directories", "processes", "others", "notes"]
    assert all(w > width * 0.8 or width > 1080 for _, w, _ in seen["sections"])
    assert seen["chart"][2] >= 200 and seen["treemap"][2] >= 300
