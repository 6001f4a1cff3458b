"""An action as other programs ask for it: named values in; text, a document and pictures out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.actions.action import Action, Result
from studio.actions.catalogue import known_actions
from studio.actions.job_actions import JobStarted
from studio.actions.job_options import JobOptions
from studio.actions.output import write_result
from studio.actions.permissions import Permissions
from studio.actions.schema import describe_parameters
from studio.screens.programs.shown_pictures import Picture, pictures_of
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten

MAX_NAME = 60  # Characters of the name of a value.
MAX_TEXT = 100_000  # Characters; of a longer text the end is given, as of a log.


@dataclass(frozen=True)
class Answer:
    """What a program is told.

    Attributes:
        text: what the command would print for a person.
        document: what it would print with `--json`.
    """

    text: str
    document: Any
    pictures: list[Picture]


@dataclass(frozen=True)
class Endpoint:
    """An action that a program may ask for by name, within what pages may ask for.

    Attributes:
        permissions: the workspace, and what the person who started the app lets others ask for.
    """

    action: type[Action]
    permissions: Permissions

    @property
    def name(self) -> str:
        """Such as `render_timelapse`."""
        return self.action.endpoint_name()

    @property
    def description(self) -> str:
        """The help of the action, and how a job goes on."""
        job = "It answers at once with the number of a job: see jobs_wait and jobs_result."
        help = " ".join((self.action.__doc__ or "").split())
        return f"{help} {job}" if self.action.is_job else help

    def parameters(self) -> dict[str, Any]:
        """The JSON Schema of its values, by name; `required` lists those without a default."""
        return describe_parameters(self.action)

    def answer(self, values: Mapping[str, Any]) -> Answer:
        """Carry the action out, or start it as a job.

        Args:
            values: by name, from outside; None stands for a value that is not given.

        Raises:
            StudioError: or an error of the libraries; its text says what to do instead.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if unfit := [name for name in given if not name.isidentifier() or len(name) > MAX_NAME]:
            raise StudioError(f"{shorten(unfit[0])} is not known here.")
        result = self._carry_out(given)
        text, pictures = write_result(result), pictures_of(result, self.permissions)
        return Answer(text[-MAX_TEXT:], result.document(), pictures)

    def _carry_out(self, given: dict[str, Any]) -> Result:
        workspace = self.permissions.workspace
        if not self.action.is_job:
            return self.permissions.perform(self.action.read(given).pictured(workspace))
        when = {name: given.pop(name) for name in JobOptions.model_fields if name in given}
        options = JobOptions.read(when)
        job = self.permissions.submit(self.action.read(given), options.terms())
        return JobStarted(id=job.id, text=job.text)


def list_endpoints(permissions: Permissions) -> list[Endpoint]:
    """An endpoint for each action that another program may ask for."""
    actions = known_actions().values()
    return [Endpoint(action, permissions) for action in actions if action.is_remote]
