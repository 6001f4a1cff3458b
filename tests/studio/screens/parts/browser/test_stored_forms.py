"""What a browser kept fills a form again, as far as it could have been written there."""

import json

import gradio as gr
import pytest

from studio.screens.parts.browser.stored_forms import StoredForms


@pytest.fixture
def forms(empty_workspace):
    kept = StoredForms(empty_workspace)
    fields = [
        gr.Textbox(),
        gr.Number(minimum=1, maximum=9),
        gr.Dropdown(["a", "b"]),
        gr.Checkbox(),
    ]
    kept.keep("one", fields)
    return kept


def restored(forms, stored):
    values = forms.values(stored if isinstance(stored, str) else json.dumps(stored))
    return [value.get("value", "stays") for value in values]


def test_what_was_written_is_there_again(forms):
    assert restored(forms, {"one": ["x", 3, "b", True]}) == ["x", 3, "b", True]


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", "null", '{"one": 3}', '{"one": ["x"]}', "[" * 9999]
)
def test_what_is_no_form_changes_nothing(forms, stored):
    assert restored(forms, stored) == ["stays"] * 4


def test_a_field_takes_nothing_that_could_not_be_written_in_it(forms):
    assert restored(forms, {"one": [7, 99, "c", "yes"]}) == ["stays"] * 4


def test_another_workspace_has_forms_of_its_own(forms, workspace):
    assert StoredForms(workspace).script != forms.script
