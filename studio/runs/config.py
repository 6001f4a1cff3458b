"""How a run is trained: one frozen record, read from TOML and written to run.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_type_hints

from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import Seal, check_lines, seal_lines
from studio.runs.setting_fields import (
    SettingDescription,
    check_range,
    check_value,
    describe_field,
    format_toml,
    is_live,
    risk_of,
    setting,
)
from studio.runs.settings import PLANNED, parse_plan
from studio.workspace.errors import EXPECTED_ERRORS, EditedFileError, StudioError
from studio.workspace.records.declarations import Risk
from studio.workspace.trust import Named

AUGMENTATION_NAMES = ("color", "translation", "cutout")
STORED_NAMES = {"null_pictures": "negatives"}  # Names in older run.toml files, and today's.
MAX_BATCH = 10**9
OPTION_TABLES = ("recipe_options", "generator_options")  # Settings that are tables of their own.
SEAL_NOTE = "# To change this file by hand, delete the line below."
# Settings that decide on the networks, which no training state and no other setting can change.
NETWORKS = (
    *("recipe", "generator", "generator_options", "z_dim", "image_size"),
    *("discriminator", "discriminator_width", "discriminator_norm", "minibatch_stddev"),
)

Norm = Literal["auto", "batch", "spectral", "none"]
Precision = Literal["float32", "auto", "bf16", "fp16"]


def setting_in_batches(default: int, help: str, minimum: int = 1) -> Any:
    """Declare a setting that counts batches and may change while the run trains."""
    return setting(default, help, minimum=minimum, maximum=MAX_BATCH, unit="batches", live=True)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides what a run becomes; the same values and data give the same run.

    Raises:
        StudioError: a value of the wrong type or out of range; the text names the setting.
    """

    dataset: str = setting("", "Dataset whose pictures are real, by its name in the workspace")
    negatives: str = setting("", 'Dataset of what is "not a city": D learns its pictures as fakes')
    held_out: float = setting(
        0,
        "Pictures that training never sees: a share below 1, or how many; 0: none",
        minimum=0,
        maximum=10**9,
    )
    recipe: str = setting("gan", "How networks are trained, by name")
    recipe_options: Mapping[str, Any] = setting(dict, "Options of the recipe's own, by name")
    parent: str = setting("", "RUN@BATCH that this run began from")

    # The networks.
    generator: str = setting(
        "dcgan",
        "Generator: dcgan, skyline, residual, shufflemixer, letters, or module:Class",
        risk="class",
    )
    generator_options: Mapping[str, Any] = setting(
        dict, "Options of the generator, except z_dim and image_size"
    )
    z_dim: int = setting(100, "Numbers in a latent point", minimum=1, maximum=65536)
    image_size: int = setting(
        64, "Width and height of a picture", minimum=32, maximum=1024, unit="px"
    )
    discriminator: Literal["dcgan", "residual"] = setting("dcgan", "Discriminator")
    discriminator_width: float = setting(
        1.0, "Factor on the channels of every layer of D", minimum=1 / 64, maximum=16
    )
    discriminator_norm: Literal["auto", "batch", "spectral", "none"] = setting(
        "auto", "Normalisation in D; auto is batch, or none where the loss has a penalty"
    )
    minibatch_stddev: bool = setting(
        False, "Tell D how much a batch varies, against mode collapse (Karras 2018)"
    )

    # How they learn.
    batches: int = setting(
        20_000, "Updates of G until the run is finished", minimum=1, maximum=MAX_BATCH
    )
    batch_size: int = setting(
        64, "Pictures in a batch, over all processes", minimum=2, maximum=65536, unit="pictures"
    )
    fit_memory: bool = setting(False, "Take a batch in smaller passes once memory has run out")
    precision: Literal["float32", "auto", "bf16", "fp16"] = setting(
        "float32", "Number format of forward passes; auto is bf16 where that is fast"
    )
    compile: bool = setting(False, "Compile the networks with torch.compile; made for GPUs")
    learning_rate_g: float = setting(2e-4, "Learning rate of G", minimum=0, maximum=1, live=True)
    learning_rate_d: float = setting(2e-4, "Learning rate of D", minimum=0, maximum=1, live=True)
    betas: tuple[float, float] = setting(
        (0.5, 0.999), "Adam's decay of the mean and of the mean square of gradients"
    )
    schedule: Literal["constant", "linear", "cosine", "step", "exponential"] = setting(
        "constant", "How the learning rates change over the batches", live=True
    )
    schedule_every: int = setting_in_batches(
        5000, "step, exponential: batches until the factor has been applied once"
    )
    schedule_factor: float = setting(
        0.5,
        "Factor on learning rates: of each step, or by the last batch",
        minimum=0,
        maximum=1,
        live=True,
    )
    warm_up_batches: int = setting_in_batches(
        0, "Batches in which learning rates rise in a straight line", minimum=0
    )
    cool_down_batches: int = setting_in_batches(
        0, "Last batches of the run, in which learning rates fall in a straight line", minimum=0
    )
    g_updates: int = setting(
        1, "Updates of G, in the ratio g_updates : d_updates", minimum=1, maximum=64, live=True
    )
    d_updates: int = setting(
        1, "Updates of D, in the ratio g_updates : d_updates", minimum=1, maximum=64, live=True
    )
    d_warm_up: int = setting(0, "Updates of D before G begins", minimum=0, maximum=10**6)
    weight_decay: float = setting(
        0, "Decoupled weight decay (AdamW)", minimum=0, maximum=1, live=True
    )
    independent_decay: float = setting(
        0,
        "Share of weights that each update takes off, whatever the learning rate",
        minimum=0,
        maximum=1,
        live=True,
    )
    clip_norm: float = setting(
        0,
        "Longest gradient, to which longer ones are clipped; 0: no limit",
        minimum=0,
        maximum=1e6,
        live=True,
    )
    weight_cap: float = setting(
        0,
        "Largest size of a weight, to which larger ones are clamped; 0: no limit",
        minimum=0,
        maximum=1e6,
        live=True,
    )
    bias_cap: float = setting(
        0, "Largest size of a bias; 0: no limit", minimum=0, maximum=1e6, live=True
    )
    update_cap: float = setting(
        0,
        "How far one update may move a weight or bias at most; 0: no limit",
        minimum=0,
        maximum=1e6,
        live=True,
    )
    loss: Literal["non_saturating", "hinge", "wasserstein", "relativistic"] = setting(
        "non_saturating", "Loss of both networks"
    )
    gradient_penalty: float = setting(
        -1,
        "Weight of the gradient penalty; -1: what the paper of the loss says",
        minimum=-1,
        maximum=1e6,
        live=True,
    )
    penalty_every: int = setting(
        1,
        "One of so many updates of D has the penalty, which then weighs as much more",
        minimum=1,
        maximum=64,
        live=True,
    )
    label_smoothing: float = setting(
        0.1, "non_saturating: real labels are 1 minus this", minimum=0, maximum=0.5, live=True
    )
    label_noise: float = setting(
        0, "Labels are moved at random by up to this towards 0.5", minimum=0, maximum=0.5, live=True
    )
    label_flips: float = setting(
        0,
        "Fraction of labels that are swapped, real for generated",
        minimum=0,
        maximum=0.5,
        live=True,
    )
    mixed_phase: bool = setting(
        False, "Update D once more, on a batch half real and half generated", live=True
    )
    augmentation: str = setting(
        "", "What D sees changed at random: any of color,translation,cutout", live=True
    )
    augmentation_target: float = setting(
        0, "Target of ADA's r_t; 0 augments every picture", minimum=0, maximum=1, live=True
    )
    blur_sigma_px: float = setting(
        0, "Blur of all that D sees, at batch 0", minimum=0, maximum=10, unit="px"
    )
    blur_fade_batches: int = setting(
        500,
        "Batches until that blur is gone, at most all of the run's",
        minimum=1,
        maximum=MAX_BATCH,
        unit="batches",
    )
    random_flips: bool = setting(True, "Mirror half of the real pictures, left to right")
    ema: float = setting(
        0.999, "Fraction of G_ema that stays at each batch", minimum=0, maximum=0.999999, live=True
    )
    seed: int = setting(0, "Seed of all random numbers", minimum=0, maximum=2**63 - 1)

    planned_changes: str = setting(
        "", "Live settings that change at a batch: NAME=VALUE@BATCH; NAME=VALUE@BATCH", live=True
    )

    # What is kept, and what is looked at.
    quality: float = setting(
        0.1,
        "Visual storage: how far pictures may differ, root mean square",
        minimum=0.01,
        maximum=10,
        unit="levels of 255",
    )
    checkpoint_every: int = setting_in_batches(1, "Batches between checkpoints")
    fixed_points: int = setting(
        9, "Latent points that are filmed while training", minimum=1, maximum=1024, live=True
    )
    film_every: int = setting_in_batches(
        1, "Batches between frames of the live film; 0: no film", minimum=0
    )
    preview_every: int = setting_in_batches(50, "Batches between previews")
    state_every: int = setting_in_batches(
        500, "Batches between training states, from which a run can resume"
    )
    state_minutes: float = setting(
        10,
        "Longest time between training states",
        minimum=0.1,
        maximum=10**6,
        unit="minutes",
        live=True,
    )
    score_every: int = setting_in_batches(
        500, "Batches between distances to the data (SWD); 0: never", minimum=0
    )
    histograms_every: int = setting_in_batches(
        500, "Batches between histograms of weights and activations; 0: never", minimum=0
    )

    # What happens on a bad day.
    reject_updates: bool = setting(
        False, "Leave out an update that is not finite, rather than go back at once", live=True
    )
    rejections: int = setting(
        20,
        "Updates rejected in a row before the run goes back",
        minimum=1,
        maximum=10**6,
        live=True,
    )
    rollbacks: int = setting(
        3, "Tries before a run that diverges gives up", minimum=0, maximum=1000, live=True
    )
    rollback_factor: float = setting(
        0.5, "Factor on the learning rates at each of these tries", minimum=0, maximum=1, live=True
    )
    progress_batches: int = setting_in_batches(
        1000, "Batches without visible change after which an alarm sounds", minimum=2
    )
    alarm_command: str = setting(
        "",
        "Command that is run for each alarm, with JSON on its standard input",
        live=True,
        risk="command",
    )
    alarm_webhook: str = setting(
        "", "Address that each alarm is posted to as JSON", live=True, risk="address"
    )

    def __post_init__(self) -> None:
        annotations = get_type_hints(type(self))
        for entry in fields(self):
            checked = check_value(entry, annotations[entry.name], getattr(self, entry.name))
            object.__setattr__(self, entry.name, checked)
        for beta in self.betas:
            check_range("betas", beta, 0, 0.999999)
        check_augmentation(self.augmentation)
        if self.augmentation_target and not self.augmentation:
            raise StudioError(
                "augmentation_target adapts how often pictures are augmented, but augmentation is "
                "empty. Set it too, such as color,translation,cutout."
            )
        if self.planned_changes:
            check_plan(self)

    @property
    def norm_of_d(self) -> Norm:
        """The normalisation of D: batch, spectral or none.

        Where discriminator_norm is auto, a dcgan has batch norm, unless the loss penalises the
        gradients of single pictures, which batch norm mixes (Gulrajani et al. 2017, section 4).
        """
        if self.discriminator_norm != "auto":
            return self.discriminator_norm
        penalised = self.loss in ("wasserstein", "relativistic") or self.gradient_penalty > 0
        return "none" if penalised or self.discriminator == "residual" else "batch"

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings."""
        return [entry.name for entry in fields(cls)]

    @classmethod
    def live_names(cls) -> list[str]:
        """The names of the settings that may change while a run trains."""
        return [entry.name for entry in fields(cls) if is_live(entry)]

    @classmethod
    def risks(cls) -> dict[str, Risk]:
        """What settings may name that runs code here, by the names of these settings."""
        return {entry.name: risk for entry in fields(cls) if (risk := risk_of(entry))}

    def generator_spec(self) -> GeneratorSpec:
        """The generator that is trained: its options with z_dim and image_size among them."""
        sizes = {"z_dim": self.z_dim, "image_size": self.image_size}
        return GeneratorSpec(self.generator, {**self.generator_options, **sizes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """A config from names and values; what is not named keeps its default.

        Names that settings had in older versions are understood.

        Raises:
            StudioError: an unknown name, or a value that does not fit.
        """
        known = cls.names()
        named = {STORED_NAMES.get(name, name): value for name, value in values.items()}
        for name in named:
            if name not in known:
                raise StudioError(describe_unknown(name, known))
        return cls(**named)

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """The config that `write` wrote; one without a seal is believed.

        Raises:
            StudioError: no such file, no TOML, an unknown key, or a value that does not fit.
            EditedFileError: all of that is right, but it is not what was written.
        """
        values = read_settings(path)
        try:
            config = cls.from_dict(values)
        except EXPECTED_ERRORS as error:
            raise StudioError(f"{path}: {error}") from error
        if check_lines(path.read_bytes()) is Seal.BROKEN:
            raise EditedFileError(path, "its last line")
        return config

    def write(self, path: Path) -> None:
        """Write the config as TOML with a seal, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        create_whole(path, self.sealed_toml())

    def sealed_toml(self) -> bytes:
        """What `write` writes."""
        return seal_lines(f"{self.to_toml()}\n{SEAL_NOTE}\n")

    def to_toml(self) -> str:
        """The config as TOML text, from which `read` makes an equal config."""
        values = asdict(self)
        tables = {name: values.pop(name) for name in OPTION_TABLES}
        lines = [f"{name} = {format_toml(value)}" for name, value in values.items()]
        for table, options in tables.items():
            if options:
                lines += ["", f"[{table}]"]
                lines += [f"{format_toml(name)} = {format_toml(v)}" for name, v in options.items()]
        return "\n".join(lines) + "\n"


