"""What a way to train is: what the engine asks of it, and what it says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from latent.points import sample_points
from studio.datasets.held_out import SplitDataset
from studio.datasets.prepared import PICTURES, PreparedDataset
from studio.runs.config import TrainingConfig
from studio.training.data.batches import Batches
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.scores.score import RunScore
from studio.workspace.errors import StudioError

# Names of the alarms that a recipe may silence. All others are about the machine.
D_WINS, MODE_COLLAPSE, FLOPPING = "D wins", "Mode collapse", "Flopping"
NO_PROGRESS = "No visible progress"
SILENCEABLE = (D_WINS, MODE_COLLAPSE, FLOPPING, NO_PROGRESS)


class DrawnData(Iterator[Any], Protocol):
    """Draws what one update after another learns from, without end.

    Attributes:
        state: where the draws stand, as JSON can hold it.
    """

    state: dict[str, Any]

    def close(self) -> None:
        """End the threads that read ahead."""


@dataclass(frozen=True)
class NoOptions:
    """The options of a recipe that has none of its own."""


@dataclass(frozen=True)
class WatchedLoss:
    """A loss that sounds an alarm when it runs away.

    Attributes:
        metric: its name in metrics.jsonl.
        words: whose it is, such as "G's loss".
        min_rise: a rise that runs which train well do not reach.
    """

    metric: str
    words: str
    min_rise: float


@dataclass(frozen=True)
class CurveGroup:
    """Metrics of a recipe that are looked at together.

    Attributes:
        title: on the page.
        series: (metric, its name on the page) each.
        unit: what the values are measured in.
    """

    title: str
    series: tuple[tuple[str, str], ...]
    unit: str = ""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A latent point that is filmed while a run trains.

    Attributes:
        z: float32 [z_dim], on the CPU.
        truth: uint8 [S, S, 3], the picture that the generator ought to make of it; None where
            nobody knows one.
    """

    z: Tensor
    truth: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class NetworkWork:
    """What one picture of a batch costs: a network, an input of it, and its passes.

    Attributes:
        network: on the device `meta`.
        inputs: float [1, ...], on the device `meta`.
        passes: forward passes that take as long; a backward pass counts as two.
        core_pace: operations a second of a CPU core in this network, where that was measured; by
            default it follows from how many operations a picture takes.
    """

    network: nn.Module
    inputs: Tensor
    passes: float
    core_pace: float | None = None


