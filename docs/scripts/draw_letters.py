"""Draws letters of held-out fonts and what the networks of a run make of them, as docs/ shows it.

For each of some fonts stand four lines: its upper-case letters, the lower-case ones that are made
of them, its lower-case letters, and the upper-case ones that are made of these.

    python docs/scripts/draw_letters.py --workspace STUDIO --run RUN --fonts 4 --out sheet.png

With --grow 100,1000 it is one font instead: its upper-case letters, the lower-case ones that are
made of them at each of these batches, and its own.
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


def read_fonts(workspace: Workspace, run: str, count: int) -> list[torch.Tensor]:
    """Some held-out fonts, evenly from the first to the last: float32 [52, 1296] in 0..1 each."""
    config = read_config(workspace, run)
    dataset = PreparedDataset.open(workspace.dataset(config.dataset))
    data = split_dataset(dataset, config.held_out)
    chosen = data.spread(data.held_out, count)
    return [levels_to_fields(np.array(data.pixels[place])).flatten(1) for place in chosen]


@torch.no_grad()
def make(network: torch.nn.Module, letters: torch.Tensor) -> torch.Tensor:
    """The fields that a network makes of letters: float [26, 1296] in 0..1 -> the same shape."""
    return network(letters)[:, :INPUTS].clamp(0, 1)


def draw_fonts(workspace: Workspace, run: str, batch: int | None, count: int) -> np.ndarray:
    """The lines of some fonts: uint8 [H, W, 3]."""
    checkpoints = CheckpointIndex(workspace.runs)[run]
    G = checkpoints.generator(checkpoints.batches[-1] if batch is None else batch)
    lines = []
    for font in read_fonts(workspace, run, count):
        lower, upper = font.split(ALPHABET)
        lines += [
            draw_line(upper, INK),
            draw_line(make(G.make_lowercase, upper), LOWER_INK),
            draw_line(lower, INK),
            draw_line(make(G.make_uppercase, lower), UPPER_INK),
        ]
    return np.concatenate(lines)


def draw_growth(workspace: Workspace, run: str, batches: list[int]) -> np.ndarray:
    """What the networks of some batches make of the first of the held-out fonts."""
    checkpoints = CheckpointIndex(workspace.runs)[run]
    lower, upper = read_fonts(workspace, run, 1)[0].split(ALPHABET)
    made = (make(checkpoints.generator(batch).make_lowercase, upper) for batch in batches)
    grown = [draw_line(fields, LOWER_INK) for fields in made]
    return np.concatenate([draw_line(upper, INK), *grown, draw_line(lower, INK)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--fonts", type=int, default=4)
    parser.add_argument("--grow", help="batches with commas between")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    workspace = Workspace.open(asked.workspace)
    if asked.grow:
        batches = [int(batch) for batch in asked.grow.split(",")]
        sheet = draw_growth(workspace, asked.run, batches)
    else:
        sheet = draw_fonts(workspace, asked.run, asked.batch, asked.fonts)
    save_picture(sheet, asked.out)


if __name__ == "__main__":
    main()
