"""The sentences that a person reads: what a library says, and what the studio adds."""

from pathlib import Path

import pytest

from checkpoints_index.errors import (
    DamagedCheckpointError,
    DamagedDescriptionError,
    NoRoomForCheckpointError,
    RunLockedError,
    UnknownRunError,
    UnusableFileError,
)
from checkpoints_index.importing.refusals import (
    AmbiguousFilesError,
    MissingStridesError,
    NothingToImportError,
    SkippedFile,
)
from studio.workspace.advice import ADVICE, explain

SENTENCES = [
    (
        UnknownRunError("cty", ["city", "suburb"]),
        "Run 'cty' is not in the index. Known: city, suburb. "
        "Create one: studio train DATASET --run cty",
    ),
    (
        RunLockedError("city", "process 4711"),
        "Run 'city' is being written to by another process (process 4711), and a run has one "
        "writer. Stop that one first: studio stop city",
    ),
    (
        DamagedCheckpointError("city", 7, Path("runs/0.segment"), "its bytes have changed"),
        "Checkpoint 7 of run 'city' is damaged in 0.segment: its bytes have changed. "
        "See what else is: studio verify city --deep",
    ),
    (
        DamagedDescriptionError("city", "generator.json", "no such file"),
        "Run 'city' cannot be opened: generator.json in its folder of checkpoints is missing or "
        "damaged (no such file). It can be made anew from the segments beside it. "
        "Do so: studio reindex",
    ),
    (
        NoRoomForCheckpointError("city", 7, 4000),
        "No room for checkpoint 7 of run 'city' (4,000 bytes). All checkpoints before it are "
        "whole, and it waits in memory. Free some space and go on. "
        "Or stop the run and thin it out: studio thin city --every 2",
    ),
    (
        AmbiguousFilesError("Which number is the batch? Choose one.", r"step_(\d+)"),
        r"Which number is the batch? Choose one. For example: --pattern 'step_(\d+)'",
    ),
    (UnusableFileError("is empty"), "is empty"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_a_person_reads_what_happened_and_what_to_do_next(error, sentence):
    assert explain(error) == sentence


def test_reasons_within_an_error_are_explained_as_well():
    skipped = [SkippedFile(Path("f", "G.pt"), MissingStridesError(["conv1", "conv2"], {8: [2, 1]}))]
    said = explain(NothingToImportError(Path("f"), Path("f"), skipped))
    assert "'G.pt': nothing in it shows where it enlarges" in said
    assert "--option strides=[2,1]" in said
    assert said.endswith("--generator package.module:Class")


def test_an_error_without_advice_says_what_it_says():
    assert explain(ValueError("something else")) == "something else"
    assert ValueError not in ADVICE
