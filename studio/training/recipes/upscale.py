"""The recipe of super-resolution: small pictures are made large again (ShuffleMixer, Sun 2022)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from checkpoints_index.generators.shufflemixer import ShuffleMixerGenerator
from checkpoints_index.generators.spec import GeneratorSpec
from renderers.frames.frame_renderer import FrameRenderer
from studio.datasets.held_out import SplitDataset
from studio.datasets.prepared import PreparedDataset
from studio.runs.config import TrainingConfig
from studio.runs.setting_fields import setting
from studio.training.data.batches import scale as to_float
from studio.training.data.patches import Patches, PatchPair
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
from studio.training.scores.restoration import measure_restoration
from studio.training.scores.score import RunScore, decibels_to_error
from studio.workspace.errors import StudioError

ARCHITECTURE = "shufflemixer"
USUAL_SCALE = 4  # That of the architecture where its options say nothing.
MIN_SIZE_PX = 32  # The least image_size.
MAX_SMALL_PX = 128  # A latent point is a small picture, and has at most 65,536 numbers.
SCORED = 64  # Held-out pictures that are scored.
ORDER_SEED = 0  # Seeds the order in which held-out pictures become fixed points.
GAP_PX, GAP_LEVEL = 2, 250  # Between the pictures of a fixed point.
AMPLIFIED = 4  # So many times as large a difference is shown.

# Operations a second of a core, as measured, but for those of the depthwise convolutions, which are
# few and slow: kernels of 13 px take as long as all else.
CORE_PACE, HALF_PACE_KERNEL_PX = 24e9, 13


@dataclass(frozen=True)
class UpscaleOptions:
    """Options of the recipe `upscale`."""

    fft_weight: float = setting(
        0.1, "Weight of the loss of spectra beside that of pixels; 0: none", minimum=0, maximum=100
    )
    patch_px: int = setting(
        24,
        "Width and height of the small patches it learns from",
        minimum=8,
        maximum=256,
        unit="px",
    )
    turns: bool = setting(True, "Turn patches by quarters at random")


@dataclass
class PairInputs:
    """The patches of an update, float [N, 3, s, s] each: it can be cut into passes."""

    small: Tensor
    large: Tensor

    def __len__(self) -> int:
        return len(self.small)

    def split(self, size: int) -> Iterator[PairInputs]:
        """Cut into parts of `size` pairs."""
        for start in range(0, len(self), size):
            yield PairInputs(self.small[start : start + size], self.large[start : start + size])


class Upscaling(LearningByExample):
    """Trains G to make pictures large, on patches of pictures and of the same ones made small.

    The loss is the mean absolute difference of pixels, and beside it that of spectra, which most
    published training files leave out by a misspelt name.

    Args:
        config: the settings; the live ones may change later, see `configure`.
        processes: this process among those that train together.
        negatives: None; the recipe takes none.
    """

    architecture: ClassVar[str] = ARCHITECTURE
    presets_advice: ClassVar[str] = "Take a preset of it, upscale-tiny or upscale-base"
    unseen: ClassVar[str] = "pictures"
    usual_share: ClassVar[str] = "0.05"
    options_type: ClassVar[type[UpscaleOptions]] = UpscaleOptions
    preset: ClassVar[str | None] = "upscale-tiny"
    loss_words: ClassVar[Mapping[str, str]] = {"l1": "L1", "fft": "FFT"}
    curves: ClassVar[Mapping[str, CurveGroup]] = {
        "losses": CurveGroup("Losses", (("l1", "Pixels"), ("fft", "Spectra"))),
        "psnr": CurveGroup(
            "PSNR", (("psnr", "Held-out pictures"), ("psnr_bicubic", "Bicubic")), "dB"
        ),
        "ssim": CurveGroup("SSIM", (("ssim", "Held-out pictures"), ("ssim_bicubic", "Bicubic"))),
    }
    watched_loss: ClassVar[WatchedLoss | None] = WatchedLoss("l1", "The loss", min_rise=0.05)
    silent_alarms: ClassVar[frozenset[str]] = frozenset(SILENCEABLE)
    score: ClassVar[RunScore | None] = RunScore(
        "psnr", "PSNR on held-out pictures", decibels_to_error, "risen"
    )

    G: ShuffleMixerGenerator
    options: UpscaleOptions

    def step(self, reals: Iterator[PatchPair], watch: Stopwatch) -> Metrics:
        """Update G once on a batch of patches, then its average.

        Args:
            reals: this process's shards of pairs.
            watch: counts the phases "data" and "G".

        Returns:
            Scalars on the device: `l1` and `fft`, the terms of the loss, and `g_grad_norm`.
        """
        with watch("data"):
            pair = next(reals)
        with watch("G"):
            return self.learn(PairInputs(pair.small, pair.large), self.losses)

    def losses(self, inputs: PairInputs) -> tuple[Tensor, Metrics]:
        """The loss, a scalar, of pixels in 0..1, and its terms."""
        with autocast(inputs.small.device, self.config.precision):
            made = self.G.enlarge((inputs.small + 1) / 2)
        made, truth = made.float(), (inputs.large + 1) / 2
        l1 = (made - truth).abs().mean()
        weight = self.options.fft_weight
        if weight == 0:
            return l1, {"l1": l1}
        fft = spectral_loss(made, truth)
        return l1 + weight * fft, {"l1": l1, "fft": fft}

    @classmethod
    def complete(cls, config: TrainingConfig) -> TrainingConfig:
        """Pictures of a size that the scale divides, and the z_dim of the small ones.

        Of larger pictures the middle is filmed and scored; patches come from all over them.
        """
        if config.generator != ARCHITECTURE:
            return config
        factor = scale_of(config)
        small_px = min(MAX_SMALL_PX, config.image_size // factor)
        small_px = max(small_px, -(-MIN_SIZE_PX // factor))
        return replace(config, image_size=small_px * factor, z_dim=3 * small_px**2)

    @classmethod
    def check_dataset(cls, config: TrainingConfig, dataset: PreparedDataset) -> None:
        """Refuse a dataset of too small pictures, and one that does not keep them small as well.

        Raises:
            StudioError: the text says how it does.
        """
        manifest, factor = dataset.manifest, scale_of(config)
        patch_px = read_options(UpscaleOptions, config).patch_px
        wanted = max(config.image_size, patch_px * factor)
        if manifest.image_size // factor * factor < wanted:
            raise StudioError(
                f"Dataset '{manifest.name}' has pictures of {manifest.image_size} pixels, and the "
                f"run wants {wanted}: image_size is {config.image_size}, and its patches are "
                f"{patch_px} x {factor} wide. Set image_size or recipe_options.patch_px lower."
            )
        dataset.small(factor)

    @classmethod
    def count_work(cls, config: TrainingConfig) -> list[NetworkWork]:
        """The passes of G over a patch."""
        patch_px, factor = read_options(UpscaleOptions, config).patch_px, scale_of(config)
        sizes = {"image_size": patch_px * factor, "z_dim": 3 * patch_px**2}
        G = GeneratorSpec(ARCHITECTURE, {**config.generator_options, **sizes}).build()
        convolutions = (module for module in G.modules() if isinstance(module, nn.Conv2d))
        kernel_px = max(convolution.kernel_size[0] for convolution in convolutions)
        pace = CORE_PACE / (1 + (kernel_px / HALF_PACE_KERNEL_PX) ** 2)
        return [NetworkWork(G, torch.zeros(1, sizes["z_dim"]), 3, pace)]

    @classmethod
    def open_data(
        cls, config: TrainingConfig, data: SplitDataset, seed: int, processes: Processes
    ) -> DrawnData:
        """Pairs of patches of the training pictures."""
        options, factor = read_options(UpscaleOptions, config), scale_of(config)
        return Patches(
            data.pixels,
            data.dataset.small(factor),
            factor,
            options.patch_px,
            config.batch_size,
            seed,
            config.random_flips,
            options.turns,
            processes,
            data.training,
        )

    @classmethod
    def pictures_of(cls, drawn: PatchPair) -> Tensor:
        """The large patches, float [N, 3, S, S] in -1..1."""
        return drawn.large

    @classmethod
    def choose_points(
        cls, config: TrainingConfig, data: SplitDataset, count: int
    ) -> list[FixedPoint]:
        """The middles of held-out pictures made small, in an order that stays when more are asked.

        Fewer where the dataset has not so many.
        """
        order = np.random.default_rng(ORDER_SEED).permutation(data.held_out)[:count]
        small, truths = cut_pairs(config, data, order)
        points = zip(as_points(small), truths, strict=True)
        return [FixedPoint(point, truth) for point, truth in points]

    @classmethod
    def show(
        cls, config: TrainingConfig, pictures: np.ndarray, points: Sequence[FixedPoint]
    ) -> np.ndarray:
        """In a row: the small picture, what became of it, the truth, and their difference.

        The difference is shown four times as large as it is. Where the truth is not known, its
        place and that of the difference are dark.

        Args:
            pictures: uint8 [P, S, S, 3].
            points: the points, P of them.

        Returns:
            uint8 [P, S, 4 * S + 3 * GAP_PX, 3].
        """
        size = pictures.shape[1]
        gap = np.full((size, GAP_PX, 3), GAP_LEVEL, np.uint8)
        rows = []
        for picture, point in zip(pictures, points, strict=True):
            small = small_picture(point.z)
            shown = [small.repeat(size // len(small), 0).repeat(size // len(small), 1), picture]
            if point.truth is None:
                shown += [np.zeros_like(picture)] * 2
            else:
                shown += [point.truth, difference(picture, point.truth)]
            first, *others = shown
            rows.append(np.concatenate([first, *(part for o in others for part in (gap, o))], 1))
        return np.stack(rows)

    @classmethod
    def limits(cls, config: TrainingConfig) -> Mapping[str, float]:
        """Sizes that losses and gradients of runs that train stay far below; pixels are in 0..1."""
        return {"l1": 10.0, "fft": 1e4, "g_grad_norm": 1e6}

    def begin_scoring(self, data: SplitDataset) -> Callable[[], dict[str, float]]:
        """Measure PSNR and SSIM on held-out pictures, beside those of bicubic enlargements."""
        config, factor = self.config, scale_of(self.config)
        small, truths = cut_pairs(config, data, data.spread(data.held_out, SCORED))
        z = as_points(small)
        enlarged = np.stack([enlarge_bicubic(picture, factor) for picture in small])
        psnr, ssim = measure_restoration(enlarged, truths, factor)
        of_bicubic = {"psnr_bicubic": round(psnr, 4), "ssim_bicubic": round(ssim, 5)}

        def measure() -> dict[str, float]:
            made = FrameRenderer().render(self.rendered, z)
            psnr, ssim = measure_restoration(made, truths, factor)
            return {"psnr": round(psnr, 4), "ssim": round(ssim, 5), **of_bicubic}

        return measure


def scale_of(config: TrainingConfig) -> int:
    """How many times as wide pictures become.

    Raises:
        StudioError: it is no whole number.
    """
    factor = config.generator_options.get("scale", USUAL_SCALE)
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise StudioError(f"generator_options.scale is 2, 3 or 4, not {factor!r:.40}.")
    return factor


def spectral_loss(made: Tensor, truth: Tensor) -> Tensor:
    """The mean absolute difference of the real and imaginary parts of spectra, a scalar.

    The transform is not normalised, as in the published training.

    Args:
        made, truth: float32 [N, 3, H, W].
    """
    return torch.view_as_real(torch.fft.rfft2(made) - torch.fft.rfft2(truth)).abs().mean()


def cut_pairs(
    config: TrainingConfig, data: SplitDataset, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The middles of some pictures, small and large.

    Returns:
        uint8 [N, S / factor, S / factor, 3] and uint8 [N, S, S, 3], S being image_size.
    """
    factor, small = scale_of(config), data.dataset.small(scale_of(config))
    size = config.image_size // factor
    start = (small.shape[1] - size) // 2
    inner, outer = (slice(start * by, (start + size) * by) for by in (1, factor))
    return (
        np.stack([small[position, inner, inner] for position in positions]),
        np.stack([data.pixels[position, outer, outer] for position in positions]),
    )


def as_points(small: np.ndarray) -> Tensor:
    """Small pictures, uint8 [N, s, s, 3], as latent points: float32 [N, 3 * s * s] in -1..1."""
    return to_float(torch.from_numpy(small).permute(0, 3, 1, 2).flatten(1))


def small_picture(z: Tensor) -> np.ndarray:
    """The small picture that a latent point is, float32 [3 * s * s] in -1..1: uint8 [s, s, 3]."""
    size = round((len(z) / 3) ** 0.5)
    levels = ((z + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    picture: np.ndarray = levels.view(3, size, size).permute(1, 2, 0).numpy()
    return picture


def difference(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far two pictures, uint8 [S, S, 3], are apart, AMPLIFIED times: uint8 [S, S, 3]."""
    apart = np.abs(picture.astype(int) - truth)
    amplified: np.ndarray = np.clip(AMPLIFIED * apart, 0, 255).astype(np.uint8)
    return amplified


def enlarge_bicubic(picture: np.ndarray, factor: int) -> np.ndarray:
    """A picture, uint8 [s, s, 3], as Pillow enlarges it: uint8 [s * factor, s * factor, 3]."""
    size = len(picture) * factor
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
