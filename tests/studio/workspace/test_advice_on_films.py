"""The sentences that the studio adds to errors of films."""

from __future__ import annotations

import pytest

from checkpoints_index.errors import UnknownRunError
from latent.easing import time_frames
from latent.errors import LatentError
from renderers.errors import (
    CompilationError,
    FullDiskError,
    RenderError,
    UnfinishedRenderError,
    UnknownVideoError,
    UnplannedVideoError,
)
from renderers.jobs.failures import ProcessFailure
from studio.workspace.advice import explain

AGAIN = "Give the same command again: it goes on where it was."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UnfinishedRenderError("The others are kept."), f"The others are kept. {AGAIN}"),
        (FullDiskError("No space. Free some space."), f"No space. Free some space. {AGAIN}"),
        (
            UnknownVideoError("There is no video a."),
            "There is no video a. List what was rendered: studio jobs",
        ),
        (
            UnplannedVideoError("No finished render made a."),
            "No finished render made a. Give the command that began it again: it goes on where it "
            "was.",
        ),
        (CompilationError("G", "no"), "G cannot be compiled here: no. Leave out --compile."),
        (CompilationError("G", "no", "Do so."), "G cannot be compiled here: no. Do so."),
        (RenderError("The crop has no pixels."), "The crop has no pixels."),
    ],
)
def test_an_error_of_a_film_says_what_to_do_next(error, sentence) -> None:
    assert explain(error) == sentence


def test_too_few_frames_are_more_seconds() -> None:
    with pytest.raises(LatentError) as caught:
        time_frames(3, 2)
    assert explain(caught.value).endswith("points: use more. Raise the seconds.")


def test_an_error_of_the_index_on_a_node_names_the_node_and_the_next_step() -> None:
    error = ProcessFailure.capture(UnknownRunError("cty", ["city"]), "a1").restore()
    assert explain(error) == (
        "Run 'cty' is not in the index. Known: city. On node a1. "
        "Create one: studio train DATASET --run cty"
    )
