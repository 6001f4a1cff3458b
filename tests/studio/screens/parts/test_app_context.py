import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints_index.errors import UnknownRunError
from studio.screens.parts.app_context import batch_slider, nearest_batch, nothing_yet, show_errors
from studio.workspace.errors import StudioError

BATCHES = st.sets(st.integers(0, 10**6), min_size=1).map(sorted)


@given(BATCHES, st.floats(0, 10**6))
def test_no_kept_batch_is_nearer_than_the_nearest(batches, wanted):
    found = nearest_batch(batches, wanted)
    assert found in batches
    assert abs(found - wanted) == min(abs(batch - wanted) for batch in batches)


def test_without_a_wanted_batch_the_last_one_is_taken():
    assert nearest_batch([2, 5, 9], None) == 9


def test_a_slider_stays_where_it_is_unless_it_is_told_otherwise():
    assert batch_slider([2, 9], 5).value == 5
    assert batch_slider([7]).maximum == 8, "a slider of one batch needs another end"
    assert not batch_slider([]).interactive


@pytest.mark.parametrize("error", [StudioError("a <b>"), UnknownRunError("cty", ["city"])])
def test_an_error_that_can_be_put_right_is_shown_and_changes_nothing(error, monkeypatch):
    def fail():
        raise error

    shown = []
    monkeypatch.setattr(gr, "Warning", lambda text, **how: shown.append(text))
    assert show_errors(fail)() == gr.skip()
    assert "a &lt;b&gt;" in shown[0] or "studio train DATASET --run cty" in shown[0]


def test_a_fault_of_the_studio_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        show_errors(lambda: 1 / 0)()


def test_a_tab_without_a_checkpoint_says_what_to_do():
    assert "Go to Train" in nothing_yet(None)
    assert "Watch it in Train" in nothing_yet("city")
