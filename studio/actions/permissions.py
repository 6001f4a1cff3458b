"""What may be asked for from a browser or by another program; a person at the shell may do all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from studio.actions.action import Action
from studio.actions.declared.run_actions import Set
from studio.actions.declared.training_actions import Train
from studio.actions.submission import submit
from studio.runs.config import TrainingConfig
from studio.workspace.errors import StudioError
from studio.workspace.jobs import JobRow
from studio.workspace.paths import Workspace
from studio.workspace.record import is_risky

FLAG = "studio app --allow-commands"
Asked = TypeVar("Asked", bound=Action)


@dataclass(frozen=True)
class Permissions:
    """What the person who started the app lets others ask for.

    Attributes:
        opened: folders that may be read and written besides the workspace.
        commands: whether commands, addresses and classes may be named, whose code then runs here.
    """

    workspace: Workspace
    opened: tuple[Path, ...] = ()
    commands: bool = False

    def submit(self, action: Action) -> JobRow:
        """Start an action as a job, if it may be asked for.

        Raises:
            StudioError: it may not, or as `studio.actions.submission.submit`.
        """
        return submit(self.workspace, self.check(action))

    def check(self, action: Asked) -> Asked:
        """The action with its paths resolved.

        Raises:
            StudioError: it names what runs code here, or a path elsewhere.
        """
        paths = {}
        for field in action.fields():
            value = getattr(action, field.name)
            self._check_risk(field.flag, field.risk, value)
            if field.kind == "path" and value is not None:
                paths[field.name] = self.inside(value)
            if field.risk == "path":
                self._check_words(value)
        checked = action.model_copy(update=paths)
        self._check_settings_of(checked)
        return checked

    def check_settings(self, values: Mapping[str, Any]) -> None:
        """Refuse settings that run code here.

        Raises:
            StudioError: one does; the text names it.
        """
        for name, risk in TrainingConfig.risks().items():
            if name in values:
                self._check_risk(name, risk, values[name])

    def inside(self, path: Path) -> Path:
        """The path without links, which lies in the workspace or in an opened folder.

        Raises:
            StudioError: it lies elsewhere.
        """
        return self.workspace.inside(path, self.opened)

    def _check_risk(self, name: str, risk: str, value: Any) -> None:
        if not self.commands and is_risky(risk, value):
            raise StudioError(
                f"{name} names a {risk}, which may run code here, so it cannot be set from the "
                f"browser. Allow it: {FLAG}"
            )

    def _check_words(self, value: Any) -> None:
        """Refuse pictures elsewhere among the texts of latent points."""
        for word in _words(value):
            if re.search(r"[/\\]|\.jpe?g$", word, re.IGNORECASE):
                self.inside(Path(word).absolute())

    def _check_settings_of(self, action: Action) -> None:
        """Refuse settings that run code, wherever they come from: a file or another run as well."""
        if isinstance(action, Set):
            self.check_settings(dict(action.settings))
        if isinstance(action, Train) and not self.commands:
            from studio.training.setup.run_request import choose_settings

            self.check_settings(action.overrides)
            config = choose_settings(self.workspace, action.request)
            self.check_settings({name: getattr(config, name) for name in TrainingConfig.risks()})


def _words(value: Any) -> Iterator[str]:
    """The texts of a value that may be one or several; keys of a path are parted at @ and ->."""
    texts = [value] if isinstance(value, str) else value or ()
    for text in texts:
        yield from (word.strip() for word in re.split(r"@|->|,", text) if word.strip())
