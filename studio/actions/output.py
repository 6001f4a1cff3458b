"""Results printed: as lines and tables for people, or as the one JSON document for programs."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

from studio.actions.action import Result, Table
from studio.workspace.advice import explain
from studio.workspace.names import printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

WIDE = 10_000  # Columns of an output that is no terminal, where no row is broken.


def print_result(result: Result, as_json: bool = False) -> None:
    """Print a result on standard output, and its remarks on standard error."""
    if as_json:
        print(write_json(result.document()))
    else:
        for part in result.tell():
            if isinstance(part, Table):
                print_table(part)
            else:
                print(printable(part, one_line=True))
    for remark in result.remarks():
        print(printable(remark, one_line=True), file=sys.stderr)


def write_result(result: Result) -> str:
    """The lines, tables and remarks of a result as one text, for who has no terminal."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, markup=False, emoji=False, width=WIDE)
    for part in (*result.tell(), *result.remarks()):
        if isinstance(part, Table) and part.rows:
            console.print(_lay_out(part))
        else:
            file.write(printable(part.empty if isinstance(part, Table) else part) + "\n")
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()).strip("\n")


def print_error(error: Exception) -> None:
    """Print on standard error what happened, and what to do next."""
    print(printable(explain(error), one_line=True), file=sys.stderr)


def write_json(document: Any) -> str:
    """The document as JSON, in ASCII where a terminal would obey a part of it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text if printable(text) == text else json.dumps(document, indent=2)


def print_table(table: Table) -> None:
    """A table for people; where there are no rows, the words that say what to do."""
    from rich.console import Console

    if not table.rows:
        print(printable(table.empty))
        return
    width = None if sys.stdout.isatty() else WIDE
    Console(markup=False, emoji=False, width=width).print(_lay_out(table))


def _lay_out(table: Table) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable

    laid = RichTable(box=box.SIMPLE_HEAD)
    for name in table.columns:
        laid.add_column(_cell(name), overflow="fold")
    for row in table.rows:
        laid.add_row(*map(_cell, row))
    return laid


def _cell(value: Any) -> Text:
    """A cell whose text is shown as it is: nothing in it is markup."""
    from rich.text import Text

    return Text(printable(format_cell(value), one_line=True))


def format_cell(value: Any) -> str:
    """A value as a cell of a table shows it: whole numbers in groups of three, a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
