"""The filter language, one parser for `/` and `--filter`.

    expression = any of: term… ("|" term…)…        a space is "and" and binds tighter than "|"
    term       = "!" term | word | "re:"REGEX | FIELD":"GLOB | "tag:"KEY["="GLOB] | FIELD OP NUMBER

A comparison is about known values: what is unknown satisfies neither `cost>1` nor `!cost>1`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from typing import Any, Generic, TypeVar

from runctl.errors import InputError
from runctl.format import parse_duration
from runctl.store.fields import Context, Field, Fields, Kind

T = TypeVar("T")
Test = Callable[[Any, Context], bool | None]

MAX_LENGTH = 500
_COMPARE = re.compile(r"^([A-Za-z_][\w]*)(>=|<=|!=|>|<|=)(.+)$", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z_][\w]*):(.*)$", re.DOTALL)
#: A field and its operator, still being typed: not a word to search for.
_UNFINISHED = re.compile(r"^([A-Za-z_]\w*)(>=|<=|!=|>|<|=|:)$")
#: A group that repeats and is itself repeated: the pattern that takes exponential time in a backtracking engine.
_EXPLOSIVE = re.compile(r"\([^)]*[+*}][^)]*\)\s*[+*{]")
_SIZES = {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
_OR = "|"
_EXAMPLE = "type:g5* cost>1.5 !owner:ana | tag:team=vision"
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass(frozen=True, slots=True)
class Filter(Generic[T]):
    """A compiled filter; the empty text matches everything."""

    text: str
    alternatives: tuple[tuple[Test, ...], ...]

    def matches(self, item: T, context: Context) -> bool:
        """Whether the item is shown."""
        if not self.alternatives:
            return True
        return any(all(test(item, context) is True for test in tests) for tests in self.alternatives)


def parse_filter(text: str, fields: Fields[T]) -> Filter[T]:
    """Compile a filter.

    Args:
        text: what was typed.
        fields: the noun's fields; their names and aliases are the names that may be used.

    Raises:
        InputError: with the position, what is allowed and an example.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"filter: {len(text)} characters", allowed=f"at most {MAX_LENGTH}", example=_EXAMPLE)
    alternatives: list[tuple[Test, ...]] = []
    current: list[Test] = []
    for position, token in _tokens(text):
        if token == _OR:
            if not current:
                raise _error(position, "nothing before '|'")
            alternatives.append(tuple(current))
            current = []
        else:
            current.append(_term(token, position, fields))
    if current:
        alternatives.append(tuple(current))
    elif alternatives:
        raise _error(len(text), "nothing after '|'")
    return Filter(text, tuple(alternatives))


def _error(position: int, problem: str, allowed: str = "") -> InputError:
    return InputError(f"filter, character {position + 1}: {problem}", allowed=allowed, example=_EXAMPLE)


def _tokens(text: str) -> list[tuple[int, str]]:
    """Position and text of each token; quotes keep spaces and bars together and are removed."""
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "|":
            found.append((at, _OR))
            at += 1
        else:
            start, word = at, ""
            while at < len(text) and not text[at].isspace() and text[at] != "|":
                if text[at] == '"':
                    end = text.find('"', at + 1)
                    if end < 0:
                        raise _error(at, "a quote that is not closed", 'two quotes: name:"my box"')
                    word += text[at + 1 : end] or "\0"
                    at = end + 1
                else:
                    word += text[at]
                    at += 1
            found.append((start, word.replace("\0", "") if word != "|" else "\\|"))
    return found


def _term(token: str, position: int, fields: Fields[T]) -> Test:
    if token.startswith("!"):
        if len(token) == 1:
            raise _error(position, "'!' with nothing to negate")
        inner = _term(token[1:], position + 1, fields)
        return lambda item, context: None if (v := inner(item, context)) is None else not v
    if token.startswith("re:"):
        return _regex(token[3:], position, fields)
    if token.startswith("tag:"):
        return _tag(token[4:], position, fields)
    if (match := _UNFINISHED.match(token)) and match[1].lower() in fields.by_name:
        raise _error(position + len(match[1]), f"nothing after {match[2]!r}", f"{match[1]}{match[2]}VALUE")
    if match := _FIELD.match(token):
        return _glob(_field(match[1], position, fields), match[2])
    if match := _COMPARE.match(token):
        return _comparison(_field(match[1], position, fields), match[2], match[3], position + len(match[1]))
    return _word(token, fields)


