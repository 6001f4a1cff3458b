"""A question what goes, and when it is taken away."""

import gradio as gr

from studio.screens.parts.removal_panel import forget_other

ASKED = {"action": "delete run", "fields": {"run": "city"}, "chosen": ["city"]}


def test_a_question_stays_when_the_same_is_chosen_again():
    assert forget_other(ASKED, "city") == gr.skip()


def test_a_question_about_something_else_is_taken_away():
    assert forget_other(ASKED, "town") == ("", None)


def test_where_nothing_was_asked_nothing_changes():
    assert forget_other(None, "town") == gr.skip()
