"""Aligned columns on a line-oriented terminal. Rich does it too, for 40 ms of imports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runctl.cli.style import Style, Tone, cell_width, cut

_GAP = "  "
_LEAST = 12  # cells a text is not cut below; under that, columns go


class Cell(NamedTuple):
    """A cleaned text and what it means."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(NamedTuple):
    """One column.

    Args:
        label: heading.
        right: numbers are aligned to the right.
        whole: never cut (ids, numbers).
        keep: never dropped, however narrow the terminal is.
    """

    label: str
    right: bool = False
    whole: bool = False
    keep: bool = False


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: Style, *, headers: bool = True
) -> Iterator[str]:
    """Lines of a table. Too narrow: texts are cut first, then columns dropped from the right; ids and money stay."""
    natural = [max([cell_width(c.label), *(cell_width(r[i].text) for r in rows)]) for i, c in enumerate(columns)]
    widths = _fitted(columns, natural, style.width)
    if headers:
        yield _line([Cell(c.label, Tone.HEAD) for c in columns], columns, widths, style)
    for row in rows:
        yield _line(row, columns, widths, style)


def _fitted(columns: Sequence[Column], natural: Sequence[int], limit: int | None) -> dict[int, int]:
    """Width of each column that stays, by its index."""
    widths = dict(enumerate(natural))
    while limit is not None and not _cut_to(widths, columns, limit):
        droppable = [i for i in widths if not columns[i].keep]
        if not droppable:
            break
        # What was cut may fit again once a column is gone.
        widths = {i: natural[i] for i in widths if i != droppable[-1]}
    return widths


def _cut_to(widths: dict[int, int], columns: Sequence[Column], limit: int) -> bool:
    """Narrow the texts, the widest first; False when that is not enough."""
    while (over := sum(widths.values()) + len(_GAP) * (len(widths) - 1) - limit) > 0:
        soft = [i for i in widths if not columns[i].whole and widths[i] > _LEAST]
        if not soft:
            return False
        widest = max(soft, key=lambda i: widths[i])
        widths[widest] = max(_LEAST, widths[widest] - over)
    return True


def _line(cells: Sequence[Cell], columns: Sequence[Column], widths: dict[int, int], style: Style) -> str:
    parts = []
    for index, width in widths.items():
        column, cell = columns[index], cells[index]
        text = cell.text if column.whole else cut(cell.text, width, ascii_only=style.ascii)
        space, painted = " " * (width - cell_width(text)), style.paint(text, cell.tone)
        parts.append(space + painted if column.right else painted + space)
    return _GAP.join(parts).rstrip()
