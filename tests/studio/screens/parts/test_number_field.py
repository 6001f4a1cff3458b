"""Numbers that may be left empty."""

import gradio as gr
import pytest

from studio.screens.parts.number_field import BatchSlider, NumberField


def test_a_field_without_a_value_is_empty_and_not_nought():
    field = NumberField(minimum=1, precision=0)
    assert field.get_config()["value"] == ""
    assert field.postprocess(None) == ""
    assert field.preprocess("") is None
    assert field.preprocess(None) is None


def test_a_value_is_what_a_number_makes_of_it():
    field = NumberField(2, minimum=1, precision=0)
    assert field.get_config()["value"] == 2
    assert field.postprocess(0) == 0
    assert field.preprocess(3.0) == 3
    with pytest.raises(gr.Error, match="less than minimum"):
        field.preprocess(0)


def test_a_slider_that_is_asked_with_bounds_of_before_gives_its_nearest_end():
    slider = BatchSlider(1, 300, 1, step=1)
    assert [slider.preprocess(at) for at in (0, 20, 1000)] == [1, 20, 300]
