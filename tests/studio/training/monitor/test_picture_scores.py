import sys

import pytest
import torch

from studio.training.monitor import picture_scores
from studio.training.monitor.picture_scores import build_metric, check_metrics, score_checkpoint
from studio.workspace.errors import EXPECTED_ERRORS


def score(workspace, metrics=("swd",), count=16, run="city", batch=None):
    progress = []
    scored = score_checkpoint(
        workspace, run, batch, metrics, count, lambda done, total, note="": progress.append(done)
    )
    assert progress[-1] == count
    return scored


def test_a_checkpoint_has_the_same_distance_each_time(workspace):
    scored = score(workspace)
    assert (scored.batch, scored.count) == (12, 16)
    assert list(scored.swd_levels) == [32, 16]
    assert scored.values["swd"] > 0
    assert score(workspace) == scored
    assert score(workspace, batch=1).values != scored.values


def test_edges_are_scored_beside_the_distance(workspace):
    scored = score(workspace, ["swd", "edges"])
    assert list(scored.values) == ["swd", "edges", "edges_precision", "edges_recall"]
    assert scored.values["edges"] > 0
    assert 0 <= scored.values["edges_precision"] <= 1
    assert 0 <= scored.values["edges_recall"] <= 1


def test_what_a_metric_lacks_is_told_and_the_others_are_measured(workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    scored = score(workspace, ["fid", "swd"])
    assert list(scored.values) == ["swd"]
    assert "latent-city-studio[scores]" in scored.unavailable["fid"]


def test_weights_that_cannot_be_downloaded_are_told(monkeypatch, tmp_path):
    pytest.importorskip("torchmetrics")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(image):
        raise OSError("Name or service not known")

    with pytest.raises(EXPECTED_ERRORS, match="weights of the Inception network"):
        build_metric("fid", offline)


def test_a_count_that_the_dataset_does_not_have_is_refused(workspace):
    for count in (4, 10_000):
        with pytest.raises(EXPECTED_ERRORS, match="use a --count from 16 to 24"):
            score(workspace, count=count)


def test_a_dataset_with_too_few_pictures_is_told_and_no_count_advised(workspace, monkeypatch):
    monkeypatch.setattr(picture_scores, "MIN_COUNT", 25)
    with pytest.raises(EXPECTED_ERRORS, match="has 24 pictures, and a score needs 25 or more"):
        score(workspace, count=None)


def test_a_run_that_was_not_trained_here_has_nothing_to_compare_with(workspace):
    workspace.run_config("city").unlink()
    with pytest.raises(EXPECTED_ERRORS, match=r"was not trained in .*with\. Score a run that"):
        score(workspace)


def test_an_unknown_metric_is_refused():
    with pytest.raises(EXPECTED_ERRORS, match="Known: swd, edges, fid, kid"):
        check_metrics(["ppl"])


def test_without_a_count_a_small_dataset_is_taken_whole(workspace):
    scored = score_checkpoint(
        workspace, "city", None, ["swd"], None, lambda done, total, note="": None
    )
    assert scored.count == 24
