"""Keep the checkpoints of a generator class of your own, named as `module:Class`.

python examples/own_generator.py [FOLDER]
"""

import sys
import tempfile

import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, GeneratorSpec


class Stripes(nn.Module):
    """Turns z [N, z_dim] into pictures [N, 3, 16, 16] in -1..1; z [N, z_dim, 1, 1] is fine too."""

    def __init__(self, z_dim: int, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(z_dim, features), nn.ReLU(), nn.Linear(features, 3 * 16), nn.Tanh()
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, 3, 16, 1).expand(-1, -1, -1, 16)


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    # Whenever the run is rendered, the class is imported by this name: keep it importable.
    spec = GeneratorSpec("own_generator:Stripes", {"z_dim": 8, "features": 32})
    with CheckpointIndex(folder).create("stripes", spec, storage="exact") as run:
        G = spec.build()
        run.append(0, G.state_dict())
        run.flush()
        again = run.generator(0)
        z = torch.randn(4, 8)
        print("bit for bit the same pictures:", torch.equal(G.eval()(z), again(z)))
