"""Draws letters of held-out fonts and what the networks of a run make of them, as docs/ shows it.

For each of some fonts stand four lines: its upper-case letters, the lower-case ones that are made
of them, its lower-case letters, and the upper-case ones that are made of these.

    python docs/scripts/draw_letters.py --workspace STUDIO --run RUN --fonts 4 --out sheet.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.generators.letters.bodies import ALPHABET, INPUTS
from checkpoints_index.generators.letters.strip import (
    FIELD_PX,
    INK,
    LOWER_INK,
    UPPER_INK,
    draw_letter,
)
from renderers.frames.passes import round_pictures
from renderers.pictures.picture_file import save_picture
from studio.datasets.held_out import split_dataset
from studio.datasets.prepared import PreparedDataset
from studio.runs.status import read_config
from studio.training.data.letter_pairs import levels_to_fields
from studio.workspace.paths import Workspace

LETTER_PX = 54  # A line of 26 letters is 1,248 px wide.
SIDE_PX = 6  # So much of a box is left out at its right side, where few letters reach.


def draw_line(fields: torch.Tensor, ink: tuple[float, ...]) -> np.ndarray:
    """26 letters side by side: float [26, 1296] in 0..1 -> uint8 [54, 26 * 48, 3]."""
    boxes = draw_letter(fields.view(-1, 1, FIELD_PX, FIELD_PX), ink, LETTER_PX)
    letters = round_pictures(boxes)[:, :, : LETTER_PX - SIDE_PX]
    return np.concatenate([*letters.numpy()], 1)


@torch.no_grad()
def draw_fonts(workspace: Workspace, run: str, batch: int | None, fonts: int) -> np.ndarray:
    """The lines of some held-out fonts, evenly from the first to the last: uint8 [H, W, 3]."""
    checkpoints, config = CheckpointIndex(workspace.runs)[run], read_config(workspace, run)
    G = checkpoints.generator(checkpoints.batches[-1] if batch is None else batch)
    dataset = PreparedDataset.open(workspace.dataset(config.dataset))
    data = split_dataset(dataset, config.held_out)
    lines = []
    for position in data.spread(data.held_out, fonts):
        letters = levels_to_fields(np.array(data.pixels[position])).flatten(1)
        lower, upper = letters.split(ALPHABET)
        made_lower, made_upper = G.make_lowercase(upper), G.make_uppercase(lower)
        lines += [
            draw_line(upper, INK),
            draw_line(made_lower[:, :INPUTS].clamp(0, 1), LOWER_INK),
            draw_line(lower, INK),
            draw_line(made_upper[:, :INPUTS].clamp(0, 1), UPPER_INK),
        ]
    return np.concatenate(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--fonts", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    workspace = Workspace.open(asked.workspace)
    save_picture(draw_fonts(workspace, asked.run, asked.batch, asked.fonts), asked.out)


if __name__ == "__main__":
    main()
