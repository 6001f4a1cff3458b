import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studio.training.machine.launching import find_failed, launch
from studio.training.machine.processes import Processes, read_environment
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.training import sharded_training
from tests.studio.training.sharded_training import train

LEFT_BEHIND = """
import os, sys
import torch
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.stopping import stop_requests
from studio.training.machine.processes import Processes
with stop_requests():  # the launcher asks the one that is left to end
    processes = Processes.join()
    if not processes.is_main:
        os._exit(7)
    try:
        processes.mean(torch.ones(3))
    except EXPECTED_ERRORS as error:
        print(error)
"""
SRUN = {
    "SLURM_STEP_ID": "0",
    "SLURM_JOB_ID": "4711",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_the_whole_batch(tmp_path, pixels, capfd):
    single = train(pixels, Processes.single("cpu"))
    np.save(tmp_path / "pixels.npy", pixels)
    words = [
        sharded_training.__file__,
        str(tmp_path / "pixels.npy"),
        str(tmp_path / "metrics.json"),
    ]
    assert launch([sys.executable, *words], 2) == 0
    together = json.loads((tmp_path / "metrics.json").read_text())
    assert capfd.readouterr().out == "process 0 of 2 is done\n"
    for own, sharded in zip(single, together, strict=True):
        assert sharded == pytest.approx(own, rel=1e-4)
    assert abs(single[0]["g"] - single[-1]["g"]) > 0.01, "a step that learns nothing proves nothing"


def test_who_loses_the_others_says_what_to_do(capfd):
    assert launch([sys.executable, "-c", LEFT_BEHIND], 2) == 7
    said = capfd.readouterr().out
    assert said.startswith("Process 0 of 2 has lost the others")
    assert "studio resume" in said


def test_of_several_that_ended_the_one_that_was_aborted_is_not_the_first():
    def member(status):
        return SimpleNamespace(status=status, is_running=False)

    aborted, failed, killed = member(134), member(7), member(137)
    assert find_failed([aborted, failed]) is failed
    assert find_failed([aborted, killed]) is killed
    assert find_failed([member(0), aborted]) is aborted
    assert find_failed([member(0), member(0)]) is None


def test_a_single_process_changes_nothing():
    single = Processes.single("cpu")
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    gradient = layer.weight.grad.clone()
    single.average_gradients(layer.parameters())
    assert torch.equal(layer.weight.grad, gradient)
    assert single.is_main
    assert single.agree({"learning_rate": 1e-4}) == {"learning_rate": 1e-4}
    assert single.mean(torch.tensor([3.0])) == 3


def test_shards_are_contiguous_and_make_up_the_batch():
    batch = torch.arange(12).view(6, 2)
    shards = [Processes(rank, 3, torch.device("cpu")).shard(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shards), batch)
    assert torch.equal(shards[1], batch[2:4])


def test_a_batch_that_cannot_be_shared_equally_is_refused():
    with pytest.raises(
        EXPECTED_ERRORS, match=r"7 cannot be shared equally by 2 processes.*multiple of 2"
    ):
        Processes(0, 2, torch.device("cpu")).shard(torch.arange(7))


def test_without_a_launcher_a_process_is_single(monkeypatch):
    for name in [n for n in os.environ if n.startswith("SLURM_")] + ["WORLD_SIZE"]:
        monkeypatch.delenv(name, raising=False)
    assert Processes.join().count == 1


def test_a_group_of_srun_is_found():
    found = read_environment(SRUN | {"SLURM_STEP_NODELIST": "n1,n2", "SLURM_NNODES": "2"})
    assert found == {
        "RANK": "3",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "n1",
        "MASTER_PORT": "24711",
    }


def test_on_one_node_of_slurm_the_processes_meet_on_loopback():
    found = read_environment(SRUN | {"SLURM_STEP_NODELIST": "n[1]", "SLURM_NNODES": "1"})
    assert found["MASTER_ADDR"] == "127.0.0.1"


def test_a_range_of_nodes_is_spelt_out_by_scontrol(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"  # stands in for Slurm's, which is on clusters alone
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames n[3-7]" ] && printf "n3\\nn4\\n"\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = read_environment(SRUN | {"SLURM_STEP_NODELIST": "n[3-7]"})
    assert found["MASTER_ADDR"] == "n3"


def test_an_unknown_list_of_nodes_asks_for_an_address(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EXPECTED_ERRORS, match=r"n\[3-7\].*Set MASTER_ADDR"):
        read_environment(SRUN | {"SLURM_STEP_NODELIST": "n[3-7]"})


def test_a_batch_script_of_slurm_is_one_process_until_srun_starts_more():
    in_script = {name: value for name, value in SRUN.items() if name != "SLURM_STEP_ID"}
    assert read_environment(in_script) == {}


def test_an_incomplete_environment_is_named():
    with pytest.raises(EXPECTED_ERRORS, match=r"LOCAL_RANK is ''.*--processes, torchrun or srun"):
        read_environment({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"})
