"""Commands made of actions: options and arguments from fields, results printed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import click

from studio.actions.action import Action, words_of
from studio.actions.job_actions import JobStarted
from studio.actions.job_options import JobOptions
from studio.actions.output import print_result
from studio.actions.submission import perform, submit
from studio.command_line.help import ActionCommand, SectionedGroup
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace
from studio.workspace.records.declarations import Declared, declared_fields
from studio.workspace.records.record import InvalidValueError

JSON = click.Option(
    ["--json", "as_json"],
    is_flag=True,
    help="Print one JSON document on standard output, only that.",
)
DETACH = click.Option(
    ["--detach"], is_flag=True, help="Work in the background, and return at once."
)
WHEN = declared_fields(JobOptions)
GROUPS = {
    "delete": "Deleting for good, once --yes says so.",
    "rename": "Other names for runs and datasets.",
    "datasets": "Prepared pictures to train on.",
    "jobs": "What works in the background, and what waits for its turn.",
    "plan": "What films will be, before they are rendered.",
    "presets": "Settings that go together: the studio's, and your own.",
    "render": "Films of training, walks and sheets.",
    "specimens": "Cities worth keeping, and their pictures.",
}


def add_commands(root: click.Group, actions: Iterable[type[Action]]) -> None:
    """Give a command line a command for each action; two words make a group and its command."""
    for action in actions:
        *path, name = action.command.split()
        group = root
        for word in path:
            group = _subgroup(group, word, action.section)
        group.add_command(make_command(action), name)


def make_command(action: type[Action]) -> click.Command:
    """The command that performs an action.

    Its options say how a value is written, and leave it to the action to read and refuse it.
    """
    parameters: list[click.Parameter] = []
    for field in action.fields():
        parameters += _parameters(field)
    own: list[click.Parameter] = [JSON]
    if action.is_job:
        own += [DETACH, *(each for field in WHEN for each in _parameters(field))]
    return ActionCommand(
        action.command.split()[-1],
        callback=_callback(action),
        params=[*parameters, *own],
        help=action.__doc__,
        short_help=action.summary(),
        sections={
            flag: f.section
            for f in (*action.fields(), *WHEN)
            for flag in (f.flag, *(flag for flag, _ in f.switches.values()))
            if f.section
        },
        section=action.section,
    )


def workspace_of(context: click.Context, action: type[Action]) -> Workspace:
    """The workspace that the whole command line was given; made only by what begins one."""
    folder = context.find_root().params.get("workspace")
    return Workspace.open(folder, make=action.makes_workspace)


def read_action(action: type[Action], given: Mapping[str, Any]) -> Action:
    """An action from what stood on the command line.

    Raises:
        UsageError: a value is missing or does not fit.
    """
    values: dict[str, Any] = {}
    for field in action.fields():
        if (value := _given(field, given)) not in (None, ()):
            values[field.name] = value
    try:
        return action.read(values)
    except InvalidValueError as error:
        _refuse(action, error)
    except EXPECTED_ERRORS as error:
        raise click.UsageError(explain(error), click.get_current_context(silent=True)) from error


def _callback(action: type[Action]) -> Callable[..., None]:
    def call(**given: Any) -> None:
        context = click.get_current_context()
        as_json, detach = given.pop("as_json"), given.pop("detach", False)
        options = _read_options(given) if action.is_job else JobOptions()
        asked, workspace = read_action(action, given), workspace_of(context, action)
        try:
            if detach or options != JobOptions():
                job = submit(workspace, asked, options.terms())
                print_result(JobStarted(id=job.id, text=job.text), as_json)
                return
            result = perform(workspace, _confirm(workspace, asked))
        except InvalidValueError as error:
            _refuse(action, error)
        except KeyboardInterrupt:
            if not asked.is_job:
                raise
            raise StudioError(_describe_stop(asked, context)) from None
        print_result(result, as_json)
        if (then := asked.follow_up()) is not None:
            perform(workspace, then)
        context.exit(result.exit_status)

    return call


def _read_options(given: dict[str, Any]) -> JobOptions:
    """When a job may begin, taken out of what stood on the command line.

    Raises:
        UsageError: a value does not fit.
    """
    values = {field.name: given.pop(field.name, None) for field in WHEN}
    try:
        options = JobOptions.read({n: value for n, value in values.items() if value is not None})
        options.terms()
    except InvalidValueError as error:
        names = {field.name: field.flag for field in WHEN}
        raise click.UsageError(error.spelled(names), click.get_current_context()) from error
    except EXPECTED_ERRORS as error:
        raise click.UsageError(explain(error), click.get_current_context()) from error
    return options


def _confirm(workspace: Workspace, asked: Action) -> Action:
    """Ask a person at a terminal; where nobody can be asked, the action itself says what it needs.

    Raises:
        click.Abort: the answer was no.
    """
    if sys.stdin.isatty() and (question := asked.question(workspace)):
        click.confirm(f"{question} Is that meant?", abort=True, err=True)
        return asked.confirmed()
    return asked


def _describe_stop(action: Action, context: click.Context) -> str:
    """What a person is told who stopped an action: what is kept, and how it goes on."""
    folder = context.find_root().params.get("workspace")
    elsewhere = [] if folder is None else ["--workspace", str(folder)]
    command = shlex.join(["studio", *elsewhere, *words_of(action.resumed())])
    return " ".join(filter(None, ["Stopped.", action.kept, f"Go on with: {command}"]))


def _refuse(action: type[Action], error: InvalidValueError) -> NoReturn:
    """End with wrong usage, and name the options as they are written here."""
    names = {
        field.name: field.placeholder if field.argument else field.shortest_flag
        for field in action.fields()
    }
    raise click.UsageError(error.spelled(names), click.get_current_context(silent=True))


def _subgroup(parent: click.Group, word: str, section: str) -> click.Group:
    found = parent.commands.get(word)
    if isinstance(found, click.Group):
        return found
    group = SectionedGroup(word, help=GROUPS.get(word, ""), section=section)
    parent.add_command(group)
    return group


def _parameters(field: Declared) -> list[click.Parameter]:
    """The options or the argument of one field."""
    if field.argument:
        return [
            click.Argument(
                [field.name],
                required=False,
                help=field.help,
                nargs=-1 if field.many else 1,
                metavar=_argument_metavar(field),
            )
        ]
    switches: list[click.Parameter] = [
        click.Option([flag, f"{field.name}_{value}"], is_flag=True, help=said)
        for value, (flag, said) in field.switches.items()
    ]
    if field.is_switched:
        return switches
    names = [name for name in (field.short, field.flag) if name]
    if field.kind == "flag":
        spelled = f"{field.flag}/{field.no_flag}" if field.default else field.flag
        return [click.Option([spelled, field.name], is_flag=True, default=None, help=field.help)]
    return [
        *switches,
        click.Option(
            [*names, field.name],
            multiple=field.many == "repeated",
            metavar=_metavar(field),
            help=_option_help(field),
        ),
    ]


def _given(field: Declared, given: Mapping[str, Any]) -> Any:
    """What was given for a field; None for nothing.

    Raises:
        UsageError: two switches that exclude each other.
    """
    written = None if field.is_switched else given.get(field.name)
    chosen = [value for value in field.switches if given.get(f"{field.name}_{value}")]
    if chosen and written not in (None, chosen[0]):
        flag = field.switches[chosen[0]][0]
        raise click.UsageError(f"{flag} and {field.flag} exclude each other: give one of them.")
    if len(chosen) > 1:
        flags = " and ".join(field.switches[value][0] for value in chosen)
        raise click.UsageError(f"{flags} exclude each other: give one of them.")
    return chosen[0] if chosen else written


def _argument_metavar(field: Declared) -> str:
    several = f"{field.placeholder}..." if field.many else field.placeholder
    return several if field.required else f"[{several}]"


def _metavar(field: Declared) -> str:
    if field.metavar:
        return field.metavar
    if field.choices:
        return "|".join(field.choices)
    kinds = {"whole": "N", "number": "NUMBER", "path": "PATH"}
    return {"s": "SECONDS", "px": "PIXELS"}.get(field.unit, kinds.get(field.kind, "TEXT"))


def _option_help(field: Declared) -> str:
    """The help of a field, with its default where that says something."""
    if field.required:
        return f"{field.help}  [required]"
    if field.default in (None, "", (), {}, False):
        return field.help
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return f"{field.help}  [{default}]"


def explain_misplaced(error: click.NoSuchOption) -> str | None:
    """What to tell a person who wrote a global option behind the command."""
    if error.option_name in ("--workspace", "--verbose", "-v"):
        behind = " DIR" if error.option_name == "--workspace" else ""
        words = [word for word in sys.argv[1:] if not word.startswith("-")][:1]
        command = words[0] if words else "COMMAND"
        return (
            f"{error.option_name} stands before the command: "
            f"studio {error.option_name}{behind} {command} ..."
        )
    return None
