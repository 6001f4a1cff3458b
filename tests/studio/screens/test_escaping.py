"""Text from outside stays text: whatever builds markup escapes it, exactly once."""

import json
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from studio.runs.comparison import ComparedSetting, RunProgress
from studio.runs.events import Event, record_event
from studio.screens.compare.compare_tab import run_name, show_progress, show_settings
from studio.screens.compare.players import show_players
from studio.screens.parts import markup
from studio.screens.parts.charts.axes import BATCH, TIME
from studio.screens.parts.charts.chart import Curve, Mark, draw_bands, draw_curves
from studio.screens.parts.charts.curves import overlay_runs, show_curves
from studio.screens.parts.charts.scales import Span
from studio.screens.parts.jobs_view import show_jobs
from studio.screens.parts.run_cache import RunCache
from studio.screens.render.film_list import list_films, show_film
from studio.screens.train.histogram_view import show_layers
from studio.screens.train.live_settings import show_requests
from studio.screens.train.run_view import show_live, show_runs

HOSTILE = "<img src=x onerror='alert(1)'>\" onload=\"&amp;"
# How hostile text may be written: as it is, in an address, within quotes of a shell, and in JSON.
WRITTEN = (
    *(HOSTILE, quote(HOSTILE), HOSTILE.replace("'", "'\"'\"'")),
    json.dumps(HOSTILE)[1:-1],
)

BATCHES = Span.of_batches(1, 3)
METRICS = [{"batch": batch, "seconds": 1.0, HOSTILE: 1.0} for batch in (1, 2, 3)]
COLOURS = {HOSTILE: "--water"}
CURVE = Curve(HOSTILE, "--water", np.arange(1.0, 4.0), np.arange(1.0, 4.0))
MARK = Mark(2, HOSTILE, HOSTILE)
EVENTS = [Event(HOSTILE, 2, "alarm", HOSTILE, 0.0)]
LOSSES = [{"batch": batch, "d_real": 1.0} for batch in (1, 2, 3)]
THUMBNAIL = markup.Thumbnail(HOSTILE, HOSTILE, HOSTILE, starred=True)
SETTING = ComparedSetting(HOSTILE, (HOSTILE, HOSTILE), ((), ((3, HOSTILE),)), True)
CHANGE = SimpleNamespace(name=HOSTILE, value=HOSTILE)

# Each builds markup of hostile text alone.
PIECES = {
    "join": lambda: markup.join([HOSTILE, Markup("<br>"), HOSTILE]),
    "empty": lambda: markup.empty(HOSTILE, HOSTILE),
    "card": lambda: markup.card(HOSTILE, HOSTILE),
    "card in card": lambda: markup.card(HOSTILE, markup.card(HOSTILE, markup.note(HOSTILE))),
    "note": lambda: markup.note(HOSTILE),
    "paragraph": lambda: markup.paragraph(HOSTILE),
    "badge": lambda: markup.badge(HOSTILE),
    "credit": lambda: markup.credit(HOSTILE),
    "facts": lambda: markup.facts([(HOSTILE, HOSTILE)]),
    "button": lambda: markup.button(HOSTILE, HOSTILE, value=HOSTILE),
    "choice": lambda: markup.choice(HOSTILE, HOSTILE, True, value=HOSTILE),
    "picture grid": lambda: markup.picture_grid([THUMBNAIL], 4),
    "curves": lambda: draw_curves([CURVE], BATCHES, HOSTILE, [MARK]),
    "bands": lambda: draw_bands([CURVE], BATCHES, HOSTILE, [MARK]),
    "marks of events": lambda: show_curves(LOSSES, EVENTS, "losses", False),
    "runs laid over": lambda: overlay_runs({HOSTILE: METRICS}, COLOURS, HOSTILE, TIME, False),
    "unknown metric": lambda: overlay_runs({HOSTILE: LOSSES}, COLOURS, HOSTILE, BATCH, False),
    "progress": lambda: show_progress([RunProgress(HOSTILE, HOSTILE, 3, 1.0, {})]),
    "settings": lambda: show_settings([HOSTILE, HOSTILE], [SETTING]),
    "run name": lambda: run_name(HOSTILE, COLOURS),
    "changes": lambda: show_requests("city", [CHANGE], training=True),
}


