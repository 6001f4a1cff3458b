"""Numbers of thousands of digits, which Python refuses to read, and those that no float holds."""

import gradio as gr
import pytest

from checkpoints_index.importing.layers import natural_parts
from latent.key_frames import parse_key_frames
from latent.mixing.expression import parse_expression
from latent.points import parse_label, parse_seed, parse_seeds
from renderers.frames.devices import card_number
from renderers.pictures.display_options import parse_crop, parse_size
from renderers.video.rates import parse_rate
from studio.actions.declared.training_actions import read_batch_size
from studio.exploration.steering_options import read_step
from studio.films.folders.picture_order import order_pictures
from studio.runs.config import read_settings
from studio.runs.selection import choose_batches, describe_cut
from studio.runs.setting_fields import check_options, check_type
from studio.runs.settings import parse_settings
from studio.screens.checkpoints.checkpoints_tab import read_batch
from studio.screens.checkpoints.timeline.asked_picture import AskedPicture
from studio.screens.parts.app_context import show_errors
from studio.screens.render.composer import read_keys, read_span
from studio.specimens.specimen_search import parse_between
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import read_whole, split_checkpoint
from studio.workspace.records.declarations import parse_share
from studio.workspace.records.quantities import parse_bytes, parse_duration, parse_moment

LONG = "9" * 5000
READERS = {
    "a whole number": read_whole,
    "a checkpoint": lambda text: split_checkpoint(f"city@{text}"),
    "a range of batches": lambda text: choose_batches([1, 2], f"1:{text}", "city"),
    "a step of batches": lambda text: choose_batches([1, 2], f"1:2:{text}", "city"),
    "a list of batches": lambda text: choose_batches([1, 2], f"1,{text}", "city"),
    "the end of a range": lambda text: describe_cut([1, 2], f"1:{text}"),
    "a size": lambda text: parse_size(f"640x{text}"),
    "a square": parse_size,
    "a crop": lambda text: parse_crop(f"640x480+{text}+0"),
    "a rate": parse_rate,
    "a rate as a fraction": lambda text: parse_rate(f"24000/{text}"),
    "a seed": lambda text: parse_seed(f"seed:{text}"),
    "seeds": lambda text: parse_seeds(f"seed:1-{text}"),
    "a label": lambda text: parse_label(f"{text}.{text}"),
    "a key": lambda text: parse_key_frames(f"{text}@0.1 -> 2@0.1"),
    "a weight": lambda text: parse_expression(f"{text}*0.1"),
    "a step along a direction": lambda text: read_step(f"z:{text}=1"),
    "a strength": lambda text: read_step(f"z:1={text}"),
    "a card": lambda text: card_number(f"cuda:{text}"),
    "a search": lambda text: parse_between(f"{text}:"),
    "a share": parse_share,
    "a percentage": lambda text: parse_share(f"{text}%"),
    "bytes": lambda text: parse_bytes(f"{text}GB"),
    "a duration": lambda text: parse_duration(f"{text}h"),
    "a clock": lambda text: parse_duration(f"{text}:10"),
    "a moment": parse_moment,
    "a batch size": read_batch_size,
    "a batch of a page": read_batch,
    "a span of a page": lambda text: read_span(f"{text}:", [1, 2]),
    "keys of a page": lambda text: read_keys(f"{text}@0.1"),
    "a picture of the timeline": lambda text: AskedPicture.read({"run": "city", "batch": text}),
    "the order of pictures": lambda text: order_pictures(None, [f"a{text}.png", "a1.png"]),
}


@pytest.mark.parametrize("text", [LONG, f"-{LONG}", "1e400", f"0.{LONG}", f"{LONG}e{LONG}"])
@pytest.mark.parametrize("reader", READERS)
def test_a_number_that_is_too_long_is_no_number_or_refused_in_a_sentence(reader, text):
    said = ""
    try:
        READERS[reader](text)
    except (*EXPECTED_ERRORS, ValueError) as error:  # Fields turn a ValueError into a sentence.
        said = str(error)
    assert "Exceeds the limit" not in said


def test_a_setting_is_no_number_that_nothing_can_hold(tmp_path):
    assert parse_settings([f"batch_size={LONG}"]) == {"batch_size": LONG}
    for annotation, value in ((int, LONG), (int, 10**400), (float, 10**400), (tuple, [10**400, 1])):
        with pytest.raises(EXPECTED_ERRORS) as refused:
            check_type("learning_rate", annotation, value)
        assert len(str(refused.value)) < 300
    for options in ({"width": 10**400}, {"channels": [10**400]}):
        with pytest.raises(EXPECTED_ERRORS):
            check_options("generator_options", options)
    path = tmp_path / "run.toml"
    path.write_text(f"batch_size = {LONG}\n")
    with pytest.raises(EXPECTED_ERRORS, match="is not TOML"):
        read_settings(path)


def test_numbers_in_names_are_ordered_however_long_they_are():
    names = [f"main.{LONG}", "main.3", "main.10", f"main.1{LONG}"]
    assert sorted(names, key=natural_parts) == ["main.3", "main.10", f"main.{LONG}", names[-1]]


@pytest.mark.parametrize("sent", [10**400, float("inf"), float("nan"), [{"x": 10**30}]])
def test_a_page_that_sends_such_a_number_is_told_so(sent):
    reached, warned = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gr, "Warning", warned.append)
        show_errors(reached.append)(gr.EventData(None, {"batch": sent}))
        if not isinstance(sent, list):
            show_errors(reached.append)(sent)
    assert reached == []
    assert len(warned) == 2 - isinstance(sent, list)
    show_errors(lambda *values: reached.extend(values))(1, 0.5, None, gr.EventData(None, {"x": 1}))
    assert len(reached) == 4
