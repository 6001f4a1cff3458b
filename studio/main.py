"""The command `studio`: every action, and the ways into the app and the demo."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from studio.actions.catalogue import known_actions
from studio.actions.output import print_error
from studio.app import App
from studio.command_line.commands import add_commands, explain_misplaced
from studio.command_line.help import SectionedGroup
from studio.demo import Demo
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import printable
from studio.workspace.stopping import heed_stop_requests, spare_cores

HELP = "Keep every checkpoint of a generator, film it growing, explore its latent space."


def build() -> click.Group:
    """The command line with all its commands."""
    root = SectionedGroup(
        "studio",
        help=HELP,
        callback=_begin,
        params=[
            click.Option(
                ["--workspace"],
                type=click.Path(path_type=Path),
                help="Folder of everything; else $STUDIO_WORKSPACE, else ./workspace.",
            ),
            click.Option(["-v", "--verbose"], is_flag=True, help="Say more of what is done."),
        ],
    )
    root.params.append(_version_option())
    add_commands(root, [Demo, App, *known_actions().values()])
    return root


def main() -> None:
    """Run a command: exit status 0 done, 1 failed, 2 wrong usage."""
    spare_cores()
    heed_stop_requests()
    try:
        sys.exit(build().main(prog_name="studio", standalone_mode=False) or 0)
    except click.NoSuchOption as error:
        _refuse(click.UsageError(explain_misplaced(error) or error.message, error.ctx))
    except click.UsageError as error:
        _refuse(error)
    except click.Abort:
        sys.exit(130)
    except EXPECTED_ERRORS as error:
        print_error(error)
        sys.exit(1)


def _begin(workspace: Path | None, verbose: bool) -> None:
    """Options that stand before the command; commands ask for the workspace themselves."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


class PrintableFormatter(logging.Formatter):
    """Writes the message of a record, and nothing that a terminal would obey."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message alone."""
        return printable(super().formatMessage(record), one_line=True)


def _refuse(error: click.UsageError) -> None:
    click.UsageError(printable(error.format_message()), error.ctx).show()
    sys.exit(2)


def _version_option() -> click.Option:
    def show(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            import studio

            print(f"studio {studio.__version__}")
            context.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Print the version.",
    )