class Reader(HTMLParser):
    """Reads markup as a browser does: its tags, attributes, and all texts in it."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = [], set(), []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes |= dict(attributes).keys()
        self.texts += [value or "" for _, value in attributes]

    def handle_data(self, data):
        self.texts.append(data)


def assert_escaped_once(built):
    """Hostile text is somewhere in it, word for word; it is nowhere anything but text."""
    assert isinstance(built, Markup)
    read = Reader(built)
    found = [text for text in read.texts if "onerror" in text]
    assert found
    assert all(any(form in text for form in WRITTEN) for text in found)
    assert not read.attributes & {"onerror", "onload"}


@pytest.mark.parametrize("build", PIECES.values(), ids=PIECES.keys())
def test_hostile_text_is_escaped_exactly_once(build):
    assert_escaped_once(build())


@given(st.text())
def test_any_text_is_read_back_as_it_was_and_adds_no_tag(text):
    text = text.replace("\0", "").replace("\r", "")  # which no HTML can hold
    read = Reader(markup.card("", text) + markup.button("", "press", value=text))
    assert read.tags == ["section", "h3", "button"]
    assert text in ["".join(read.texts[1:2]), *read.texts] or not text


def test_a_command_escapes_the_words_that_it_quotes():
    read = Reader(markup.command(["train", HOSTILE]))
    assert read.tags == ["div", "code", "button"]
    assert not read.attributes & {"onerror", "onload"}


def test_names_of_files_are_escaped(workspace):
    film = workspace.render("city-timelapse-0123ab") / f"city-timelapse-{HOSTILE}.mp4"
    film.parent.mkdir()
    film.touch()
    films = list_films(workspace, "city")
    assert_escaped_once(show_film(workspace, films[0], films, HOSTILE, HOSTILE))
    assert_escaped_once(markup.downloads([film]))


def test_what_runs_and_jobs_say_is_escaped(workspace):
    record_event(workspace, "city", 5, "alarm", HOSTILE)
    assert_escaped_once(show_live(RunCache(workspace), "city", "losses", False))
    broken = workspace.runs / HOSTILE / "checkpoints" / "generator.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    assert_escaped_once(show_runs(RunCache(workspace), HOSTILE))
    times = {"created_at": 0.0, "done": 1, "total": 2, "left_s": None}
    for status in ("failed", "running"):
        job = SimpleNamespace(id=1, status=status, text=HOSTILE, note=HOSTILE, **times)
        assert_escaped_once(show_jobs(workspace, [job], open_log=1))


def test_layers_are_escaped(tmp_path):
    histogram = {"low": -1.0, "high": 1.0, "counts": [1, 2]}
    layer = {"layer": HOSTILE, "weights": histogram, "units": 4, "dead_units": 4}
    path = tmp_path / "histograms.jsonl"
    path.write_text(json.dumps({"batch": 1, "networks": {HOSTILE: [layer]}}) + "\n")
    assert_escaped_once(show_layers(path))


def test_what_a_dataset_asks_to_be_written_is_escaped(workspace):
    path = workspace.datasets / "streets" / "manifest.json"
    manifest = {**json.loads(path.read_text()), "attribution": HOSTILE}
    del manifest["xxh3"]  # Older versions wrote none.
    path.write_text(json.dumps(manifest))
    shutil.rmtree(workspace.live_film("city"))
    colours = {"city": "--water"}
    shown = show_players(workspace, {"city": METRICS}, colours, by_time=False)
    assert "no film yet" in shown
    assert_escaped_once(shown)
