"""How a run is trained: one frozen record, read from TOML and written to run.toml."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from checkpoints_index.generators.spec import GeneratorSpec
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

AUGMENTATION_NAMES = ("color", "translation", "cutout")
LIVE = "live"
Norm = Literal["auto", "batch", "spectral", "none"]


def number(default: float, low: float, high: float, *, live: bool = False) -> Any:
    """A field that is a number from low to high, both included; a live one may change in a run."""
    return field(default=default, metadata={"range": (low, high), LIVE: live})


def live(default: Any) -> Any:
    """A field of another type that may change while the run trains."""
    return field(default=default, metadata={LIVE: True})


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides what a run becomes; the same values and data give the same run.

    Raises:
        StudioError: a value of the wrong type or out of range, by name.
    """

    dataset: str = ""  # its name in the workspace
    null_pictures: str = ""  # a dataset of what is "not a city": D is given them as fakes
    recipe: str = "gan"
    parent: str = ""  # RUN@BATCH that this run began from

    # The networks.
    generator: str = "dcgan"
    generator_options: Mapping[str, Any] = field(default_factory=dict)  # but the next two
    z_dim: int = number(100, 1, 65536)
    image_size: int = number(64, 32, 1024)
    discriminator: Literal["dcgan", "residual"] = "dcgan"
    discriminator_width: float = number(1.0, 1 / 64, 16)
    discriminator_norm: Norm = "auto"
    minibatch_stddev: bool = False

    # How they learn.
    batches: int = number(20_000, 1, 10**9)
    batch_size: int = number(64, 2, 65536)  # over all processes and accumulated passes
    fit_memory: bool = False  # when memory runs out, take a batch in smaller passes
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    compile: bool = False
    learning_rate_g: float = number(2e-4, 0, 1, live=True)
    learning_rate_d: float = number(2e-4, 0, 1, live=True)
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Literal["constant", "linear", "cosine", "step", "exponential"] = live("constant")
    schedule_every: int = number(5000, 1, 10**9, live=True)  # batches between steps, or to a power
    schedule_factor: float = number(0.5, 0, 1, live=True)  # of a step, or by the last batch
    warm_up_batches: int = number(0, 0, 10**9, live=True)  # of learning rates, in a straight line
    g_updates: int = number(1, 1, 64, live=True)  # so many of G
    d_updates: int = number(1, 1, 64, live=True)  # to so many of D
    d_warm_up: int = number(0, 0, 10**6)  # updates of D before G begins
    weight_decay: float = number(0, 0, 1, live=True)
    clip_norm: float = number(0, 0, 1e6, live=True)  # longest gradient; 0 leaves them alone
    loss: Literal["non_saturating", "hinge", "wasserstein", "relativistic"] = "non_saturating"
    gradient_penalty: float = number(-1, -1, 1e6, live=True)  # -1: what the loss's paper says
    label_smoothing: float = number(0.1, 0, 0.5, live=True)  # non_saturating: of reals
    label_noise: float = number(0, 0, 0.5, live=True)  # labels move by up to this towards 0.5
    label_flips: float = number(0, 0, 0.5, live=True)  # share of labels that are the wrong ones
    mixed_phase: bool = live(False)  # a third update of D, on a batch half real, half generated
    augmentation: str = live("")  # such as "color,translation,cutout"
    augmentation_target: float = number(0, 0, 1, live=True)  # ADA's; 0 augments every picture
    blur_sigma_px: float = number(0, 0, 10)  # how much D's pictures are blurred at first,
    blur_fade_batches: int = number(500, 1, 10**9)  # and when they are sharp
    random_flips: bool = True  # mirror half of the real pictures, left to right
    ema: float = number(0.999, 0, 0.999999, live=True)  # how much of G_ema stays at each batch
    seed: int = number(0, 0, 2**63 - 1)

    # What is kept, and what is looked at.
    quality: float = number(0.1, 0.01, 10)  # visual storage: rms of 255 that pictures may differ
    checkpoint_every: int = number(1, 1, 10**9, live=True)
    fixed_points: int = number(9, 1, 1024, live=True)
    film_every: int = number(1, 0, 10**9, live=True)  # batches between live frames; 0: no film
    preview_every: int = number(50, 1, 10**9, live=True)
    state_every: int = number(500, 1, 10**9, live=True)
    state_minutes: float = number(10, 0.1, 10**6, live=True)
    score_every: int = number(500, 0, 10**9, live=True)  # batches between distances to the data
    histograms_every: int = number(500, 0, 10**9, live=True)

    # What happens on a bad day.
    rollbacks: int = number(3, 0, 1000, live=True)  # tries before a diverging run gives up
    rollback_factor: float = number(0.5, 0, 1, live=True)  # of the learning rates, at each of them
    progress_batches: int = number(1000, 2, 10**9, live=True)  # without visible change: an alarm
    alarm_command: str = live("")  # is run for each alarm, with its JSON on standard input
    alarm_webhook: str = live("")  # is sent each alarm as JSON

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            object.__setattr__(self, name, checked_type(name, kind, getattr(self, name)))
        for entry in fields(self):
            if "range" in entry.metadata:
                check_range(entry.name, getattr(self, entry.name), *entry.metadata["range"])
        for beta in self.betas:
            check_range("betas", beta, 0, 0.999999)
        check_augmentation(self.augmentation)
        if self.augmentation_target and not self.augmentation:
            raise StudioError(
                "augmentation_target adapts how often pictures are augmented, but augmentation is "
                "empty. Set it too, such as color,translation,cutout."
            )

    @property
    def norm_of_d(self) -> Norm:
        """batch, spectral or none.

        By itself it is batch norm for a dcgan, unless the loss has a penalty of single pictures'
        gradients, which batch norm mixes (Gulrajani et al. 2017, section 4).
        """
        if self.discriminator_norm != "auto":
            return self.discriminator_norm
        penalised = self.loss in ("wasserstein", "relativistic") or self.gradient_penalty > 0
        return "none" if penalised or self.discriminator == "residual" else "batch"

    @classmethod
    def names(cls) -> list[str]:
        """All settings."""
        return [entry.name for entry in fields(cls)]

    @classmethod
    def live_names(cls) -> list[str]:
        """The settings that may change while a run trains."""
        return [entry.name for entry in fields(cls) if entry.metadata.get(LIVE)]

    def generator_spec(self) -> GeneratorSpec:
        """The generator that is trained: its options with z_dim and image_size among them."""
        sizes = {"z_dim": self.z_dim, "image_size": self.image_size}
        return GeneratorSpec(self.generator, {**self.generator_options, **sizes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """A config from names and values; what is not named keeps its default.

        Raises:
            StudioError: an unknown name, or a value that does not fit.
        """
        known = cls.names()
        for name in values:
            if name not in known:
                raise StudioError(describe_unknown(name, known))
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """A config from a TOML file.

        Raises:
            StudioError: no such file, no TOML, an unknown key, or a value that does not fit.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise StudioError(f"There is no training config at {path}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudioError(f"{path} is not TOML: {error}.") from error
        try:
            return cls.from_dict(values)
        except EXPECTED_ERRORS as error:
            raise StudioError(f"{path}: {error}") from error

    def to_toml(self) -> str:
        """The text that `read` makes an equal config of."""
        values = asdict(self)
        options = values.pop("generator_options")
        lines = [f"{name} = {toml_value(value)}" for name, value in values.items()]
        if options:
            lines += ["", "[generator_options]"]
            lines += [f"{toml_value(name)} = {toml_value(v)}" for name, v in options.items()]
        return "\n".join(lines) + "\n"


def checked_type(name: str, kind: Any, value: Any) -> Any:
    """The value as the type that the field is declared with."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise StudioError(f"{name} is one of {', '.join(get_args(kind))}, not {value!r}.")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise StudioError(f"{name} is two numbers such as [0.5, 0.999], not {value!r}.")
        return tuple(checked_type(name, float, part) for part in value)
    if get_origin(kind) is Mapping:
        return checked_options(name, value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise StudioError(f"{name} is of type {kind.__name__}, not {value!r}.")
    return value


def checked_options(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise StudioError(f"{name} is a table of names and values, not {value!r}.")
    for option, setting in value.items():
        if option in ("z_dim", "image_size"):
            raise StudioError(f"{option} is a setting of its own: move it out of {name}.")
        if not isinstance(setting, (bool, int, float, str)):
            raise StudioError(
                f"{name}.{option} is a number, a text or true/false, not {setting!r}."
            )
    return dict(value)


def check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise StudioError(f"{name} is from {low:g} to {high:g}, not {value:g}.")


def check_augmentation(policy: str) -> None:
    for name in augmentation_names(policy):
        if name not in AUGMENTATION_NAMES:
            known = ", ".join(AUGMENTATION_NAMES)
            raise StudioError(f"augmentation is any of {known} with commas between, not '{name}'.")


def augmentation_names(policy: str) -> list[str]:
    return [name.strip() for name in policy.split(",") if name.strip()]


def describe_unknown(name: str, known: list[str]) -> str:
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"Did you mean {closest[0]}?" if closest else f"Known: {', '.join(known)}."
    return f"There is no training setting '{name}'. {advice}"


def toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return repr(value)
