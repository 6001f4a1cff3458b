"""Runs whose pictures differ enough to be told apart."""

import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec


@pytest.fixture
def make_vivid(workspace):
    """Makes the run `vivid` of one checkpoint: make_vivid(contrast), its generator."""

    def make(contrast):
        spec = GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.125})
        torch.manual_seed(0)
        state = spec.build().state_dict()
        weights = {name: w * contrast if w.ndim == 4 else w for name, w in state.items()}
        with CheckpointIndex(workspace.runs).create("vivid", spec, storage="exact") as run:
            run.append(5, weights)
        return CheckpointIndex(workspace.runs)["vivid"].generator(5)

    return make
