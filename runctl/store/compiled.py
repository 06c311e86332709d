"""A compiled filter: which rows it shows. What it is compiled from is imported when somebody filters (`filter.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from runctl.store.fields import Context

T = TypeVar("T")
#: None where the value is unknown.
Test = Callable[[Any, Context], bool | None]


@dataclass(frozen=True, slots=True)
class Filter(Generic[T]):
    """A compiled filter; the empty text matches everything.

    `words` are its words, folded, when it is made of nothing else: all of them must be in a row. `terms` are what its
    tests were made of where there is one alternative.
    """

    text: str
    alternatives: tuple[tuple[Test, ...], ...]
    words: tuple[str, ...] | None = None
    terms: tuple[object, ...] = ()

    def matches(self, item: T, context: Context) -> bool:
        """Whether the item is shown."""
        for tests in self.alternatives:
            for test in tests:
                if test(item, context) is not True:
                    break
            else:
                return True
        return not self.alternatives

    def kept(self, items: Iterable[T], context: Context, tests: slice = slice(None)) -> list[T]:
        """Those that are shown, in their order; test by test, which for ten thousand rows is twice as fast.

        With `tests` only by some of `terms`.
        """
        if len(self.alternatives) != 1:
            return [item for item in items if self.matches(item, context)]
        found = [*items]
        for test in self.alternatives[0][tests]:
            found = [item for item in found if test(item, context) is True]
        return found


def narrows(before: Filter[T], after: Filter[T]) -> bool:
    """Whether every row that `after` shows is surely among those that `before` shows.

    Known only of plain words: each word of the one before is part of a word of the other. Words read texts, which do
    not change while time passes.
    """
    if before.words is None or after.words is None:
        return False
    return all(any(old in new for new in after.words) for old in before.words)
