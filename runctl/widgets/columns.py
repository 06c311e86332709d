"""Columns of a table: which of them fit, and cells of exactly their width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Literal, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from runctl.format import clean_text
from runctl.theme import UNICODE, Glyphs

T = TypeVar("T")
#: Cells between two columns, and before the first (the mark).
GAP = 1
GUTTER = 1


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column.

    Args:
        name: what sorting and exports call it.
        label: its heading.
        width: cells; a flexible column takes at least this and what is left over.
        render: the cell of a row; may be longer than the width, is cut with an ellipsis.
        align: numbers right, names left.
        priority: 0 stays at every width; the highest leaves first when the terminal is narrow.
        flex: takes the space that is left.
        says: what the cell is drawn from, where that is cheaper to make and to compare than the cell; equal is drawn
            alike.
    """

    name: str
    label: str
    width: int
    render: Callable[[T], Text]
    align: Literal["left", "right"] = "left"
    priority: int = 0
    flex: bool = False
    says: Callable[[T], object] | None = None

    def said(self, row: T) -> object:
        """What a row's cell is drawn from; it was drawn already where this is what it was."""
        return self.render(row) if self.says is None else self.says(row)


def fit_columns(columns: Sequence[Column[T]], width: int) -> list[tuple[Column[T], int]]:
    """The columns that fit in `width` cells with the width each gets; those of priority 0 are never left out."""
    kept = list(columns)

    def needed() -> int:
        return GUTTER + sum(c.width + GAP for c in kept) - GAP

    while needed() > width:
        droppable = [c for c in kept if c.priority]
        if not droppable:
            break
        kept.remove(max(reversed(droppable), key=lambda c: c.priority))
    spare = max(0, width - needed())
    flexible = [c for c in kept if c.flex]
    share, rest = divmod(spare, len(flexible)) if flexible else (0, 0)
    return [(c, c.width + share + (rest if flexible and c is flexible[0] else 0) if c.flex else c.width) for c in kept]


def fit_cell(text: Text, width: int, align: str, signs: Glyphs = UNICODE) -> Text:
    """A cell of exactly `width` cells, on one line whatever is in it."""
    # Cells are cleaned where they are made; this is the last door before the terminal, and it must not depend on that.
    cell = text.copy() if text.plain.isprintable() else Text(clean_text(text.plain), text.style)
    if cell.cell_len > width:
        cell.truncate(max(0, width - 1))
        cell.append(signs.ellipsis)
    missing = width - cell.cell_len
    if missing > 0 and align == "right":
        cell.pad_left(missing)
    elif missing > 0:
        cell.pad_right(missing)
    return cell


def cell_segments(
    text: Text,
    width: int,
    align: str,
    base: Style,
    style_of: Callable[[str | Style], Style],
    *,
    signs: Glyphs = UNICODE,
) -> list[Segment]:
    """A cell of exactly `width` cells with the gap behind it, in the styles a strip is made of.

    A screenful is some five hundred cells. Joining them as Texts and rendering the line costs three times as much.

    Args:
        text: the cell.
        width: cells without the gap.
        align: "left" or "right".
        base: the style of the row; what the cell says comes on top.
        style_of: how a style written as words is read.
        signs: for the ellipsis.
    """
    plain = text.plain
    if not (plain.isascii() and plain.isprintable() and len(plain) <= width):
        text = fit_cell(text, width, align, signs)
        plain = text.plain
        missing = 0
    else:
        missing = width - len(plain)
    left = " " * missing if align == "right" else ""
    right = " " * (GAP if align == "right" else missing + GAP)
    own = base + style_of(text.style) if text.style else base
    if not text.spans:
        return [Segment(left + plain + right, own)]
    cuts = sorted({0, len(plain), *(s.start for s in text.spans), *(min(s.end, len(plain)) for s in text.spans)})
    segments = [Segment(left, base)] if left else []
    for start, end in pairwise(cuts):
        style = own
        for span in text.spans:
            if span.start <= start and end <= span.end and span.style:
                style += style_of(span.style)
        segments.append(Segment(plain[start:end], style))
    segments.append(Segment(right, base))
    return segments
