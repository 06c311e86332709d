"""Curves in a terminal: lines and stacked areas of braille dots on fixed axes, with an ASCII twin. A gap stays a gap.

`render_curve` is pure: series in, lines of coloured stretches out. `CurveView` is the thin widget around it. Two dots
across and four down in every cell; where a dot column holds many points a line covers all from least to most, so that
no spike is lost. Stacked series differ in density as well as colour, so that they read without colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from runctl.format import clean_text
from runctl.theme import setting_of, tokens

#: A stretch of a line and the token of its colour, "" for the text's own.
Span = tuple[str, str]
#: Points that take the place of None: whoever has a value must be finite.
Point = tuple[float, float | None]

_BRAILLE = 0x2800
#: Bit of each dot of a braille cell, by (row from the top, column) (Unicode Standard, "Braille Patterns").
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: Which dots of a fill are drawn, densest first: (dot column + dot row from the bottom) modulo the first is 0.
_DENSITIES: tuple[Callable[[int, int], bool], ...] = (
    lambda _x, _y: True,
    lambda x, y: (x + y) % 2 == 0,
    lambda x, y: y % 2 == 0 and x % 2 == 0,
    lambda x, y: (x + 2 * y) % 4 == 0,
)
_FILLS = ("⣿", "⢕", "⠅", "⠂")
_ASCII_FILLS = ("#", "=", ":", ".")
_ASCII_LINES = ("*", "o", "+", "x")


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Args:
        name: for the legend.
        points: (x, y), x rising; a y of None (or not finite) breaks the line there.
        token: colour token of the theme.
    """

    name: str
    points: Sequence[Point]
    token: str = ""


def _plain_number(value: float) -> str:
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Curve:
    """A whole plot; the axes are given, never fitted to what happens to be visible.

    Args:
        series: the curves; when stacked, the first lies at the bottom, and all share the x of the first.
        x: least and most x.
        y: least and most y; what lies beyond is drawn at the edge.
        stacked: areas on top of each other instead of lines.
        x_labels: texts under the axis with their x.
        y_label: how a number beside the axis is written.
        cursor: x of a vertical mark, None for none.
        note: said at the right end of the legend; where the room is short, only what stands before a semicolon.
    """

    series: tuple[Series, ...] = ()
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    stacked: bool = False
    x_labels: tuple[tuple[float, str], ...] = ()
    y_label: Callable[[float], str] = _plain_number
    cursor: float | None = None
    note: str = ""


