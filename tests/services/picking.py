"""What the screens hand to a verb: a filter, marks and an answer, through the code that the screens use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from runctl.models.snapshot import Snapshot
from runctl.screens.noun import Noun
from runctl.screens.view import Choice, arrange
from runctl.services.actions import Actions
from runctl.store.fields import Context
from runctl.store.filter import parse_filter
from runctl.store.marks import Answer, meant


@dataclass(frozen=True)
class Look:
    """How somebody looks at the rows, and what is said about marks that cannot be seen.

    Args:
        filter: the text of the filter line.
        answer: what is said when it is asked.
        cursor: the row that the cursor is on, if there are so many.
    """

    filter: str
    answer: Answer
    cursor: int


def looks(filters: Mapping[str, Callable[[Any], bool]]) -> st.SearchStrategy[Look]:
    """Any of these filters, more often none than one of them."""
    texts = st.one_of(st.just(""), st.sampled_from(sorted(filters)))
    answers = st.sampled_from((Answer.NOTHING, *[Answer.SHOWN, Answer.ALL] * 2))
    return st.builds(Look, texts, answers, st.integers(0, 8))


def chosen(acting: Actions, noun: Noun[Any], rows: Sequence[Any], marks: frozenset[str], look: Look) -> tuple[Any, ...]:
    """The things that a verb on a screen is about, as `ActingScreen` finds them."""
    context = Context(acting.ground.clock.now(), Snapshot())
    choice = Choice(noun.sort, noun.descending, parse_filter(look.filter, noun.fields))
    shown = arrange(noun, rows, choice, context).rows
    under = shown[min(look.cursor, len(shown) - 1)] if shown else None
    found = meant(rows, shown, marks, under, noun.identify)
    return found.rows(look.answer if found.hidden else None)


def wanted(made: Mapping[str, Any], shows: Callable[[Any], bool], look: Look) -> set[str]:
    """The same by product.md's words, of things that were drawn: marks that are hidden block until somebody decides."""
    marks = {i for i, m in made.items() if m.marked}
    seen = {i for i in marks if shows(made[i])}
    if seen == marks or look.answer is Answer.ALL:
        return marks
    return seen if look.answer is Answer.SHOWN else set()
