"""The grammar of the filter language: text to terms and back. What a term means is `filter.py`'s business.

    expression = all ("|" all)…            any of them
    all        = term term…                a space is "and" and binds tighter than "|"
    term       = ["!"] ( WORD | "re:" REGEX | FIELD ":" GLOB | "tag:" KEY ["=" GLOB] | FIELD OP VALUE )
    OP         = ">" | "<" | ">=" | "<=" | "=" | "!="

Quotes keep spaces and bars together, and what stands in them is never an operator: `"cost>1"` is a word. Two quotes in
a row within quotes are one quote. `format_expression` writes terms so that they are read again as the same terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runctl.errors import InputError

MAX_LENGTH = 500
EXAMPLE = "type:g5* cost>1.5 !owner:ana | tag:team=vision"
_HIDDEN = "\0"
_FIELD_TERM = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)(>=|<=|!=|>|<|=|:)")
#: Characters that never need quotes, wherever they stand.
_PLAIN = re.compile(r"[\w.,*?/@#%$+\[\]-]+")


@dataclass(frozen=True, slots=True)
class Word:
    """Text that any shown column contains."""

    text: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression that any shown column matches."""

    pattern: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Match:
    """`FIELD:GLOB`."""

    name: str
    glob: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Tag:
    """`tag:KEY`, or `tag:KEY=GLOB`; `glob` is None for the first."""

    key: str
    glob: str | None = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`FIELD OP VALUE`; `value_at` is where the value stands."""

    name: str
    operator: str
    value: str
    at: int = field(default=0, compare=False)
    value_at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term; never of another `Not`."""

    term: Word | Regex | Match | Tag | Compare


Term = Word | Regex | Match | Tag | Compare | Not
Expression = tuple[tuple[Term, ...], ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """One token: its text, where each character stood, and the text with quoted characters hidden from the grammar."""

    text: str
    plain: str
    places: tuple[int, ...]
    quoted: bool
    start: int
    end: int

    def rest(self, start: int) -> _Token:
        return _Token(
            self.text[start:], self.plain[start:], self.places[start:], self.quoted, start=self.start, end=self.end
        )

    @property
    def at(self) -> int:
        return self.places[0] if self.places else self.start

    @property
    def missing(self) -> bool:
        """Nothing was written; `""` is something."""
        return not self.text and not self.quoted


def syntax_error(at: int, problem: str, allowed: str = "") -> InputError:
    """The error at a character, counted from 0."""
    return InputError(f"filter, character {at + 1}: {problem}", allowed=allowed, example=EXAMPLE)


def parse_expression(text: str) -> Expression:
    """Read a filter; () for the empty text.

    Raises:
        InputError: with the position, what is allowed and an example.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"filter: {len(text)} characters", allowed=f"at most {MAX_LENGTH}", example=EXAMPLE)
    alternatives: list[tuple[Term, ...]] = []
    current: list[Term] = []
    for token in _tokens(text):
        if token.plain != "|":
            current.append(_term(token))
        elif current:
            alternatives.append(tuple(current))
            current = []
        else:
            raise syntax_error(token.at, "nothing before '|'")
    if not current and alternatives:
        raise syntax_error(len(text), "nothing after '|'")
    return (*alternatives, tuple(current)) if current else ()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "|":
            yield _Token("|", "|", (at,), quoted=False, start=at, end=at + 1)
            at += 1
        else:
            token = _read(text, at)
            yield token
            at = token.end


def _read(text: str, at: int) -> _Token:
    """The token that begins at a character which is neither space nor bar."""
    found: list[tuple[str, str, int]] = []
    quoted, start = False, at
    while at < len(text) and not text[at].isspace() and text[at] != "|":
        if text[at] == '"':
            inside, at = _quoted(text, at)
            found += inside
            quoted = True
        else:
            found.append((text[at], text[at], at))
            at += 1
    chars, plain, places = zip(*found, strict=True) if found else ((), (), ())
    return _Token("".join(chars), "".join(plain), tuple(places), quoted, start, at)


def _quoted(text: str, start: int) -> tuple[list[tuple[str, str, int]], int]:
    """The characters between quotes, and where it goes on."""
    found: list[tuple[str, str, int]] = []
    at = start + 1
    while at < len(text):
        if text[at] != '"':
            found.append((text[at], _HIDDEN, at))
            at += 1
        elif text[at : at + 2] == '""':
            found.append(('"', _HIDDEN, at))
            at += 2
        else:
            return found, at + 1
    raise syntax_error(start, "a quote that is not closed", 'two quotes: name:"my box"')


def _term(token: _Token) -> Term:
    bangs = len(token.plain) - len(token.plain.lstrip("!"))
    positive = _positive(token.rest(bangs), bool(bangs))
    return Not(positive) if bangs % 2 else positive


def _positive(token: _Token, negated: bool) -> Word | Regex | Match | Tag | Compare:
    if not token.text:
        problem = "'!' with nothing to negate" if negated and token.missing else "nothing between the quotes"
        raise syntax_error(token.at, problem)
    if token.plain.startswith("re:"):
        return Regex(_value(token, 3).text, token.at)
    if token.plain.startswith("tag:"):
        return _tag(token)
    if match := _FIELD_TERM.match(token.plain):
        name, operator = match[1].lower(), match[2]
        value = _value(token, match.end())
        if operator == ":":
            return Match(name, value.text, token.at)
        return Compare(name, operator, value.text, token.at, value.at)
    return Word(token.text, token.at)


def _value(token: _Token, start: int) -> _Token:
    value = token.rest(start)
    if value.missing:
        raise syntax_error(token.end, f"nothing after {token.plain[:start]!r}", f"{token.plain[:start]}VALUE")
    return value


def _tag(token: _Token) -> Tag:
    rest = token.rest(len("tag:"))
    equals = rest.plain.find("=")
    key = rest.text if equals < 0 else rest.text[:equals]
    if not key:
        raise syntax_error(token.at, "'tag:' without a key", "tag:Key or tag:Key=value")
    return Tag(key, None if equals < 0 else _value(rest, equals + 1).text, token.at)


def format_expression(expression: Expression) -> str:
    """The canonical text, which `parse_expression` reads as the same expression."""
    return " | ".join(" ".join(map(_format_term, terms)) for terms in expression)


def _format_term(term: Term) -> str:
    match term:
        case Not(inner):
            text = f"!{_format_term(inner)}"
        case Regex(pattern):
            text = f"re:{_quote(pattern)}"
        case Match(name, glob):
            text = f"{name}:{_quote(glob)}"
        case Tag(key, glob):
            text = f"tag:{_quote(key)}" + ("" if glob is None else f"={_quote(glob)}")
        case Compare(name, operator, value):
            text = f"{name}{operator}{_quote(value)}"
        case Word(text):
            text = _quote(text)
    return text


def _quote(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '""') + '"'
