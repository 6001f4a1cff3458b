"""A run's numbers, histograms, pictures and events for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import FileWriter, SummaryWriter
from torch.utils.tensorboard.summary import Summary

from studio.training.monitor.histograms import Histogram, LayerHistograms

GROUPS = {
    "loss": ("d_real", "d_fake", "g", "gradient_penalty", "earth_mover"),
    "networks": ("d_accuracy", "g_grad_norm", "d_grad_norm", "augment_p"),
    "learning_rate": ("learning_rate_g", "learning_rate_d"),
    "pictures": ("change", "diversity", "swd"),
    "speed": ("seconds", "pictures_per_s", "memory_bytes"),
}
FLUSH_SECONDS = 10


class TensorBoardLog:
    """Writes event files beside those of earlier sittings of the run.

    Args:
        folder: of the run's event files; made if new.
        first_batch: that is about to be trained; points of an earlier sitting from it on are
            hidden by TensorBoard, since that batch is trained anew.
    """

    def __init__(self, folder: Path, first_batch: int = 1) -> None:
        self._writer = SummaryWriter(
            str(folder), purge_step=first_batch, max_queue=100, flush_secs=FLUSH_SECONDS
        )

    def add_metrics(self, batch: int, metrics: Mapping[str, float]) -> None:
        """The numbers of a batch, in one record: 20 calls of `add_scalar` would cost 1 ms."""
        values = [
            Summary.Value(tag=tag_of(name), simple_value=value) for name, value in metrics.items()
        ]
        assert isinstance(self._writer.file_writer, FileWriter)
        self._writer.file_writer.add_summary(Summary(value=values), batch)

    def add_frames(self, batch: int, grid: np.ndarray) -> None:
        """The fixed points' pictures: uint8 [height, width, 3]."""
        self._writer.add_image("fixed points", grid, batch, dataformats="HWC")

    def add_histograms(self, batch: int, networks: Mapping[str, Sequence[LayerHistograms]]) -> None:
        """See `histograms.measure_layers`."""
        for network, layers in networks.items():
            for layer in layers:
                for part in ("weights", "biases", "activations"):
                    self._add_histogram(batch, f"{network}/{layer.layer}/{part}", layer, part)
            dead = sum(layer.dead_units or 0 for layer in layers)
            self._writer.add_scalar(f"networks/dead_units_{network}", dead, batch)

    def add_event(self, batch: int, kind: str, text: str) -> None:
        """Something that happened to the run."""
        self._writer.add_text("events", f"**{kind}** {text}", batch)

    def close(self) -> None:
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
    """A metric's name with its group: d_real -> loss/d_real, data_s -> seconds/data."""
    if name.endswith("_s") and name != "pictures_per_s":
        return f"seconds/{name.removesuffix('_s')}"
    group = next((group for group, names in GROUPS.items() if name in names), "others")
    return f"{group}/{name}"
