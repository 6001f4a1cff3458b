import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.errors import EXPECTED_ERRORS


def write(folder: Path, tone: int, **options) -> None:
    with write_dataset(folder, 32, "a test", **options) as writer:
        writer.append(np.full((32, 32, 3), tone, np.uint8))


WRITE_AND_DIE = """
import os, pathlib, signal, sys
import numpy as np
from studio.datasets.writer import write_dataset

with write_dataset(pathlib.Path(sys.argv[1]), 32, "a test", replace=True) as writer:
    writer.append(np.zeros((32, 32, 3), np.uint8))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_until_killed(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITE_AND_DIE, str(folder)]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL


def test_a_killed_writer_leaves_nothing_under_the_name_and_the_next_one_cleans_up(tmp_path):
    run_until_killed(tmp_path / "city")
    assert not (tmp_path / "city").exists()
    assert len(list(tmp_path.iterdir())) == 1
    write(tmp_path / "city", 7)
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_a_killed_writer_leaves_the_dataset_it_was_to_replace(tmp_path):
    write(tmp_path / "city", 7)
    run_until_killed(tmp_path / "city")
    assert PreparedDataset.open(tmp_path / "city").pixels[0, 0, 0, 0] == 7


def test_a_dataset_taken_away_but_not_yet_replaced_comes_back(tmp_path):
    write(tmp_path / "city", 7)
    (tmp_path / "city").rename(tmp_path / ".city.replaced")
    with pytest.raises(EXPECTED_ERRORS, match="exists already"):
        write(tmp_path / "city", 8)
    assert PreparedDataset.open(tmp_path / "city").pixels[0, 0, 0, 0] == 7


def test_replacing_leaves_nothing_of_the_old_one(tmp_path):
    write(tmp_path / "city", 7)
    write(tmp_path / "city", 8, replace=True)
    assert PreparedDataset.open(tmp_path / "city").pixels[0, 0, 0, 0] == 8
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_two_writers_of_one_name_do_not_disturb_each_other(tmp_path):
    with (  # noqa: PT012  the outer writer has to be at work while the inner one comes and goes
        pytest.raises(EXPECTED_ERRORS, match="exists already"),
        write_dataset(tmp_path / "city", 32, "the slower one") as writer,
    ):
        writer.append(np.zeros((32, 32, 3), np.uint8))
        write(tmp_path / "city", 8)
    assert PreparedDataset.open(tmp_path / "city").pixels[0, 0, 0, 0] == 8
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_a_dataset_that_is_named_like_something_incomplete_stays(tmp_path):
    write(tmp_path / "city.part", 7)
    write(tmp_path / "city", 8)
    assert PreparedDataset.open(tmp_path / "city.part").pixels[0, 0, 0, 0] == 7


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), write_dataset(tmp_path / "city", 32, "a test"):
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_told_in_words_and_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(EXPECTED_ERRORS, match="Nothing was changed"):
            write(tmp_path / "city", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "a\nb", "-x", "é", "x" * 101])
def test_names_that_play_tricks_are_refused(tmp_path, name):
    with pytest.raises(EXPECTED_ERRORS, match="cannot be the name"):
        write(tmp_path / name, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 16, 48, 2048, -64])
def test_sizes_that_cannot_be_trained_on_are_refused(tmp_path, size):
    with (
        pytest.raises(EXPECTED_ERRORS, match="32, 64, 128, 256, 512, 1024"),
        write_dataset(tmp_path / "city", size, "a test"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
