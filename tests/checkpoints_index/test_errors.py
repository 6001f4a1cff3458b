"""Errors: what they are, what they say, and that they cross processes whole."""

import pickle
from pathlib import Path

import pytest

from checkpoints_index import errors
from checkpoints_index.errors import CheckpointError, UnusableFileError, name_some
from checkpoints_index.importing import refusals
from checkpoints_index.importing.refusals import SkippedFile

DAMAGE = errors.DamagedCheckpointError("city", 7, Path("000.segment"), "its bytes have changed")
SKIPPED = SkippedFile(Path("folder", "D.pt"), UnusableFileError("ends in one number"))
EXAMPLES = [
    errors.UntrustedClassError("package.module:Class"),
    errors.RunNameError("../city"),
    errors.UnknownRunError("cty", ["city", "suburb"]),
    errors.RunExistsError("city"),
    errors.RunLockedError("city", "process 7"),
    errors.UnknownBatchError("city", 12, [10, 20]),
    errors.DamagedDescriptionError("city", "generator.json", "no such file"),
    DAMAGE,
    errors.DamagedSegmentsError("city", [DAMAGE]),
    errors.DiskFullError("no room"),
    errors.NoRoomForCheckpointError("city", 7, 4_000),
    errors.GeneratorOptionsError("it takes no n"),
    errors.MissingZDimError("package:G"),
    errors.WrongInputError("it takes no z"),
    errors.UnusableFileError("is empty"),
    errors.UndrawnPointsError("city"),
    refusals.UnknownHintError(["strydes"], ["strides"]),
    refusals.AmbiguousFilesError("Which number?", r"step_(\d+)"),
    refusals.ImportedRunError("city", "of another generator"),
    refusals.ImportedStorageError("city", "exact", "visual"),
    refusals.NothingToImportError(Path("folder"), Path("folder"), [SKIPPED]),
    refusals.MissingStridesError(["conv1", "conv2"], {8: [2, 1]}),
    refusals.NotFiniteError("conv1.weight"),
    refusals.LateFileError(15, 20),
]


def public_errors(module):
    values = vars(module).values()
    return {v for v in values if isinstance(v, type) and issubclass(v, CheckpointError)}


def test_every_class_has_an_example_here():
    assert {*map(type, EXAMPLES), CheckpointError} == public_errors(errors) | public_errors(
        refusals
    )


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_comes_whole_out_of_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_says_what_happened_and_names_no_command_and_no_option(error):
    said = str(error)
    assert len(said) > 5
    assert not said.startswith(("(", "'('"))  # as the text of a KeyError would
    assert "studio" not in said
    assert "--" not in said


def test_lookups_that_fail_are_key_errors():
    for error in (errors.UnknownRunError("cty", []), errors.UnknownBatchError("city", 1, [])):
        assert isinstance(error, KeyError)
    assert isinstance(errors.RunNameError("."), ValueError)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["1"], "1"),
        (["1", "3"], "1, 3"),
        (["1", "3", "4"], "1, 3 and 1 more"),
        ([str(n) for n in range(1202)], "0, 1 and 1,200 more"),
    ],
)
def test_a_few_of_many_are_named_and_the_others_counted(names, said):
    assert name_some(names, 2) == said