def named_in(settings: Mapping[str, Any], source: str = "") -> Iterator[Named]:
    """What settings name that may run code here, or call an address.

    Args:
        settings: values by the names of settings, not all of them.
        source: the file that says so; empty for a person's own words.
    """
    for name, risk in TrainingConfig.risks().items():
        if settings.get(name):
            yield Named(name, risk, str(settings[name]), source)


def read_settings(path: Path) -> dict[str, Any]:
    """The names and values in a TOML file.

    Raises:
        StudioError: no such file, one that cannot be read, or no TOML.
    """
    try:
        if path.exists() and not path.is_file():
            raise StudioError(f"{path} is no file. Name a file of training settings.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StudioError(f"There is no training config at {path}.") from error
    except OSError as error:
        raise StudioError(f"{path!s:.200} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # No UTF-8, or numbers that are too long, too.
        raise StudioError(f"{path} is not TOML: {error}.") from error


def seal_settings(path: Path) -> None:
    """Seal a run.toml that has no seal: an older version's, or one that a person has edited.

    Raises:
        OSError: it cannot be written.
    """
    content = path.read_bytes()
    if check_lines(content) is Seal.ABSENT:
        text = content.decode().replace(f"{SEAL_NOTE}\n", "").rstrip("\n")
        create_whole(path, seal_lines(f"{text}\n\n{SEAL_NOTE}\n"))


def describe_settings() -> list[SettingDescription]:
    """Every training setting in its order, described for forms, commands and tables.

    Example:
        >>> {s.name: (s.default, s.maximum, s.unit) for s in describe_settings()}["image_size"]
        (64, 1024, 'px')
    """
    annotations = get_type_hints(TrainingConfig)
    return [describe_field(entry, annotations[entry.name]) for entry in fields(TrainingConfig)]


def check_plan(config: TrainingConfig) -> None:
    """Refuse planned changes of settings that cannot change, and values that do not fit.

    Raises:
        StudioError: the text names the batch, or the setting.
    """
    planned: dict[str, Any] = {}
    may_change = set(config.live_names()) - {PLANNED} - config.risks().keys()
    for batch, changes in groupby(parse_plan(config.planned_changes), lambda change: change.batch):
        for change in changes:
            if change.name not in config.names():
                raise StudioError(f"{PLANNED}: {describe_unknown(change.name, config.names())}")
            if change.name not in may_change:
                raise StudioError(f"{PLANNED}: {change.name} cannot change at a batch.")
            planned[change.name] = change.value
        check_range(f"{PLANNED}: a batch", batch, 1, MAX_BATCH)
        try:
            replace(config, planned_changes="", **planned)
        except StudioError as error:
            raise StudioError(f"{PLANNED}, at batch {batch:,}: {error}") from error


def check_augmentation(policy: str) -> None:
    """Refuse a list of augmentations that names an unknown one.

    Raises:
        StudioError: the text lists the known names.
    """
    for name in augmentation_names(policy):
        if name not in AUGMENTATION_NAMES:
            known = ", ".join(AUGMENTATION_NAMES)
            raise StudioError(f"augmentation is any of {known} with commas between, not '{name}'.")


def augmentation_names(policy: str) -> list[str]:
    """The names in a list of augmentations.

    Example:
        >>> augmentation_names("color, cutout")
        ['color', 'cutout']
    """
    return [name.strip() for name in policy.split(",") if name.strip()]


def describe_unknown(name: str, known: list[str]) -> str:
    """The sentence about an unknown setting: the closest known name, or all of them."""
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"Did you mean {closest[0]}?" if closest else f"Known: {', '.join(known)}."
    return f"There is no training setting '{name}'. {advice}"
