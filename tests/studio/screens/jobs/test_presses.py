"""Presses on the board as anybody may forge them: an action of the studio, or a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.actions.action import Action
from studio.actions.catalogue import known_actions
from studio.screens.jobs.jobs_tab import PRESSES, read_press
from studio.workspace.errors import EXPECTED_ERRORS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.sampled_from([*PRESSES, "delete", ""]) | ANYTHING,
    st.integers(-1, 2**70) | ANYTHING,
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("after", "at", "anyway", "changes"), ANYTHING)
    ),
)
def test_a_forged_press_is_an_action_or_a_sentence(action, job, values):
    try:
        asked = read_press({"action": action, "job": job, **values})
    except EXPECTED_ERRORS:
        return
    assert asked is None or isinstance(asked[0], Action)


@pytest.mark.parametrize("press", PRESSES)
def test_whatever_can_be_pressed_has_a_command(press):
    asked, _ = read_press({"action": press, "job": 7})
    assert type(asked) is known_actions()[asked.command]


def test_what_is_written_beside_a_job_is_read_as_on_the_command_line():
    asked, _ = read_press({"action": "schedule", "job": 7, "after": "3", "anyway": True, "at": ""})
    assert (asked.after, asked.anyway, asked.at) == (3, True, None)
    asked, _ = read_press({"action": "duplicate", "job": 7, "changes": "run=town batches=20"})
    assert asked.settings == {"run": "town", "batches": 20}
