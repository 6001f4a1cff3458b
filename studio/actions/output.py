"""Results printed: as lines and tables for people, or as the one JSON document for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from studio.actions.action import Result, Table
from studio.workspace.advice import explain
from studio.workspace.names import printable

if TYPE_CHECKING:
    from rich.text import Text

WIDE = 10_000  # Columns of an output that is no terminal, where no row is broken.


def print_result(result: Result, as_json: bool = False) -> None:
    """Print a result on standard output, and its remarks on standard error."""
    if as_json:
        print(_write_json(result.document()))
    else:
        for part in result.tell():
            if isinstance(part, Table):
                print_table(part)
            else:
                print(printable(part))
    for remark in result.remarks():
        print(printable(remark), file=sys.stderr)


def print_error(error: Exception) -> None:
    """Print on standard error what happened, and what to do next."""
    print(printable(explain(error)), file=sys.stderr)


def _write_json(document: Any) -> str:
    """The document as JSON, in ASCII where a terminal would obey a part of it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text if printable(text) == text else json.dumps(document, indent=2)


def print_table(table: Table) -> None:
    """A table for people; where there are no rows, the words that say what to do."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    if not table.rows:
        print(printable(table.empty))
        return
    laid = RichTable(box=box.SIMPLE_HEAD)
    for name in table.columns:
        laid.add_column(_cell(name), overflow="fold")
    for row in table.rows:
        laid.add_row(*map(_cell, row))
    Console(markup=False, emoji=False, width=None if sys.stdout.isatty() else WIDE).print(laid)


def _cell(value: Any) -> Text:
    """A cell whose text is shown as it is: nothing in it is markup."""
    from rich.text import Text

    return Text(printable(format_cell(value), one_line=True))


def format_cell(value: Any) -> str:
    """A value as a cell of a table shows it: whole numbers in groups of three, a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
