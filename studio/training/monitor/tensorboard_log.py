"""Writes a run's numbers, histograms, pictures and events for TensorBoard, an optional extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from studio.training.monitor.histograms import Histogram, LayerHistograms
from studio.workspace.errors import StudioError

GROUPS = {
    "loss": ("d_real", "d_fake", "g", "gradient_penalty", "earth_mover", "l1", "fft"),
    "networks": ("d_accuracy", "g_grad_norm", "d_grad_norm", "augment_p", "rejected_updates"),
    "learning_rate": ("learning_rate_g", "learning_rate_d"),
    "pictures": ("change", "diversity", "swd", "swd_held_out", "psnr", "ssim"),
    "speed": ("seconds", "pictures_per_s", "memory_bytes"),
}
FLUSH_SECONDS = 10


class MissingTensorBoardError(StudioError, ImportError):
    """The extra `tensorboard` is not installed."""


class TensorBoardLog:
    """Writes event files beside those of earlier sessions of the run.

    Args:
        folder: the folder of the run's event files; made if new.
        first_batch: the batch that is about to be trained. TensorBoard hides the points that an
            earlier session wrote from this batch on, since it is trained anew.

    Raises:
        MissingTensorBoardError: the text says what to install.
    """

    def __init__(self, folder: Path, first_batch: int = 1) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingTensorBoardError(
                "Curves are not written for TensorBoard, since it is not installed: "
                "pip install 'latent-city-studio[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(
            str(folder), purge_step=first_batch, max_queue=100, flush_secs=FLUSH_SECONDS
        )

    def add_metrics(self, batch: int, metrics: Mapping[str, float]) -> None:
        """Write the numbers of a batch as one record; 20 calls of `add_scalar` would cost 1 ms."""
        from torch.utils.tensorboard import FileWriter
        from torch.utils.tensorboard.summary import Summary

        values = [
            Summary.Value(tag=tag_of(name), simple_value=value) for name, value in metrics.items()
        ]
        assert isinstance(self._writer.file_writer, FileWriter)
        self._writer.file_writer.add_summary(Summary(value=values), batch)

    def add_frames(self, batch: int, grid: np.ndarray) -> None:
        """Write the fixed points' pictures as one grid: uint8 [height, width, 3]."""
        self._writer.add_image("fixed points", grid, batch, dataformats="HWC")

    def add_histograms(self, batch: int, networks: Mapping[str, Sequence[LayerHistograms]]) -> None:
        """Write the histograms of networks by name; see `histograms.measure_layers`."""
        for network, layers in networks.items():
            for layer in layers:
                for part in ("weights", "biases", "activations"):
                    self._add_histogram(batch, f"{network}/{layer.layer}/{part}", layer, part)
            dead = sum(layer.dead_units or 0 for layer in layers)
            self._writer.add_scalar(f"networks/dead_units_{network}", dead, batch)

    def add_event(self, batch: int, kind: str, text: str) -> None:
        """Write something that happened to the run."""
        self._writer.add_text("events", f"**{kind}** {text}", batch)

    def close(self) -> None:
        """Write what waits, and end the event file."""
        self._writer.close()

    def _add_histogram(self, batch: int, tag: str, layer: LayerHistograms, part: str) -> None:
        found: Histogram | None = getattr(layer, part)
        if found is None or not found.counts:
            return
        count = sum(found.counts)
        self._writer.add_histogram_raw(
            tag,
            found.low,
            found.high,
            count,
            found.mean * count,
            (found.deviation**2 + found.mean**2) * count,
            np.linspace(found.low, found.high, len(found.counts) + 1)[1:].tolist(),
            found.counts,
            batch,
        )


def tag_of(name: str) -> str:
    """A metric's name with its group.

    Example:
        >>> tag_of("d_real"), tag_of("data_s")
        ('loss/d_real', 'seconds/data')
    """
    if name.endswith("_s") and name != "pictures_per_s":
        return f"seconds/{name.removesuffix('_s')}"
    group = next((group for group, names in GROUPS.items() if name in names), "others")
    return f"{group}/{name}"
