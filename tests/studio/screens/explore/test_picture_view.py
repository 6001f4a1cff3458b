"""Pictures that are dropped on Explore: a passport leads back at once, others are looked for."""

import os
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from studio.actions.declared.inversion_actions import Invert, RenderBetween
from studio.actions.declared.removal_actions import DeleteSpecimens
from studio.actions.submission import perform
from studio.exploration import given_pictures
from studio.exploration.given_pictures import keep_given, read_given
from studio.screens.explore.near_view import Chosen
from studio.screens.explore.picture_view import PictureView
from studio.specimens.passports import read_passport
from studio.workspace.errors import StudioError
from studio.workspace.jobs import list_jobs
from tests.studio.conftest import BATCHES

SKIPPED = gr.skip()


@pytest.fixture
def view(view_of):
    return view_of(PictureView)


@pytest.fixture
def exported(studio):
    """A picture with its passport, of a city seen at the last batch."""
    (told,) = studio("specimens", "export", "city", "0.3", "--at-batch", BATCHES, "--json").json
    return told["path"]


@pytest.fixture
def plain(exported, tmp_path):
    """The same picture without its passport, and not square."""
    path = tmp_path / "photo.png"
    with Image.open(exported) as image:
        Image.fromarray(np.asarray(image)).resize((48, 32)).save(path)
    return str(path)


def test_a_passport_leads_to_its_city_at_once_bit_for_bit(view, exported):
    said, chosen = view._take("city", [exported], "crop")
    assert chosen == Chosen("0.3", BATCHES, 24)
    assert "the same bit for bit" in said
    assert f"city=0.3&amp;seen={BATCHES}" in said


def test_a_passport_of_another_run_leads_there_by_a_link(view, exported):
    said, chosen = view._take("other", [exported], "crop")
    assert chosen == SKIPPED
    assert "data-goes" in said
    assert "run=city&amp;tab=Explore&amp;city=0.3" in said


def test_a_picture_without_a_passport_chooses_nothing_and_says_what_to_press(view, plain):
    said, chosen = view._take("city", [plain], "crop")
    assert chosen == SKIPPED
    assert "It has no passport" in said
    assert "studio invert city photo.png --fit pad" in view._spell("city", [plain], None, "pad")
    both = view._spell("city", [plain, plain], 5, "crop")
    assert "studio render between city photo.png photo.png --batch 5" in both


def test_what_is_no_picture_is_told_and_never_looked_for(view, workspace, tmp_path):
    path = tmp_path / "<b>.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    said, chosen = view._take("city", [str(path)], "crop")
    assert (chosen, "<b>.png" in said, "&lt;b&gt;.png" in said) == (SKIPPED, False, True)
    assert "cannot be read as a picture" in said
    with pytest.raises(StudioError, match="cannot be read"):
        view._find("city", [str(path)], None, "crop")
    with pytest.raises(StudioError, match="too many"):
        view._take("city", [str(path)] * 9, "crop")
    with pytest.raises(StudioError, match="Drop two"):
        view._film("city", [str(path)], None, "crop")
    assert not list_jobs(workspace)[0].action.startswith(("invert", "render between"))


def test_what_was_found_stands_beside_what_was_given_and_becomes_the_chosen_city(
    view, workspace, plain
):
    kept = keep_given(workspace, Path(plain), 32)
    assert np.array_equal(read_given(kept, 32), read_given(Path(plain), 32))
    found = perform(workspace, Invert(run="city", picture=kept, gallery=100))
    job = list_jobs(workspace)[0]
    said, known, chosen, awaited = view._follow("city", None, job.id)
    assert chosen == Chosen(found.label, BATCHES, 24)
    assert awaited is None
    assert f"City {found.label}: {found.psnr_db:.1f} dB" in said
    assert view._follow("city", known, None) == (SKIPPED,) * 4
    # A page that did not ask for it shows it, and stays where it is.
    assert view._follow("city", None, None)[2] == SKIPPED
    pressed = gr.EventData(None, {"action": "choose", "label": found.label, "batch": BATCHES})
    assert view._choose("city", pressed) == Chosen(found.label, BATCHES, 24)
    kept.unlink()  # What was given is white then; what was found stays.
    assert f"City {found.label}: {found.psnr_db:.1f} dB" in view._follow("city", None, None)[0]
    perform(workspace, DeleteSpecimens(run="city", labels=(found.label,), yes=True))
    assert "not there any more" in view._follow("city", None, None)[0]


def test_a_given_picture_keeps_its_passport_and_the_oldest_go(
    workspace, exported, plain, monkeypatch
):
    kept = keep_given(workspace, Path(exported), 32)
    assert read_passport(kept).label == "0.3"
    assert keep_given(workspace, Path(exported), 32) == kept
    monkeypatch.setattr(given_pictures, "MAX_KEPT", 1)
    os.utime(kept, (1, 1))
    newer = keep_given(workspace, Path(plain), 32)
    assert list(workspace.given_pictures.iterdir()) == [newer]


@pytest.mark.slow
def test_the_film_between_two_pictures_is_shown_and_has_a_link(view, workspace, exported, plain):
    pictures = tuple(keep_given(workspace, Path(path), 32) for path in (exported, plain))
    film = RenderBetween(run="city", pictures=pictures, gallery=100, seconds=0.2)
    (video,) = perform(workspace, film).videos
    elsewhere = film.model_copy(update={"out": workspace.root / "between.mp4"})
    job = list_jobs(workspace)[0]
    said, _, chosen, _ = view._follow("city", None, job.id)
    assert chosen == SKIPPED  # It has found two cities.
    assert "<video" in said
    key = f"{video.path.parent.name}/{video.path.name}"
    assert f"run=city&amp;tab=Render&amp;film={key}" in said
    perform(workspace, elsewhere)
    assert f"It lies in {elsewhere.out}" in view._follow("city", None, None)[0]
