"""The film of a run as it stands, and events on films, from a real run."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import sample_points
from renderers.frames.frame_renderer import render_frames
from renderers.jobs.chunks import list_chunks
from renderers.plan.outputs import GRID
from renderers.progress import ignore_progress
from renderers.video.video_reader import count_frames, read_frames
from studio.films.live import join_live_film, live_frames, live_gaps
from studio.films.options.film_options import Timelapse
from studio.films.timelapse import film_timelapse
from studio.runs.events import record_event
from studio.specimens.points import FIXED, keep_points
from studio.training.loop.live_film import LiveFilm
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.renderers.tiny import frame_times
from tests.studio.conftest import run_studio

SPEC = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.03})
POINTS = sample_points(0, range(2), 8)
LABELS = [point.label for point in POINTS]
BATCHES = range(1, 9)


@pytest.fixture
def workspace(tmp_path):
    """With the run `city`, whose exact checkpoints and live film are of the same weights."""
    workspace = Workspace.open(tmp_path / "workspace")
    G, z = SPEC.build().eval(), torch.stack([point.z for point in POINTS])
    rng = torch.Generator().manual_seed(0)
    keep_points(workspace, "city", POINTS, FIXED)
    with CheckpointIndex(workspace.runs).create("city", SPEC, storage="exact") as checkpoints:
        film = LiveFilm(workspace.live_film("city"), LABELS)
        for batch in BATCHES:
            with torch.no_grad():
                for weight in G.parameters():
                    weight += 0.1 * torch.randn(weight.shape, generator=rng)
            checkpoints.append(batch, G.state_dict())
            film.add(batch, render_frames(G, z))
            if batch == 5:
                film.close_chunk()
        film.close()
    return workspace


@pytest.fixture
def grow(workspace):
    """Goes on with the live film of the run."""

    def go_on(batches, labels=LABELS):
        film = LiveFilm(workspace.live_film("city"), labels)
        for batch in batches:
            film.add(batch, np.full((len(labels), 32, 32, 3), 10 * batch, np.uint8))
        film.close()

    return go_on


def frames(path):
    return np.stack(list(read_frames(path))).astype(int)


def timelapse(workspace, show=(), scale=None, batches=""):
    asked = {"show": show, "scale": scale, "batches": batches, "devices": ("cpu",)}
    return film_timelapse(workspace, Timelapse(run="city", films="both", **asked), ignore_progress)


def test_each_chunk_of_the_live_film_is_a_timelapse_of_its_exact_checkpoints(workspace):
    """Compared as a whole they would differ: the frames after a chunk's border are coded anew."""
    live = join_live_film(workspace, "city")
    shown = [frames(video.path) for video in live]
    assert [video.frames for video in live] == [len(film) for film in shown] == [len(BATCHES)] * 3
    for batches, chunk in (("1:6", slice(0, 5)), ("6:9", slice(5, 8))):
        rendered = timelapse(workspace, scale=4, batches=batches)
        assert [video.label for video in live] == [video.label for video in rendered]
        for own, other in zip(shown, rendered, strict=True):
            expected = frames(other.path)
            assert own[chunk].shape == expected.shape
            assert np.abs(own[chunk] - expected).mean() < 0.1, "another number of threads at most"
            assert np.abs(np.diff(expected, axis=0)).mean() > 5, "each frame is another picture"
    assert live_frames(workspace, "city") == list(BATCHES)


def test_a_film_is_joined_again_only_when_a_chunk_has_come_or_gone(workspace, grow):
    def stamps():
        return [video.path.stat().st_mtime_ns for video in join_live_film(workspace, "city")]

    first = stamps()
    assert stamps() == first
    grow(range(9, 12))
    assert all(now != before for now, before in zip(stamps(), first, strict=True))
    assert {video.frames for video in join_live_film(workspace, "city")} == {11}
    LiveFilm(workspace.live_film("city"), LABELS).truncate(7)
    for video in join_live_film(workspace, "city"):
        assert video.frames == count_frames(video.path) == 7
    assert live_frames(workspace, "city") == list(range(1, 8))


@pytest.mark.parametrize("rate", [24, Fraction(24000, 1001)])
def test_a_film_is_joined_at_any_rate_without_encoding_anew(workspace, tmp_path, rate):
    (usual,) = join_live_film(workspace, "city", tmp_path / "usual.mp4", [GRID])
    (other,) = join_live_film(workspace, "city", tmp_path / "other.mp4", [GRID], fps=rate)
    assert frame_times(usual.path) == pytest.approx(np.arange(8) / 60, abs=1e-4)
    assert frame_times(other.path) == pytest.approx(np.arange(8) / float(rate), abs=1e-4)
    assert (frames(other.path) == frames(usual.path)).all()
    (again,) = join_live_film(workspace, "city", tmp_path / "other.mp4", [GRID])
    assert frame_times(again.path) == pytest.approx(np.arange(8) / 60, abs=1e-4)


def test_a_film_may_grow_at_a_rate_of_television(tmp_path):
    film = LiveFilm(tmp_path, LABELS, Fraction(24000, 1001))
    film.add(1, np.zeros((2, 32, 32, 3), np.uint8))
    film.close()
    (chunk,) = list_chunks(tmp_path)
    assert chunk.fps == Fraction(24000, 1001)


