# SPDX-License-Identifier: Apache-2.0
"""The page of `preview`, in a browser: that its pictures are pictures, that it asks for nothing, that it is readable."""
import json
import subprocess
import sys

import pytest

import browser
from conftest import HERE

sys.path.insert(0, str(HERE.parent / "samples"))
import make  # noqa: E402

PIPELINE = """version: 1
name: "<b id=injected>photos</b>"
steps:
  - strip-metadata
outputs:
  grey:
    steps:
      - grayscale
      - resize: { width: 200 }
      - convert: { format: png }
    to: { file: { path: "grey/x.jpg" } }
  many:
    for: { size: [40, 60] }
    steps: [ { resize: { width: "{size}" } }, { convert: webp } ]
    to: { file: { path: "{stem}-{size}.{ext}" } }
  wide:
    when: { width: ">=5000" }
    to: { file: { path: "wide/{stem}.{ext}" } }
"""
NAME = "<img id=injected src=x onerror=document.title=1>.jpg"


@pytest.fixture
def chrome(tmp_path):
    if browser.find() is None:
        pytest.skip("needs chromium, to look at the page")
    started = browser.Browser(tmp_path / "profile")
    yield started
    started.close()


def preview(build, folder, pipeline, files, code=0):
    (folder / "p.yaml").write_text(pipeline)
    done = subprocess.run([str(build / "bin" / "pixmill"), "preview", "p.yaml", *files, "--out", "page.html"], cwd=folder,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return folder / "page.html"


def test_the_page_in_a_browser(build, tmp_path, chrome):
    make.make("photo", str(tmp_path / NAME), width=640, height=480)
    page = preview(build, tmp_path, PIPELINE, [NAME])
    chrome.open(page.as_uri())

    # Every picture is decoded, in its place, and nothing was asked for.
    assert chrome.run("[...document.images].map(i => i.decode()).length") >= 9
    widths = chrome.run("[...document.images].map(i => i.naturalWidth)")
    assert all(widths) and widths.count(40) == 2 and widths.count(60) == 2, widths  # after the step, and the rendition
    asked = [e["params"]["request"]["url"] for e in chrome.events if e.get("method") == "Network.requestWillBeSent"]
    assert [u for u in asked if not u.startswith(("data:", page.as_uri(), "about:"))] == []
    said = [e for e in chrome.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert said == [], json.dumps(said)

    # What the file and the pipeline are called is text.
    assert chrome.run("document.getElementById('injected')") is None
    assert chrome.run("document.querySelector('h1').textContent") == "<b id=injected>photos</b>"
    assert chrome.run("document.querySelector('h2').textContent") == NAME
    assert chrome.run("document.title").startswith("<b id=injected>photos</b>")

    # The slider: by its own script, which the policy lets run; no other may.
    chrome.run("""(() => { const i = document.querySelector('.compare input'); i.value = 20; i.dispatchEvent(new Event('input')); })()""")
    assert "80%" in chrome.run("getComputedStyle(document.querySelector('.compare .before')).clipPath")
    chrome.run("(() => { const s = document.createElement('script'); s.textContent = 'window.evil = 1'; document.body.append(s); })()")
    assert chrome.run("window.evil") is None

    # Said at the line that it is about; an output that was not made tells why.
    note = chrome.run("document.querySelector('#line-11 + .note').textContent")
    assert note.startswith("the name ends in .jpg, and the file will be png"), note
    assert "not made: width is 640, not >=5000" in chrome.run("document.body.textContent")


def test_dark_and_narrow(build, tmp_path, chrome):
    make.make("photo", str(tmp_path / "a.jpg"), width=320, height=240)
    chrome.open(preview(build, tmp_path, PIPELINE, ["a.jpg"]).as_uri())

    def brightness():
        colours = [chrome.run(f"getComputedStyle(document.body).{what}") for what in ("backgroundColor", "color")]
        return [sum(int(n) for n in c[c.index("(") + 1:-1].split(",")[:3]) for c in colours]

    for scheme, darker in (("light", 1), ("dark", 0)):
        chrome.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        both = brightness()
        assert both[darker] + 400 < both[1 - darker], (scheme, both)
    chrome.call("Emulation.setDeviceMetricsOverride", width=360, height=700, deviceScaleFactor=1, mobile=False)
    assert chrome.run("document.documentElement.scrollWidth") <= 360


def test_a_picture_that_fails_has_its_page(build, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    page = preview(build, tmp_path, PIPELINE, ["bad.jpg"], code=3).read_text()
    assert "<p class=\"error\">" in page and "bad_input" in page and "not made" in page
    assert "base64" not in page


def test_no_endpoint_is_asked_more_often(build, tmp_path):
    import http.server
    import threading
    asked = []

    class Classifier(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            answer = b'{"score": 0.1}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Classifier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        make.make("photo", str(tmp_path / "a.jpg"), width=320, height=240)
        url = f"http://127.0.0.1:{server.server_port}/"
        pipeline = PIPELINE.replace("  - strip-metadata\n", f'  - nsfw-hook: {{ mode: http, endpoint: "{url}" }}\n')
        page = preview(build, tmp_path, pipeline, ["a.jpg"]).read_text()
    finally:
        server.shutdown()
    assert len(asked) == 1
    assert "pictures between the steps are left out" in page
    assert page.count("data:image/webp") >= 3
