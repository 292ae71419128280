# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: on a phone and on a desktop nothing sticks out sideways, and all panels have a size."""
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
FRAME = """<!doctype html><body style="margin:0"><iframe id="f" src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<pre id="out"></pre><script>
document.getElementById('f').addEventListener('load', e => {{
  const d = e.target.contentDocument, root = d.scrollingElement;
  const box = s => {{ const r = s.getBoundingClientRect(); return [s.id, Math.round(r.width), Math.round(r.height)] }};
  document.getElementById('out').textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth, sections: [...d.querySelectorAll('section')].map(box),
    chart: box(d.querySelector('.chart')), treemap: box(d.querySelector('.treemap')),
    ledger: (s => s.scrollWidth - s.clientWidth)(d.querySelector('#ledger .scroll')) }});
}});
</script></body>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    at = tmp_path_factory.mktemp("report")
    page = subprocess.run([BUILD / "tests/unit/report/report-sample"], capture_output=True, check=True).stdout
    (at / "report.html").write_bytes(page)
    return at


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_sticks_out_at_any_width(folder, width):
    (folder / f"frame{width}.html").write_text(FRAME.format(width=width))
    dom = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
                          f"--user-data-dir={folder}/profile{width}", "--virtual-time-budget=5000", "--dump-dom",
                          f"file://{folder}/frame{width}.html"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', dom, re.S)
    assert found, dom[-2000:]
    seen = json.loads(found.group(1))
    assert seen["overflow"] == 0
    assert seen["ledger"] == 0 or width < 375, "the ledger must be read without scrolling sideways"
    assert [s[0] for s in seen["sections"]] == ["time", "fixes", "treemap", "ledger", "directories", "processes", "others", "notes"]
    assert all(w > width * 0.8 or width > 1080 for _, w, _ in seen["sections"])
    assert seen["chart"][2] >= 200 and seen["treemap"][2] >= 300
