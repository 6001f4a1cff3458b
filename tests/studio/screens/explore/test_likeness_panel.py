"""Beside the chosen city, once asked for: the nearest training picture, and where both are."""

import shutil

import gradio as gr
import pytest

from benchmarks.made_up_atlas import make_up_atlas
from studio.actions.declared.way_actions import Memorised
from studio.actions.submission import perform
from studio.datasets.maps.city import prepare_city
from studio.datasets.maps.map_places import read_places
from studio.screens.explore.likeness_panel import (
    LikenessPanel,
    MapPictures,
    TrainingFeatures,
    write_degrees,
)
from studio.screens.explore.near_view import Chosen
from tests.studio.conftest import BATCHES

CITY = Chosen("0.3", BATCHES, 24)
SKIPPED = gr.skip()


@pytest.fixture
def panel(view_of):
    panel = view_of(LikenessPanel)
    panel._trained, panel._maps = TrainingFeatures(), MapPictures()
    return panel


def test_nothing_is_computed_while_it_is_closed(panel):
    assert panel._show(False, "city", CITY, None) == (SKIPPED, SKIPPED)
    assert panel._add_map(False, "city", CITY, None) == SKIPPED
    assert panel._trained._kept is None


def test_it_says_what_the_command_says_and_shows_that_command(panel, workspace):
    said, command = panel._show(True, "city", CITY, None)
    assert f"studio memorised city 0.3 --at-batch {BATCHES}" in command
    (row,) = perform(workspace, Memorised(run="city", points=("0.3",), at_batch=BATCHES)).nearest
    number = int(row.picture.partition(":")[2])
    assert f"Training picture {number} of &#39;streets&#39; is the nearest" in said
    assert f"{row.distance:.3g} apart" in said
    assert f"{row.ratio:.2f} of how far" in said
    assert "not cut from a map" in said
    assert "no atlas of this run" in said
    before = panel._trained._kept
    panel._show(True, "city", CITY._replace(label="0.4"), None)
    assert panel._trained._kept is before  # The training pictures were described once.


def test_a_city_on_the_shown_atlas_has_its_trust_and_its_place_there(panel, workspace):
    atlas = make_up_atlas(workspace, "city", BATCHES, 40)
    shown, label = atlas.path.parent.name, f"{BATCHES}.7"
    said = panel._tell("city", Chosen(label, BATCHES, 40), shown, with_map=False)
    x, y, trust = atlas.points[7, :3]
    assert f"lies at {x:.0%} from the left and {y:.0%} from below: trust {trust:.2f} of 1" in said


def test_a_dataset_that_is_gone_is_told_and_the_place_all_the_same(panel, workspace):
    workspace.dataset("streets").rename(workspace.root / "elsewhere")
    said = panel._tell("city", CITY, None, with_map=True)
    assert "streets" in said
    assert "no atlas of this run" in said


@pytest.mark.slow
def test_a_training_picture_that_was_cut_from_a_map_is_marked_there(panel, workspace):
    """The map comes in a second answer, as drawing it takes seconds, and in one from then on."""
    folder = workspace.dataset("streets")
    shutil.rmtree(folder)
    prepare_city("helsinki", folder, 32, metres_per_pixel=4.0, count=60)
    said, _ = panel._show(True, "city", CITY, None)
    assert "Drawing the map" in said
    whole = panel._add_map(True, "city", CITY, None)
    (row,) = perform(workspace, Memorised(run="city", points=("0.3",), at_batch=BATCHES)).nearest
    assert write_degrees(row.latitude, row.longitude) in whole
    window = read_places(folder).windows[int(row.picture.partition(":")[2])]
    _, width, height = panel._maps.draw(read_places(folder))
    assert f"left:{100 * window.left / width:.2f}%;top:{100 * window.top / height:.2f}%" in whole
    assert "place-on-map" in panel._show(True, "city", CITY, None)[0]
