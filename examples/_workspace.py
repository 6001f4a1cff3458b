"""The small workspace that most examples look at: pictures of streets, and a run."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import studio

RUN, BATCHES = "city", 24
TINY = {
    **{"generator_options": {"width": 0.125}, "discriminator_width": 0.125},
    **{"batch_size": 8, "z_dim": 16},
}


def open_workspace() -> "studio.Studio":
    """The workspace in the folder that the script was given, or else in a temporary one."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    here = studio.open(folder)
    if not here.runs().runs:
        here.datasets_add(folder=draw_streets(folder / "pictures"), name="streets", image_size=32)
        here.train(dataset="streets", run=RUN, batches=BATCHES, settings=TINY)
    return here


def draw_streets(folder: Path, count: int = 64, size: int = 40) -> Path:
    """A folder of pictures in which two streets cross somewhere."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        picture = np.full((size, size, 3), generator.integers(90, 200, 3), np.uint8)
        row, column = generator.integers(4, size - 8, 2)
        picture[row : row + 4] = picture[:, column : column + 4] = 240
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder
