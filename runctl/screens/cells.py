"""What a value looks like: short texts with a colour token, for cells and details. Pure.

A cell is a tuple of segments; a segment is a text and the name of a token of `runctl.theme` ("" for plain). Text from
outside goes through `clean_text` here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import accumulate
from typing import Generic, TypeVar

from rich.text import Span, Text

from runctl.format import UNKNOWN, clean_text, format_duration, format_usd
from runctl.models.cost import Price
from runctl.models.instance import ActivityState, Instance, Market
from runctl.models.tags import Ownership
from runctl.store.fields import Context
from runctl.theme import ASCII, UNICODE, Glyphs, state_token
from runctl.widgets.bar import percent_bar
from runctl.widgets.detail import Row, Section

T = TypeVar("T")
Segment = tuple[str, str]
Cell = tuple[Segment, ...]

NOTHING: Cell = (("-", "muted"),)
NOT_KNOWN: Cell = ((UNKNOWN, "muted"),)


@dataclass(frozen=True, slots=True)
class Spec(Generic[T]):
    """One column of one screen.

    Args:
        name: the field of `runctl.store.fields` it shows and sorts by; "" for glyphs that are no field.
        label: its heading.
        width: cells it needs; a flexible column may grow beyond.
        cell: draws it.
        right: numbers are aligned to the right.
        keep: how long it stays when the terminal narrows; the lowest goes first, 100 never does.
        flex: gets a share of what is left over.
        useful: whether the column says anything about these rows; without it, always.
    """

    name: str
    label: str
    width: int
    cell: Callable[[T, Context], Cell]
    right: bool = False
    keep: int = 100
    flex: bool = False
    useful: Callable[[Sequence[T]], bool] | None = None


Detail = tuple[Section, ...]


def row(key: str, cell: Cell) -> Row:
    """A line of a detail: the cell's texts in one piece, in the colour of the first that has one of its own."""
    tones = [tone for text, tone in cell if text.strip()]
    loud = [tone for tone in tones if tone not in ("", "muted")]
    quiet = "muted" if tones and set(tones) == {"muted"} else ""
    return Row(key, "".join(text for text, _ in cell), loud[0] if loud else quiet)


# `dot` is drawn like `foreign`; who parts pieces with it asks the theme, so here it means "not ours".
_TWINS = str.maketrans(
    {getattr(UNICODE, f.name): getattr(ASCII, f.name) for f in fields(Glyphs) if f.name != "dot"}
    | {"×": "x", "…": "~", "⏎": "enter"}
)


def to_ascii(text: str) -> str:
    """Glyphs as their ASCII twins, anything else that is not ASCII as a question mark."""
    return text if text.isascii() else text.translate(_TWINS).encode("ascii", "replace").decode()


#: Of sentences and lines of keys, where a dot parts and an arrow is a key.
_OF_SENTENCES = str.maketrans({"·": "|", "←": "<", "→": ">"})


def sentence(text: str, *, ascii_only: bool) -> str:
    """A sentence or a line of keys in the characters of the moment."""
    return to_ascii(text.translate(_OF_SENTENCES)) if ascii_only else text


def text_to_ascii(text: Text) -> Text:
    """The same for a text with styles, which stay where they were."""
    twins = [to_ascii(character) for character in text.plain]
    at = [0, *accumulate(map(len, twins))]
    moved = [Span(at[s.start], at[min(s.end, len(twins))], s.style) for s in text.spans]
    return Text("".join(twins), style=text.style, spans=moved)


def to_text(cell: Cell, colours: Mapping[str, str], *, ascii_only: bool = False) -> Text:
    """A cell with the colours of a theme."""
    drawn = Text()
    for text, token in cell:
        drawn.append(to_ascii(text) if ascii_only else text, colours.get(token) if token else None)
    return drawn


def plain(text: str, token: str = "") -> Cell:
    """One segment of our own words."""
    return ((text, token),)


def outside(text: str | None, token: str = "", limit: int = 512) -> Cell:
    """Text from outside, made safe; nothing becomes a dash, unknown a question mark."""
    if text is None:
        return NOT_KNOWN
    return plain(clean_text(text, limit), token) if text else NOTHING


def number(value: float | None, decimals: int = 0) -> Cell:
    """A number with separators."""
    return NOT_KNOWN if value is None else plain(f"{value:,.{decimals}f}")


def money(value: float | None, decimals: int = 2, suffix: str = "", hot: float | None = None) -> Cell:
    """USD without the sign; `hot` is from where on it deserves a look."""
    if value is None:
        return ((UNKNOWN, "warn"),)
    token = "money-hot" if hot is not None and value >= hot else "money"
    return ((format_usd(value, decimals), token), *(((suffix, "muted"),) if suffix else ()))


def duration(seconds: float | None, token: str = "") -> Cell:
    """How long."""
    return NOT_KNOWN if seconds is None else plain(format_duration(seconds), token)


def age(at: datetime | None, context: Context) -> Cell:
    """How long ago."""
    return NOT_KNOWN if at is None else duration((context.now - at).total_seconds())


def price_words(price: Price | None) -> Cell:
    """Where a price comes from and how sure it is."""
    if price is None:
        return plain("no source knows it", "warn")
    when = f", {price.as_of:%Y-%m-%d}" if price.as_of else ""
    return plain(f"{price.confidence}, {clean_text(price.source, 40)}{when}", "muted")


def state_glyph(word: str) -> Segment:
    """The glyph of a state, in its colour."""
    return UNICODE.state(word), state_token(word)


def state(word: str) -> Cell:
    """The word of a state, in its colour."""
    return plain(clean_text(word, 40) or UNKNOWN, state_token(word))


def lead(trouble: bool, state_word: str, ownership: Ownership) -> Cell:
    """The three glyphs before a name: trouble, state, ours or not (the managed tag alone decides)."""
    warn = (UNICODE.warning, "warn") if trouble else (" ", "")
    ours = (UNICODE.ours, "accent") if ownership.managed else (UNICODE.foreign, "muted")
    return warn, state_glyph(state_word), ours


def name_or_id(name: str, identifier: str) -> Cell:
    """What people call it; the id where nobody named it."""
    return outside(name) if name else plain(identifier, "muted")


def bar(percent: float | None, width: int = 5) -> Cell:
    """A share of 100 on a fixed axis; unknown is a question mark, never an empty bar."""
    if percent is None:
        return NOT_KNOWN
    drawn = percent_bar(percent, width)
    full = drawn.count(UNICODE.full)
    return ((drawn[:full], "state-ok" if percent >= 10 else "warn"), (drawn[full:], "muted"))


def activity_short(machine: Instance, context: Context) -> Cell:
    """`busy`, `idle2h` or `?`; a machine that does not run does nothing."""
    if not machine.may_bill:
        return NOTHING
    activity = machine.activity
    if activity.state is ActivityState.UNKNOWN:
        return NOT_KNOWN
    if activity.state is ActivityState.BUSY:
        return plain("busy", "state-ok")
    since = "" if activity.since is None else format_duration((context.now - activity.since).total_seconds())
    return plain(f"idle{since.split('h')[0] + 'h' if 'h' in since else since}", "warn")


def market_suffix(machine: Instance) -> str:
    """`s` after a spot price."""
    return "s" if machine.market is Market.SPOT else ""
