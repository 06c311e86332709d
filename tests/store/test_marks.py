"""Which rows a verb is about: marks, the cursor, and what a filter hides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runctl.store.marks import Answer, Meant, meant

ROWS = ("a", "b", "c", "d")


def of(shown: str, marks: str, under: str | None = None) -> Meant[str]:
    return meant(ROWS, tuple(shown), frozenset(marks), under, str)


def test_the_row_under_the_cursor_counts_only_where_nothing_is_marked() -> None:
    assert of("abcd", "", "b").rows() == ("b",)
    assert of("", "").rows() == ()
    assert of("abcd", "dc", "b").rows() == ("c", "d")


def test_hidden_marks_wait_for_an_answer() -> None:
    found = of("ab", "bd", "a")
    assert (found.shown, found.hidden, found.gone) == (("b",), ("d",), 0)
    assert found.rows() == found.rows(Answer.NOTHING) == ()
    assert found.rows(Answer.SHOWN) == ("b",)
    assert found.rows(Answer.ALL) == ("b", "d")
    assert of("a", "d", "a").rows() == ()


def test_marks_without_a_row_are_counted_and_never_stand_for_the_cursor() -> None:
    assert of("ab", "xy", "a") == Meant((), (), 2)
    assert of("ab", "xb", "a") == Meant(("b",), (), 1)


@given(
    shown=st.sets(st.sampled_from(ROWS)), marks=st.sets(st.sampled_from("abcdxy"), min_size=1),
    answer=st.sampled_from((None, *Answer)),
)  # fmt: skip
def test_nothing_that_is_not_marked_is_ever_meant(shown: set[str], marks: set[str], answer: Answer | None) -> None:
    found = of("".join(sorted(shown)), "".join(marks), min(shown, default=None))
    rows = found.rows(answer)
    assert set(rows) <= marks
    assert set(rows) <= shown or answer is Answer.ALL
    assert len(found.shown) + len(found.hidden) + found.gone == len(marks)
