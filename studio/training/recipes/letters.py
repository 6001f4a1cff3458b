"""The recipe of letters: two networks that turn cases into each other (Murphy, SIGBOVIK 2021)."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.generators.letters.bodies import ALPHABET, INPUTS
from checkpoints_index.generators.letters.letters_generator import LettersGenerator, build_body
from checkpoints_index.generators.letters.strip import COLUMNS, UNIT_PX, cut_strip
from studio.datasets.held_out import SplitDataset
from studio.datasets.prepared import LETTERS, PreparedDataset
from studio.runs.config import TrainingConfig
from studio.runs.setting_fields import setting
from studio.training.data.letter_inversions import InversionQueue, invert, replace_first
from studio.training.data.letter_pairs import (
    HEARD_FOR_USED,
    LetterPairs,
    Letters,
    levels_to_fields,
)
from studio.training.data.letter_pictures import draw_ideal, letter_point
from studio.training.machine.precision import autocast
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import Metrics
from studio.training.recipes.learning_by_example import LearningByExample
from studio.training.recipes.recipe import (
    SILENCEABLE,
    CurveGroup,
    DrawnData,
    FixedPoint,
    NetworkWork,
    WatchedLoss,
)
from studio.training.recipes.recipe_options import read_options
from studio.training.scores.letter_errors import differ, error_of
from studio.training.scores.score import RunScore

ARCHITECTURE = "letters"
USUAL_SIZE = 2 * UNIT_PX
FONTS_SCORED, FONTS_AVERAGED = 64, 1024
SHOWN = "Rag"  # The letters that are filmed first.
ORDER_SEED = 0  # Seeds the order in which held-out fonts are filmed.
GAP_LEVEL = 250


@dataclass(frozen=True)
class LettersOptions:
    """Options of the recipe `letters`."""

    inversions: float = setting(
        0.25,
        "Share of examples that the other network makes up; 0: none",
        minimum=0,
        maximum=0.9,
    )
    inversions_from: int = setting(
        500, "Batch from which on it does", minimum=0, maximum=10**9, unit="batches"
    )
    remap: bool = setting(True, "Compare fields by values that are steeper near edges")
    loss: Literal["linear", "squared"] = setting("linear", "How a difference of fields counts")
    letter_weight: float = setting(
        5, "Weight of which letter it is, whose differences count squared", minimum=0, maximum=1000
    )


@dataclass
class LetterInputs:
    """The examples of an update for both networks: it can be cut into passes.

    Attributes:
        upper, lower: what `make_lowercase` and `make_uppercase` see, float [N, 1296].
        to_lower, to_upper: what they ought to give, float [N, 1322].
    """

    upper: Tensor
    to_lower: Tensor
    lower: Tensor
    to_upper: Tensor

    def __len__(self) -> int:
        return len(self.upper)

    def split(self, size: int) -> Iterator[LetterInputs]:
        """Cut into parts of `size` examples."""
        parts = (self.upper, self.to_lower, self.lower, self.to_upper)
        for start in range(0, len(self), size):
            yield LetterInputs(*(part[start : start + size] for part in parts))


class LetterTraining(LearningByExample):
    """Trains two networks on the letters of fonts, and on each other's inversions.

    `make_lowercase` learns what the lower-case letter of an upper-case one looks like, and which
    letter it is; `make_uppercase` the other way round. An inversion is what one network makes of a
    letter that has its case already: the other network learns to make that letter of it.

    Args:
        config: the settings; the live ones may change later, see `configure`.
        processes: this process among those that train together.
        negatives: None; the recipe takes none.
    """

    dataset_kind: ClassVar[str] = LETTERS
    architecture: ClassVar[str] = ARCHITECTURE
    presets_advice: ClassVar[str] = "Take its preset, letters"
    unseen: ClassVar[str] = "fonts"
    usual_share: ClassVar[str] = "0.125"
    options_type: ClassVar[type[LettersOptions]] = LettersOptions
    preset: ClassVar[str | None] = "letters"
    loss_words: ClassVar[Mapping[str, str]] = {"error_lower": "a", "error_upper": "A"}
    curves: ClassVar[Mapping[str, CurveGroup]] = {
        "losses": CurveGroup(
            "Errors while training",
            (("error_lower", "To lower case"), ("error_upper", "To upper case")),
        ),
        "held_out": CurveGroup(
            "Errors on held-out fonts",
            (
                ("held_out_lower", "To lower case"),
                ("held_out_upper", "To upper case"),
                ("average_lower", "Always the average letter: to lower case"),
                ("average_upper", "Always the average letter: to upper case"),
            ),
        ),
        "letters_known": CurveGroup(
            "Letters of held-out fonts that are recognised", (("letters_known", "Share"),)
        ),
    }
    watched_loss: ClassVar[WatchedLoss | None] = WatchedLoss(
        "error_lower", "The error to lower case", min_rise=5.0
    )
    silent_alarms: ClassVar[frozenset[str]] = frozenset(SILENCEABLE)
    reshaped: ClassVar[Mapping[str, str | None]] = {"G_ema": None, "G": "optimizer_g"}
    score: ClassVar[RunScore | None] = RunScore("held_out_error", "the error on held-out fonts")

    G: LettersGenerator
    options: LettersOptions

    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        negatives: Iterator[Tensor] | None = None,
    ) -> None:
        super().__init__(config, processes)
        self.for_lower = InversionQueue(self.numbers, "inversions_for_lower").to(processes.device)
        self.for_upper = InversionQueue(self.numbers, "inversions_for_upper").to(processes.device)
        self.modules |= {"for_lower": self.for_lower, "for_upper": self.for_upper}

    def step(self, reals: Iterator[LetterPairs], watch: Stopwatch) -> Metrics:
        """Update both networks once, then their averages.

        Args:
            reals: this process's shards of letters.
            watch: counts the phases "data" and "G".

        Returns:
            Scalars on the device: `error_lower` and `error_upper`, the sum of the differences of a
            letter as published, and `g_grad_norm`.
        """
        with watch("data"):
            pairs = next(reals)
        with watch("G"):
            return self.learn(self.mix(pairs), self.losses)

    def mix(self, pairs: LetterPairs) -> LetterInputs:
        """The examples of a batch: letters of fonts, the first of them replaced by inversions."""
        known = F.one_hot(pairs.letters, ALPHABET).float()
        inputs = LetterInputs(
            pairs.upper,
            torch.cat((pairs.lower, known), 1),
            pairs.lower,
            torch.cat((pairs.upper, known), 1),
        )
        if self.options.inversions and self.batch >= self.options.inversions_from:
            self.for_lower.put(*invert(self.G.make_uppercase, pairs.tried_upper))
            self.for_upper.put(*invert(self.G.make_lowercase, pairs.tried_lower))
            lower, upper = pairs.inversions
            inputs.upper, inputs.to_lower = replace_first(
                pairs.rows, self.for_lower.take(lower), inputs.upper, inputs.to_lower
            )
            inputs.lower, inputs.to_upper = replace_first(
                pairs.rows, self.for_upper.take(upper), inputs.lower, inputs.to_upper
            )
        return inputs

    def losses(self, inputs: LetterInputs) -> tuple[Tensor, Metrics]:
        """The sum of both networks' losses, a scalar, and the error of each."""
        with autocast(inputs.upper.device, self.config.precision):
            lower = self.G.make_lowercase(inputs.upper)
            upper = self.G.make_uppercase(inputs.lower)
        total, errors = inputs.upper.new_zeros(()), {}
        for name, made, wanted in (
            ("error_lower", lower, inputs.to_lower),
            ("error_upper", upper, inputs.to_upper),
        ):
            apart = differ(made.float(), wanted, self.options.remap)
            errors[name] = apart.detach().abs().sum(1).mean()
            fields, letters = apart[:, :INPUTS], apart[:, INPUTS:]
            counted = fields.abs() if self.options.loss == "linear" else fields.square()
            guessed = self.options.letter_weight * letters.square().sum(1)
            total = total + (counted.sum(1) + guessed).mean()
        return total, errors

    def measured_networks(self, z: Tensor) -> dict[str, tuple[nn.Module, Tensor]]:
        """Both networks, on the letters that the points are."""
        letters = (z + 1) / 2
        networks = {"lower": self.G.make_lowercase, "upper": self.G.make_uppercase}
        return {name: (network, letters) for name, network in networks.items()}

    @classmethod
    def complete(cls, config: TrainingConfig) -> TrainingConfig:
        """Points that are letters, and pictures of a size that six of them fill."""
        if config.generator != ARCHITECTURE:
            return config
        size = config.image_size
        fits = size >= UNIT_PX and size % UNIT_PX == 0
        return replace(config, image_size=size if fits else USUAL_SIZE, z_dim=INPUTS)

    @classmethod
    def check_dataset(cls, config: TrainingConfig, dataset: PreparedDataset) -> None:
        """Any fonts will do: one letter is drawn as often as it takes."""

    @classmethod
    def count_work(cls, config: TrainingConfig) -> list[NetworkWork]:
        """The passes of both networks over a letter, and those in which they are tried."""
        passes = 3 + HEARD_FOR_USED * read_options(LettersOptions, config).inversions
        letter = torch.zeros(1, INPUTS)
        options = config.generator_options
        return [
            NetworkWork(build_body(options, case), letter, passes)
            for case in ("lowercase", "uppercase")
        ]

    @classmethod
    def open_data(
        cls, config: TrainingConfig, data: SplitDataset, seed: int, processes: Processes
    ) -> DrawnData:
        """Letters of the training fonts in both cases."""
        inversions = read_options(LettersOptions, config).inversions
        return Letters(data.pixels, config.batch_size, inversions, seed, processes, data.training)

    @classmethod
    def pictures_of(cls, drawn: LetterPairs) -> Tensor:
        """The letters in both cases, as if the networks had learned everything."""
        return draw_ideal(drawn.lower, drawn.upper, USUAL_SIZE, is_upper=True)

    @classmethod
    def choose_points(
        cls, config: TrainingConfig, data: SplitDataset, count: int
    ) -> list[FixedPoint]:
        """Letters of held-out fonts: three of each of three fonts, then every letter as often.

        Their order stays. Fewer where the dataset has not so many.
        """
        fonts = np.random.default_rng(ORDER_SEED).permutation(data.held_out)
        order = SHOWN + "".join(c for c in string.ascii_letters if c not in SHOWN)
        first = ((font, character) for font in fonts[: len(SHOWN)] for character in SHOWN)
        turns = (
            (font, order[(place + turn) % len(order)])
            for turn in range(len(order))
            for place, font in enumerate(fonts)
        )
        wanted = dict.fromkeys(itertools.chain(first, turns))  # Each of them once.
        return [
            FixedPoint(*letter_point(data.pixels[font], character, config.image_size))
            for font, character in itertools.islice(wanted, count)
        ]

    @classmethod
    def show(
        cls, config: TrainingConfig, pictures: np.ndarray, points: Sequence[FixedPoint]
    ) -> np.ndarray:
        """Strips of the five letters, and below each what they ought to be, where that is known.

        From left to right: the letter, as a lower-case one, that as an upper-case one again, the
        letter as an upper-case one, that as a lower-case one again. Below stand the letters of the
        font; nobody knows what an upper-case letter is as an upper-case one.

        Args:
            pictures: uint8 [P, S, S, 3].
            points: the points, P of them.

        Returns:
            uint8 [P, S / 2 + S / 3, 5 * S / 3, 3].
        """
        size = pictures.shape[1]
        unknown = np.full((size, size, 3), GAP_LEVEL, np.uint8)
        truths = np.stack([unknown if p.truth is None else p.truth for p in points])
        below = cut_strip(truths)[:, : size // COLUMNS]
        return np.concatenate((cut_strip(pictures), below), 1)

    @classmethod
    def limits(cls, config: TrainingConfig) -> Mapping[str, float]:
        """Sizes that errors and gradients of runs that train stay far below."""
        return {"error_lower": 1e5, "error_upper": 1e5, "g_grad_norm": 1e9}

    def begin_scoring(self, data: SplitDataset) -> Callable[[], dict[str, float]]:
        """Measure the errors on held-out fonts, beside those of always the average letter.

        The average is that of the same letter over the training fonts: the median of each of its
        values, which no other picture of a letter beats on these fonts. It knows which letter it
        is asked for; the networks have to see that.
        """
        held_out = data.spread(data.held_out, FONTS_SCORED)
        known = data.spread(data.training, FONTS_AVERAGED)
        device = next(self.G.parameters()).device
        fields = levels_to_fields(data.pixels[held_out], device).flatten(2)  # [n, 52, 1296]
        lower, upper = fields.split(ALPHABET, 1)
        averages = torch.stack(
            [
                levels_to_fields(data.pixels[known, letter]).flatten(1).median(0).values
                for letter in range(2 * ALPHABET)
            ]
        ).to(device)
        remap = self.options.remap
        by_average = {
            f"average_{case}": error_of(average, truth, remap)
            for case, average, truth in zip(
                ("lower", "upper"), averages.split(ALPHABET), (lower, upper), strict=True
            )
        }

        @torch.no_grad()
        def measure() -> dict[str, float]:
            networks = self.rendered
            assert isinstance(networks, LettersGenerator)
            found, right = {}, []
            for case, network, seen, wanted in (
                ("lower", networks.make_lowercase, upper, lower),
                ("upper", networks.make_uppercase, lower, upper),
            ):
                made = torch.stack([network(font) for font in seen])
                found[f"held_out_{case}"] = error_of(made[..., :INPUTS].clamp(0, 1), wanted, remap)
                guessed = made[..., INPUTS:].argmax(2)
                right.append((guessed == torch.arange(ALPHABET, device=device)).float().mean())
            found["held_out_error"] = round(sum(found.values()) / len(found), 4)
            known_share = {"letters_known": round(float(torch.stack(right).mean()), 5)}
            return found | by_average | known_share

        return measure
