"""Make a run of a folder of checkpoints that some other program wrote.

python examples/import_folder.py [WORKSPACE]
"""

import sys
import tempfile
from pathlib import Path

import torch

import studio
from checkpoints_index import GeneratorSpec
from studio.actions.declared.import_actions import Import

workspace = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
folder = workspace / "theirs"
folder.mkdir(parents=True, exist_ok=True)
for step in (100, 200, 300):  # what a training script leaves behind: netG_100.pt, ...
    G = GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.125}).build()
    torch.save({"epoch": step // 100, "netG": G.state_dict()}, folder / f"netG_{step}.pt")

here = studio.open(workspace)
asked = Import(folder=folder, run="theirs", storage="exact")  # a typed record, as every action
planned = here.perform(asked.model_copy(update={"dry_run": True}))
print(f"recognised {planned.recognised}; files: {[file.name for _, file in planned.files]}")
here.perform(asked)
for run in here.runs().runs:
    print(f"run {run.name}: batches {run.first_batch} to {run.last_batch}")
