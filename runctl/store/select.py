"""What is shown out of a Snapshot: costs, sums, sorted and filtered rows, the state of a panel. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from runctl.config import DEFAULTS
from runctl.format import clean_text, format_duration
from runctl.models.instance import Instance, InstanceState, Market
from runctl.models.job import Job
from runctl.models.snapshot import WITHOUT_REGION, ErrorRecord, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.store.costs import burn_of, charges, cost_items
from runctl.store.fields import Context, Fields, Kind, expires_in_s

if TYPE_CHECKING:
    from runctl.models.cost import Burn
    from runctl.models.spent import Spent
    from runctl.store.budget import BudgetLine
    from runctl.store.forecast import Forecast

T = TypeVar("T")
#: Data older than this many intervals is called stale.
STALE_AFTER_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of the money strip and of `summary` in JSON. USD; None is unknown.

    `burn_without` names what the burn lacks because AWS refused or failed to list it; `burn_waits` says that
    something that bills has not been listed yet.
    """

    burn_usd_per_hour: float
    burn_unpriced: int
    instances_running: int
    instances_stopped: int
    jobs_running: int
    volumes_unattached: int
    storage_usd_per_month: float
    storage_unpriced: int
    alerts: tuple[str, ...]
    on_demand_usd_per_hour: float
    spot_usd_per_hour: float
    today_usd: float | None = None
    month_usd: float | None = None
    month_forecast: Forecast | None = None
    observed_since: datetime | None = None
    spent_complete: bool = False
    today_complete: bool = False
    burn_without: tuple[str, ...] = ()
    burn_waits: bool = False

    @property
    def month_projected_usd(self) -> float | None:
        """The month's likely bill."""
        return self.month_forecast.usd if self.month_forecast else None


@dataclass(frozen=True, slots=True)
class PanelStatus:
    """How much to trust a panel, over all its regions.

    Args:
        health: the worst that matters to the reader.
        as_of: the oldest complete answer, None when a region has not answered yet.
        text: one phrase: "live 4s", "stale 3m (throttled)", "not allowed: ec2:DescribeVolumes in us-east-1".
        complete: every region answered completely.
        errors: the failures that are current.
    """

    health: Health
    as_of: datetime | None
    text: str
    complete: bool
    errors: tuple[ErrorRecord, ...] = ()


def jobs(snapshot: Snapshot, context: Context) -> tuple[Job, ...]:
    """Jobs from their records, and as their machines' tags tell where no record is known."""
    recorded = {job.id for job in snapshot.jobs}
    tagged = sorted((name, m) for name, m in context.newest_by_job.items() if name not in recorded)
    return (*snapshot.jobs, *(_job_of(name, machine, context) for name, machine in tagged))


def _job_of(name: str, machine: Instance, context: Context) -> Job:
    attempt = machine.tags.get("runctl:attempt", "")
    return Job(
        id=name,
        name=name,
        state="RUNNING" if machine.state == "running" else "PENDING" if machine.state == "pending" else "UNKNOWN",
        resource_state=str(machine.state),
        region=machine.region,
        last_seen=_as_of(context.snapshot, Source.INSTANCES, machine.region),
        instance_id=machine.id,
        attempt=int(attempt) if attempt.isdecimal() else None,
        usd_so_far=machine.usd_since_launch(context.now),
        reason="known from the machine's tags only",
        knowledge="tags only",
        owner=machine.ownership.owner,
        project=machine.ownership.project,
    )


def _as_of(snapshot: Snapshot, source: Source, region: str) -> datetime | None:
    return next((s.as_of for k, s in snapshot.status.items() if k.source is source and k.region == region), None)


def summary(context: Context) -> Summary:
    """The figures everybody sees, from the same items as the rows."""
    snapshot, spent = context.snapshot, context.snapshot.spent
    found = charges(snapshot)
    standing, states = found.standing, [i.state for i in snapshot.instances]
    total = burn_of([*chain.from_iterable(found.machines.values()), *standing])
    return Summary(
        burn_usd_per_hour=total.usd,
        burn_unpriced=total.unpriced,
        instances_running=states.count(InstanceState.RUNNING),
        instances_stopped=states.count(InstanceState.STOPPED),
        jobs_running=sum(j.state == "RUNNING" for j in jobs(snapshot, context)),
        volumes_unattached=sum(v.unattached for v in snapshot.volumes),
        storage_usd_per_month=math.fsum(s for s in found.storage if s is not None),
        storage_unpriced=found.storage.count(None),
        alerts=alerts(context),
        on_demand_usd_per_hour=burn_of(found.machines.get(Market.ON_DEMAND, ())).usd,
        spot_usd_per_hour=burn_of(found.machines.get(Market.SPOT, ())).usd,
        burn_without=unlisted(snapshot),
        burn_waits=any(
            (status := snapshot.status.get(SourceKey(source, region))) is None
            or (status.as_of is None and status.error is None)
            for source in _BILLING
            for region in snapshot.regions
        ),
        today_usd=spent.today.usd if spent and spent.since else None,
        month_usd=spent.month.usd if spent and spent.since else None,
        month_forecast=_forecast(spent, total, burn_of(standing), context.now),
        observed_since=spent.since if spent else None,
        spent_complete=spent is not None and spent.month.complete,
        today_complete=spent is not None and spent.today.complete,
    )


def _forecast(spent: Spent | None, total: Burn, standing: Burn, now: datetime) -> Forecast | None:
    if spent is None:
        return None
    from runctl.store.forecast import forecast_month

    return forecast_month(spent, total.usd, standing.usd, now, total.unpriced)


_BILLING = (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES)


