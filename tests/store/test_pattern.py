"""Patterns that cannot take for ever are compiled, the others refused; none is ever tried out."""

from __future__ import annotations

import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.store.pattern import MAX_PATTERN, MAX_TEXT, compile_bounded

GOOD = [
    r"^web-\d+$", "train.*llama", "train.*v2.*a", r"\bg5\b", "a|b|c", "(prod|dev)-[a-z]{2,4}-", "(ab){3}x?",
    r"(?i:web)", r"(?P<n>a)(?P=n)", "[^]]+", r"[\]a]*", "(?#note)a", "(?=x)a", "(?<!y)z", "a{,3}", "a{}", "x{2,}",
    r"\(+", "(?:ab)+", "a*?", "^(?:i|vol)-[0-9a-f]{17}$", "[(*+]", "é+",
]  # fmt: skip
CATASTROPHIC = [
    "(a+)+$", "(a*)*b", "(a|a)*b", "(a|aa)+$", "(a?){40}a{40}", "a?" * 40 + "a" * 40, ".*.*.*.*x", "(x+x+)+y",
    r"(\w+\s?)+$", "((a{1,9}){1,9}){1,9}", "(a|b|ab)+c", "(|a)+b", "(?:a+){2,}", "(.*)*", "(a+)(a+)(a+)$",
    "(?x:a # (\n*)+", "(?x)a+", "(a)?(?(1)b|c)",
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_ordinary_patterns_pass(pattern: str) -> None:
    assert compile_bounded(pattern).pattern == pattern


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_patterns_that_may_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="for ever"):
        compile_bounded(pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{9999999999999}", "(?P<n>a)(?P<n>b)", "a" * (MAX_PATTERN + 1)])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_bounded(pattern)


pieces = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", r"\w", "x", ""]),
    lambda inner: st.one_of(
        st.builds(lambda p, q: f"(?:{p}){q}", inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])),
        st.builds(lambda p, q: f"(?:{p}|{q})", inner, inner),
        st.builds(lambda p, q: p + q, inner, inner),
    ),
    max_leaves=12,
)


@given(pieces, st.sampled_from(["a", "ab", "aab"]))
def test_whatever_passes_ends(pattern: str, unit: str) -> None:
    """The bound is generous: an exponential pattern over 256 characters would take longer than the universe has."""
    try:
        compiled = compile_bounded(pattern + "$")
    except ValueError:
        return
    began = time.process_time()
    compiled.search((unit * MAX_TEXT)[: MAX_TEXT - 1] + "!")
    assert time.process_time() - began < 10


@given(st.text(max_size=30) | st.text(alphabet="ab()[]{}*+?|\\,12^$.<>=!:P#x-", max_size=30))
def test_counting_never_fails_on_what_compiles(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = compile_bounded(pattern)
        except ValueError:
            return
    assert found.pattern == pattern
