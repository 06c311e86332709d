"""Shares and short histories as text: fixed axes from 0 to 100, and a gap where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

from runctl.theme import UNICODE, Glyphs

_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-:=+*#"


def percent_bar(value: float | None, width: int = 5, signs: Glyphs = UNICODE) -> str:
    """A share of 100 in `width` cells; unknown is one `?` and blanks, never an empty bar."""
    if value is None:
        return signs.unknown.ljust(width)
    filled = round(max(0.0, min(100.0, value)) / 100 * width)
    return signs.full * filled + signs.empty * (width - filled)


def sparkline(values: Sequence[float | None], width: int, signs: Glyphs = UNICODE) -> str:
    """The last `width` values on a fixed 0 to 100 axis; a gap is a blank."""
    levels = _LEVELS if signs is UNICODE else _ASCII_LEVELS
    shown = list(values)[-width:]
    cells = [
        " " if v is None else levels[min(len(levels) - 1, int(max(0.0, min(100.0, v)) / 100 * len(levels)))]
        for v in shown
    ]
    return "".join(cells).rjust(width)


def marked_bar(share: float | None, ahead: float | None, limit: float, width: int = 20, signs: Glyphs = UNICODE) -> str:
    """A bar with a limit and a tick: filled to `share`, `|` at the limit, the arrow where it leads.

    Args:
        share: what is spent, as a part of the bar's length, 0 to 1; None is not known.
        ahead: where it leads, likewise; what lies beyond is at the edge.
        limit: where the limit is, likewise.
        width: cells; one more takes the limit.
        signs: the characters.
    """
    if share is None:
        return signs.unknown.ljust(width + 1)
    at = max(0, min(width, round(limit * width)))
    filled = round(max(0.0, min(1.0, share)) * width)
    cells = [signs.full if n < filled else signs.empty if n < at else " " for n in range(width)]
    if ahead is not None and (tick := round(min(1.0, ahead) * width)) > filled:
        cells[min(width - 1, max(0, tick - 1))] = signs.arrow[-1]
    return "".join([*cells[:at], "|", *cells[at:]])