def nice_ceiling(value: float) -> float:
    """The next number of the form 1, 2, 2.5 or 5 times a power of ten: an axis that stays when values move a little."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10, 20) if step * power >= value * (1 - 1e-9))


def value_at(series: Series, x: float) -> float | None:
    """What a curve says at x: the last point at or before it; None before the first and in a gap."""
    found = None
    for at, value in series.points:
        if at > x:
            break
        found = _finite(value)
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass
class _Canvas:
    """Dots by cell: the bits of each cell and the series that has most of them there."""

    width: int
    height: int
    cells: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    owners: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)

    @property
    def dots(self) -> tuple[int, int]:
        """Dots across and up."""
        return self.width * 2, self.height * 4

    def put(self, x: int, y: int, series: int, *, lit: bool = True) -> None:
        """One dot, counted from the lower left corner; an unlit one only counts for whom the cell belongs to."""
        across, up = self.dots
        if not (0 <= x < across and 0 <= y < up):
            return
        row, column = divmod(up - 1 - y, 4)[0], x // 2
        key = (row, column)
        bit = _DOTS[(up - 1 - y) % 4][x % 2] if lit else 0
        self.cells.setdefault(key, [0])[0] |= bit
        counts = self.owners.setdefault(key, {})
        counts[series] = counts.get(series, 0) + 1

    def owner(self, row: int, column: int) -> int | None:
        """The series that has most of a cell, None for an empty one."""
        counts = self.owners.get((row, column))
        return None if not counts else max(counts, key=lambda s: (counts[s], -s))


def render_curve(curve: Curve, width: int, height: int, *, ascii_only: bool = False) -> list[list[Span]]:
    """The plot as `height` lines of at most `width` cells: legend, dots beside the y axis, labels of the x axis.

    Below three lines or twelve columns there is no room for axes: the lines are blank.
    """
    if height < 3 or width < 12:
        return [[] for _ in range(max(0, height))]
    texts = [curve.y_label(v) for v in (curve.y[1], (curve.y[0] + curve.y[1]) / 2, curve.y[0])]
    gutter = min(max(map(len, texts)), width // 3)
    canvas = _Canvas(width - gutter - 1, height - 2)
    (_draw_stack if curve.stacked else _draw_lines)(curve, canvas)
    bar = "|" if ascii_only else "│"
    labelled = {0: texts[0], canvas.height - 1: texts[2]}
    if canvas.height >= 5:
        labelled[canvas.height // 2] = texts[1]
    lines = [_legend(curve, width, ascii_only=ascii_only)]
    for row in range(canvas.height):
        label = labelled.get(row, "")[:gutter].rjust(gutter)
        lines.append([(f"{label}{bar}", "muted"), *_cells(curve, canvas, row, ascii_only=ascii_only)])
    lines.append([(_x_axis(curve, canvas, gutter + 1), "muted")])
    return lines


def _column_of(curve: Curve, x: float, across: int) -> int:
    least, most = curve.x
    share = (x - least) / (most - least) if most > least else 0.0
    return min(across - 1, math.floor(share * across)) if 0 <= share <= 1 else -1


def _level(curve: Curve, value: float, up: int) -> int:
    least, most = curve.y
    share = (value - least) / (most - least) if most > least else 0.0
    return round(max(0.0, min(1.0, share)) * (up - 1))


def _draw_lines(curve: Curve, canvas: _Canvas) -> None:
    across, up = canvas.dots
    for number, series in enumerate(curve.series):
        placed = [
            None if (v := _finite(value)) is None else (_column_of(curve, x, across), _level(curve, v, up))
            for x, value in series.points
        ]
        inside = [p if p is None or p[0] >= 0 else None for p in placed]
        for only in inside:
            if only is not None:
                canvas.put(*only, number)
        for a, b in pairwise(inside):
            if a is not None and b is not None:
                _draw_step(canvas, a, b, number)


def _draw_step(canvas: _Canvas, a: tuple[int, int], b: tuple[int, int], number: int) -> None:
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]))
    for i in range(1, steps):
        canvas.put(a[0] + round((b[0] - a[0]) * i / steps), a[1] + round((b[1] - a[1]) * i / steps), number)


def _draw_stack(curve: Curve, canvas: _Canvas) -> None:
    """Areas: each dot column shows the mean of the points in it, or the last value before it until the next point."""
    across, up = canvas.dots
    columns = [_columns(curve, series, across) for series in curve.series]
    for x in range(across):
        values = [column[x] for column in columns]
        if all(v is None for v in values):
            continue
        top, below = 0.0, 0
        canvas.put(x, 0, next(i for i, v in enumerate(values) if v is not None))  # a known zero is not a gap
        for number, value in enumerate(values):
            top += max(0.0, value or 0.0)
            level = _level(curve, top, up) + 1 if top > curve.y[0] else 0
            for y in range(below, level):
                canvas.put(x, y, number, lit=_DENSITIES[number % len(_DENSITIES)](x, y) or y == level - 1)
            below = max(below, level)


def _columns(curve: Curve, series: Series, across: int) -> list[float | None]:
    found: list[list[float]] = [[] for _ in range(across)]
    ends: list[tuple[int, float | None]] = []
    for x, value in series.points:
        column = _column_of(curve, x, across)
        if column >= 0:
            known = _finite(value)
            ends.append((column, known))
            if known is not None:
                found[column].append(known)
    filled: list[float | None] = [sum(f) / len(f) if f else None for f in found]
    for (start, held), (end, _) in pairwise(ends):
        for column in range(start + 1, end):
            filled[column] = held
    return filled


def _cells(curve: Curve, canvas: _Canvas, row: int, *, ascii_only: bool) -> list[Span]:
    mark = -1 if curve.cursor is None else _column_of(curve, curve.cursor, canvas.width)
    spans: list[Span] = []
    for column in range(canvas.width):
        owner = canvas.owner(row, column)
        if owner is None:
            spans.append((("|" if ascii_only else "│") if column == mark else " ", "accent" if column == mark else ""))
        elif ascii_only:
            signs = _ASCII_FILLS if curve.stacked else _ASCII_LINES
            spans.append((signs[owner % len(signs)], curve.series[owner].token))
        else:
            spans.append((chr(_BRAILLE | canvas.cells[row, column][0]), curve.series[owner].token))
    return [("".join(text for text, _ in group), token) for token, group in groupby(spans, lambda s: s[1])]


def _legend(curve: Curve, width: int, *, ascii_only: bool) -> list[Span]:
    lines: tuple[str, ...] = _ASCII_LINES if ascii_only else ("━",)
    signs = lines if not curve.stacked else _ASCII_FILLS if ascii_only else _FILLS
    spans: list[Span] = []
    room = width
    for number, series in enumerate(curve.series):
        text = f"{signs[number % len(signs)]} {clean_text(series.name, 24)}  "
        if len(text) > room:
            break
        spans.append((text, series.token))
        room -= len(text)
    note = curve.note if len(curve.note) <= room else curve.note.partition(";")[0]  # what it is counts for more
    if note and len(note) <= room:
        spans.append((note.rjust(room), "muted"))
    return spans


def _x_axis(curve: Curve, canvas: _Canvas, indent: int) -> str:
    line = [" "] * (indent + canvas.width)
    free = indent
    for x, label in curve.x_labels:
        at = _column_of(curve, x, canvas.width)
        if at < 0:
            continue
        start = min(indent + at, indent + canvas.width - len(label))
        if start >= free:
            line[start : start + len(label)] = label
            free = start + len(label) + 1
    return "".join(line).rstrip()


def curve_text(lines: Sequence[Sequence[Span]], colours: dict[str, str] | None = None) -> Text:
    """Rendered lines as one text in the colours of a theme."""
    colours = colours or {}
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for part, token in line:
            text.append(part, Style(color=colours.get(token)))
    return text


class CurveView(Widget):
    """A plot as a widget; an equal plot is not painted again."""

    DEFAULT_CSS = "CurveView { height: 8; width: 1fr; background: $background; color: $foreground; }"

    def __init__(self, *, ascii_only: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._ascii = ascii_only
        self._curve = Curve()

    def show(self, curve: Curve) -> None:
        """Show this plot."""
        if curve != self._curve:
            self._curve = curve
            self.refresh()

    def render(self) -> RenderResult:
        """The plot at the widget's size."""
        lines = render_curve(self._curve, self.size.width, self.size.height, ascii_only=self._ascii)
        return curve_text(lines, dict(tokens(setting_of(self.app.theme))))
