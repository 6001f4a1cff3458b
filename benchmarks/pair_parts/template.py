"""The small workspace that every pair of commands gets a copy of."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from checkpoints_index import CheckpointIndex, CheckpointRun
from studio.main import main as run_studio
from studio.workspace.paths import Workspace

RUN, FORMER, DATASET = "city", "town", "photos"
BATCHES = 6
IMPORTED = {10: 2, 20: 4, 30: 6}  # Batches of files to import, and those of the run that they are.
ARCHIVED = (2, 4)
NOTED, OWN = "0.1", "4.50"  # A specimen with a star and a name; a point that came from a file.
NAME = "harbour"
SETTINGS = (
    *("--set", "generator_options={width=0.125}", "--set", "discriminator_width=0.125"),
    *("--set", "batch_size=4", "--set", "z_dim=16", "--set", "fixed_points=2"),
    # Steps this large make each batch draw other pictures, so that a wrong one is seen.
    *("--set", "learning_rate_g=0.05", "--set", "state_every=2", "--preset", "none"),
)


@dataclass(frozen=True)
class Template:
    """A folder with the workspace, and beside it what commands bring in.

    Attributes:
        folder: everything lies in it, and is copied as a whole.
    """

    folder: Path

    @property
    def workspace(self) -> Workspace:
        """The workspace."""
        return Workspace(self.folder / "workspace")

    @property
    def pictures(self) -> Path:
        """A folder of pictures, of which a dataset can be made."""
        return self.folder / "pictures"

    @property
    def files(self) -> Path:
        """A folder of checkpoints to import."""
        return self.folder / "files"

    @property
    def archive(self) -> Path:
        """An archive of the run, to be restored."""
        return self.folder / "city.zip"

    @property
    def point(self) -> Path:
        """A file of one latent point."""
        return self.folder / "point.npy"


def studio(root: Path, *words: str) -> int:
    """The exit status of a command of the studio, carried out in this process."""
    sys.argv = ["studio", "--workspace", str(root), *words]
    try:
        run_studio()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def make_template(folder: Path) -> Template:
    """Train the small run, and give it everything that a run can have.

    Raises:
        SystemExit: a command failed.
    """
    made = Template(folder)
    _draw_pictures(made.pictures)
    np.save(made.point, np.linspace(-1, 1, 16, dtype=np.float32))
    made.files.mkdir()
    for words in _commands(made):
        if status := studio(made.workspace.root, *words):
            raise SystemExit(f"The workspace cannot be made: {' '.join(words)} ended in {status}.")
    return made


def film_name(made: Template) -> str:
    """The name of the one film that the template's run has."""
    (folder,) = made.workspace.renders.glob(f"{RUN}-timelapse-*")
    return folder.name


def _commands(made: Template) -> list[list[str]]:
    """The commands that make the workspace, in their order."""
    sampled = ["specimens", "sample", RUN, "--batch"]
    exports = [
        ["export-checkpoint", RUN, str(own), "--out", str(made.files / f"G_{batch}.safetensors")]
        for batch, own in IMPORTED.items()
    ]
    return [
        ["datasets", "add", str(made.pictures), "--name", DATASET, "--image-size", "32"],
        ["train", DATASET, "--run", FORMER, "--batches", str(BATCHES), *SETTINGS],
        [*(sampled[:2]), FORMER, "--batch", "2", "--count", "1"],
        ["rename", "run", FORMER, RUN],
        [*sampled, str(BATCHES), "--count", "2"],
        ["specimens", "import", RUN, str(made.point), "--label", OWN],
        ["specimens", "star", RUN, NOTED],
        ["rename", "specimen", RUN, NOTED, NAME],
        ["pin", RUN, "4"],
        ["render", "timelapse", RUN, "--points", "seed:1"],
        ["archive", RUN, "--batches", ",".join(map(str, ARCHIVED)), "--out", str(made.archive)],
        *exports,
    ]


def _draw_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    numbers = np.random.default_rng(0)
    for number in range(8):
        pixels = np.full((32, 32, 3), numbers.integers(60, 200, 3), np.uint8)
        pixels[number : number + 6] = 240
        Image.fromarray(pixels).save(folder / f"{number}.png")


def digests(workspace: Workspace, run: str) -> dict[int, str]:
    """The digest of the weights of each checkpoint of a run, however they are stored."""
    opened = CheckpointIndex(workspace.runs)[run]
    return {batch: digest_weights(opened, batch) for batch in opened.batches}


def digest_weights(run: CheckpointRun, batch: int) -> str:
    """SHA-256 of the weights of a checkpoint."""
    digest = hashlib.sha256()
    for name, weight in sorted(run.weights(batch).items()):
        digest.update(name.encode() + weight.numpy().tobytes())
    return digest.hexdigest()
