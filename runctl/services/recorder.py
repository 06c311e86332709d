"""Events in, ledger entries out: each complete listing is one observation, a broken one counts for what it named.

`Recorder` is for one thread. Whatever happens to the ledger (locked, full, damaged, of a newer version) is a sentence
in `notice`: nobody's listing fails because its cost could not be written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

from runctl.clock import Clock
from runctl.events import (
    Event,
    IdentityResolved,
    Item,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
    ScopeChanged,
)
from runctl.models.ledger import Sighting
from runctl.models.snapshot import SourceKey
from runctl.models.spent import Spent, day_start, month_start, window_of
from runctl.services.ledger import PATIENCE_S, Ledger, LedgerError, begin_anew, open_ledger
from runctl.services.ledger_curve import burn_curve
from runctl.services.ledger_read import job_totals, runs
from runctl.services.ledger_sums import window_sums
from runctl.services.sightings import KINDS_OF, sightings

#: Steps of the two burn curves: a quarter of an hour, and two hours.
DAY_STEPS, WEEK_STEPS = 96, 84


@dataclass
class _Heard:
    """A listing under way."""

    number: int
    items: list[Item] = field(default_factory=list)


class Recorder:
    """Feeds one ledger file.

    Args:
        path: the file; opened at the first thing to write or read.
        clock: the time.
        patience_s: seconds to wait for another process that writes.
    """

    def __init__(self, path: Path, clock: Clock, patience_s: float = PATIENCE_S) -> None:
        self._path, self._clock, self._patience = path, clock, patience_s
        self._opened, self._trouble = "", ""
        self.account = ""
        self.regions: tuple[str, ...] = ()
        self.scope: int | None = None
        self._ledger: Ledger | None = None
        self._heard: dict[SourceKey, _Heard] = {}
        self._waiting: list[tuple[SourceKey, list[Item], datetime, bool]] = []
        #: What was said of each thing at the last look, by its `id`, with the thing so that this stays its own.
        self._said: dict[SourceKey, dict[int, tuple[Item, list[Sighting]]]] = {}

    def take(self, event: Event) -> bool:
        """Take an event; whether the ledger has changed by it."""
        if event.scope != self.scope or isinstance(event, ScopeChanged):
            self.scope, self.account, self.regions = event.scope, "", ()
            self._heard.clear()
            self._waiting.clear()
            self._said.clear()
        match event:
            case IdentityResolved(identity=identity):
                if self.account and self.account != identity.account:
                    self._heard.clear()
                    self._said.clear()
                self.account = identity.account
            case RegionsResolved(regions=regions):
                self.regions = regions
            case PageArrived(key=key, listing=number, items=items) if key.source in KINDS_OF:
                heard = self._heard.get(key)
                if heard is None or heard.number != number:
                    heard = self._heard[key] = _Heard(number)
                heard.items += items
            case ListingCompleted(key=key, listing=number, as_of=as_of) if key.source in KINDS_OF:
                self._end(key, number, as_of, complete=True)
            case ListingFailed(key=key, listing=number, partial=True) if key.source in KINDS_OF:
                self._end(key, number, self._clock.now(), complete=False)
        return self._write()

    def _end(self, key: SourceKey, number: int, at: datetime, *, complete: bool) -> None:
        heard = self._heard.pop(key, None)
        items = heard.items if heard is not None and heard.number == number else []
        self._waiting.append((key, items, at, complete))

    def _write(self) -> bool:
        """Write what has ended, once it is known whose it is."""
        if not self._waiting or not self.account:
            return False
        waiting, self._waiting = self._waiting, []
        for key, items, at, complete in waiting:
            self._observe(key, items, at, complete=complete)
        return True

    def _observe(self, key: SourceKey, items: Sequence[Item], at: datetime, *, complete: bool) -> None:
        seen = self._sightings(key, items)
        kinds = KINDS_OF[key.source]
        # Buckets are listed for the whole account; each is kept under its own region, and never counted as gone.
        regions = {key.region} if key.region else {s.key.region for s in seen}
        try:
            for region, kind in product(regions, kinds):
                named = [s for s in seen if s.key.region == region and s.key.kind is kind]
                self.ledger.observe(self.account, region, kind, named, at, complete=complete and bool(key.region))
            self._trouble = ""
        except LedgerError as error:
            self._failed(error)

    def _sightings(self, key: SourceKey, items: Sequence[Item]) -> list[Sighting]:
        """A thing that is the one it was at the last look says what it said then."""
        before, said = self._said.get(key, {}), dict[int, tuple[Item, list[Sighting]]]()
        for item in items:
            known = before.get(id(item))
            said[id(item)] = known if known is not None else (item, sightings(self.account, (item,)))
        self._said[key] = said
        return [sighting for _, every in said.values() for sighting in every]

    @property
    def ledger(self) -> Ledger:
        """The open ledger."""
        if self._ledger is None:
            self._ledger, self._opened = open_ledger(self._path, self._clock.now(), self._patience)
        return self._ledger

    @property
    def notice(self) -> str:
        """What is wrong now, or what happened to the file when it was opened; "" when all is well."""
        return self._trouble or self._opened

    def _failed(self, error: LedgerError) -> None:
        """Say it; a ledger that turned out to be damaged is set aside, and another one begins."""
        self._trouble = error.message
        if error.damaged and self._ledger is not None:
            self._ledger.close()
            self._ledger, self._opened = begin_anew(self._path, self._clock.now(), error.message)
            self._trouble = ""

    def spent(self, now: datetime, *, curves: bool = True) -> Spent | None:
        """What the ledger knows; None before it is known whose account it is. Windows are unknown where it fails."""
        if not self.account:
            return None
        try:
            return read_spent(self.ledger, self.account, self.regions, now, curves=curves, notice=self.notice)
        except LedgerError as error:
            self._failed(error)
            return None

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def read_spent(
    ledger: Ledger, account: str, regions: Sequence[str], now: datetime, *, curves: bool = True, notice: str = ""
) -> Spent:
    """Everything the screens and `--once` say of the past.

    Raises:
        LedgerError: it cannot be read.
    """
    since = ledger.observed_since(account, regions)
    # One second on: what was seen at this very moment is part of it.
    until = now + timedelta(seconds=1)
    starts = (month_start(now), day_start(now), now - timedelta(days=1), now - timedelta(days=7))
    sums, groups = window_sums(ledger, account, starts, until)
    month, today, *recent = (window_of(start, now, [total], since) for start, total in zip(starts, sums, strict=True))
    return Spent(
        as_of=now,
        since=since,
        today=today,
        month=month,
        recent=tuple(recent),
        runs=runs(ledger, account),
        groups={**groups, "job": job_totals(ledger, account, until)},
        day=burn_curve(ledger, account, starts[2], now, DAY_STEPS) if curves else (),
        week=burn_curve(ledger, account, starts[3], now, WEEK_STEPS) if curves else (),
        notice=notice,
    )
