"""What the drawn pictures share: colours, fonts, the ground they stand on, and words."""

from html import escape

INK, SOFT, PAPER, GROUND = "#3a2530", "#7a6861", "#fffdf8", "#f7f0e2"
LINE, ACCENT = "#d9c8ab", "#a04a33"
FONT = "ui-sans-serif, 'IBM Plex Sans', 'Helvetica Neue', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, 'IBM Plex Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def picture(width: int, height: int, title: str, parts: list[str], arrow: str = INK) -> str:
    """A whole SVG, with a ground of its own, so that it is read on light and on dark pages."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{arrow}"/>'
            "</marker></defs>",
            f'<rect width="{width}" height="{height}" rx="14" fill="{GROUND}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def rect(
    x: float, y: float, width: float, height: float, fill: str, radius: int = 0, line: str = LINE
) -> str:
    """A filled box with a thin edge; all in px."""
    rounding = f' rx="{radius}"' if radius else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{rounding} '
        f'fill="{fill}" stroke="{line}"/>'
    )


def path(d: str, stroke: str = INK, width: float = 2, arrow: bool = False, more: str = "") -> str:
    """A line, with a tip at its end if it is an arrow."""
    tip = ' marker-end="url(#tip)"' if arrow else ""
    return f'<path d="{d}" stroke="{stroke}" stroke-width="{width}" fill="none"{tip}{more}/>'


def text(
    x: float,
    y: float,
    words: str,
    size: float,
    fill: str = INK,
    *,
    anchor: str = "middle",
    bold: bool = False,
    mono: bool = False,
    upright: bool = False,
) -> str:
    """Words at a place: their middle, start or end; upright ones are read from below."""
    weight = ' font-weight="700"' if bold else ""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{MONO if mono else FONT}" '
        f'font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}{turn}>'
        f"{escape(words)}</text>"
    )
