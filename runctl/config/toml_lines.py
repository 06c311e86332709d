"""On which line of a TOML file a key stands; `tomllib` does not say.

A scanner, not a second parser: it runs only after `tomllib` accepted the text, or to name the line of a bad value.
"""

from __future__ import annotations

import re

_BARE = r"[A-Za-z0-9_-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"|\'[^\']*\''
_KEY = rf"(?:{_BARE}|{_QUOTED})"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"^\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_ASSIGN = re.compile(rf"^\s*({_DOTTED})\s*=")
_PART = re.compile(_KEY)
_FENCE = re.compile(r'"""|\'\'\'')


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(p[1:-1] if p[0] in "\"'" else p for p in _PART.findall(dotted))


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Map each written key and table header of a TOML text to its line, counted from 1.

    Keys inside an inline table are not listed; `line_of` falls back to the line of the table that holds them.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _TABLE.match(line):
            table = _parts(header.group(1))
            lines.setdefault(table, number)
        elif assign := _ASSIGN.match(line):
            lines.setdefault(table + _parts(assign.group(1)), number)
            opened = _FENCE.findall(line[assign.end() :])
            fence = opened[0] if len(opened) % 2 else ""
    return lines


def line_of(lines: dict[tuple[str, ...], int], path: tuple[str, ...]) -> int | None:
    """Line of a key, or of the nearest table around it; None when neither is written.

    A table that exists only because of a longer key (`ui.theme = 1`) stands where that longer key stands.
    """
    for length in range(len(path), 0, -1):
        prefix = path[:length]
        if prefix in lines:
            return lines[prefix]
        longer = [n for key, n in lines.items() if key[:length] == prefix]
        if longer:
            return min(longer)
    return None
