"""The ledger's arithmetic: how one more sighting changes what is known of a resource. Pure; no clock, no database.

Facts it rests on: EC2 renews LaunchTime at every start and keeps it over a reboot (EC2 API reference, Instance), so
equal LaunchTimes mean one uninterrupted run; instances bill by the second from `running`, 60 seconds at least for
every start (EC2 On-Demand pricing page); storage bills from creation to deletion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runctl.models.cost import CostKind
from runctl.models.ledger import Basis, Gap, Interval, Sighting

#: Two sightings at most this far apart count as watched; what lies further apart LaunchTime decides, or it is a gap.
WATCHED = timedelta(seconds=180)
MINIMUM_RUN = timedelta(seconds=60)
#: A price above this is a broken cache, not a machine (the dearest list price of 2026 is below 120 USD/h).
ABSURD_USD_PER_HOUR = 2000.0


@dataclass(frozen=True, slots=True)
class Change:
    """What to write: the interval that was open (moved on or closed), new ones (the last may be open), new gaps."""

    current: Interval | None = None
    added: tuple[Interval, ...] = ()
    gaps: tuple[Gap, ...] = ()


def believable(rate: float | None) -> float | None:
    """The rate, or None for what no price can be: negative, not a number, absurdly high."""
    return rate if rate is not None and 0 <= rate <= ABSURD_USD_PER_HOUR else None


def fold(current: Interval | None, last_end: datetime | None, seen: Sighting, at: datetime) -> Change:
    """Fold one sighting into what is known.

    Args:
        current: the open interval of the resource, None when nothing is open.
        last_end: end of its newest closed interval, None when it has none.
        seen: the sighting.
        at: when it was made.
    """
    seen = replace(seen, rate=believable(seen.rate))
    if current is None:
        return _first_sight(last_end, seen, at) if seen.bills else _seen_ended(last_end, seen, at)
    if at < current.until:
        current = replace(current, until=max(at, current.started)) if current.until - at > WATCHED else current
        at = max(at, current.until)
    if not seen.bills:
        return _ended(current, seen, at)
    if seen.run_started != current.run_started:
        return _other_run(current, seen, at)
    return _same_run(current, seen, at)


def _fresh(seen: Sighting, started: datetime, until: datetime, basis: Basis, *, is_open: bool = True) -> Interval:
    return Interval(
        started=started,
        until=until,
        rate=seen.rate,
        basis=basis,
        source=seen.source,
        market=seen.market,
        type=seen.type,
        run_started=seen.run_started,
        open=is_open,
    )


def _first_sight(last_end: datetime | None, seen: Sighting, at: datetime) -> Change:
    begin = seen.run_started
    if begin is None or begin >= at:
        return Change(added=(_fresh(seen, at, at, Basis.OBSERVED),))
    if last_end is not None and last_end > begin:
        begin = min(last_end, at)
    if at - begin <= WATCHED:
        return Change(added=(_fresh(seen, begin, at, Basis.OBSERVED),))
    past = _fresh(seen, begin, at, Basis.BACKFILLED, is_open=False)
    return Change(added=(past, _fresh(seen, at, at, Basis.OBSERVED)))


def _seen_ended(last_end: datetime | None, seen: Sighting, at: datetime) -> Change:
    begin = seen.run_started
    if begin is None or seen.key.kind is not CostKind.INSTANCE or (last_end is not None and last_end >= begin):
        return Change()
    if seen.ended_at is None or seen.ended_at < begin:
        return Change(gaps=(Gap(begin, at, "seen only after it had ended"),) if last_end is None else ())
    run = _fresh(seen, begin, seen.ended_at, Basis.BACKFILLED, is_open=False)
    return Change(added=(_with_minimum(run, seen.key.kind),))


def _with_minimum(closed: Interval, kind: CostKind) -> Interval:
    """Add what the 60 s minimum bills beyond a short run's end."""
    if kind is not CostKind.INSTANCE:
        return closed
    ran = closed.until - (closed.run_started or closed.started)
    return replace(closed, extra_s=max(0.0, (MINIMUM_RUN - ran).total_seconds()))


def _ended(current: Interval, seen: Sighting, at: datetime) -> Change:
    gaps: tuple[Gap, ...] = ()
    end = at
    if seen.ended_at is not None and seen.ended_at >= current.started:
        end = min(max(seen.ended_at, current.until if at - current.until <= WATCHED else current.started), at)
        if end - current.until > WATCHED:
            return _ended_unwatched(current, seen, end)
    elif at - current.until > WATCHED:
        end, gaps = current.until, (Gap(current.until, at, "ended while nobody watched"),)
    return Change(current=_with_minimum(replace(current, until=end, open=False), seen.key.kind), gaps=gaps)


def _ended_unwatched(current: Interval, seen: Sighting, end: datetime) -> Change:
    """AWS says it ended later than last seen: the run went on; its price is known only if it cannot have moved."""
    if current.rate is not None and current.market != "spot":
        rest = replace(current, started=current.until, until=end, basis=Basis.CONTINUED, open=False)
        return Change(current=replace(current, open=False), added=(_with_minimum(rest, seen.key.kind),))
    closed = _with_minimum(replace(current, open=False), seen.key.kind)
    return Change(current=closed, gaps=(Gap(current.until, end, "ran at an unknown price while nobody watched"),))


def _other_run(current: Interval, seen: Sighting, at: datetime) -> Change:
    """It stopped and started again since it was last seen; when it stopped is unknown."""
    started = seen.run_started or at
    gaps = (
        (Gap(current.until, started, "stopped and started while nobody watched"),)
        if started - current.until > WATCHED
        else ()
    )
    closed = _with_minimum(replace(current, open=False), seen.key.kind)
    new = _first_sight(current.until, seen, at)
    return Change(current=closed, added=new.added, gaps=gaps)


def _same_run(current: Interval, seen: Sighting, at: datetime) -> Change:
    same_rate = seen.rate == current.rate and seen.market == current.market
    if at - current.until <= WATCHED:
        return _watched_on(current, seen, at, same_rate=same_rate)
    if same_rate and seen.rate is not None and seen.run_started is not None and _is_steady(current, seen):
        if current.basis is Basis.CONTINUED or current.until == current.started:
            # Somebody who looks now and then leaves one row, not one a look.
            return Change(current=replace(current, until=at, basis=Basis.CONTINUED))
        return Change(current=replace(current, open=False), added=(_fresh(seen, current.until, at, Basis.CONTINUED),))
    return Change(
        current=replace(current, open=False),
        added=(_fresh(seen, at, at, Basis.OBSERVED),),
        gaps=(Gap(current.until, at, "not watched, price unknown"),),
    )


def _watched_on(current: Interval, seen: Sighting, at: datetime, *, same_rate: bool) -> Change:
    if same_rate and current.basis is Basis.OBSERVED:
        return Change(current=replace(current, until=at))
    moved = not same_rate and seen.rate_since is not None
    step = min(max(seen.rate_since or at, current.until), at) if moved else current.until if same_rate else at
    return Change(current=replace(current, until=step, open=False), added=(_fresh(seen, step, at, Basis.OBSERVED),))


def _is_steady(current: Interval, seen: Sighting) -> bool:
    """Whether the price cannot have moved since the last sight: a list price, or a spot price older than that."""
    return current.market != "spot" or (seen.rate_since is not None and seen.rate_since <= current.until)
