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
