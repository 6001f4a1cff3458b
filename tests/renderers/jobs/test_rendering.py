from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.jobs.parts import PartFolder
from renderers.jobs.rendering import keep_plan
from renderers.jobs.verification import read_plan
from renderers.pictures.display_options import DisplayOptions
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import Video
from renderers.plan.render_plan import make_plan
from renderers.video.video_reader import count_frames, read_frames
from tests.mounting import small_file_system
from tests.renderers.tiny import (
    SHORT_PARTS,
    GreySource,
    GrowingSource,
    UnreadableSourceError,
    level_of,
    render_tiny,
    two_points,
)

ROOT = Path(__file__).parents[3]
MORE_KILLS = [("cpu", 0), ("cpu,cpu", 1)]


def render(root: Path, source=None, batches=range(100), **kwargs) -> list[Video]:
    return render_tiny(root, source or GrowingSource(log=root / "passes.log"), batches, **kwargs)


def passes(root: Path) -> list[str]:
    log = root / "passes.log"
    return log.read_text().splitlines() if log.exists() else []


def decoded(videos: list[Video]) -> list[np.ndarray]:
    return [np.stack(list(read_frames(video.path))) for video in videos]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[np.ndarray]:
    """The frames of the 100 batches, rendered in one go."""
    return decoded(render(tmp_path_factory.mktemp("undisturbed")))


def assert_same(videos: list[Video], expected: list[np.ndarray]) -> None:
    for frames, others in zip(decoded(videos), expected, strict=True):
        np.testing.assert_array_equal(frames, others)


def test_each_video_has_a_frame_for_every_batch_and_the_batches_are_in_order(tmp_path) -> None:
    batches = range(0, 330, 3)
    videos = render(tmp_path, GreySource(), batches)
    assert [video.label for video in videos] == ["seed:1", "seed:2", "grid"]
    assert names(tmp_path) == ["film-seed-1.mp4", "film-seed-2.mp4", "film.mp4", "render"]
    for video in videos:
        assert video.frames == count_frames(video.path) == 110
        for batch, frame in zip(batches, read_frames(video.path), strict=True):
            assert abs(frame[2:6, 2:6].mean() - level_of(batch)) <= 3


def test_points_differ_and_the_grid_shows_both(undisturbed) -> None:
    first, second, grid = (frames.astype(int) for frames in undisturbed)
    assert abs(first - second).mean() > 20
    assert abs(first[50] - first[0]).mean() > 20
    assert grid.shape[1:3] == (32, 68)
    assert abs(grid[:, :, :32] - first).mean() < 6
    assert abs(grid[:, :, 36:] - second).mean() < 6


def test_a_finished_render_keeps_plan_and_record_and_is_returned_at_once(tmp_path) -> None:
    videos = render(tmp_path)
    assert names(tmp_path / "render") == [".lock", "plan.json", "videos.json"]
    stamps = [video.path.stat().st_mtime_ns for video in videos]
    reports: list[tuple[int, int]] = []
    assert (
        render(tmp_path, on_progress=lambda done, total, note="": reports.append((done, total)))
        == videos
    )
    assert [video.path.stat().st_mtime_ns for video in videos] == stamps
    assert reports == [(100, 100)]
    assert len(passes(tmp_path)) == 5


@pytest.mark.parametrize(
    "change", [{"weights": ["other"] * 40}, {"options": replace(SHORT_PARTS, crf=30)}]
)
def test_other_weights_or_options_are_rendered_anew(tmp_path, change) -> None:
    render(tmp_path, batches=range(40))
    render(tmp_path, batches=range(40), **change)
    assert passes(tmp_path) == ["0 20", "20 20"] * 2


def test_a_lost_video_is_rendered_again(tmp_path) -> None:
    videos = render(tmp_path, batches=range(20))
    videos[1].path.unlink()
    assert count_frames(render(tmp_path, batches=range(20))[1].path) == 20


def test_one_pass_serves_all_videos_and_progress_counts_its_batches(tmp_path) -> None:
    reports: list[tuple[int, int]] = []
    render(tmp_path, on_progress=lambda done, total, note="": reports.append((done, total)))
    assert reports == [(done, 100) for done in range(101)] + [(100, 100)]
    assert passes(tmp_path) == ["0 20", "20 20", "40 20", "60 20", "80 20"]


def test_an_error_of_the_source_is_raised_and_finished_parts_stay(tmp_path, undisturbed) -> None:
    with pytest.raises(UnreadableSourceError, match="checkpoint 33 is damaged"):
        render(tmp_path, GrowingSource(damaged=33))
    parts = names(tmp_path / "render" / "parts")
    assert [name[24:] for name in parts] == ["-000.mp4", "-001.mp4", "-002.mp4", ".json"]
    assert names(tmp_path) == ["render"]
    assert_same(render(tmp_path), undisturbed)
    assert "0 20" not in passes(tmp_path)


