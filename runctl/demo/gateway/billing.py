"""Cost Explorer: GetCostAndUsage by service or tag and day, reckoned from the machines and disks that are there.

The bill is a little above the price book's figures, as real bills are (requests, transfer), so that a difference shows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from runctl.demo.gateway import offers
from runctl.demo.gateway.calls import AwsError
from runctl.demo.world import ACCOUNT, REGIONS, World
from runctl.models.cost import HOURS_PER_MONTH

COMPUTE, OTHER = "Amazon Elastic Compute Cloud - Compute", "EC2 - Other"
_DAYS_A_PAGE = 40
_MORE = 1.013
_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


def _aware(at: Any) -> datetime:
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ended(machine: Any) -> datetime | None:
    """When a machine stopped; None while it runs, the beginning of its run where nothing says it."""
    if machine.state == "running":
        return None
    found = _WHEN.search(str(machine._reason or ""))
    return _aware(found[1]) if found else _aware(machine.launch_time)


def _things() -> Iterator[tuple[str, datetime, datetime | None, float, dict[str, str]]]:
    """(service, since, until, USD per hour, tags) of everything that bills or whose last run is known."""
    from moto.ec2.models import ec2_backends

    for region in REGIONS:
        backend = ec2_backends[ACCOUNT][region]
        for reservation in backend.reservations.values():
            for machine in reservation.instances:
                spot = (machine.lifecycle or "") == "spot"
                price = (offers.spot_usd if spot else offers.on_demand_usd)(region, machine.instance_type)
                tags = {str(k): str(v) for k, v in backend.tags[machine.id].items()}
                yield COMPUTE, _aware(machine.launch_time), _ended(machine), price or 0.0, tags
        for volume in backend.volumes.values():
            month = (offers.volume_gib_usd(region, volume.volume_type) or 0.0) * volume.size
            tags = {str(k): str(v) for k, v in backend.tags[volume.id].items()}
            yield OTHER, _aware(volume.create_time), None, month / HOURS_PER_MONTH, tags


def _hours(since: datetime, day: date, now: datetime) -> float:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = min(begin + timedelta(days=1), now)
    return max(0.0, (end - max(begin, since)).total_seconds() / 3600)


def answer(world: World, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """GetCostAndUsage, daily; None for other operations.

    Raises:
        AwsError: a period that is none, or a granularity that is not answered here.
    """
    if operation != "GetCostAndUsage":
        return None
    period = params.get("TimePeriod") or {}
    start, end = date.fromisoformat(str(period.get("Start"))), date.fromisoformat(str(period.get("End")))
    if start >= end:
        raise AwsError("ValidationException", "Start date (and hour) should be before end date (and hour)")
    if params.get("Granularity") != "DAILY":
        raise AwsError("ValidationException", "Only DAILY is answered here.")
    first = date.fromisoformat(params["NextPageToken"]) if params.get("NextPageToken") else start
    last = min(first + timedelta(days=_DAYS_A_PAGE), end)
    group = (params.get("GroupBy") or [{"Type": "DIMENSION", "Key": "SERVICE"}])[0]
    reply: dict[str, Any] = {
        "GroupDefinitions": [group],
        "ResultsByTime": [_day(world, first + timedelta(days=n), group) for n in range((last - first).days)],
        "DimensionValueAttributes": [],
    }
    return reply | ({"NextPageToken": last.isoformat()} if last < end else {})


def _day(world: World, day: date, group: dict[str, str]) -> dict[str, Any]:
    now = world.now()
    sums: dict[str, float] = defaultdict(float)
    for service, since, until, rate, tags in _things():
        name = service if group["Type"] == "DIMENSION" else f"{group['Key']}${tags.get(group['Key'], '')}"
        sums[name] += _hours(since, day, min(until or now, now)) * rate * _MORE
    return {
        "TimePeriod": {"Start": day.isoformat(), "End": (day + timedelta(days=1)).isoformat()},
        "Total": {},
        "Groups": [
            {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": f"{usd:.10f}", "Unit": "USD"}}}
            for name, usd in sorted(sums.items())
            if usd
        ],
        "Estimated": day >= (now - timedelta(days=2)).date(),
    }
