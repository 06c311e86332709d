"""A fleet small enough to check by eye, as `read_fleet` would have seen it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation
from runctl.cli.style import Style
from runctl.clock import FrozenClock
from runctl.config import DEFAULTS, Resolved
from runctl.models.cost import Confidence, Price
from runctl.models.identity import Identity
from runctl.models.instance import Activity, ActivityState, Hardware, Instance, InstanceState, Market
from runctl.models.s3 import Bucket
from runctl.models.snapshot import WITHOUT_REGION, ErrorRecord, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot
from runctl.store.fields import Context

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
EAST = "us-east-1"
NASTY = "[/x]\x1b[31m\x9bre\nd\u202e =1+1 \U0001f999"


def price(usd: float) -> Price:
    return Price(usd, "hour", "kp2607", Confidence.LISTED)


def machine(number: int, name: str, **more: Any) -> Instance:
    tags = {"Name": name, **more.pop("tags", {})}
    facts: dict[str, Any] = {
        "type": "g5.xlarge",
        "state": InstanceState.RUNNING,
        "market": Market.ON_DEMAND,
        "rate": price(1.006),
        "hardware": Hardware(4, 16.0, "A10G", 1, 24.0, "x86_64"),
    }
    return Instance(
        id=f"i-{number:017x}",
        region=EAST,
        name=name,
        az=f"{EAST}a",
        launched_at=NOW - timedelta(hours=2),
        tags=tags,
        ownership=parse_ownership(tags),
        **facts | more,
    )


MACHINES = (
    machine(1, "train", tags={"runctl:managed": "1", "runctl:owner": "zoe", "runctl:job": "llama", "project": "lm"}),
    machine(2, NASTY, type="weird.large", rate=None, hardware=Hardware(), market=Market.SPOT),
    machine(3, "old", state=InstanceState.STOPPED, type="t3.micro", hardware=Hardware(2, 1.0, None, 0, None, "x86_64")),
    machine(4, "lazy", rate=price(0.5), activity=Activity(ActivityState.IDLE, "GPU 0 %", NOW - timedelta(hours=1))),
)
VOLUMES = (
    Volume("vol-01", EAST, "data", 100, "gp3", "in-use", f"{EAST}a", NOW - timedelta(days=3), 3000, 125,
           attachments=(Attachment(MACHINES[0].id, "/dev/sdf", "attached"),), usd_per_month=8.0),
    Volume("vol-02", EAST, "", 10, "gp2", "available", f"{EAST}a", NOW - timedelta(days=40), usd_per_month=1.0),
)  # fmt: skip
SNAPSHOTS = (VolumeSnapshot("snap-01", EAST, "", "vol-01", 100, "completed", "100%", NOW, usd_per_month=5.0),)
ADDRESSES = (Address("eipalloc-01", EAST, "198.51.100.7", usd_per_hour=0.005),)
BUCKETS = (Bucket("ckpt-lab", EAST, NOW - timedelta(days=9)),)
IDENTITY = Identity("123456789012", "arn:aws:iam::123456789012:user/zoe", "lab")


def live(*sources: Source) -> dict[SourceKey, SourceStatus]:
    return {
        SourceKey(s, "" if s in WITHOUT_REGION else EAST): SourceStatus(Health.LIVE, NOW - timedelta(seconds=1), True)
        for s in sources
    }


ALL = (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES, Source.BUCKETS, Source.JOBS)
SNAPSHOT = Snapshot(
    identity=IDENTITY,
    profile="lab",
    regions=(EAST,),
    instances=MACHINES,
    volumes=VOLUMES,
    snapshots=SNAPSHOTS,
    addresses=ADDRESSES,
    buckets=BUCKETS,
    status=live(*ALL),
)


def fleet(snapshot: Snapshot = SNAPSHOT, sources: tuple[Source, ...] = ALL, *, cached: bool = False) -> Fleet:
    return Fleet(snapshot, Context(NOW, snapshot), frozenset(sources), cached)


def failure(source: Source, error_class: str, code: str = "Code", *, region: str = EAST) -> ErrorRecord:
    operation = {Source.INSTANCES: "DescribeInstances", Source.VOLUMES: "DescribeVolumes"}.get(source, str(source))
    return ErrorRecord(NOW, "ec2", operation, region, code, "it failed", "mend it", False, error_class)


def broken(*sources: Source, error_class: str = "ServiceError", health: Health = Health.ERROR) -> Fleet:
    """The fleet in which some sources never answered."""
    status = dict(SNAPSHOT.status)
    emptied: dict[str, tuple[()]] = {}
    errors = []
    for source in sources:
        key = SourceKey(source, "" if source in WITHOUT_REGION else EAST)
        error = failure(source, error_class)
        status[key] = SourceStatus(health, None, complete=False, error=error)
        emptied[str(source)] = ()
        errors.append(error)
    return fleet(replace(SNAPSHOT, status=status, errors=tuple(errors), **emptied))  # type: ignore[arg-type]  # slots by name


def call(output: str = "table", *, style: Style | None = None, **more: Any) -> Invocation:
    args = Namespace(output=output, quiet=False, verbose=False, fail_on=(), **more)
    return Invocation(args, Resolved(DEFAULTS, {}), FrozenClock(NOW), style or Style(), 0.0)
