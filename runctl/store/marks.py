"""Which rows a verb is about: those that are marked, else the one under the cursor. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Answer(StrEnum):
    """What a person says about marks that a filter hides."""

    NOTHING = "nothing"
    SHOWN = "shown"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Meant(Generic[T]):
    """The rows that a verb is about.

    Args:
        shown: those that can be seen, in their order on screen.
        hidden: marked ones that a filter hides: the verb waits until somebody has decided about them.
        gone: how many marks have no row at all any more.
    """

    shown: tuple[T, ...]
    hidden: tuple[T, ...] = ()
    gone: int = 0

    def rows(self, answer: Answer | None = None) -> tuple[T, ...]:
        """What to act on; nothing while rows are hidden and nobody has said what about them.

        Args:
            answer: what was said, None when nobody was asked.
        """
        if not self.hidden or answer is Answer.SHOWN:
            return self.shown
        return (*self.shown, *self.hidden) if answer is Answer.ALL else ()


def meant(
    items: Sequence[T], shown: Sequence[T], marks: frozenset[str], under: T | None, identify: Callable[[Any], str]
) -> Meant[T]:
    """What a verb is about. The row under the cursor counts only where nothing is marked, not where marks are hidden.

    Args:
        items: all rows, also those that a filter hides.
        shown: the rows on screen.
        marks: ids that are marked.
        under: the row under the cursor, None when there is none.
        identify: the id of a row.
    """
    if not marks:
        return Meant(() if under is None else (under,))
    seen = {identify(row): row for row in shown if identify(row) in marks}
    hidden = {i: row for row in items if (i := identify(row)) in marks and i not in seen}
    return Meant(tuple(seen.values()), tuple(hidden.values()), len(marks) - len(seen) - len(hidden))
