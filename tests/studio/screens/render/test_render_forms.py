"""The forms of the tab Render say commands that run, and refuse what the commands would."""

import gradio as gr
import pytest

from checkpoints_index.storage.catalogue import open_catalogue
from studio.screens.render import render_fields
from studio.screens.render.render_forms import (
    PathForm,
    SheetForm,
    TimelapseForm,
    WalkForm,
    example_keys,
    field_names,
)
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES

POINTS = ("0.0", "seed:5")


@pytest.fixture
def render(studio, workspace):
    """render(form): what its command makes, once the form has passed its own check."""
    kept = open_catalogue(workspace.runs, "city").batches

    def call(form):
        form.check(workspace, "city", kept)
        outcome = studio(*form.words("city"), "--json")
        assert outcome.status == 0, outcome.err
        return outcome.json

    return call


@pytest.fixture
def refuse(workspace):
    """refuse(form): the words with which it is refused."""
    kept = open_catalogue(workspace.runs, "city").batches

    def call(form):
        with pytest.raises(EXPECTED_ERRORS) as refusal:
            form.check(workspace, "city", kept)
        return str(refusal.value)

    return call


def frames(made):
    return [video["frames"] for video in made["videos"]]


def test_an_untouched_form_is_a_short_command():
    assert TimelapseForm().words("city") == ["render", "timelapse", "city", "--grid"]
    assert WalkForm(points=POINTS).words("city")[3:] == ["--points", "0.0,seed:5"]
    assert PathForm().words("city") == ["render", "path", "city", "KEYS"]
    assert SheetForm().words("city") == ["render", "sheet", "city"]


@pytest.mark.parametrize(("films", "count"), [("grid", 1), ("each", 2), ("both", 3)])
def test_a_timelapse_is_one_film_of_all_points_or_one_a_point_or_both(render, films, count):
    form = TimelapseForm(points=POINTS, first=2, last=4, fps=30, films=films, show=["batch"])
    assert frames(render(form)) == [3] * count


def test_a_timelapse_takes_all_that_the_form_offers(render):
    form = TimelapseForm(
        points=POINTS,
        last=9,
        every=2,
        seconds=0.5,
        fps=20,
        pace="perceptual",
        missing="hold",
        skip_damaged=True,
        show=["batch", "run", "label", "curve"],
        format="gif",
        size=" 128x64 ",
        crop=" 16x16+0+8 ",
        devices=["cpu"],
        options="--scaling lanczos",
    )
    (video,) = render(form)["videos"]
    assert video["frames"] == 10
    assert video["path"].endswith("city-timelapse.gif")


def test_missing_checkpoints_are_left_out_or_held(render, studio):
    studio("thin", "city", "--every", "4", "--from", "2", "--to", "9")
    left = studio("checkpoints", "city", "--json").json["checkpoints"]
    assert left < BATCHES
    assert frames(render(TimelapseForm(points=POINTS, first=1, last=BATCHES))) == [left]
    assert frames(render(TimelapseForm(points=POINTS, missing="hold"))) == [BATCHES]


def test_a_film_grows_only_with_a_run_that_trains(refuse):
    assert "does not train" in refuse(TimelapseForm(follow=True))
    assert TimelapseForm(follow=True).words("city")[-1] == "--follow"


@pytest.mark.parametrize(
    "form",
    [
        WalkForm(points=POINTS, batch=3),
        WalkForm(points=POINTS, where="training", first=2, last=9),
        WalkForm(points=POINTS, where="training", kind="linear", easing="ends"),
        WalkForm(points=("seed:1", "seed:2", "seed:3"), kind="spline", loop=True, easing="smooth"),
        WalkForm(points=("0.0",), kind="circle", seed=4, loop=True),
        WalkForm(kind="noise", seed=4, loop=True),
        PathForm(keys=" 2@0.0 -> 9@seed:5 ", kind="spline", easing="smooth"),
    ],
)
def test_walks_and_paths_of_every_kind_are_filmed(render, form):
    short = {**vars(form), "seconds": 0.5, "fps": 20, "show": ["batch", "run"]}
    assert frames(render(type(form)(**short))) == [10]


def test_a_noise_walk_leaves_the_cities_of_the_form_unsaid():
    assert WalkForm(points=POINTS, kind="noise").words("city")[3:] == ["--kind", "noise"]


@pytest.mark.parametrize(
    ("form", "size"),
    [
        (SheetForm(points=POINTS, first=2, last=9, count=4, scale=1), (2, 4)),
        (SheetForm(points=POINTS, where="batch", batch=3), (1, 2)),
        (SheetForm(), (9, 8)),
    ],
)
def test_a_sheet_has_points_down_and_batches_across(render, form, size):
    made = render(form)
    assert (made["rows"], made["columns"]) == size


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (TimelapseForm(points=("9.9",)), "no specimen 9.9"),
        (TimelapseForm(first=50), "it has 1 to 12"),
        (TimelapseForm(fps=500), "fps 500 is out of range"),
        (TimelapseForm(seconds=0), "0 seconds is out of range"),
        (TimelapseForm(size="huge"), "'huge' is not a size"),
        (TimelapseForm(crop="left"), "'left' is not"),
        (TimelapseForm(options="--crff 3"), "--crff"),
        (TimelapseForm(options="--crf best"), "for '--crf'"),
        (TimelapseForm(options="--codec theora"), "theora"),
        (TimelapseForm(format="gif"), "A GIF cannot play 60 frames"),
        (TimelapseForm(format="webp", seconds=60), "too many for a .webp file"),
        (WalkForm(points=("0.0",)), "two cities or more"),
        (WalkForm(points=("0.0", "0.1", "0.2"), kind="circle"), "3 are chosen"),
        (WalkForm(points=POINTS, batch=99), "no checkpoint 99"),
        (WalkForm(points=POINTS, where="training", first=50), "it has 1 to 12"),
        (WalkForm(points=POINTS, seconds=0.01), "too few to visit 2 points"),
        (PathForm(), "Where does the path go?"),
        (PathForm(keys="2@0.0"), "is one key"),
        (PathForm(keys="2@0.0 -> 9@9.9"), "no specimen 9.9"),
        (SheetForm(where="batch"), "such as 12"),
        (SheetForm(where="batch", batch=99), "no checkpoint 99"),
        (SheetForm(first=50), "it has 1 to 12"),
        (SheetForm(count=0), "'How many' is 0"),
    ],
)
def test_what_cannot_be_is_refused_before_a_job_is_made(refuse, form, words):
    assert words in refuse(form)


def test_the_example_of_a_path_is_one(render):
    keys = example_keys(list(range(1, BATCHES + 1)), ["0.3", "0.4"])
    assert keys == f"7@0.3 -> {BATCHES}@0.4"
    assert frames(render(PathForm(keys=keys, seconds=0.5, fps=20))) == [10]


@pytest.mark.parametrize(
    ("form", "lay_out"),
    [
        (TimelapseForm, render_fields.lay_out_timelapse),
        (WalkForm, render_fields.lay_out_walk),
        (PathForm, render_fields.lay_out_path),
        (SheetForm, render_fields.lay_out_sheet),
    ],
)
def test_every_value_of_a_form_has_its_field(form, lay_out):
    with gr.Blocks():
        fields = lay_out()
    assert fields.keys() == set(field_names(form))
