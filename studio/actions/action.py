"""What an action is: a frozen record that can refuse, be carried out, and tell its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from studio.runs.settings import write_setting
from studio.workspace.claims import Claim
from studio.workspace.jobs import Needs
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import (
    NAMES_FILES,
    Declared,
    declared_fields,
    join_commas,
)
from studio.workspace.records.record import AskedRecord, DeclaredRecord
from studio.workspace.trust import Named


@dataclass(frozen=True)
class Table:
    """Rows for people; `empty` says what to do where there are none."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = ""


class Result(DeclaredRecord):
    """What an action gives back.

    `document` is the JSON that outside programs read, `tell` the same for people: lines and tables.
    """

    @property
    def exit_status(self) -> int:
        """What the command ends with: 0 done, 1 failed."""
        return 0

    @property
    def is_whole(self) -> bool:
        """Whether it is all that was asked for; False where the work was stopped before."""
        return True

    def document(self) -> Any:
        """The JSON document of the result."""
        return self.model_dump(mode="json")

    def tell(self) -> Iterator[str | Table]:
        """The result for people, line by line."""
        yield from ()

    def remarks(self) -> Iterator[str]:
        """What a person should know beside the result; it goes to standard error."""
        yield from ()

    def named_files(self) -> Iterator[Path]:
        """The files that it names, in the order in which they are declared."""
        for name in type(self).model_fields:
            yield from _paths_in(getattr(self, name))


def _paths_in(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, DeclaredRecord):
        for name in type(value).model_fields:
            yield from _paths_in(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _paths_in(each)


class Action(AskedRecord):
    """Something a person can have done. Its docstring is its help, the first line a summary.

    Attributes:
        command: its words on the command line, such as "render timelapse"; also its name.
        section: the heading under which help lists it.
        is_job: whether it is recorded as a job and may work in the background.
        makes_run: whether it makes the run that it names.
        makes_workspace: whether it may begin a workspace; others only look into one.
        is_remote: whether it may be asked for by another program: the HTTP API and MCP.
        waits: whether it does nothing but wait, so that it keeps nobody from working.
        kept: a sentence on what stays when it is stopped before its end.
    """

    command: ClassVar[str] = ""
    section: ClassVar[str] = ""
    is_job: ClassVar[bool] = True
    makes_run: ClassVar[bool] = False
    makes_workspace: ClassVar[bool] = False
    is_remote: ClassVar[bool] = True
    waits: ClassVar[bool] = False
    kept: ClassVar[str] = ""

    def claims(self) -> Sequence[Claim]:
        """What nobody may take away or change meanwhile; a job reads the run that it is about."""
        about = self.about_run if self.is_job else None
        return [] if about is None else [Claim("run", about)]

    def needs(self) -> Needs | None:
        """The devices that it waits for as a job; None where it shares those of others."""
        return None

    def writes_elsewhere(self) -> bool:
        """Whether nothing of it is kept in the workspace, which then need not be writable."""
        return not self.is_job or getattr(self, "out", None) is not None

    def check(self, workspace: Workspace) -> None:
        """Refuse what cannot be done, before anything begins.

        Raises:
            StudioError: or an error of the libraries; its text says what to do instead.
        """

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What it brings into force that may run code here, or call an address.

        Its own fields; an action that takes settings from elsewhere adds those, each with where it
        comes from.

        Raises:
            StudioError: or an error of the libraries, as `check`.
        """
        for field in self.fields():
            if field.risk not in ("", *NAMES_FILES) and (value := getattr(self, field.name)):
                yield Named(field.flag, field.risk, str(value))

    def begins(self, workspace: Workspace) -> Action | None:
        """Another action that it begins with values which were asked for here, if it does."""
        return None

    def perform(self, workspace: Workspace, reporter: Reporter) -> Result:
        """Do it. Killed at any moment, the same action goes on where it was.

        Raises:
            StudioError: or an error of the libraries, as `check`.
        """
        raise AssertionError(f"{type(self).__name__} does not say how it is done")

    def question(self, workspace: Workspace) -> str:
        """What a person at a terminal is asked before it is done; empty where nothing is.

        Raises:
            StudioError: or an error of the libraries, as `check`.
        """
        return ""

    def confirmed(self) -> Action:
        """The action once the question was answered with yes."""
        return self

    def follow_up(self) -> Action | None:
        """What the command goes on with once the result was told."""
        return None

    def pictured(self, workspace: Workspace) -> Action:
        """The same for one who looks at the result; it may draw a picture that nobody named."""
        return self

    def resumed(self) -> Action:
        """The action that goes on where this one was when it ended too early."""
        return self

    def duplicated(self, workspace: Workspace) -> Action:
        """The action that does the same another time, beside this one."""
        return self

    def leads(self) -> bool:
        """Whether this process records and reports; of several that work together, one does."""
        return True

    @property
    def about_run(self) -> str | None:
        """The run that it is about, if it is about one."""
        named = getattr(self, "run", None)
        return named if isinstance(named, str) and named else None

    @classmethod
    def summary(cls) -> str:
        """The first line of its help."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def endpoint_name(cls) -> str:
        """The endpoint and the tool by which other programs ask for it: `render_timelapse`."""
        return cls.command.replace(" ", "_").replace("-", "_")

    @classmethod
    def python_name(cls) -> str:
        """The method of `studio.open(...)` that performs it: `train`, `import_`."""
        name = cls.endpoint_name()
        return f"{name}_" if iskeyword(name) else name

    @classmethod
    def fields(cls) -> list[Declared]:
        """What it takes, arguments first."""
        return declared_fields(cls)

    @classmethod
    def result_type(cls) -> type[Result]:
        """The class of its results."""
        found = get_type_hints(cls.perform)["return"]
        assert isinstance(found, type)
        assert issubclass(found, Result)
        return found


class Done(Result):
    """Something was done, and there is no more to it than a sentence, which may be empty."""

    said: str = ""

    def remarks(self) -> Iterator[str]:
        """The sentence."""
        if self.said:
            yield self.said


def words_of(action: Action) -> list[str]:
    """The words of the command that does the same; what goes without saying stays unsaid."""
    return spell_command(type(action), action.given())


def spell_command(action: type[Action], values: Mapping[str, Any]) -> list[str]:
    """The words of a command that is still being written.

    Args:
        values: fields as JSON; of those that are required and missing, the command shows a name
            in capitals.
    """
    arguments: list[str] = []
    options: list[str] = []
    for field in action.fields():
        words = arguments if field.argument else options
        if field.name in values:
            words += _spell(field, values[field.name])
        elif field.required:
            words += [*([] if field.argument else [field.flag]), field.placeholder]
    if any(word.startswith("-") for word in arguments):  # Else it would be read as an option.
        return [*action.command.split(), *options, "--", *arguments]
    return [*action.command.split(), *arguments, *options]


def _spell(field: Declared, value: Any) -> list[str]:
    """The words of one field."""
    if isinstance(value, dict):
        value = [write_setting(name, setting) for name, setting in value.items()]
    if field.argument:
        return [str(word) for word in value] if field.many else [str(value)]
    if field.kind == "flag":
        return [field.flag if value else field.no_flag]
    if isinstance(value, str) and value in field.switches:
        return [field.switches[value][0]]
    if field.is_switched:
        return []
    if field.many == "commas":
        return [field.flag, join_commas(value)]
    if field.many == "repeated":
        return [word for each in value for word in (field.flag, str(each))]
    return [field.shortest_flag, _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if isinstance(value, str) or float(short) == value else str(value)
