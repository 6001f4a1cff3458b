"""Results printed: as lines and tables for people, or as the one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from studio.actions.action import Result, Table

WIDE = 10_000  # Columns of an output that is no terminal, where no row is broken.


def print_result(result: Result, as_json: bool = False) -> None:
    """Print a result on standard output, and its remarks on standard error."""
    if as_json:
        print(json.dumps(result.document(), indent=2, ensure_ascii=False))
    else:
        for part in result.tell():
            if isinstance(part, Table):
                print_table(part)
            else:
                print(part)
    for remark in result.remarks():
        print(remark, file=sys.stderr)


def print_table(table: Table) -> None:
    """A table for people; where there are no rows, the words that say what to do."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    if not table.rows:
        print(table.empty)
        return
    laid = RichTable(box=box.SIMPLE_HEAD)
    for name in table.columns:
        laid.add_column(name, overflow="fold")
    for row in table.rows:
        laid.add_row(*_cells(row))
    Console(markup=False, width=None if sys.stdout.isatty() else WIDE).print(laid)


def _cells(row: Sequence[Any]) -> list[str]:
    return [format_cell(value) for value in row]


def format_cell(value: Any) -> str:
    """A value as a cell of a table shows it: whole numbers in groups of three, a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
