"""Keep a checkpoint of every batch from a training loop of your own: two lines do it.

python examples/own_training_loop.py [FOLDER]
"""

import sys
import tempfile

import torch
from torch import nn

from checkpoints_index import CheckpointIndex, GeneratorSpec

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
spec = GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.125})
run = CheckpointIndex(folder).create("city", spec)  # the first line: a run in the index

G = spec.build()
D = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(1024, 1))
optimizer_g = torch.optim.Adam(G.parameters(), 2e-4, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(D.parameters(), 2e-4, betas=(0.5, 0.999))

for batch in range(1, 41):
    reals = torch.linspace(-1, 1, 32).expand(8, 3, 32, 32) * torch.rand(8, 3, 1, 1)
    fakes = G(torch.randn(8, 16))

    loss_d = nn.functional.softplus(D(fakes.detach())) + nn.functional.softplus(-D(reals))
    optimizer_d.zero_grad()
    loss_d.mean().backward()
    optimizer_d.step()

    optimizer_g.zero_grad()
    nn.functional.softplus(-D(fakes)).mean().backward()
    optimizer_g.step()
    run.append(batch, G.state_dict())  # the second line: copied here, encoded beside the training

run.flush()  # returns when all of it is safely on disk
share = run.size_bytes / (run.plain_bytes * len(run.batches))
print(f"{len(run.batches)} checkpoints in {run.size_bytes:,} bytes: {share:.1%} of plain float32")
for batch, G_then in run.stream([1, 20, 40]):  # one resident module; its weights are swapped
    print(f"batch {batch}: mean brightness {G_then(torch.zeros(1, 16)).mean():+.3f}")
