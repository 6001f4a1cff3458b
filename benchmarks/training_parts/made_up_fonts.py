"""A dataset of made-up fonts: a lower-case letter is a disc, its upper-case one is a square."""

import numpy as np

from checkpoints_index.generators.letters.fields import EDGE, FALLOFF
from studio.datasets.prepared import LETTERS, PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.paths import Workspace


def make_fonts(count: int) -> np.ndarray:
    """Fonts that differ in weight and place: uint8 [count, 52, 36, 36]."""
    rng, along = np.random.default_rng(0), np.arange(36) + 0.5
    fonts = []
    for _ in range(count):
        weight, top, left = rng.uniform(-2, 2), *rng.uniform(15, 21, 2)
        rows, columns = np.abs(along - top)[:, None], np.abs(along - left)[None, :]
        sizes_px = 4 + weight + np.arange(26) / 4
        discs = [size - np.hypot(rows, columns) for size in sizes_px]
        squares = [size - np.maximum(rows, columns) for size in sizes_px]
        fields = np.clip(EDGE + FALLOFF * np.stack([*discs, *squares]), 0, 1)
        fonts.append(np.rint(255 * fields).astype(np.uint8))
    return np.stack(fonts)


def add_letters(workspace: Workspace, name: str, count: int) -> PreparedDataset:
    folder = workspace.dataset(name)
    with write_dataset(folder, 36, "made up", kind=LETTERS) as writer:
        for font in make_fonts(count):
            writer.append(font)
    return PreparedDataset.open(folder)