def test_a_missing_checkpoint_is_told_by_its_batch(tmp_path) -> None:
    class Gap(GrowingSource):
        def stream(self, batches, device, into=()) -> Iterator:
            return super().stream([b for b in batches if b != 33], device, into)

    with pytest.raises(RenderError, match="batch 33 is missing: batch 34 came instead"):
        render(tmp_path, Gap())
    markers = [name for name in names(tmp_path / "render" / "parts") if name.endswith(".json")]
    assert len(markers) == 1


def first_video(root: Path) -> Path:
    """The first part of the first point."""
    parts = PartFolder(root / "render" / "parts", read_plan(root / "render"))
    return parts.paths(parts.plan.parts[0])[0]


def stop_midway(root: Path) -> None:
    """Render the first two parts of five."""
    with pytest.raises(UnreadableSourceError, match="checkpoint 50 is damaged"):
        render(root, GrowingSource(damaged=50))


def kill_midway(root: Path, devices: str, parts_done: int) -> None:
    """Start a render in a process of its own; SIGKILL it once so many parts are whole."""
    command = [sys.executable, "-m", "tests.renderers.tiny", str(root), devices, "0.01"]
    process = subprocess.Popen(command, cwd=ROOT)
    parts = root / "render" / "parts"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.json"))) < parts_done or not list(parts.glob(".*.tmp.mp4")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("devices", "parts_done"),
    [("cpu", 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_KILLS)],
)
def test_a_killed_render_goes_on_and_gives_the_same_frames(
    tmp_path, undisturbed, devices, parts_done
) -> None:
    kill_midway(tmp_path, devices, parts_done)
    whole = len(list((tmp_path / "render" / "parts").glob("*.json")))
    assert whole >= parts_done
    assert names(tmp_path) == ["passes.log", "render"]
    again = tmp_path / "again.log"  # a worker that lost its parent may still write to the other
    assert_same(render(tmp_path, GrowingSource(log=again)), undisturbed)
    assert len(again.read_text().splitlines()) <= 5 - whole
    assert names(tmp_path / "render") == [".lock", "plan.json", "videos.json"]
    assert names(tmp_path) == [
        "again.log",
        "film-seed-1.mp4",
        "film-seed-2.mp4",
        "film.mp4",
        "passes.log",
        "render",
    ]


def test_a_part_that_lost_its_end_is_rendered_again(tmp_path, undisturbed) -> None:
    stop_midway(tmp_path)
    first = first_video(tmp_path)
    first.write_bytes(first.read_bytes()[:-100])
    assert_same(render(tmp_path), undisturbed)
    assert passes(tmp_path) == ["0 20", "40 20", "60 20", "80 20"]


def test_a_part_that_rotted_makes_no_film_and_the_next_call_mends_it(tmp_path, undisturbed) -> None:
    stop_midway(tmp_path)
    first = first_video(tmp_path)
    content = bytearray(first.read_bytes())
    content[60:-1500] = bytes(len(content) - 1560)
    first.write_bytes(content)
    with pytest.raises(RenderError, match=r"1 of 5 parts in .* have changed on disk"):
        render(tmp_path)
    assert names(tmp_path) == ["passes.log", "render"]
    (tmp_path / "passes.log").unlink()
    assert_same(render(tmp_path), undisturbed)
    assert passes(tmp_path) == ["0 20"]


def test_a_render_that_goes_on_keeps_the_cuts_it_began_with(tmp_path, undisturbed) -> None:
    stop_midway(tmp_path)
    assert_same(render(tmp_path, borders=[7, 33]), undisturbed)
    assert passes(tmp_path) == ["40 20", "60 20", "80 20"]


def test_a_changed_checkpoint_is_rendered_again_and_an_unchanged_one_is_not(
    tmp_path, undisturbed
) -> None:
    marks = ["same"] * 100
    with pytest.raises(UnreadableSourceError, match="checkpoint 90 is damaged"):
        render(tmp_path, GrowingSource(tmp_path / "passes.log", damaged=90), weights=marks)
    (tmp_path / "passes.log").unlink()
    marks[25] = "changed"
    assert_same(render(tmp_path, weights=marks), undisturbed)
    assert passes(tmp_path) == ["20 20", "80 20"]


def test_parts_of_another_plan_are_not_used(tmp_path, undisturbed) -> None:
    stop_midway(tmp_path)
    render(tmp_path, weights=["other"] * 100, options=replace(SHORT_PARTS, crf=40))
    (tmp_path / "passes.log").unlink()
    assert_same(render(tmp_path), undisturbed)
    assert len(passes(tmp_path)) == 5


