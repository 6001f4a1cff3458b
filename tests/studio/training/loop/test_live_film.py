"""The film that grows while training, with real encoders and real kills."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.jobs.chunks import list_chunks
from renderers.plan.outputs import GRID
from renderers.video.video_reader import count_frames, read_frames
from studio.training.loop import live_film
from studio.training.loop.live_film import LiveFilm, assign_cells
from tests.mounting import small_file_system

LABELS = ("0.0", "0.1", "0.2")
SIDE = 16

FILM_ON = """
import sys, time
from pathlib import Path
from tests.studio.training.loop.test_live_film import LABELS, pictures
from studio.training.loop.live_film import LiveFilm
film = LiveFilm(Path(sys.argv[1]), LABELS)
for batch in range(1, 10_000):
    film.add(batch, pictures(batch))
    if batch in (10, 20):
        film.close_chunk()
    if batch == 25:
        print("filming", flush=True)
    if batch > 25:
        time.sleep(0.01)
"""


def level(batch: int, point: int = 0) -> int:
    """A grey that tells the batch and the point."""
    return 20 + (batch * 37 + point * 11) % 200


def pictures(batch: int, count: int = len(LABELS)) -> np.ndarray:
    """uint8 [count, 16, 16, 3]."""
    levels = np.array([level(batch, point) for point in range(count)], np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, SIDE, SIDE, 3)).copy()


def add_frames(film: LiveFilm, batches, count: int = len(LABELS)) -> None:
    for batch in batches:
        film.add(batch, pictures(batch, count))


def batches_of(folder: Path) -> list[list[int]]:
    return [list(chunk.batches) for chunk in list_chunks(folder)]


def shown(chunk, label: str) -> list[int]:
    """The grey of each frame's upper left corner."""
    return [int(frame[4, 4].mean().round()) for frame in read_frames(chunk.path(label))]


