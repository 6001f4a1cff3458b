"""Help pages: commands under the headings of their sections, options under those of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

WIDTH = 100
HELP = ["-h", "--help"]
NAMES = {"help_option_names": HELP, "max_content_width": WIDTH}
OTHER = "Options"


class ActionCommand(click.Command):
    """A command that knows under which headings it and its options stand.

    Arguments are listed by click itself, above the options.

    Args:
        section: the heading of the command in its group's help.
        sections: option -> heading in the command's own help.
    """

    def __init__(
        self,
        name: str,
        *,
        section: str = "",
        sections: Mapping[str, str] | None = None,
        **given: Any,
    ) -> None:
        super().__init__(name, context_settings=NAMES, **given)
        self.section, self._sections = section, dict(sections or {})

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each under its heading."""
        under: dict[str, list[tuple[str, str]]] = {OTHER: []}
        for parameter in self.get_params(context):
            is_option = isinstance(parameter, click.Option)
            if is_option and (record := parameter.get_help_record(context)):
                under.setdefault(self._heading(parameter), []).append(record)
        for heading, rows in under.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def _heading(self, parameter: click.Parameter) -> str:
        return next((self._sections[o] for o in parameter.opts if o in self._sections), OTHER)


class SectionedGroup(click.Group):
    """A group that lists its commands under the headings of their sections.

    Called without a command, a group that has a command `list` without arguments lists.
    """

    def __init__(self, name: str, *, section: str = "", **given: Any) -> None:
        super().__init__(name, context_settings=NAMES, **given)
        self.section = section

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each under its heading."""
        under: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(context):
            command = self.commands[name]
            heading = getattr(command, "section", "") if context.parent is None else "Commands"
            under.setdefault(heading or "Commands", []).append(
                (name, command.get_short_help_str(limit=WIDTH))
            )
        for heading, rows in under.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def parse_args(self, context: click.Context, words: list[str]) -> list[str]:
        """Let a group that was called alone list what there is."""
        listing = self.commands.get("list")
        is_for_group = words and (words[0] in HELP or not words[0].startswith("-"))
        takes_nothing = listing and not any(isinstance(p, click.Argument) for p in listing.params)
        if takes_nothing and not is_for_group:
            words = ["list", *words]
        return super().parse_args(context, words)
