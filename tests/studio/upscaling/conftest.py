import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec

SPEC = GeneratorSpec(
    "shufflemixer",
    {"z_dim": 3 * 8 * 8, "image_size": 16, "scale": 2, "channels": 16, "kernel": 3},
)


@pytest.fixture
def upscaler_run(empty_workspace):
    """The run `large`, whose two checkpoints make pictures twice as large; `city` makes none so."""
    torch.manual_seed(0)
    index = CheckpointIndex(empty_workspace.runs)
    with index.create("large", SPEC, storage="exact") as run:
        for batch in (100, 300):
            G = SPEC.build()
            with torch.no_grad():
                G.tail.weight.mul_(0.1)
                G.tail.bias.zero_()
            run.append(batch, G.state_dict())
    drawing = GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32, "width": 0.03})
    with index.create("city", drawing, storage="exact") as run:
        run.append(7, drawing.build().state_dict())
    return index["large"]
