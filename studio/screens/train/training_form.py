"""What the form that begins a run stands for: a configuration, and the command that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from studio.runs.config import AUGMENTATION_NAMES, TrainingConfig, augmentation_names
from studio.runs.settings import parse_settings
from studio.training.setup.branching import BranchOrigin
from studio.training.setup.presets import PRESETS
from studio.training.setup.settings_choice import choose_config
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.quantities import parse_duration

NO_PRESET = "none"
SETTINGS = (
    *("batches", "batch_size", "learning_rate_g", "learning_rate_d"),
    *("loss", "generator", "discriminator", "schedule", "precision", "augmentation"),
    "fit_memory",
)


@dataclass(frozen=True)
class TrainForm:
    """The values of the form's fields; a setting that is None is left as it is.

    Args:
        preset: has no say where the run goes on from another one.
        begin_from: RUN@BATCH to go on from, with its settings, or empty.
        warm_from: RUN or RUN@BATCH whose networks it begins with at batch 0, or empty.
        time_box: how long to train, such as 85m, or empty.
        others: further settings as NAME=VALUE, one a line; they come last.
        augmentation: of AUGMENTATION_NAMES.
    """

    dataset: str | None
    name: str
    preset: str
    storage: str = "visual"
    quality: float | None = None
    begin_from: str = ""
    warm_from: str = ""
    time_box: str = ""
    processes: float | None = None
    others: str = ""
    batches: float | None = None
    batch_size: float | None = None
    learning_rate_g: float | None = None
    learning_rate_d: float | None = None
    loss: str | None = None
    generator: str | None = None
    discriminator: str | None = None
    schedule: str | None = None
    precision: str | None = None
    augmentation: Sequence[str] | None = None
    fit_memory: bool | None = None

    @property
    def origin(self) -> str:
        """RUN@BATCH that the new run goes on from; empty for none."""
        return self.begin_from.strip()

    @property
    def warm_origin(self) -> str:
        """RUN or RUN@BATCH whose networks the new run begins with; empty for none."""
        return self.warm_from.strip()

    @property
    def other_lines(self) -> list[str]:
        return [line.strip() for line in self.others.splitlines() if line.strip()]

    def base(self, workspace: Workspace) -> TrainingConfig:
        """The settings that hold where the form says nothing else: the origin's, or a preset's.

        Raises:
            StudioError: no such origin.
        """
        if not self.origin:
            return preset_config(self.preset)
        inherited = BranchOrigin.parse(workspace, self.origin).settings(workspace)
        return TrainingConfig.from_dict(inherited)

    def settings(self, base: TrainingConfig) -> dict[str, Any]:
        """What the fields of settings change in others."""
        others = {line.partition("=")[0].strip() for line in self.other_lines}
        shown = [name for name in SETTINGS if name not in others]
        given = {name: _typed(getattr(base, name), getattr(self, name)) for name in shown}
        changed = {
            name: value
            for name, value in given.items()
            if value is not None and value != getattr(base, name)
        }
        if "generator" in changed and base.generator_options:
            changed["generator_options"] = {}  # those of the base are another generator's
        return changed

    def config(self, workspace: Workspace) -> TrainingConfig:
        """The configuration that the form stands for.

        Raises:
            StudioError: a value that does not fit, an unknown dataset or origin.
        """
        base = self.base(workspace)
        settings = self.settings(base)
        if self.storage == "visual" and self.quality is not None:
            settings["quality"] = float(self.quality)
        inherited = asdict(base) if self.origin else None
        preset = None if self.origin or self.preset == NO_PRESET else self.preset
        settings |= parse_settings(self.other_lines)
        return choose_config(workspace, self.dataset or "", None, preset, settings, inherited)

    def check(self, workspace: Workspace) -> None:
        """Refuse at once what the command would refuse.

        Raises:
            StudioError: see `config`; or a time that cannot be read.
        """
        self.config(workspace)
        if self.origin and self.warm_origin:
            raise StudioError("'Go on from' and 'Networks of' exclude each other.")
        if self.warm_origin:
            BranchOrigin.parse(workspace, self.warm_origin)
        if self.time_box.strip():
            parse_duration(self.time_box)


def train_words(form: TrainForm, base: TrainingConfig) -> list[str]:
    """The command that does what the form says; what the base has already stays unsaid.

    Args:
        base: see `TrainForm.base`.
    """
    words = ["train", form.dataset or "DATASET", "--run", form.name.strip() or "NAME"]
    if form.origin:
        words += ["--from", form.origin]
    elif form.preset != NO_PRESET:
        words += ["--preset", form.preset]
    settings = form.settings(base)
    options = {
        "--init-from": form.warm_origin,
        "--for": form.time_box.strip(),
        "--processes": f"{form.processes:.0f}" if form.processes and form.processes > 1 else "",
        "--batches": settings.pop("batches", ""),
        "--batch-size": "auto" if settings.pop("fit_memory", False) else "",
        "--storage": form.storage if form.storage != "visual" else "",
        "--quality": _quality(form),
    }
    words += [str(word) for option in options.items() if option[1] for word in option]
    words += [word for name, value in settings.items() for word in _set(name, value)]
    return words + [word for line in form.other_lines for word in ("--set", line)]


def form_names() -> list[str]:
    """The names of the form's values, in the order in which it takes them."""
    return [field.name for field in fields(TrainForm)]


def preset_config(preset: str) -> TrainingConfig:
    """The settings that a preset stands for."""
    if preset == NO_PRESET:
        return TrainingConfig()
    return PRESETS[preset].config


def describe_preset(preset: str) -> str:
    """What a preset is good for, in a sentence."""
    if preset == NO_PRESET:
        return "Every setting has its default."
    return PRESETS[preset].description


def shown_values(config: TrainingConfig) -> dict[str, Any]:
    """Settings as the fields of the form show them."""
    values = asdict(config)
    values["augmentation"] = augmentation_names(values["augmentation"])
    return {name: values[name] for name in SETTINGS}


def _quality(form: TrainForm) -> str:
    usual = form.quality is None or form.quality == TrainingConfig.quality
    return "" if usual or form.storage != "visual" else f"{form.quality:g}"


def _typed(base: Any, value: Any) -> Any:
    """A field's value as the setting has it."""
    if isinstance(value, (list, tuple)):
        return ",".join(name for name in AUGMENTATION_NAMES if name in value)
    return None if value is None else type(base)(value)


def _set(name: str, value: Any) -> list[str]:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return ["--set", f"{name}={text}"]