def unlisted(snapshot: Snapshot) -> tuple[str, ...]:
    """Sources whose things bill and that were refused or failed before they were ever listed in full.

    One that was listed in another region is missing in part: ("volumes", "some addresses").
    A bucket's price is known only where its objects were counted, so a list of buckets is not needed for the burn.
    """
    found = []
    for source in _BILLING:
        parts = [s for k, s in snapshot.status.items() if k.source is source]
        lacking = sum(s.error is not None and s.as_of is None for s in parts)
        if lacking:
            found.append(f"some {source}" if any(s.as_of for s in parts) else str(source))
    return tuple(found)


def alerts(context: Context) -> tuple[str, ...]:
    """What needs a person: expired machines still running, unattached disks."""
    found = [
        f"{clean_text(i.name, 40) or i.id} should have ended {format_duration(-left)} ago"
        for i in context.snapshot.instances
        if i.ownership.ttl is not None and i.bills and (left := expires_in_s(i, context)) is not None and left < 0
    ]
    free = sum(v.unattached for v in context.snapshot.volumes)
    if free:
        found.append(f"{free} unattached volume{'s' * (free != 1)}")
    if context.snapshot.spent is not None and context.snapshot.spent.notice:
        found.append(context.snapshot.spent.notice)
    lines = budgets(context)
    if lines:
        from runctl.store.budget import budget_alerts

        return (*budget_alerts(lines), *found)
    return tuple(found)


def budgets(context: Context) -> tuple[BudgetLine, ...]:
    """Every budget that is set, and how it stands."""
    listed = jobs(context.snapshot, context)
    if context.settings.budgets == DEFAULTS.budgets and all(job.budget_usd is None for job in listed):
        return ()  # as a rule: then the first rows do not wait for what judges budgets
    from runctl.store.budget import budget_lines

    return budget_lines(context, listed)


_WORST = (Health.LOADING, Health.DENIED, Health.ERROR, Health.PARTIAL, Health.STALE, Health.LIVE)


def _effective(status: SourceStatus, now: datetime, interval_s: float) -> Health:
    if status.as_of is not None and status.next_try is not None:
        # Sources are asked at different paces; each is late by its own.
        interval_s = max(interval_s, (status.next_try - status.as_of).total_seconds())
    old = status.as_of is not None and now - status.as_of > timedelta(seconds=interval_s * STALE_AFTER_INTERVALS)
    if status.health is Health.LIVE and (old or status.cached):
        return Health.STALE
    return status.health


def panel_status(context: Context, source: Source, interval_s: float = 10.0) -> PanelStatus:
    """One phrase for all regions of a source."""
    parts = {k.region: s for k, s in context.snapshot.status.items() if k.source is source}
    expected = ("",) if source in WITHOUT_REGION else context.snapshot.regions
    waiting = tuple(r for r in expected if r not in parts)
    if not parts:
        return PanelStatus(Health.LOADING, None, f"waiting for AWS ({source})", complete=False)
    healths = {r: _effective(s, context.now, interval_s) for r, s in parts.items()}
    errors = tuple(s.error for s in parts.values() if s.error)
    dates = [s.as_of for s in parts.values() if s.as_of]
    as_of = min(dates) if dates else None
    kinds = set(healths.values()) | ({Health.LOADING} if waiting else set())
    health = (
        kinds.pop() if len(kinds) == 1 else Health.STALE if kinds <= {Health.LIVE, Health.STALE} else Health.PARTIAL
    )
    age = format_duration((context.now - as_of).total_seconds()) if as_of else ""
    text = {Health.LIVE: f"live {age}", Health.STALE: f"stale {age}", Health.LOADING: "loading"}.get(
        health, str(health)
    )
    if any(s.cached for s in parts.values()):
        text = f"from the last run, {age} old"
    troubles = [_trouble(r, s, context.now) for r, s in sorted(parts.items()) if s.error]
    if waiting:
        troubles.append(f"waiting for {', '.join(waiting)}")
    complete = not waiting and all(s.complete for s in parts.values())
    return PanelStatus(health, as_of, " · ".join((text, *troubles)), complete, errors)


def _trouble(region: str, status: SourceStatus, now: datetime) -> str:
    error = status.error
    if error is None:
        return ""
    where = f" in {region}" if region else ""
    if status.health is Health.DENIED:
        return f"not allowed: {error.service}:{error.operation}{where}"
    retry = f", next try in {format_duration((status.next_try - now).total_seconds())}" if status.next_try else ""
    return f"{error.code}: {error.service}:{error.operation}{where}{retry}"


def sort_items(
    items: Iterable[T], fields: Fields[T], name: str, context: Context, *, descending: bool = False
) -> list[T]:
    """Sort by a field; unknown comes last in both directions, equals stay in their order.

    Raises:
        KeyError: there is no such field.
    """
    column = fields.by_name[name]
    known: list[tuple[object, T]] = []
    unknown: list[T] = []
    for item in items:
        value = column.get(item, context)
        if value is None or column.kind is Kind.OBJECT:
            unknown.append(item)
        else:
            known.append((value.casefold() if isinstance(value, str) else value, item))
    known.sort(key=itemgetter(0), reverse=descending)  # one type a field
    return [item for _, item in known] + unknown


def rows_of(context: Context, noun: str) -> Sequence[object]:
    """The items of a screen: "instances", "jobs", "s3", "volumes" or "cost"."""
    snapshot = context.snapshot
    readers: dict[str, Callable[[], Sequence[object]]] = {
        "instances": lambda: snapshot.instances,
        "jobs": lambda: jobs(snapshot, context),
        "s3": lambda: snapshot.buckets,
        "volumes": lambda: snapshot.volumes,
        "cost": lambda: cost_items(context),
    }
    return readers[noun]()
