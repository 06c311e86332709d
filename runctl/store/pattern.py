r"""Regular expressions that a person types while the screen waits: only those that cannot take for ever.

Python's engine backtracks. The ways in which a pattern can cut a text into pieces bound its work, so they are counted
before the pattern is used: `(a+)+` has more ways than a text has atoms, `^web-\d+$` has a few hundred.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

#: Characters of a text that are looked at: the longest value an EC2 tag may have (EC2 User Guide, "Tag restrictions").
MAX_TEXT = 256
MAX_PATTERN = 200
#: Two unbounded repetitions, or one with eight optional parts.
_MOST_WAYS = (MAX_TEXT + 1) ** 2
_TOO_MANY = _MOST_WAYS + 1
_COUNTED = re.compile(r"\{(\d*)(?:(,)(\d*))?\}")
_GROUP_HEAD = re.compile(r"\?(?:P<\w+>|<?[=!]|[:>]|[a-zA-Z-]*:)")
_GROUP_WHOLE = re.compile(r"\?(?:#[^)]*|P=\w+|[aiLmsux]+)\)")


@lru_cache(maxsize=64)
def compile_bounded(pattern: str) -> re.Pattern[str]:
    """Compile a pattern, ignoring case.

    Raises:
        ValueError: not a pattern, or one whose work cannot be bounded; the message says which.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"{len(pattern)} characters, at most {MAX_PATTERN} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": nobody reads a warning behind a full screen
            compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if _Scanner(pattern).ways() > _MOST_WAYS:
        raise ValueError("this may take for ever: too many repetitions, or one within another")
    return compiled


class _Scanner:
    """Counts ways over a pattern that is known to be valid, capped at `_TOO_MANY`.

    A sequence multiplies, alternatives add, a repetition adds the powers of what it repeats.
    """

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0

    def ways(self) -> int:
        """Ways of the alternatives up to the end or the closing parenthesis."""
        total, product = 0, 1
        while self._at < len(self._text) and self._text[self._at] != ")":
            if self._text[self._at] == "|":
                self._at += 1
                total, product = total + product, 1
            else:
                product = min(product * self._repeated(self._atom()), _TOO_MANY)
        return min(total + product, _TOO_MANY)

    def _atom(self) -> int:
        text, start = self._text, self._at
        self._at += 2 if text[start] == "\\" else 1
        if text[start] == "[":
            self._skip_class()
        if text[start] != "(":
            return 1
        if whole := _GROUP_WHOLE.match(text, self._at):
            self._at = whole.end()
            # Verbose patterns hide parts in comments, where parentheses mean nothing.
            return _TOO_MANY if "x" in whole[0] and whole[0][1] not in "#P" else 1
        if head := _GROUP_HEAD.match(text, self._at):
            self._at = head.end()
            if "x" in head[0] and head[0][1] != "P":
                return _TOO_MANY
        elif text.startswith("?", self._at):
            return _TOO_MANY  # a conditional group
        inside = self.ways()
        self._at += 1
        return inside

    def _skip_class(self) -> None:
        text = self._text
        if text.startswith("^", self._at):
            self._at += 1
        first = self._at
        while text[self._at] != "]" or self._at == first:
            self._at += 2 if text[self._at] == "\\" else 1
        self._at += 1

    def _repeated(self, inside: int) -> int:
        """Ways of an atom with the quantifier that follows it, if one does."""
        bounds = self._quantifier()
        if bounds is None:
            return inside
        low, high = bounds
        if self._at < len(self._text) and self._text[self._at] in "?+":
            self._at += 1  # lazy or possessive: the order of the ways, not their number
        if inside == 1:
            return max(1, high - low + 1)
        total = 0
        for count in range(low, high + 1):
            total += inside**count
            if total > _MOST_WAYS:
                return _TOO_MANY
        return max(1, total)

    def _quantifier(self) -> tuple[int, int] | None:
        sign = self._text[self._at : self._at + 1]
        if sign in ("*", "+", "?") and sign:
            self._at += 1
            return (1 if sign == "+" else 0), (1 if sign == "?" else MAX_TEXT)
        counted = _COUNTED.match(self._text, self._at)
        if counted is None or counted[0] == "{}":
            return None
        self._at = counted.end()
        low = min(int(counted[1] or 0), MAX_TEXT)
        high = low if not counted[2] else min(int(counted[3]), MAX_TEXT) if counted[3] else MAX_TEXT
        return low, high
