"""What may be asked for from a browser or by another program; a person at the shell may do all."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from latent.mixing.expression import parse_expression
from studio.actions.action import Action, Result
from studio.actions.submission import perform, submit
from studio.workspace.errors import StudioError
from studio.workspace.jobs import NO_TERMS, JobRow, Terms
from studio.workspace.names import hub_repository
from studio.workspace.paths import Workspace
from studio.workspace.records.declarations import Risk
from studio.workspace.trust import Named, is_trusted, require_trusted

FLAG = "studio app --allow-commands"
RISKS: dict[Risk, str] = {  # What is refused, and what would come of it.
    "command": "a command, which this machine would run",
    "class": "a class, whose code would run here",
    "address": "an address, which this studio would call",
}
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

    def submit(self, action: Action, terms: Terms = NO_TERMS) -> JobRow:
        """Start an action as a job, if it may be asked for.

        Args:
            terms: when it may begin.

        Raises:
            StudioError: it may not, or as `studio.actions.submission.submit`.
        """
        return submit(self.workspace, self.check(action), terms)

    def perform(self, action: Action) -> Result:
        """Carry an action out in this process, if it may be asked for.

        Raises:
            StudioError: it may not, or as `studio.actions.submission.perform`.
        """
        return perform(self.workspace, self.check(action))

    def check(self, action: Asked) -> Asked:
        """The action with its paths resolved.

        Raises:
            StudioError: it brings into force what runs code here and nobody has named, or it names
                a path elsewhere.
            CheckpointError: as `StudioError`, for a class.
            LatentError: an expression of latent points cannot be read.
        """
        paths: dict[str, Any] = {}
        for field in action.fields():
            value = getattr(action, field.name)
            if field.kind == "path" and field.many:
                paths[field.name] = tuple(map(self.inside, value or ()))
            elif field.risk == "hub" and hub_repository(value) is not None:
                paths[field.name] = value  # Its address is one of those that the action brings.
            elif field.kind == "path" and value is not None:
                paths[field.name] = self.inside(value)
            elif field.risk == "path":
                self._check_words(_words(value))
            elif field.risk == "expression":
                self._check_words(term.point for term in parse_expression(value))
        checked = action.model_copy(update=paths)
        for named in checked.brings(self.workspace):
            self._check_named(named)
        begun = checked.begins(self.workspace)
        if begun is not None and self.check(begun) != begun:
            raise StudioError("A path is written in full where it is changed for another job.")
        return checked

    def inside(self, path: Path) -> Path:
        """The path without links, which lies in the workspace or in an opened folder.

        Raises:
            StudioError: it lies elsewhere.
        """
        return self.workspace.inside(path, self.opened)

    def _check_named(self, named: Named) -> None:
        """Refuse what the owner has not named; with `commands`, a page may name it."""
        if named.source:
            require_trusted(self.workspace, named)
            return
        allowed = self.commands or not named.is_risky
        if not allowed and not is_trusted(self.workspace, named.risk, named.value):
            one = "" if named.risk == "class" else f"--{named.risk} "
            raise StudioError(
                f"{named.name} names {RISKS[named.risk]}, so it cannot be set from the browser or "
                f"by another program. Allow this one: studio trust {one}"
                f"{shlex.quote(named.value)}. Allow all: {FLAG}"
            )

    def _check_words(self, words: Iterable[str]) -> None:
        """Refuse files elsewhere among the texts of latent points, whatever they are called.

        A name without a folder stands for a file where the app was started.
        """
        for word in words:
            if re.search(r"[/\\]|\.jpe?g$", word, re.IGNORECASE) or os.path.lexists(word):
                self.inside(Path(word).absolute())


def _words(value: Any) -> Iterator[str]:
    """The texts of a value that may be one or several; keys of a path are parted at @ and ->."""
    texts = [value] if isinstance(value, str) else value or ()
    for text in texts:
        if os.path.lexists(text):
            yield text
        yield from (word.strip() for word in re.split(r"@|->|,", text) if word.strip())
