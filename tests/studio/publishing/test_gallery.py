"""The page about a run: what it shows, that it asks nobody for anything, what it leaves alone."""

import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from renderers.video.video_reader import read_late_picture
from studio.publishing.gallery_page.gallery_folder import write_gallery
from studio.publishing.gallery_page.page_markup import write_page
from studio.publishing.run_facts import RunFacts
from studio.runs.events import record_event

WIDTHS = ((1366, "light"), (1366, "dark"), (390, "light"))


class Named(HTMLParser):
    """The elements of a page, and what they name."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.named = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.named += [v for k, v in attributes if k in ("src", "href", "poster", "srcset")]


@pytest.fixture(scope="session")
def gallery(trained_root, tmp_path_factory):
    """The page about the trained run, and its folder."""
    from studio.workspace.paths import Workspace

    folder = tmp_path_factory.mktemp("page") / "gallery"
    write_gallery(Workspace.open(trained_root), "city", folder)
    return folder


def test_a_page_shows_films_specimens_curves_events_and_whose_pictures_they_are(gallery):
    text = (gallery / "index.html").read_text()
    page = Named(text)
    assert page.tags.count("video") == 1
    assert page.tags.count("svg") >= 1
    assert page.tags.count("img") == 9
    assert "training began" in text
    assert "1 of 255" in text
    for label in ("0.0", "0.8"):
        assert f"<b>{label}</b>" in text
    (film,) = (gallery / "assets" / "films").glob("*.mp4")
    assert read_late_picture(film, 64)
    with Image.open(gallery / "assets" / "specimens" / "specimen-1.jpg") as picture:
        assert picture.size == (512, 512)


def test_a_page_runs_no_script_and_names_only_what_lies_beside_it(gallery):
    text = (gallery / "index.html").read_text()
    page = Named(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"url\(|@import|javascript:|\son\w+=", text)
    files = [name for name in page.named if not name.startswith("#")]
    assert files
    assert all((gallery / name).is_file() for name in files)
    named = {gallery / name for name in files} | {gallery / "index.html"}
    assert {path for path in gallery.rglob("*") if path.is_file()} == named


def test_what_somebody_wrote_is_no_markup_in_a_page(workspace):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    manifest = workspace.dataset("streets") / "manifest.json"
    document = json.loads(manifest.read_text())
    del document["xxh3"]
    manifest.write_text(json.dumps({**document, "attribution": hostile, "source": hostile}))
    record_event(workspace, "city", 3, "alarm", f"{hostile} /home/me/secret/a.png")
    page = write_page(RunFacts.of_run(workspace, "city"), [], [], None)
    assert "script" not in Named(page).tags
    assert "img" not in Named(page).tags
    assert page.count("&lt;script&gt;") >= 3
    assert "1 alarm." in page
    assert 'class="mark"' in page
    assert "/home/me" not in page


def test_a_gallery_replaces_a_former_one_and_nothing_else(studio, workspace, tmp_path):
    done = studio("gallery", "city", "--out", tmp_path / "page", "--json")
    assert done.json["path"] == str(tmp_path / "page" / "index.html")
    assert (done.json["films"], done.json["specimens"], done.json["atlas"]) == (1, 9, False)
    assert studio("gallery", "city", "--out", tmp_path / "page").status == 0
    other = tmp_path / "site"
    other.mkdir()
    (other / "index.html").write_text("mine")
    refused = studio("gallery", "city", "--out", other)
    assert refused.status == 1
    assert "'index.html'" in refused.err
    assert (other / "index.html").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"workspace", "page", "site"}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), WIDTHS)
def test_a_page_is_without_serious_fault_at_each_width_and_its_film_plays(
    gallery, launch_chromium, width, scheme
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    browser = launch_chromium()
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{gallery}/index.html")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    faults = axe.run(page).response["violations"]
    assert [f["id"] for f in faults if f["impact"] in ("serious", "critical")] == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.evaluate("() => document.querySelector('video').play()")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0")
    assert all(url.startswith("file://") for url in asked)
    browser.close()
