from __future__ import annotations

import pickle

import pytest

from renderers.errors import CompilationError, RenderError, UnknownVideoError, add_place
from renderers.jobs.failures import ProcessFailure
from tests.renderers.tiny import UnreadableSourceError


def sent(error: Exception, node: str | None = None) -> Exception:
    """The error as the process that waits raises it."""
    try:
        raise error
    except Exception as raised:
        failure = ProcessFailure.capture(raised, node)
    return pickle.loads(pickle.dumps(failure)).restore()


def test_a_message_names_the_node_and_the_class_stays() -> None:
    for kind in (RenderError, UnknownVideoError, KeyError):
        error = sent(kind("no batch 7"), "a1")
        assert type(error) is kind
        assert error.args == ("On node a1: no batch 7",)
        assert "in sent" in error.__notes__[0]


def test_a_message_made_of_attributes_stays_and_a_note_names_the_node() -> None:
    error = sent(UnreadableSourceError(7), "a1")
    assert type(error) is UnreadableSourceError
    assert (error.batch, str(error)) == (7, "checkpoint 7 is damaged")
    assert error.__notes__[0] == "On node a1."


def test_without_a_node_the_message_is_as_it_was() -> None:
    assert str(sent(RenderError("The disk is full."))) == "The disk is full."


def test_an_error_that_cannot_be_pickled_is_told_by_its_trace() -> None:
    class LocalError(Exception):
        pass

    error = sent(LocalError("only here"))
    assert type(error) is RuntimeError
    assert "only here" in str(error)


@pytest.mark.parametrize("advice", ["", "Set compile=false."])
def test_a_compilation_error_keeps_its_attributes(advice) -> None:
    error = sent(CompilationError("The generator", "no compiler", advice))
    assert isinstance(error, CompilationError)
    assert (error.network, error.reason, error.advice) == ("The generator", "no compiler", advice)
    assert str(error) == f"The generator cannot be compiled here: no compiler. {advice}".rstrip()


def test_a_message_that_only_holds_the_argument_stays() -> None:
    class RunError(LookupError):
        def __str__(self) -> str:
            return f"There is no run {self.args[0]}."

    error = RunError("city")
    add_place(error, "On node a1")
    assert str(error) == "There is no run city."
    assert error.__notes__ == ["On node a1."]