def encoders(count: int = len(LABELS) + 1) -> list[psutil.Process]:
    """This process's ffmpegs, once there are so many (it may have other children)."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [child for child in psutil.Process().children() if "ffmpeg" in child.name()]
        if len(found) == count:
            return sorted(found, key=lambda child: child.create_time())
        time.sleep(0.01)
    raise TimeoutError(f"there are not {count} encoders")


@pytest.fixture
def said():
    return []


@pytest.fixture
def film(tmp_path, said):
    with_warnings = LiveFilm(tmp_path, LABELS, on_failure=said.append)
    yield with_warnings
    with_warnings.close()


def test_every_frame_is_in_the_film_of_its_point_and_in_the_grid(film, tmp_path):
    add_frames(film, range(1, 8))
    film.close_chunk()
    add_frames(film, range(8, 10))
    film.close()
    assert batches_of(tmp_path) == [[1, 2, 3, 4, 5, 6, 7], [8, 9]]
    for chunk in list_chunks(tmp_path):
        assert set(chunk.files) == {*LABELS, GRID}
        for point, label in enumerate(LABELS):
            expected = [level(batch, point) for batch in chunk.batches]
            np.testing.assert_allclose(shown(chunk, label), expected, atol=2)
        assert count_frames(chunk.path(GRID)) == len(chunk.batches)
        np.testing.assert_allclose(shown(chunk, GRID), shown(chunk, "0.0"), atol=2)


def test_small_pictures_are_enlarged_to_be_watched(film, tmp_path):
    add_frames(film, [1])
    film.close()
    (chunk,) = list_chunks(tmp_path)
    assert next(read_frames(chunk.path("0.0"))).shape == (128, 128, 3)


def test_a_long_chunk_is_closed_by_itself(film, tmp_path, monkeypatch):
    monkeypatch.setattr(live_film, "CHUNK_FRAMES", 4)
    add_frames(film, range(1, 11))
    assert batches_of(tmp_path) == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("batch", "is_open"), [(0, True), (3, False), (5, True), (7, True), (99, False)]
)
def test_going_back_drops_the_frames_that_are_later_and_none_before(film, tmp_path, batch, is_open):
    add_frames(film, range(1, 6))
    film.close_chunk()
    add_frames(film, range(6, 11))
    if not is_open:
        film.close_chunk()
    film.truncate(batch)
    left = [b for own in batches_of(tmp_path) for b in own]
    assert left == list(range(1, min(batch, 10) + 1))
    for chunk in list_chunks(tmp_path):
        expected = [level(own, point=1) for own in chunk.batches]
        np.testing.assert_allclose(shown(chunk, "0.1"), expected, atol=2)
        assert count_frames(chunk.path(GRID)) == len(chunk.batches)
    named = {name for chunk in list_chunks(tmp_path) for name in chunk.files.values()}
    assert {path.name for path in tmp_path.glob("*.mp4")} == named
    add_frames(film, range(batch + 1, batch + 3))
    film.close()
    assert batches_of(tmp_path)[-1] == [batch + 1, batch + 2]


@pytest.mark.parametrize("victim", [0, -1])
def test_an_encoder_that_dies_ends_the_film_with_one_warning_and_not_the_training(
    film, said, tmp_path, victim
):
    add_frames(film, range(1, 4))
    film.close_chunk()
    add_frames(film, range(4, 7))
    encoders()[victim].kill()
    add_frames(film, range(7, 60))
    film.close_chunk()
    add_frames(film, range(60, 62))
    film.close()
    assert len(said) == 1
    assert "stopped after" in said[0]
    assert batches_of(tmp_path) == [[1, 2, 3]]
    assert len(list(tmp_path.glob("*.mp4"))) == 4
    film.truncate(2)
    assert batches_of(tmp_path) == [[1, 2]]


def test_a_full_disk_ends_the_film_with_one_warning(said, full_folder):
    film = LiveFilm(full_folder, LABELS, on_failure=said.append)
    noise = np.random.default_rng(0)
    for batch in range(1, 40):
        film.add(batch, noise.integers(0, 256, (3, 64, 64, 3), np.uint8))
    film.close()
    assert len(said) == 1
    assert "No space left" in said[0]
    assert list_chunks(full_folder) == []


@pytest.fixture
def full_folder(tmp_path):
    """A file system of 200 KB."""
    with small_file_system(tmp_path, "200k") as folder:
        yield folder


def test_a_folder_that_cannot_be_made_is_a_warning(said, tmp_path):
    (tmp_path / "file").touch()
    film = LiveFilm(tmp_path / "file" / "film", LABELS, on_failure=said.append)
    add_frames(film, range(1, 3))
    film.close()
    assert len(said) == 1


def start_filming(folder: Path) -> subprocess.Popen:
    """A process that has closed chunks at batches 10 and 20 and is on with the next."""
    process = subprocess.Popen(
        [sys.executable, "-c", FILM_ON, str(folder)], stdout=subprocess.PIPE, process_group=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"filming\n"
    return process


def test_a_killed_process_loses_the_open_chunk_alone_and_the_next_one_goes_on(tmp_path):
    process = start_filming(tmp_path)
    its_encoders = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    psutil.wait_procs(its_encoders)  # they end too, and leave what they wrote
    assert batches_of(tmp_path) == [list(range(1, 11)), list(range(11, 21))]
    film = LiveFilm(tmp_path, LABELS)
    assert len(list(tmp_path.iterdir())) == 2 * (len(LABELS) + 2)
    film.truncate(20)
    add_frames(film, range(21, 24))
    film.close()
    assert [b for own in batches_of(tmp_path) for b in own] == list(range(1, 24))
    assert [count_frames(chunk.path(GRID)) for chunk in list_chunks(tmp_path)] == [10, 10, 3]


def test_an_interrupt_from_the_keyboard_leaves_the_encoders_to_their_process(tmp_path, said):
    film = LiveFilm(tmp_path, LABELS, on_failure=said.append)
    add_frames(film, range(1, 3))
    for encoder in encoders():
        assert os.getpgid(encoder.pid) != os.getpgid(0)
    film.close()
    assert said == []


def test_a_point_may_join_and_another_leave_while_the_grid_keeps_its_size(film, tmp_path):
    add_frames(film, range(1, 3))
    film.change_points(("0.0", "0.2", "0.3", "0.4"))
    add_frames(film, range(3, 5), count=4)
    film.change_points(("0.4",))
    add_frames(film, range(5, 7), count=1)
    film.close()
    first, second, third = list_chunks(tmp_path)
    assert set(second.files) == {"0.0", "0.2", "0.3", "0.4", GRID}
    assert second.cells == ("0.0", "0.3", "0.2")
    assert third.cells == ("0.4", None, None)
    sizes = {next(read_frames(c.path(GRID))).shape for c in (first, second, third)}
    assert len(sizes) == 1
    grid = next(read_frames(second.path(GRID)))
    right = grid[4, -4].mean()
    assert right == pytest.approx(level(3, 2), abs=2), "0.3 took the cell that 0.1 left"


def test_many_points_share_the_grid_and_the_first_have_films_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(live_film, "MAX_FILMED", 2)
    film = LiveFilm(tmp_path, LABELS)
    add_frames(film, range(1, 3))
    film.close()
    (chunk,) = list_chunks(tmp_path)
    assert set(chunk.files) == {"0.0", "0.1", GRID}
    assert chunk.cells == LABELS


def test_pictures_of_other_points_are_refused(film):
    with pytest.raises(ValueError, match="2 pictures of 3 points"):
        film.add(1, pictures(1, 2))


@pytest.mark.parametrize(
    ("cells", "labels", "expected"),
    [
        ("abc", "abc", "abc"),
        ("abc", "cab", "abc"),
        ("abc", "ac", "a-c"),
        ("a-c", "acd", "adc"),
        ("abc", "xyzw", "xyz"),
    ],
)
def test_points_keep_their_places_in_the_grid(cells, labels, expected):
    given = [None if cell == "-" else cell for cell in cells]
    assert [cell or "-" for cell in assign_cells(given, list(labels))] == list(expected)


@given(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1), st.data())
def test_whatever_points_come_and_go_cells_that_are_taken_stay(labels, data):
    cells = tuple(labels)
    for _ in range(3):
        after = data.draw(st.lists(st.sampled_from("abcdef"), unique=True))
        moved = assign_cells(cells, after)
        assert len(moved) == len(cells)
        assert all(new == old for old, new in zip(cells, moved, strict=True) if old in after)
        shown = [label for label in moved if label is not None]
        assert len(shown) == len(set(shown)) == min(len(cells), len(after))
        cells = moved
