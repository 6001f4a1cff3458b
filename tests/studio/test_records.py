"""What is kept beside checkpoints: metrics, origins in JPEGs, places, choices of batches."""

import numpy as np
import pytest
import torch
from PIL import Image

from studio.runs.metrics import MetricsHistory, MetricsLog, read_metrics
from studio.runs.selection import choose_batches
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import run_studio


def test_metrics_read_back_as_written(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for batch in (1, 2, 3):
        log.append(batch, {"g": 0.5 * batch})
    log.close()
    assert [entry["g"] for entry in read_metrics(tmp_path / "metrics.jsonl")] == [0.5, 1.0, 1.5]


def test_a_torn_line_is_left_out_and_ended_before_writing_on(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"batch": 1, "g": 1.0}\n{"batch": 2, "g"')
    log = MetricsLog(path)
    log.append(2, {"g": 2.0})
    log.close()
    assert [(entry["batch"], entry["g"]) for entry in read_metrics(path)] == [(1, 1.0), (2, 2.0)]


def test_after_a_resume_the_later_word_counts(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for batch, g in [(1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0)]:
        log.append(batch, {"g": g})
    log.close()
    entries = read_metrics(tmp_path / "metrics.jsonl")
    assert [(entry["batch"], entry["g"]) for entry in entries] == [(1, 1.0), (2, 20.0)]


def test_only_news_is_read_and_a_line_is_taken_once_it_is_whole(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history = MetricsHistory(path)
    assert history.entries == []
    path.write_text('{"batch": 1, "g": 1.0}\n{"batch": 2, "g"')
    history.refresh()
    first = history.entries[0]
    assert len(history.entries) == 1
    with path.open("a") as file:
        file.write(': 2.0}\n{"batch": 3, "g": 3.0}\n')
    history.refresh()
    assert [entry["g"] for entry in history.entries] == [1.0, 2.0, 3.0]
    assert history.entries[0] is first
    with path.open("a") as file:
        file.write('{"batch": 2, "g": 20.0}\n')
    history.refresh()
    assert [entry["g"] for entry in history.entries] == [1.0, 20.0]


def test_metrics_of_another_run_of_the_same_name_are_read_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"batch": 1, "g": 1.0}\n{"batch": 2, "g": 2.0}\n')
    history = MetricsHistory(path)
    path.write_text('{"batch": 1, "g": 9.0}\n')
    history.refresh()
    assert history.entries == [{"batch": 1, "g": 9.0}]
    path.unlink()
    history.refresh()
    assert history.entries == []


@pytest.fixture
def origin():
    z = torch.randn(100, generator=torch.Generator().manual_seed(0))
    return Passport("city", "16500.28", 16500, z, "abc")


def test_a_jpeg_keeps_its_origin_to_the_bit(tmp_path, origin):
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save_specimen(frame, tmp_path / "a.jpg", origin, "© OpenStreetMap contributors, ODbL")
    found = read_passport(path)
    assert torch.equal(found.z, origin.z)
    assert (found.run, found.label, found.batch) == ("city", "16500.28", 16500)
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert "OpenStreetMap" in image.getexif()[0x8298]
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 12


def test_a_picture_from_elsewhere_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    for name in ("plain.jpg", "text.jpg", "missing.jpg"):
        with pytest.raises(EXPECTED_ERRORS, match="does not say which latent point"):
            read_passport(tmp_path / name)


def test_batches_are_chosen_as_python_slices_them():
    kept = list(range(1, 21))
    assert choose_batches(kept, "", "city") == kept
    assert choose_batches(kept, "0:19000", "city") == kept
    assert choose_batches(kept, "5:8", "city") == [5, 6, 7]
    assert choose_batches(kept, "0:20:5", "city") == [5, 10, 15]
    assert choose_batches(kept, "15:", "city") == [15, 16, 17, 18, 19, 20]
    assert choose_batches(kept, "7,3", "city") == [7, 3]
    assert choose_batches(kept, f"0:{10**15}:10", "city") == [10, 20]


def test_gaps_are_named_or_skipped():
    with pytest.raises(
        EXPECTED_ERRORS, match=r"no checkpoint 3, 5\. Leave them out: --skip-missing"
    ):
        choose_batches([1, 2, 4, 6], "1:7", "city")
    assert choose_batches([1, 2, 4, 6], "1:7", "city", skip_missing=True) == [1, 2, 4, 6]


@pytest.mark.parametrize("text", ["x", "1:2:3:4", "1:5:0", "-3:5", "1;2"])
def test_what_is_no_choice_of_batches_is_refused(text):
    with pytest.raises(EXPECTED_ERRORS, match="no choice of batches"):
        choose_batches([1, 2, 3], text, "city")


def test_a_path_out_of_the_workspace_is_refused(empty_workspace):
    assert empty_workspace.inside("renders/a.mp4").is_relative_to(empty_workspace.root)
    for path in ("../secret", "/etc/passwd", "renders/../../secret"):
        with pytest.raises(EXPECTED_ERRORS, match="outside the workspace"):
            empty_workspace.inside(path)


def test_a_workspace_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EXPECTED_ERRORS, match="There can be no workspace"):
        Workspace.open(tmp_path / "file" / "workspace")


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STUDIO_WORKSPACE", "~/ws")
    assert Workspace.open().root == tmp_path / "ws"


def test_a_command_that_needs_what_is_there_makes_no_workspace(tmp_path, capsys, monkeypatch):
    typo = tmp_path / "typo"
    reading = (["runs"], ["jobs", "list"], ["datasets", "list"], ["render", "verify", "a.mp4"])
    for words in (*reading, ["train", "streets", "--run", "new"], ["resume", "city"]):
        outcome = run_studio(typo, words, capsys, monkeypatch)
        assert outcome.status == 1
        assert f"There is no workspace in {typo}" in outcome.err
    assert not typo.exists()


def test_the_workspace_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_WORKSPACE", str(tmp_path / "elsewhere"))
    assert Workspace.open().root == tmp_path / "elsewhere"
