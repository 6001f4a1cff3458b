"""The forms of the tab Render are actions that run, and refuse what the actions would."""

import gradio as gr
import pytest

from studio.actions.action import words_of
from studio.actions.submission import perform
from studio.screens.render import render_fields
from studio.screens.render.render_tab import example_keys
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES, write_pictures

POINTS = ["0.0", "seed:5"]
SHORT = {"seconds": 0.5, "fps": "20", "show": ["batch", "run"]}


def lay_out(kind):
    with gr.Blocks():
        return getattr(render_fields, f"lay_out_{kind}")()


def fill(form, **given):
    """The values of a form's fields: what somebody wrote, else what they show to begin with."""
    assert given.keys() <= form.laid.keys()
    return [given.get(name, component.value) for name, component in form.laid.items()]


def written(name, **given):
    form = lay_out(name)
    return form.read(*fill(form, **given), run="city")


def frames(workspace, name, **given):
    """The numbers of frames of the films that a filled form makes."""
    made = perform(workspace, written(name, **given)).document()
    return [video["frames"] for video in made["videos"]]


def refusal(workspace, name, **given):
    """The words with which a filled form is refused."""
    with pytest.raises(EXPECTED_ERRORS) as refused:
        written(name, **given).check(workspace)
    return str(refused.value)


def test_an_untouched_form_is_a_short_command():
    timelapse = ["render", "timelapse", "city", "--show", "batch", "--grid", "--skip-missing"]
    timelapse += ["--composition", "grid"]
    assert sorted(words_of(written("timelapse"))) == sorted(timelapse)
    walk = ["--points", "0.0,seed:5", "--composition", "grid"]
    assert words_of(written("walk", points=POINTS))[3:] == walk
    assert "KEYS" in lay_out("path").preview(*fill(lay_out("path")), run="city")
    assert words_of(written("sheet"))[:3] == ["render", "sheet", "city"]
    poster = ["render", "poster", "city", "--points", ",".join(POINTS)]
    assert words_of(written("poster", points=POINTS)) == poster


def test_a_timelapse_takes_all_that_the_form_offers(workspace):
    assert frames(
        workspace,
        "timelapse",
        points=POINTS,
        batches=":10:2",
        duration=0.5,
        fps=20,
        pace="perceptual",
        missing="hold",
        skip_damaged=True,
        films="both",
        composition="plain",
        show=["batch", "run", "label", "curve"],
        format="gif",
        size=" 128x64 ",
        crop=" 16x16+0+8 ",
        devices=["cpu"],
        scaling="lanczos",
    ) == [10, 10, 10]


def test_a_folder_is_filmed_as_the_form_says(workspace, tmp_path):
    folder = write_pictures(tmp_path / "made elsewhere", 6)
    given = {"folder": f" {folder} ", "every": 2, "pace": "number", "composition": "plain"}
    assert frames(workspace, "folder", **given) == [3]
    refused = refusal(workspace, "folder", folder=str(folder), names="x*")
    assert "no picture whose name fits 'x*'" in refused


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("walk", {"points": POINTS, "batch": 3}),
        ("walk", {"points": POINTS, "batches": "2:10", "kind": "linear", "easing": "ends"}),
        ("walk", {"points": ["0.0"], "kind": "circle", "seed": 4, "loop": True}),
        ("walk", {"kind": "noise", "seed": 4, "loop": True}),
        ("path", {"keys": " 2@0.0 -> 9@seed:5 ", "kind": "spline", "easing": "smooth"}),
    ],
)
def test_walks_and_paths_of_every_kind_are_filmed(workspace, kind, given):
    assert frames(workspace, kind, **given, **SHORT) == [10]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"points": POINTS, "batches": "2:10", "count": 4, "scale": 1}, (2, 4)),
        ({"points": POINTS, "batch": 3}, (1, 2)),
        ({}, (9, 8)),
    ],
)
def test_a_sheet_has_points_down_and_batches_across(workspace, given, size):
    drawn = perform(workspace, written("sheet", **given))
    assert (drawn.rows, drawn.columns) == size


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("timelapse", {"points": ["99.9"]}, "no specimen 99.9"),
        ("timelapse", {"batches": "50:"}, "it has 1 to 12"),
        ("timelapse", {"fps": 500}, "'Frames a second' 500 is out of range: use 240 or less"),
        ("timelapse", {"duration": 0}, "'Seconds' 0 is out of range: use more than 0"),
        ("timelapse", {"size": "huge", "composition": "plain"}, "'huge' is not a size"),
        ("timelapse", {"size": "512"}, "choose aspect and resolution rather than size"),
        ("timelapse", {"composition": "wipe"}, "A wipe shows 2 points, not 9"),
        ("timelapse", {"crop": "left"}, "'left' is not"),
        ("timelapse", {"codec": "theora"}, "theora"),
        ("timelapse", {"format": "gif", "fps": "60"}, "A GIF cannot play 60 frames"),
        ("timelapse", {"format": "webp", "duration": 70}, "too many for a .webp file"),
        ("timelapse", {"follow": True, "duration": 3}, "leave out --pace"),
        ("walk", {"points": ["0.0"]}, "at least two latent points"),
        ("walk", {"points": ["0.0", "0.1", "0.2"], "kind": "circle"}, "or through two; not 3"),
        ("walk", {"points": POINTS, "batch": 99}, "no checkpoint 99"),
        ("walk", {"points": POINTS, "batches": "50:"}, "it has 1 to 12"),
        ("walk", {"points": POINTS, "seconds": 0.01}, "too few to visit 2 points"),
        ("path", {}, "'Keys' is missing. Such as"),
        ("path", {"keys": "2@0.0"}, "is one key"),
        ("path", {"keys": "2@0.0 -> 9@99.9"}, "no specimen 99.9"),
        ("sheet", {"batch": 99}, "no checkpoint 99"),
        ("sheet", {"batches": "50:"}, "it has 1 to 12"),
        ("sheet", {"count": 0}, "'How many' 0 is out of range: use 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_before_a_job_is_made(workspace, kind, given, words):
    assert words in refusal(workspace, kind, **given)


@pytest.mark.parametrize("kind", ["timelapse", "walk", "path"])
def test_a_film_has_a_frame_of_the_chosen_shape_unless_it_is_to_be_plain(kind):
    given = {"walk": {"points": POINTS}, "path": {"keys": "2@0.0 -> 9@0.1"}}.get(kind, {})
    for shape in ("", "16:9"):
        film = written(kind, **given, aspect=shape).render_options()
        assert film.composition.size == ((1920, 1080) if shape else (1080, 1080))
    assert written(kind, **given, composition="plain").render_options().composition is None


def test_the_example_of_a_path_is_one(workspace):
    keys = example_keys(list(range(1, BATCHES + 1)), ["0.3", "0.4"])
    assert keys == f"7@0.3 -> {BATCHES}@0.4"
    written("path", keys=keys).check(workspace)


@pytest.mark.parametrize("kind", ["timelapse", "walk", "path", "sheet", "folder"])
def test_every_field_of_the_action_lies_somewhere(kind):
    form = lay_out(kind)
    elsewhere = set(render_fields.ELSEWHERE) - ({"run"} if kind == "folder" else set())
    assert form.laid.keys() == {field.name for field in form.action.fields()} - elsewhere
