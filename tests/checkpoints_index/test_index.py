"""The index: a mapping of names to runs."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import CheckpointError, RunExistsError, RunNameError, UnknownRunError
from checkpoints_index.storage.error_bound import ErrorBound


@pytest.fixture
def full(index, spec):
    """An index of two runs."""
    index.create("town", spec, storage="exact").close()
    index.create("city", spec, error_bound=ErrorBound(rms=0.2)).close()
    return index


def test_an_index_is_a_mapping_of_names_to_runs(full):
    assert isinstance(full, Mapping)
    assert list(full) == list(full.keys()) == ["city", "town"]
    assert len(full) == 2
    assert [run.name for run in full.values()] == ["city", "town"]
    assert {name: run.storage for name, run in full.items()} == {"city": "visual", "town": "exact"}
    assert "city" in full
    assert "cty" not in full
    assert full.get("cty") is None
    assert full.get("city").error_bound == ErrorBound(rms=0.2)


def test_an_unknown_run_lists_the_known_ones(full):
    with pytest.raises(
        UnknownRunError, match=r"^Run 'cty' is not in the index\. Known: city, town\.$"
    ) as unknown:
        full["cty"]
    assert (unknown.value.run, unknown.value.known) == ("cty", ("city", "town"))
    with pytest.raises(KeyError):
        full["cty"]


def test_a_run_is_created_once(full, spec):
    with pytest.raises(RunExistsError, match="'city' exists already"):
        full.create("city", spec)


def test_a_storage_that_there_is_not_is_refused(index, spec):
    with pytest.raises(CheckpointError, match="'rough' is not known: exact or visual"):
        index.create("city", spec, storage="rough")


@pytest.mark.parametrize("name", ["../elsewhere", "", ".hidden", "a/b", "x" * 101, "a\n"])
def test_a_name_that_is_no_folder_of_the_index_is_refused(index, spec, name):
    with pytest.raises(RunNameError, match="cannot be the name"):
        index.create(name, spec)
    with pytest.raises(RunNameError, match="cannot be the name"):
        index[name]
    assert name not in index


def test_indexes_of_one_folder_are_equal(full, tmp_path):
    assert full == CheckpointIndex(full.folder)
    assert hash(full) == hash(CheckpointIndex(full.folder))
    assert full != CheckpointIndex(tmp_path / "others")
    assert full != {}


IMPORTS = """
import sys
from checkpoints_index import CheckpointIndex, GeneratorSpec
index = CheckpointIndex(sys.argv[1])
spec = GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32, "width": 0.03})
with index.create("city", spec, storage="exact") as run:
    run.append(1, spec.build().state_dict())
    run.flush()
    assert [batch for batch, G in run.stream()] == [1]
heavy = {"gradio", "umap", "sklearn", "studio", "renderers", "latent", "PIL", "pandas"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_the_index_imports_nothing_of_the_app_and_of_the_maps(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", IMPORTS, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    assert done.stdout == "[]\n"