def test_the_film_of_a_point_is_what_there_is_of_it(workspace, grow):
    grow(range(9, 12), labels=[LABELS[0], "9.9"])
    films = {video.label: video for video in join_live_film(workspace, "city")}
    assert {label: video.frames for label, video in films.items()} == {
        **{LABELS[0]: 11, LABELS[1]: 8},
        **{"9.9": 3, GRID: 11},
    }
    assert all(count_frames(video.path) == video.frames for video in films.values())


def test_a_film_with_a_hole_says_which_batches_it_lacks(workspace, grow, capsys, monkeypatch):
    assert live_gaps(workspace, "city") == []
    list_chunks(workspace.live_film("city"))[-1].drop()
    grow([8])
    assert live_gaps(workspace, "city") == [6, 7]
    told = run_studio(workspace.root, ["film", "city", "--grid"], capsys, monkeypatch)
    assert told.status == 0
    assert "lacks batches that have a checkpoint: 6, 7. Film them" in " ".join(told.err.split())


def test_a_damaged_chunk_is_named_when_a_film_is_joined_and_may_be_left_out(workspace, grow):
    index, _ = sorted(workspace.live_film("city").glob("*.json"))
    whole = index.read_bytes()
    index.write_bytes(whole.replace(b"3", b"4", 1))
    with pytest.raises(EXPECTED_ERRORS, match=f"{index.name} is not what was written"):
        join_live_film(workspace, "city")
    videos = sorted(workspace.live_film("city").glob("000000001-*.mp4"))
    grow([9])  # A training that goes on films on, and leaves what is damaged to a person.
    assert sorted(workspace.live_film("city").glob("000000001-*.mp4")) == videos
    index.write_bytes(whole)
    assert live_frames(workspace, "city") == list(range(1, 10))
    videos[0].write_bytes(videos[0].read_bytes()[:-1] + b"?")
    with pytest.raises(EXPECTED_ERRORS, match=f"{videos[0].name} is damaged: its checksum differs"):
        join_live_film(workspace, "city")
    index.unlink()
    assert live_frames(workspace, "city") == [6, 7, 8, 9]
    assert {video.frames for video in join_live_film(workspace, "city")} == {4}


def test_a_damaged_chunk_goes_with_what_a_run_takes_back(workspace):
    film = LiveFilm(workspace.live_film("city"), LABELS)
    index = max(workspace.live_film("city").glob("*.json"))
    index.write_bytes(b"{}")
    film.truncate(7)
    assert index.exists()
    film.truncate(5)
    assert not index.exists()
    assert live_frames(workspace, "city") == [1, 2, 3, 4, 5]
    assert len(list(workspace.live_film("city").iterdir())) == 4


def test_a_run_without_a_film_and_an_unknown_point_are_named(workspace):
    CheckpointIndex(workspace.runs).create("town", SPEC).close()
    with pytest.raises(EXPECTED_ERRORS, match="'town' has no film yet"):
        join_live_film(workspace, "town")
    with pytest.raises(EXPECTED_ERRORS, match="'town' has no film yet"):
        live_frames(workspace, "town")
    with pytest.raises(EXPECTED_ERRORS, match="Known: city, town"):
        join_live_film(workspace, "cty")
    with pytest.raises(EXPECTED_ERRORS, match=f"no point 7.7. It has {', '.join(LABELS)}"):
        join_live_film(workspace, "city", labels=["7.7"])
    with pytest.raises(EXPECTED_ERRORS, match=r"cannot become 'a\.gif'"):
        join_live_film(workspace, "city", out=workspace.root / "a.gif")


@pytest.fixture
def command(workspace, capsys, monkeypatch):
    """Runs `studio film city ...` and gives what it printed."""

    def call(*words):
        return run_studio(workspace.root, ["film", "city", *words, "--json"], capsys, monkeypatch)

    return call


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), [f"city-{LABELS[0]}.mp4", f"city-{LABELS[1]}.mp4", "city.mp4"]),
        (("--grid",), ["city.mp4"]),
        (("--point", LABELS[1]), ["city.mp4"]),
    ],
)
def test_the_command_writes_all_films_or_the_one_that_is_asked_for(command, tmp_path, words, names):
    told = command(*words, "--out", tmp_path / "city.mp4").json
    assert [video["path"] for video in told["videos"]] == [str(tmp_path / name) for name in names]
    for video in told["videos"]:
        assert video["frames"] == count_frames(video["path"]) == 8
    assert told["seconds"] > 0


def test_the_command_refuses_a_point_and_the_grid_at_once(command):
    refused = command("--grid", "--point", LABELS[0])
    assert refused.status == 2
    assert "--point and --grid each name one film: leave one of them out" in refused.err


def test_events_of_a_run_are_told_on_its_films(workspace):
    record_event(workspace, "city", None, "started", "training began")
    record_event(workspace, "city", 6, "changed", "learning_rate_g: 0.0002 -> 1e-05")
    silent = [frames(video.path) for video in timelapse(workspace)]
    told = [frames(video.path) for video in timelapse(workspace, show=("events",))]
    for without, with_events in zip(silent, told, strict=True):
        difference = np.abs(with_events - without).max(axis=(2, 3))  # [frames, rows]
        assert (difference[:5] == 0).all()
        assert (difference[5:, -40:].max(axis=1) > 100).all()


def test_what_does_not_show_in_pictures_is_not_told(workspace):
    record_event(workspace, "city", 3, "saved", "training state kept for good")
    before = [frames(video.path) for video in timelapse(workspace, show=("batch",))]
    after = [frames(video.path) for video in timelapse(workspace, show=("batch", "events"))]
    assert all((own == other).all() for own, other in zip(before, after, strict=True))