def _field(name: str, position: int, fields: Fields[T]) -> Field[T]:
    found = fields.by_name.get(name.lower())
    if found is None:
        near = get_close_matches(name.lower(), fields.by_name, n=1, cutoff=0.5)
        hint = f"; nearest: {near[0]}" if near else ""
        raise _error(position, f"{fields.noun} have no field {name!r}{hint}", ", ".join(sorted(fields.by_name)))
    return found


def _texts(fields: Fields[T]) -> tuple[Field[T], ...]:
    return tuple(f for f in fields.columns if f.kind is Kind.TEXT)


def _word(word: str, fields: Fields[T]) -> Test:
    needle, columns = word.casefold(), _texts(fields)

    def test(item: Any, context: Context) -> bool:
        for column in columns:
            value = column.get(item, context)
            if value is not None and needle in value.casefold():
                return True
        return False

    return test


def _regex(pattern: str, position: int, fields: Fields[T]) -> Test:
    if _EXPLOSIVE.search(pattern):
        raise _error(position, "this regex may take for ever", "no repetition of a group that repeats inside")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise _error(position, f"not a regex: {error}", "Python's re syntax, such as re:^web-\\d+$") from None
    columns = _texts(fields)
    return lambda item, context: any(
        compiled.search(v[:256]) for c in columns if (v := c.get(item, context)) is not None
    )


def _tag(text: str, position: int, fields: Fields[T]) -> Test:
    key, equals, pattern = text.partition("=")
    if not key:
        raise _error(position, "'tag:' without a key", "tag:Key or tag:Key=value")
    if not equals:
        return lambda item, _: key in fields.tags(item)
    matcher = re.compile(translate(pattern), re.IGNORECASE)
    return lambda item, _: (v := fields.tags(item).get(key)) is not None and matcher.match(v) is not None


def _glob(column: Field[T], pattern: str) -> Test:
    if column.kind is Kind.FLAG:
        wanted = pattern.lower() in ("true", "yes", "1")
        return lambda item, context: column.get(item, context) is wanted
    matcher = re.compile(translate(pattern), re.IGNORECASE)
    get = column.get

    def test(item: Any, context: Context) -> bool:
        value = get(item, context)
        if isinstance(value, Mapping):
            value = value.get("state", "")
        return value is not None and matcher.match(str(value)) is not None

    return test


def _comparison(column: Field[T], operator: str, text: str, position: int) -> Test:
    bound = _bound(column, text, position + len(operator))
    compare, get = _OPERATORS[operator], column.get

    def test(item: Any, context: Context) -> bool | None:
        value = get(item, context)
        if value is None:
            return None
        return compare(value.casefold() if isinstance(value, str) else value, bound)

    return test


def _bound(column: Field[T], text: str, position: int) -> Any:
    try:
        if column.kind is Kind.SECONDS:
            return parse_duration(text)
        if column.kind is Kind.TEXT:
            return text.casefold()
        if column.kind in (Kind.NUMBER, Kind.MONEY, Kind.PERCENT, Kind.BYTES):
            match = re.fullmatch(r"\$?([\d.,]+)([a-z%]*)", text.lower())
            unit = _SIZES.get(match[2], 1) if match and column.kind is Kind.BYTES else 1
            return float((match[1] if match else text).replace(",", "")) * unit
    except ValueError:
        pass
    else:
        raise _error(position, f"{column.name} cannot be compared", "numbers, money, durations and text")
    allowed = "a duration such as 30m, 24h, 7d" if column.kind is Kind.SECONDS else "a number such as 1.5"
    raise _error(position, f"{text!r} does not fit {column.name}", allowed)
