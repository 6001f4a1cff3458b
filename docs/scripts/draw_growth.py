"""Draw the README's picture of cities growing: python docs/scripts/draw_growth.py RUN OUT.png"""

import sys
from pathlib import Path

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import cross_sheet
from studio.specimens.points import FIXED, points_of
from studio.workspace.paths import Workspace

COLUMNS, POINTS = 9, (0, 4, 8)


def main(run: str, out: Path) -> None:
    workspace = Workspace.open()
    checkpoints = CheckpointIndex(workspace.runs)[run]
    points = [points_of(workspace, run, FIXED)[i] for i in POINTS]
    z = torch.stack([point.z for point in points])
    kept = checkpoints.batches
    wanted = np.geomspace(max(kept[0], 16), kept[-1], COLUMNS - 1).round().astype(int).tolist()
    batches = sorted({kept[0], *wanted})
    frames = np.stack([render_frames(G, z) for _, G in checkpoints.stream(batches)], axis=1)
    sheet = cross_sheet(frames, [p.label for p in points], [f"{b:,}" for b in batches], scale=2)
    save_picture(sheet, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
