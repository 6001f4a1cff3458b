"""Relatives of a run: the runs that it is of, and those that began from it."""

from __future__ import annotations

from markupsafe import Markup

from studio.runs.lineage.family_tree import Relative, list_relatives
from studio.screens.parts import markup
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace


def show_lineage(workspace: Workspace, run: str | None) -> Markup:
    """The relatives of a run, each before those that began from it; nothing where it has none."""
    if run is None:
        return markup.NOTHING
    try:
        relatives = list_relatives(workspace, run)
    except EXPECTED_ERRORS:
        return markup.NOTHING  # The run is gone meanwhile.
    if len(relatives) == 1 and relatives[0].parent is None:
        return markup.NOTHING
    rows = markup.join(_row(relative, relative.run == run) for relative in relatives)
    table = Markup('<table class="list"><tbody>{}</tbody></table>').format(rows)
    return markup.card("Lineage", table + markup.command(["lineage", run]))


def _row(relative: Relative, current: bool) -> Markup:
    return Markup(
        '<tr class="{current}" data-key="{run}"><td><button type="button" class="name" '
        'data-action="choose" data-label="{run}">{run}</button></td><td class="{kind}">{words}'
        "</td></tr>"
    ).format(
        current="current" if current else "",
        run=relative.run,
        kind="quiet" if relative.parent_is in (None, "there") else "warning",
        words=relative.words,
    )