def test_two_calls_at_once_render_once(tmp_path, undisturbed) -> None:
    with ThreadPoolExecutor(2) as pool:  # Each call opens the lock for itself, as a process does.
        one, other = pool.map(render, [tmp_path, tmp_path])
    assert one == other
    assert len(passes(tmp_path)) == 5
    assert_same(one, undisturbed)


def test_an_unknown_device_is_told_with_those_that_are_there(tmp_path) -> None:
    with pytest.raises(RenderError, match=r"no device 'cuda:97'. This machine has: cpu"):
        render(tmp_path, devices=["cuda:97"])


def test_a_folder_that_cannot_be_written_is_told(tmp_path) -> None:
    (tmp_path / "render").touch()
    with pytest.raises(RenderError, match="Cannot write"):
        render(tmp_path)


def test_an_encoder_that_stops_is_told_and_leaves_no_video(tmp_path) -> None:
    with pytest.raises(RenderError, match="hasty"):
        render(tmp_path, options=replace(SHORT_PARTS, preset="hasty"))
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_full_disk_is_told_and_the_parts_that_are_whole_survive(tmp_path) -> None:
    options = replace(SHORT_PARTS, crf=1, display=DisplayOptions(size=(512, 512)))
    with small_file_system(tmp_path / "small", "1400k") as small:
        with pytest.raises(RenderError, match=r"No space left on device\. Free some space"):
            render(small, GrowingSource(), options=options)
        whole = len(list((small / "render" / "parts").glob("*.json")))
        assert 0 < whole < 5
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        source = GrowingSource(log=tmp_path / "passes.log")
        assert [v.frames for v in render(small, source, options=options)] == [100, 100, 100]
        assert len(passes(tmp_path)) == 5 - whole


def test_an_encoder_that_dies_is_told_and_the_next_call_goes_on(tmp_path, undisturbed) -> None:
    class Killer(GrowingSource):
        def stream(self, batches, device, into=()) -> Iterator:
            for batch, G in super().stream(batches, device, into):
                if batch == 50:
                    subprocess.run(["pkill", "-KILL", "-P", str(os.getpid()), "ffmpeg"], check=True)
                yield batch, G

    with pytest.raises(
        RenderError, match=r"The encoder of .* stopped after .*: killed by signal 9"
    ):
        render(tmp_path, Killer())
    assert not list(tmp_path.rglob("*.tmp.mp4"))
    assert_same(render(tmp_path), undisturbed)
    assert passes(tmp_path) == ["40 20", "60 20", "80 20"]


def test_odd_sizes_and_the_overlay_go_through(tmp_path) -> None:
    options = RenderOptions(
        display=DisplayOptions(scale=3), overlay=("batch",), grid=True, columns=1
    )
    videos = render(tmp_path, GreySource(33, 35), range(4), options=options)
    point, _, grid = decoded(videos)
    assert point.shape == (4, 100, 106, 3)
    assert grid.shape == (4, (33 + 2 + 33) * 3, 106, 3)
    assert abs(point[:, 10:30, 10:30].astype(int) - point[:, :1, :1]).max() <= 3
    assert point[0, 80:, :50].max() > 150


def test_batch_0_alone_has_its_number_too(tmp_path) -> None:
    options = RenderOptions(display=DisplayOptions(scale=6), overlay=("batch",))
    point, _ = decoded(render(tmp_path, GreySource(), [0], options=options))
    assert point.shape == (1, 96, 96, 3)
    assert point[0, 76:, :50].max() > 150


def test_a_film_that_an_earlier_version_named_with_a_colon_is_taken_as_finished(tmp_path) -> None:
    batches = range(0, 30, 3)
    videos = render(tmp_path, GreySource(), batches)
    record = tmp_path / "render" / "videos.json"
    document = json.loads(record.read_text().replace("film-seed-", "film-seed:"))
    del document["checksum"]  # Earlier versions wrote none.
    record.write_text(json.dumps(document))
    for video in videos[:2]:
        video.path.rename(str(video.path).replace("seed-", "seed:"))
    before = names(tmp_path)
    again = render(tmp_path, GreySource(), batches)
    assert [video.path.name for video in again][:2] == ["film-seed:1.mp4", "film-seed:2.mp4"]
    assert names(tmp_path) == before


def test_a_film_that_goes_on_where_there_are_more_cores_encodes_as_it_was_begun(tmp_path) -> None:
    begun, there = (replace(SHORT_PARTS, threads=threads) for threads in (1, 6))
    first = keep_plan(tmp_path, make_plan(two_points(), range(40), begun))
    then = keep_plan(tmp_path, make_plan(two_points(), range(40), there))
    assert first == then
    assert then.options.encoder_for(3).threads == 1
    assert there.encoder_for(3).threads == 6
    assert replace(SHORT_PARTS, threads=None).encoder_for(3).threads == 2  # of earlier versions