class Recipe(ABC):
    """The interface between the engine and a way to train.

    What stands first is what a recipe says of itself, by attributes and methods of its class:
    wherever the studio would have to know what kind of run it has before it, it asks these. A
    recipe names only what is other than here.

    Everything but the config is part of the training state.

    Attributes:
        dataset_kind: the kind of datasets that it learns from.
        options_type: a frozen dataclass whose fields `setting` declares: what may stand in the
            setting `recipe_options`. See `read_options`.
        preset: the preset that is meant where somebody names this recipe and no preset; None where
            one is chosen by the pictures and the device.
        phases: of `step`, for the stopwatch, without "data".
        loss_words: the losses that stand beside the progress bar, and the word for each.
        curves: views of its metrics by their names; `losses` is the one that is shown first, and
            beside the timeline. Empty for those of `gan`.
        watched_loss: the loss whose running away is an alarm; None for none.
        silent_alarms: those of SILENCEABLE that make no sense for it.
        score: what `begin_scoring` measures; None where nothing does.
        takes_negatives: whether it learns from a second dataset, of what is not wanted.
        of_checkpoint: the modules that have the weights of a checkpoint, where a run branches off
            one that has no training state.
        reshaped: the modules that are the generator, with the optimiser of each that learns, where
            they may change at a batch (`studio.training.surgery`); the rendered one comes first.

        batch: generator updates so far.
        config: the settings in force.
        modules: the networks by name, such as G, D, G_ema.
        optimizers: the optimisers by name, such as optimizer_g. Their learning rates are written
            down as `learning_rate_g`.
        rng: draws all random numbers, on the device; the same in all processes.
        numbers: further scalars that a resume needs; recipe and engine change them in place.
        before_rendered_changes: called before the weights of `rendered` change, since those of the
            last checkpoint may still be copied.
    """

    dataset_kind: ClassVar[str] = PICTURES
    options_type: ClassVar[type[Any]] = NoOptions
    preset: ClassVar[str | None] = None
    phases: ClassVar[tuple[str, ...]] = ("G",)
    loss_words: ClassVar[Mapping[str, str]] = {}
    curves: ClassVar[Mapping[str, CurveGroup]] = {}
    watched_loss: ClassVar[WatchedLoss | None] = None
    silent_alarms: ClassVar[frozenset[str]] = frozenset()
    score: ClassVar[RunScore | None] = None
    takes_negatives: ClassVar[bool] = False
    of_checkpoint: ClassVar[tuple[str, ...]] = ("G", "G_ema")
    reshaped: ClassVar[Mapping[str, str | None]] = {}

    batch: int
    config: TrainingConfig
    processes: Processes
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    rng: torch.Generator
    numbers: dict[str, float]
    before_rendered_changes: Callable[[], None]

    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        negatives: Iterator[Tensor] | None = None,
    ) -> None:
        """Begin at batch 0. A recipe builds its networks, untrained, and what trains them."""
        self.config, self.processes = config, processes
        self.rng = torch.Generator(processes.device).manual_seed(config.seed)
        self.batch = 0
        self.numbers = {}
        self.before_rendered_changes = lambda: None

    @classmethod
    def complete(cls, config: TrainingConfig) -> TrainingConfig:
        """The settings with those filled in that follow from others, such as z_dim.

        It is asked before a run is made, and more than once.
        """
        return config

    @classmethod
    def settle(cls, config: TrainingConfig) -> TrainingConfig:
        """The settings that a run is made with: "auto" gives way to what it stands for."""
        return config

    @classmethod
    def check(cls, config: TrainingConfig) -> None:
        """Refuse settings that this recipe cannot train with.

        Raises:
            StudioError: the text says which, and what would do.
        """
        if config.negatives and not cls.takes_negatives:
            raise StudioError(
                f"The recipe '{config.recipe}' learns from one dataset alone: leave negatives out."
            )

    @classmethod
    def check_dataset(cls, config: TrainingConfig, dataset: PreparedDataset) -> None:
        """Refuse a dataset with too few or too small pictures, without reading its pixels.

        Raises:
            StudioError: the text names the dataset, what it has, and what the run wants.
        """
        manifest = dataset.manifest
        if manifest.image_size < config.image_size:
            raise StudioError(
                f"Dataset '{manifest.name}' has pictures of {manifest.image_size} pixels, the run "
                f"wants image_size {config.image_size}. Prepare the dataset at that size."
            )
        if manifest.pictures < config.batch_size:
            raise StudioError(
                f"Dataset '{manifest.name}' has {manifest.pictures} pictures, fewer than a batch "
                f"of {config.batch_size}. Add pictures, or set batch_size."
            )

    @classmethod
    def build_networks(cls, config: TrainingConfig) -> dict[str, nn.Module]:
        """The networks that learn, in training mode, drawn from the config's seed; "G" among them.

        Raises:
            StudioError, CheckpointError: they cannot be built.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return {"G": config.generator_spec().build().train()}

    @classmethod
    def count_work(cls, config: TrainingConfig) -> list[NetworkWork]:
        """What one picture of a batch costs; called with the device `meta` as the default one."""
        G = config.generator_spec().build()
        return [NetworkWork(G, torch.zeros(1, config.z_dim), 3)]

    @classmethod
    def open_data(
        cls, config: TrainingConfig, data: SplitDataset, seed: int, processes: Processes
    ) -> DrawnData:
        """What draws the batches that `step` takes: here, pictures float [N, 3, S, S] in -1..1.

        Raises:
            StudioError: the dataset does not fit.
        """
        return Batches(
            data.pixels,
            config.image_size,
            config.batch_size,
            seed,
            config.random_flips,
            processes.device,
            processes,
            among=data.training,
        )

    @classmethod
    def pictures_of(cls, drawn: Any) -> Tensor:
        """The pictures in what `open_data` draws, float [N, 3, S, S] in -1..1, to be looked at."""
        pictures: Tensor = drawn
        return pictures

    @classmethod
    def choose_points(
        cls, config: TrainingConfig, data: SplitDataset, count: int
    ) -> list[FixedPoint]:
        """The first fixed points of a run, the same ones whenever they are asked for.

        Here they are drawn from N(0, I). A recipe whose points are pictures cuts them out of
        held-out ones.

        Raises:
            StudioError: the dataset has not so many.
        """
        return [FixedPoint(point.z) for point in sample_points(0, range(count), config.z_dim)]

    @classmethod
    def show(
        cls, config: TrainingConfig, pictures: np.ndarray, points: Sequence[FixedPoint]
    ) -> np.ndarray:
        """What the live film and the previews show of the fixed points: here, G's pictures.

        It depends on nothing but its arguments. Films that are rendered from checkpoints show the
        generator's pictures alone.

        Args:
            pictures: uint8 [P, S, S, 3], the generator's pictures of the points.
            points: the points, P of them.

        Returns:
            uint8 [P, height, width, 3], of one size for a run.
        """
        return pictures

    @classmethod
    def limits(cls, config: TrainingConfig) -> Mapping[str, float]:
        """Metrics whose size stays below these values in every run that trains, by name."""
        return {}

    def measured_networks(self, z: Tensor) -> dict[str, tuple[nn.Module, Tensor]]:
        """The networks whose layers the histograms are of, each with a batch to run on.

        Args:
            z: float [N, z_dim], on the device.
        """
        return {"G": (self.modules["G"], z)}

    def begin_scoring(self, data: SplitDataset) -> Callable[[], dict[str, float]]:
        """What measures the scores, by name, of the generator as it is when it is called.

        Args:
            data: the run's dataset.

        Raises:
            StudioError: nothing can be measured with these pictures.
        """
        return dict

    @property
    @abstractmethod
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints."""

    @abstractmethod
    def configure(self, config: TrainingConfig) -> None:
        """Use changed settings from the next step on."""

    @abstractmethod
    def step(self, reals: Iterator[Any], watch: Stopwatch) -> dict[str, Tensor]:
        """Run exactly one update of the generator, and what is due before it.

        Args:
            reals: this process's shards of what `open_data` draws; one is taken for each update
                that needs it.
            watch: counts the phases "data" and those of `phases`.

        Returns:
            Metrics by name, scalars on the device.
        """

    def warm_up(self, reals: Iterator[Any], watch: Stopwatch) -> dict[str, Tensor]:
        """Do one update of what is to be ahead of the generator before its first; see `step`."""
        return {}
