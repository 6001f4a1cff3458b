import subprocess
import sys

import pytest

from checkpoints_index import CheckpointIndex
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.workspace.jobs import list_jobs

# Without batch norm, whose statistics are each process's own.
NETWORKS = ("--set", "generator=residual", "--set", "generator_options={width=0.05}")
NETWORKS += ("--set", "discriminator=residual", "--set", "discriminator_width=0.05")
SETTINGS = (*NETWORKS, "--set", "z_dim=8", "--set", "batch_size=8", "--set", "fixed_points=2")
SETTINGS += ("--set", "loss=relativistic", "--set", "score_every=0", "--set", "label_flips=0.1")
WATCHED = ("d_real", "d_fake", "g", "gradient_penalty", "d_grad_norm", "g_grad_norm")


def words_of(run, *more):
    return [
        "train",
        "streets",
        "--run",
        run,
        "--batches",
        "4",
        "--preset",
        "none",
        *SETTINGS,
        *more,
    ]


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_whole_batch_and_one_of_them_writes(studio, workspace):
    assert studio(*words_of("single")).status == 0
    command = [sys.executable, "-m", "studio", "--workspace", str(workspace.root)]
    words = words_of("together", "--processes", "2")
    subprocess.run([*command, *words], check=True, capture_output=True, timeout=280)
    single, together = (read_metrics(workspace.metrics(run)) for run in ("single", "together"))
    assert [entry["batch"] for entry in together] == [1, 2, 3, 4]
    for one, both in zip(single, together, strict=True):
        for name in WATCHED:
            assert both[name] == pytest.approx(one[name], rel=1e-3), (one["batch"], name)
    index = CheckpointIndex(workspace.runs)
    assert index["together"].batches == [1, 2, 3, 4]
    for name, tensor in index["single"].weights(4).items():
        assert (tensor - index["together"].weights(4)[name]).abs().max() < 1e-3, name
    kinds = [event.kind for event in list_events(workspace, "together")]
    assert kinds == ["finished", "started"]
    assert [job.status for job in list_jobs(workspace) if job.run == "together"] == ["done"]
