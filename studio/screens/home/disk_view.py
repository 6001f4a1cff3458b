"""The room on the disk: what checkpoints take, what is free, and whether the runs at work fit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from studio.runs.forecast import Forecast
from studio.screens.parts import markup
from studio.workspace.records.quantities import format_bytes, format_duration

TIGHT = 0.05  # Of the room of a disk; with less free than this the bar warns.


def show_disk(folder: Path, kept_bytes: int, forecasts: Sequence[Forecast]) -> Markup:
    """A card with the disk as a bar and the forecast of all runs at work together.

    Args:
        folder: any folder on the disk.
        kept_bytes: what the checkpoints of all runs take.
        forecasts: how the runs grow that are at work.
    """
    disk = shutil.disk_usage(folder)
    kept = min(kept_bytes, disk.total)
    other = max(0, disk.total - disk.free - kept)
    bar = Markup(
        '<div class="disk-bar" aria-hidden="true"><span class="disk-kept" style="width:{:.2f}%">'
        '</span><span class="disk-other" style="width:{:.2f}%"></span></div>'
    ).format(100 * kept / disk.total, 100 * other / disk.total)
    tight = disk.free < TIGHT * disk.total
    said = Markup('<p class="disk-free"><b class="{}">{}</b> of {} free</p>').format(
        "warning" if tight else "", format_bytes(disk.free), format_bytes(disk.total)
    )
    key = Markup(
        '<p class="small quiet disk-key"><i class="disk-kept"></i>checkpoints {} '
        '<i class="disk-other"></i>other {}</p>'
    ).format(format_bytes(kept), format_bytes(other))
    growth, fits = tell_growth(forecasts, disk.free)
    note = markup.note(growth, "quiet" if fits else "warning") if growth else markup.NOTHING
    return markup.card("Disk", said + bar + key + note)


def tell_growth(forecasts: Sequence[Forecast], free_bytes: int) -> tuple[str, bool]:
    """Whether the disk has room for all runs that are at work, in a sentence, and as a flag.

    Example:
        >>> tell_growth([Forecast(1e6, 100, 1100, 4 * 10**9, 2.0)], 4 * 10**9)
        ('The run at work needs 1.0 GB more: there is room.', True)
        >>> tell_growth([Forecast(1e8, 0, 10**6, 4 * 10**9, 1.0)] * 2, 4 * 10**9)
        ('The runs at work need 200.0 TB more: the disk is full in about a minute.', False)
    """
    if not forecasts:
        return "", True
    needed = sum(forecast.needed_bytes for forecast in forecasts)
    who = "The run at work needs" if len(forecasts) == 1 else "The runs at work need"
    begun = f"{who} {format_bytes(needed)} more"
    if needed <= free_bytes:
        return f"{begun}: there is room.", True
    pace = sum(each.bytes_per_batch * (each.batches_per_s or 0) for each in forecasts)
    if not pace:
        return f"{begun} than there is room for.", False
    return (
        f"{begun}: the disk is full in about {format_duration(free_bytes / pace, 'words')}.",
        False,
    )
