"""Which rows of a noun are shown, in which order, and what an empty table says. Pure functions of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from runctl.models.snapshot import ErrorRecord, Health, Snapshot
from runctl.screens.cells import Cell, plain
from runctl.screens.noun import Noun
from runctl.store.compiled import Filter, narrows
from runctl.store.costs import is_waste
from runctl.store.fields import Context
from runctl.store.select import PanelStatus, sort_items

T = TypeVar("T")
NO_FILTER: Filter[Any] = Filter("", ())
#: So long what terms of a filter keep is not asked again while another one is typed.
FRESH = timedelta(seconds=2)
_OTHERS, _LAST = slice(None, -1), slice(-1, None)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Choice:
    """How a person wants to see a screen; what `[` and `]` bring back.

    Args:
        sort: the field; "" is the noun's own order.
        descending: turned round.
        filter: compiled, with its text.
        waste_only: only what is idle or wasted.
        place: where within the screen: a bucket and prefix, a grouping; "" is the top.
    """

    sort: str = ""
    descending: bool = False
    filter: Filter[Any] = field(default=NO_FILTER)
    waste_only: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """The rows on screen, and of how many."""

    rows: Sequence[T]
    total: int


def arrange(noun: Noun[T], items: Sequence[T], choice: Choice, context: Context) -> Shown[T]:
    """Sort, then filter; what has no known value comes last."""
    return Shown(_kept(_ordered(noun, items, choice, context), choice, context), len(items))


def _ordered(noun: Noun[T], items: Sequence[T], choice: Choice, context: Context) -> Sequence[T]:
    name = choice.sort or noun.sort
    if name not in noun.fields.by_name:
        return items
    return sort_items(items, noun.fields, name, context, descending=choice.descending)


def _kept(items: Sequence[T], choice: Choice, context: Context) -> Sequence[T]:
    if choice.filter.alternatives:
        items = choice.filter.kept(items, context)
    return _wasted(items, choice, context)


def _wasted(items: Sequence[T], choice: Choice, context: Context) -> Sequence[T]:
    if choice.waste_only:
        items = [item for item in items if is_waste(item, context)]
    return items


class Arranger(Generic[T]):
    """`arrange` that remembers: while the rows are the same ones, a letter of the filter sorts nothing again.

    A filter that can only show less than the one before, as it does while a word is typed, looks at what that showed.
    While the last of several terms is typed, what the others keep is known for `FRESH` (some of them ask for the time).
    """

    def __init__(self) -> None:
        self._items: Sequence[T] = ()
        self._order: tuple[object, ...] = ()
        self._sorted: Sequence[T] = ()
        self._before: tuple[Choice, Sequence[T]] | None = None
        self._first: tuple[tuple[object, ...], datetime, Sequence[T]] = ((), _NEVER, ())

    def arrange(self, noun: Noun[T], items: Sequence[T], choice: Choice, context: Context) -> Shown[T]:
        """The rows to show."""
        order = (noun, choice.sort, choice.descending, context.snapshot)
        if items is not self._items or order != self._order:
            self._items, self._order, self._before, self._first = items, order, None, ((), _NEVER, ())
            self._sorted = _ordered(noun, items, choice, context)
        before = self._before
        if (
            before is not None
            and before[0].waste_only == choice.waste_only
            and narrows(before[0].filter, choice.filter)
        ):
            kept = _kept(before[1], choice, context)
        elif len(choice.filter.terms) > 1:
            kept = _wasted(choice.filter.kept(self._others(choice, context), context, _LAST), choice, context)
        else:
            kept = _kept(self._sorted, choice, context)
        self._before = (choice, kept)
        return Shown(kept, len(items))

    def _others(self, choice: Choice, context: Context) -> Sequence[T]:
        """What all terms but the last keep."""
        others = choice.filter.terms[:-1]
        if self._first[0] != others or not timedelta(0) <= context.now - self._first[1] <= FRESH:
            self._first = (others, context.now, choice.filter.kept(self._sorted, context, _OTHERS))
        return self._first[2]


def is_signed_out(snapshot: Snapshot) -> bool:
    """Whether AWS does not accept the credentials (any longer)."""
    return any(s.error is not None and s.error.error_class == "CredentialsError" for s in snapshot.status.values())


def notice(noun: Noun[Any], choice: Choice, total: int, panel: PanelStatus, context: Context) -> tuple[Cell, ...]:
    """What an empty table says: why it is empty, and what to do; one cell a line."""
    error = panel.errors[0] if panel.errors else None
    if total:
        return _nothing_matches(noun, choice, total)
    if panel.health is Health.DENIED and error is not None:
        return _not_allowed(noun, error)
    if panel.health in (Health.ERROR, Health.PARTIAL) and error is not None:
        return _failed(noun, error)
    if (failed := _identity_error(context.snapshot)) is not None and panel.health is Health.LOADING:
        return _failed(noun, failed)
    if panel.health is Health.LOADING or (panel.health is Health.PARTIAL and not panel.complete):
        return skeleton(panel.text)
    where = ", ".join(context.snapshot.regions) or "these regions"
    hint = noun.hint(context)
    return (plain(noun.empty.replace("{regions}", where)), *((plain(hint, "muted"),) if hint else ()))


def skeleton(waiting_for: str) -> tuple[Cell, ...]:
    """Rows to come, and what is waited for."""
    bars = ("▬" * 18, "▬" * 13, "▬" * 16, "▬" * 11)
    return (plain(waiting_for, "muted"), plain(""), *(plain(f"{b}   ▬▬▬▬▬▬▬▬   ▬▬▬▬▬   ▬▬▬▬▬", "muted") for b in bars))


def _nothing_matches(noun: Noun[Any], choice: Choice, total: int) -> tuple[Cell, ...]:
    many = noun.word[total != 1]
    if choice.filter.text:
        reason = f"none of {total} {many} matches  {choice.filter.text}"
        return plain(reason), plain("esc clears the filter, / changes it, ? explains it", "muted")
    return plain(f"none of {total} {many} is known to be idle or wasted"), plain("i shows all of them", "muted")


def _identity_error(snapshot: Snapshot) -> ErrorRecord | None:
    return next((s.error for k, s in sorted(snapshot.status.items()) if s.error and not k.region), None)


def _not_allowed(noun: Noun[Any], error: ErrorRecord) -> tuple[Cell, ...]:
    return (
        plain(f"not allowed: {error.service}:{error.operation} in {error.region}", "state-bad"),
        plain(f"These {noun.word[1]} may exist; this identity may not list them. Ask for that IAM action."),
        plain("The other screens go on. ! shows the whole answer.", "muted"),
    )


def _failed(noun: Noun[Any], error: ErrorRecord) -> tuple[Cell, ...]:
    where = f" in {error.region}" if error.region else ""
    call = f"{error.service}:{error.operation}{where}: " if error.operation else ""
    lines = [plain(f"{call}{error.message}", "state-bad")]
    if error.hint:
        lines.append(plain(error.hint))
    lines.append(plain(f"Whether there are {noun.word[1]} is not known. r asks again, ! shows all errors.", "muted"))
    return tuple(lines)
