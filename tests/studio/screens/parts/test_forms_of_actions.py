"""Every action has a form, generated from its declaration."""

import gradio as gr
import pytest

import studio
from studio.actions.catalogue import known_actions
from studio.screens.parts.form import Form

ACTIONS = known_actions()


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_form_of_an_action_shows_all_its_fields_with_their_defaults(name, workspace):
    with gr.Blocks():
        form = Form(ACTIONS[name])
        form.rest()
    declared = {field.name: field for field in ACTIONS[name].fields()}
    assert set(form.laid) == set(declared)
    written = form.as_written(*[component.value for component in form.inputs])
    for field, value in written.items():
        if not declared[field].required:
            default = declared[field].default
            shown = tuple(value) if isinstance(value, list) else value
            assert shown == default or str(shown) == str(default)
    assert callable(getattr(studio.open(workspace.root), ACTIONS[name].python_name()))
