"""What a filter means: the terms of `syntax.py` compiled against the fields of a noun.

A test answers True, False, or None where the value is unknown and the question is about values: what is unknown
satisfies neither `cost>1` nor `!cost>1`. `docs/filter.md` is the manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from fnmatch import translate
from typing import Any, TypeVar

from runctl.errors import InputError
from runctl.format import format_time, parse_duration
from runctl.store.compiled import Filter, Test, narrows
from runctl.store.fields import Context, Field, Fields, Kind
from runctl.store.pattern import MAX_TEXT, compile_bounded
from runctl.store.syntax import (
    MAX_LENGTH,
    Compare,
    Match,
    Not,
    Regex,
    Tag,
    Term,
    Word,
    parse_expression,
    syntax_error,
)

__all__ = ["MAX_LENGTH", "Filter", "narrows", "parse_filter"]

T = TypeVar("T")
Reader = Callable[[Any, Context], Any]

#: What a value is compared with to ask whether it is known at all: `cost=?`.
_UNKNOWN = "?"
_NUMBER = re.compile(r"\$?(\d[\d,]*(?:\.\d*)?|\.\d+)\s*([a-z%]*)")
_BYTES: Mapping[str, float] = {
    **{"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40},
    **{"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
}
#: EC2 says "GB" of disks and means GiB, so both do here.
_GIB: Mapping[str, float] = {
    **{"": 1, "g": 1, "gb": 1, "gib": 1, "t": 1024, "tb": 1024, "tib": 1024},
    **{"m": 2**-10, "mb": 2**-10, "mib": 2**-10},
}
_UNITS: Mapping[Kind, Mapping[str, float]] = {
    Kind.BYTES: _BYTES,
    Kind.MONEY: {"": 1, "k": 1e3, "m": 1e6},
    Kind.PERCENT: {"": 1, "%": 1},
    Kind.NUMBER: {"": 1, "k": 1e3, "m": 1e6},
}
_ALLOWED: Mapping[Kind, str] = {
    Kind.SECONDS: "a duration such as 90s, 30m, 24h, 7d",
    Kind.BYTES: "a size such as 500MB, 80GiB, 1.5TiB",
    Kind.MONEY: "an amount in dollars such as 1.5, $40, 1.2k",
    Kind.PERCENT: "a percentage such as 80",
    Kind.NUMBER: "a number such as 8",
    Kind.TIME: "a day or a time in UTC such as 2026-01-31 or 2026-01-31T12:00",
    Kind.FLAG: "true or false",
    Kind.TEXT: "= or != with a pattern such as g5*",
}
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def parse_filter(text: str, fields: Fields[T]) -> Filter[T]:
    """Compile a filter.

    Args:
        text: what was typed.
        fields: the noun's fields; their names and aliases are the names that may be used.

    Raises:
        InputError: with the position, what is allowed and an example.
    """
    expression = parse_expression(text)
    tests = tuple(tuple(_test(term, fields) for term in terms) for terms in expression)
    found = [term.text.casefold() for terms in expression for term in terms if isinstance(term, Word)]
    plain = len(expression) == 1 and len(found) == len(expression[0])
    return Filter(text, tests, tuple(found) if plain else None, tuple(expression[0]) if len(expression) == 1 else ())


def _test(term: Term, fields: Fields[T]) -> Test:
    match term:
        case Word(text):
            return _word(text.casefold(), fields)
        case Match(name, glob, at):
            return _equal(_field(name, at, fields), glob, at)
        case Compare():
            return _comparison(term, _field(term.name, term.at, fields))
        case Tag(key, glob):
            return _tag(key, glob, fields)
        case Regex(pattern, at):
            return _regex(pattern, at, fields)
        case Not(inner):
            return _negated(_test(inner, fields))


def _negated(inner: Test) -> Test:
    def test(item: Any, context: Context) -> bool | None:
        answer = inner(item, context)
        return None if answer is None else not answer

    return test


def _field(name: str, at: int, fields: Fields[T]) -> Field[T]:
    found = fields.by_name.get(name)
    if found is None:
        near = get_close_matches(name, fields.by_name, n=1, cutoff=0.5)
        hint = f"; nearest: {near[0]}" if near else "; to search for it as text, put it in quotes"
        raise syntax_error(at, f"{fields.noun} have no field {name!r}{hint}", ", ".join(sorted(fields.by_name)))
    return found


def _text_of(column: Field[T]) -> Reader | None:
    """How a column is read as text; None where it is not text."""
    if column.kind is Kind.TIME:
        get = column.get
        return lambda item, context: None if (at := get(item, context)) is None else format_time(at)
    return column.get if column.kind is Kind.TEXT else column.text


def _searched(fields: Fields[T]) -> tuple[Reader, ...]:
    return tuple(read for f in fields.columns if f.kind is not Kind.TIME and (read := _text_of(f)) is not None)


def _word(needle: str, fields: Fields[T]) -> Test:
    readers = _searched(fields)

    def test(item: Any, context: Context) -> bool:
        known = context.folded.get(id(item))
        if known is None:
            # Folding the case of one long text is cheaper than of fifteen short ones; no needle holds the separator.
            texts = [text for read in readers if (text := read(item, context)) is not None]
            known = context.folded[id(item)] = (item, "\0".join(texts).casefold())
        return needle in known[1]

    return test


def _regex(pattern: str, at: int, fields: Fields[T]) -> Test:
    try:
        search = compile_bounded(pattern).search
    except ValueError as error:
        allowed = r"Python's re syntax with at most two of * and +, such as re:^web-\d+$"
        raise syntax_error(at, f"not a regex: {error}", allowed) from None
    readers = _searched(fields)

    def test(item: Any, context: Context) -> bool:
        for read in readers:
            value = read(item, context)
            if value is not None and search(value[:MAX_TEXT]):
                return True
        return False

    return test


def _tag(key: str, glob: str | None, fields: Fields[T]) -> Test:
    tags = fields.tags
    if glob is None:
        return lambda item, _: key in tags(item)
    like = _like(glob)
    return lambda item, _: (value := tags(item).get(key)) is not None and like(value)


def _like(glob: str) -> Callable[[str], bool]:
    """A shell pattern over the whole text, ignoring case. Only `*`, `?` and `[…]` mean anything."""
    if not any(sign in glob for sign in "*?["):
        wanted = glob.casefold()
        return lambda text: text.casefold() == wanted
    match = re.compile(translate(glob), re.IGNORECASE).match
    return lambda text: match(text) is not None


def _equal(column: Field[T], value: str, at: int) -> Test:
    """`FIELD:VALUE`: a pattern on texts, an equal value on the rest, `*` for whatever is known.

    Not having the value is a plain no, so that `!owner:ana` shows what nobody owns.
    """
    get = column.get
    if value == "*":
        return lambda item, context: get(item, context) is not None
    if (read := _text_of(column)) is not None:
        like = _like(value)
        return lambda item, context: (text := read(item, context)) is not None and like(text)
    bound = _bound(column, value, at)
    return lambda item, context: bool(get(item, context) == bound)


def _comparison(term: Compare, column: Field[T]) -> Test:
    operator, value, at = term.operator, term.value, term.value_at
    if operator in ("=", "!="):
        if value == _UNKNOWN:
            get, wanted = column.get, operator == "="
            return lambda item, context: (get(item, context) is None) is wanted
        if (read := _text_of(column)) is not None:
            return _known(read, _like(value), operator == "=")
    elif column.kind in (Kind.TEXT, Kind.FLAG, Kind.OBJECT):
        raise syntax_error(at, f"{column.name} has no order", _ALLOWED.get(column.kind, "another field"))
    bound, compare = _bound(column, value, at), _OPERATORS[operator]
    return _known(column.get, lambda known: compare(known, bound), wanted=True)


def _known(read: Reader, holds: Callable[[Any], bool], wanted: bool) -> Test:
    def test(item: Any, context: Context) -> bool | None:
        value = read(item, context)
        return None if value is None else holds(value) is wanted

    return test


def _bound(column: Field[T], text: str, at: int) -> Any:
    """What a value is compared with, in the field's own unit.

    Raises:
        InputError: it does not fit the field.
    """
    try:
        return _parsed(column, text.strip().lower())
    except (ValueError, KeyError):
        raise _misfit(column, text, at) from None


def _parsed(column: Field[T], text: str) -> Any:
    if column.kind is Kind.SECONDS:
        return parse_duration(text)
    if column.kind is Kind.FLAG:
        return _FLAGS[text]
    if column.kind is Kind.TIME:
        at = datetime.fromisoformat(text.upper())
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise ValueError(text)
    units = _GIB if column.unit == "GiB" else _UNITS[column.kind]
    return float(number[1].replace(",", "")) * units[number[2]]


def _misfit(column: Field[T], text: str, at: int) -> InputError:
    if column.kind is Kind.OBJECT:
        return syntax_error(at, f"{column.name} has many values", "tag:Key or tag:Key=value for tags")
    allowed = "a size such as 100, 500GiB, 2TiB" if column.unit == "GiB" else _ALLOWED[column.kind]
    return syntax_error(at, f"{text!r} does not fit {column.name}", allowed)
