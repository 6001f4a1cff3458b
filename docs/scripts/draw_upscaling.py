"""Draw held-out pictures that runs of `upscale` enlarge, and measure them.

    python docs/scripts/draw_upscaling.py OUT.png RUN [RUN ...]

In a row: the small picture, bicubic, each run, the truth. What is printed is of all held-out
pictures: PSNR and SSIM as on the curves, the mean absolute difference, and how much of the truth's
energy there is above the frequencies that the small picture can hold.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from renderers.pictures.picture_file import save_picture
from studio.datasets.held_out import split_dataset
from studio.runs.attribution import dataset_of
from studio.runs.status import read_config
from studio.training.recipes.upscale import as_points, cut_pairs, enlarge_bicubic, scale_of
from studio.training.scores.restoration import crop_border, measure_restoration, to_luma
from studio.workspace.paths import Workspace

SHOWN, GAP_PX, GAP_LEVEL = 4, 2, 250


def main(out: Path, runs: list[str]) -> None:
    """Draw and measure runs of one dataset at their newest checkpoints."""
    workspace = Workspace.open()
    dataset, config = dataset_of(workspace, runs[0]), read_config(workspace, runs[0])
    assert dataset is not None
    data, factor = split_dataset(dataset, config.held_out), scale_of(config)
    small, truths = cut_pairs(config, data, data.held_out)
    columns = {"bicubic": np.stack([enlarge_bicubic(picture, factor) for picture in small])}
    for run in runs:
        checkpoints = CheckpointIndex(workspace.runs)[run]
        G = checkpoints.generator(checkpoints.batches[-1])
        columns[f"{run}@{checkpoints.batches[-1]}"] = render_frames(G, as_points(small))
    for name, pictures in columns.items():
        measured = measure_restoration(pictures, truths, factor)
        apart = np.abs(pictures.astype(float) - truths).mean()
        middle, high = energy_shares(pictures, truths, factor)
        print(f"{name}: PSNR {measured[0]:.2f} dB, SSIM {measured[1]:.4f}, MAE {apart:.2f} levels,")
        print(f"  energy from 1/{2 * factor} cycle/px: {middle:.3f}, from 1/{factor}: {high:.3f}")
        print(f"  wrong spectrum there, of the truth's: {spectrum_error(pictures, truths, factor)}")
    first = [np.asarray(Image.fromarray(p).resize(truths.shape[1:3], 0)) for p in small]
    rows = [first, *columns.values(), truths]
    sheet = np.concatenate(
        [np.concatenate([frame(row[i]) for row in rows], axis=1) for i in range(SHOWN)]
    )
    save_picture(sheet, out)


def energy_shares(pictures: np.ndarray, truths: np.ndarray, factor: int) -> tuple[float, float]:
    """The energy of luma in two bands, of the truth's: from the small picture's limit, from twice.

    Pictures are windowed, so that their borders are no edges.
    """
    made, true = spectra(pictures, factor), spectra(truths, factor)
    radius = frequencies(made.shape[-2:])
    limit = 1 / (2 * factor)
    bands = [(limit <= radius) & (radius < 2 * limit), radius >= 2 * limit]
    shares = [
        float((np.abs(made[:, band]) ** 2).sum() / (np.abs(true[:, band]) ** 2).sum())
        for band in bands
    ]
    return shares[0], shares[1]


def spectrum_error(pictures: np.ndarray, truths: np.ndarray, factor: int) -> str:
    """The energy of the difference in the same bands, of the truth's: 1 is as bad as none."""
    made, true = spectra(pictures, factor), spectra(truths, factor)
    radius, limit = frequencies(made.shape[-2:]), 1 / (2 * factor)
    bands = [(limit <= radius) & (radius < 2 * limit), radius >= 2 * limit]
    return ", ".join(
        f"{(np.abs(made - true)[:, b] ** 2).sum() / (np.abs(true)[:, b] ** 2).sum():.3f}"
        for b in bands
    )


def spectra(pictures: np.ndarray, border_px: int) -> np.ndarray:
    """Spectra of windowed luma, complex [N, H, W]."""
    luma = to_luma(crop_border(pictures, border_px)).numpy().squeeze()
    luma = luma - luma.mean((1, 2), keepdims=True)
    window = np.hanning(luma.shape[1])[:, None] * np.hanning(luma.shape[2])
    return np.fft.fft2(luma * window)


def frequencies(shape: tuple[int, ...]) -> np.ndarray:
    """The frequency of each place of a spectrum, in cycles a px: float [H, W]."""
    return np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))


def frame(picture: np.ndarray) -> np.ndarray:
    """A picture with a light gap at its right and below."""
    return np.pad(picture, ((0, GAP_PX), (0, GAP_PX), (0, 0)), constant_values=GAP_LEVEL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
