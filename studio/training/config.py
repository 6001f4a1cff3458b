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

from checkpoints_index.spec import GeneratorSpec
from latent.errors import UserError

AUGMENTATION_NAMES = ("color", "translation", "cutout")


def number(default: float, low: float, high: float) -> Any:
    """A field that is a number from low to high, both included."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides what a run becomes; the same values and data give the same run.

    Raises:
        UserError: a value of the wrong type or out of range, by name.
    """

    dataset: str = ""  # its name in the workspace
    recipe: str = "gan"
    generator: str = "dcgan"
    generator_options: Mapping[str, Any] = field(default_factory=dict)  # but the next two
    z_dim: int = number(100, 1, 65536)
    image_size: int = number(64, 32, 1024)

    discriminator_width: float = number(1.0, 1 / 64, 16)
    discriminator_norm: Literal["batch", "spectral", "none"] = "batch"
    minibatch_stddev: bool = False

    batches: int = number(20_000, 1, 10**9)
    batch_size: int = number(64, 2, 65536)
    learning_rate_g: float = number(2e-4, 0, 1)
    learning_rate_d: float = number(2e-4, 0, 1)
    betas: tuple[float, float] = (0.5, 0.999)
    loss: Literal["non_saturating", "hinge"] = "non_saturating"
    label_smoothing: float = number(0.1, 0, 0.5)  # real pictures are labelled 1 minus this
    augmentation: str = ""  # such as "color,translation,cutout"
    blur_sigma_px: float = number(0, 0, 10)  # how much D's pictures are blurred at first,
    blur_fade_batches: int = number(500, 1, 10**9)  # and when they are sharp
    random_flips: bool = True  # mirror half of the real pictures, left to right
    ema: float = number(0.999, 0, 0.999999)  # how much of G_ema stays at each batch
    seed: int = number(0, 0, 2**63 - 1)

    quality: float = number(0.1, 0.01, 10)  # visual storage: rms of 255 that pictures may differ

    fixed_points: int = number(9, 1, 1024)
    preview_every: int = number(50, 1, 10**9)
    state_every: int = number(500, 1, 10**9)

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            object.__setattr__(self, name, checked_type(name, kind, getattr(self, name)))
        for entry in fields(self):
            if "range" in entry.metadata:
                check_range(entry.name, getattr(self, entry.name), *entry.metadata["range"])
        for beta in self.betas:
            check_range("betas", beta, 0, 0.999999)
        check_augmentation(self.augmentation)

    def generator_spec(self) -> GeneratorSpec:
        """The generator that is trained: its options with z_dim and image_size among them."""
        sizes = {"z_dim": self.z_dim, "image_size": self.image_size}
        return GeneratorSpec(self.generator, {**self.generator_options, **sizes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """A config from names and values; what is not named keeps its default.

        Raises:
            UserError: an unknown name, or a value that does not fit.
        """
        known = [entry.name for entry in fields(cls)]
        for name in values:
            if name not in known:
                raise UserError(describe_unknown(name, known))
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """A config from a TOML file.

        Raises:
            UserError: no such file, no TOML, an unknown key, or a value that does not fit.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(f"There is no training config at {path}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not TOML: {error}.") from error
        try:
            return cls.from_dict(values)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

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
            raise UserError(f"{name} is one of {', '.join(get_args(kind))}, not {value!r}.")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise UserError(f"{name} is two numbers such as [0.5, 0.999], not {value!r}.")
        return tuple(checked_type(name, float, part) for part in value)
    if get_origin(kind) is Mapping:
        return checked_options(name, value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(f"{name} is of type {kind.__name__}, not {value!r}.")
    return value


def checked_options(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{name} is a table of names and values, not {value!r}.")
    for option, setting in value.items():
        if option in ("z_dim", "image_size"):
            raise UserError(f"{option} is a setting of its own: move it out of {name}.")
        if not isinstance(setting, (bool, int, float, str)):
            raise UserError(f"{name}.{option} is a number, a text or true/false, not {setting!r}.")
    return dict(value)


def check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"{name} is from {low:g} to {high:g}, not {value:g}.")


def check_augmentation(policy: str) -> None:
    for name in augmentation_names(policy):
        if name not in AUGMENTATION_NAMES:
            known = ", ".join(AUGMENTATION_NAMES)
            raise UserError(f"augmentation is any of {known} with commas between, not '{name}'.")


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
