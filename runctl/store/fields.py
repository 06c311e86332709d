"""One table of fields for each noun: it makes the JSON items, the columns, the filter's names and the sort keys.

A field reads one typed value out of an item; None means unknown. What a value looks like is the business of whoever
shows it, by the field's `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

from runctl.config import DEFAULTS, Settings
from runctl.models.cost import CostItem, an_hour
from runctl.models.instance import Instance, Market
from runctl.models.job import Job
from runctl.models.s3 import Bucket
from runctl.models.snapshot import EMPTY, Snapshot
from runctl.models.tags import ends_at
from runctl.models.volume import Volume

T = TypeVar("T")


class Kind(StrEnum):
    """What a field's value is, which decides alignment, comparison and format."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    SECONDS = "seconds"
    TIME = "time"
    BYTES = "bytes"
    PERCENT = "percent"
    FLAG = "flag"
    OBJECT = "object"


def _later(machine: Instance, other: Instance) -> bool:
    if machine.launched_at is None:
        return False
    return other.launched_at is None or machine.launched_at > other.launched_at


@dataclass(frozen=True, eq=False)
class Context:
    """What a derived field may look at beside its item: the time, everything else, and the settings.

    `folded` keeps what words are looked for in, by `id` of the item, with the item so that its id stays its own. It may
    be handed on to the next context as long as the snapshot is the same, and what `still_folded` leaves of it later.
    """

    now: datetime
    snapshot: Snapshot = EMPTY
    settings: Settings = DEFAULTS
    folded: dict[int, tuple[object, str]] = field(default_factory=dict)

    @cached_property
    def instances(self) -> Mapping[str, Instance]:
        """Machines by id."""
        return {i.id: i for i in self.snapshot.instances}

    @cached_property
    def newest_by_job(self) -> Mapping[str, Instance]:
        """The machine launched last for each job that tags name; what AWS gives no time for is never the newer one."""
        found: dict[str, Instance] = {}
        for machine in self.snapshot.instances:
            name = machine.ownership.job
            if name and (name not in found or _later(machine, found[name])):
                found[name] = machine
        return found

    @cached_property
    def volumes(self) -> Mapping[str, Volume]:
        """Disks by id."""
        return {v.id: v for v in self.snapshot.volumes}

    @cached_property
    def disks_of(self) -> Mapping[str, Sequence[Volume]]:
        """Disks by the machine they are attached to."""
        found: dict[str, list[Volume]] = {}
        for volume in self.snapshot.volumes:
            if volume.attached_to:
                found.setdefault(volume.attached_to, []).append(volume)
        return found


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One readable property of an item.

    Args:
        name: its name in JSON, filters, `--columns` and `--sort`.
        label: its column heading.
        kind: what its value is.
        get: reads it; None is unknown.
        aliases: other names a filter may use.
        shown: part of the default table.
        in_json: part of the JSON item.
        wide: part of the wide table.
        unit: of a bare number, where a filter may write it in another ("GiB").
        text: how words and patterns of a filter read a value that is an object.
    """

    name: str
    label: str
    kind: Kind
    get: Callable[[T, Context], Any]
    aliases: tuple[str, ...] = ()
    shown: bool = False
    in_json: bool = True
    wide: bool = False
    unit: str = ""
    text: Callable[[T, Context], str | None] | None = None


@dataclass(frozen=True)
class Fields(Generic[T]):
    """The fields of a noun, in JSON order, and how to reach the tags of an item.

    `alone` says that its texts depend on nothing but the item.
    """

    noun: str
    columns: tuple[Field[T], ...]
    tags: Callable[[T], Mapping[str, str]]
    alone: bool = False
    by_name: Mapping[str, Field[T]] = field(init=False)

    def __post_init__(self) -> None:
        names = {n: f for f in self.columns for n in (f.name, *f.aliases)}
        object.__setattr__(self, "by_name", names)

    def to_json(self, item: T, context: Context) -> dict[str, Any]:
        """The JSON item."""
        return {f.name: json_value(f.get(item, context)) for f in self.columns if f.in_json}


def still_folded(before: Context, fields: Fields[T], items: Sequence[T]) -> dict[int, tuple[object, str]]:
    """What of `before.folded` holds for these items of another snapshot: that of things which are the same ones."""
    known = before.folded
    if not known or not fields.alone:
        return {}
    return {key: found for item in items if (found := known.get(key := id(item))) is not None}


def json_value(value: Any) -> Any:
    """A field's value as JSON: times as ISO-8601 UTC, mappings as objects."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(k): json_value(v) for k, v in value.items()}
    return value


def expires_in_s(item: Instance, context: Context) -> float | None:
    """Seconds until `runctl:ttl`; None without one or when it is not a time."""
    at = ends_at(item.ownership.ttl)
    return None if at is None else (at - context.now).total_seconds()


def disks_usd_per_hour(item: Instance, context: Context) -> float | None:
    """USD per hour of the disks attached to a machine; None when none is known or one has no price."""
    prices = [v.usd_per_month for v in context.disks_of.get(item.id, ())]
    return an_hour(sum(p for p in prices if p is not None)) if prices and None not in prices else None


def idle_s(item: Instance, context: Context) -> float | None:
    """Seconds of known idleness."""
    activity = item.activity
    return (context.now - activity.since).total_seconds() if activity.state == "idle" and activity.since else None


def usd_since_launch(item: Instance, context: Context) -> float | None:
    """USD of the current run: as the ledger counted it where a price may have moved, else time at the list price."""
    spent = context.snapshot.spent
    if item.market == Market.SPOT and item.bills and spent is not None:
        counted = spent.runs.get(("instance", item.region, item.id))
        if counted is not None and counted.whole:
            return counted.usd
    return item.usd_since_launch(context.now)


def _age(at: datetime | None, context: Context) -> float | None:
    return None if at is None else max(0.0, (context.now - at).total_seconds())


def volume_waste(item: Volume, context: Context) -> str | None:
    """Why a disk's money is wasted, "" when it is not, None when that is not known."""
    if item.attached_to is None:
        return "unattached" if item.unattached else ""
    machine = context.instances.get(item.attached_to)
    if machine is None:
        return None
    if machine.state == "stopped":
        return f"on stopped {machine.name or machine.id}"
    return ""


def _attached_state(item: Volume, context: Context) -> str | None:
    machine = context.instances.get(item.attached_to or "")
    return None if machine is None else str(machine.state)


F = Field
INSTANCE_FIELDS: Fields[Instance] = Fields(
    "instances",
    (
        F("id", "ID", Kind.TEXT, lambda i, c: i.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda i, c: i.name, shown=True),
        F("type", "TYPE", Kind.TEXT, lambda i, c: i.type, shown=True),
        F("state", "STATE", Kind.TEXT, lambda i, c: str(i.state) or None, shown=True),
        F("market", "MARKET", Kind.TEXT, lambda i, c: str(i.market), shown=True),
        F("region", "REGION", Kind.TEXT, lambda i, c: i.region, wide=True),
        F("az", "AZ", Kind.TEXT, lambda i, c: i.az, ("zone",), shown=True),
        F("launched_at", "LAUNCHED", Kind.TIME, lambda i, c: i.launched_at),
        F("uptime_s", "UP", Kind.SECONDS, lambda i, c: i.uptime_s(c.now), ("uptime", "up"), shown=True),
        F("usd_per_hour", "$/H", Kind.MONEY, lambda i, c: i.usd_per_hour, ("cost", "price"), shown=True),
        F("usd_since_launch", "SINCE", Kind.MONEY, usd_since_launch, ("since",), shown=True),
        F("price_source", "SOURCE", Kind.TEXT, lambda i, c: i.rate.source if i.rate else None, wide=True),
        F("vcpus", "VCPU", Kind.NUMBER, lambda i, c: i.hardware.vcpus, wide=True),
        F("memory_gib", "GIB", Kind.NUMBER, lambda i, c: i.hardware.memory_gib, ("memory",), wide=True, unit="GiB"),
        F("gpu_model", "GPU", Kind.TEXT, lambda i, c: i.hardware.gpu_model, wide=True),
        F("gpu_count", "GPUS", Kind.NUMBER, lambda i, c: i.hardware.gpu_count, ("gpu",), wide=True),
        F("private_ip", "IP", Kind.TEXT, lambda i, c: i.private_ip, ("ip",), wide=True),
        F("public_ip", "PUBLIC IP", Kind.TEXT, lambda i, c: i.public_ip, wide=True),
        F("owner", "OWNER", Kind.TEXT, lambda i, c: i.ownership.owner, shown=True),
        F("project", "PROJECT", Kind.TEXT, lambda i, c: i.ownership.project, wide=True),
        F("job", "JOB", Kind.TEXT, lambda i, c: i.ownership.job, wide=True),
        F("managed", "OURS", Kind.FLAG, lambda i, c: i.ownership.managed),
        F("protected", "PROTECTED", Kind.FLAG, lambda i, c: i.ownership.protected),
        F(
            "activity",
            "ACT",
            Kind.OBJECT,
            lambda i, c: {"state": str(i.activity.state), "evidence": i.activity.evidence or None},
            text=lambda i, c: str(i.activity.state),
        ),
        F("tags", "TAGS", Kind.OBJECT, lambda i, c: dict(i.tags)),
        F("gpu_percent", "GPU%", Kind.PERCENT, lambda i, c: i.activity.gpu_percent, ("gpu_util",), in_json=False),
        F("cpu_percent", "CPU%", Kind.PERCENT, lambda i, c: i.activity.cpu_percent, ("cpu", "cpu_util"), in_json=False),
        F("age_s", "AGE", Kind.SECONDS, lambda i, c: _age(i.launched_at, c), ("age",), in_json=False),
        F("idle_s", "IDLE", Kind.SECONDS, idle_s, ("idle",), in_json=False),
        F("expires_in_s", "EXPIRES", Kind.SECONDS, expires_in_s, ("expires", "ttl"), in_json=False, wide=True),
    ),
    lambda i: i.tags,
    alone=True,
)
VOLUME_FIELDS: Fields[Volume] = Fields(
    "volumes",
    (
        F("id", "ID", Kind.TEXT, lambda v, c: v.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda v, c: v.name, shown=True),
        F("type", "TYPE", Kind.TEXT, lambda v, c: v.type or None, shown=True),
        F("size_gib", "GIB", Kind.NUMBER, lambda v, c: v.size_gib, ("size",), shown=True, unit="GiB"),
        F("iops", "IOPS", Kind.NUMBER, lambda v, c: v.iops, shown=True),
        F("throughput", "MB/S", Kind.NUMBER, lambda v, c: v.throughput, wide=True),
        F("state", "STATE", Kind.TEXT, lambda v, c: v.state or None, shown=True),
        F("region", "REGION", Kind.TEXT, lambda v, c: v.region, wide=True),
        F("az", "AZ", Kind.TEXT, lambda v, c: v.az, ("zone",), shown=True),
        F("attached_to", "ATTACHED TO", Kind.TEXT, lambda v, c: v.attached_to, ("instance",), shown=True),
        F("attached_state", "MACHINE", Kind.TEXT, _attached_state),
        F("created_at", "CREATED", Kind.TIME, lambda v, c: v.created_at),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda v, c: v.usd_per_month, ("cost", "price"), shown=True),
        F("owner", "OWNER", Kind.TEXT, lambda v, c: v.ownership.owner, wide=True),
        F("managed", "OURS", Kind.FLAG, lambda v, c: v.ownership.managed),
        F("protected", "PROTECTED", Kind.FLAG, lambda v, c: v.ownership.protected),
        F("waste", "WASTE", Kind.TEXT, lambda v, c: volume_waste(v, c) or None, shown=True),
        F("tags", "TAGS", Kind.OBJECT, lambda v, c: dict(v.tags)),
        F("age_s", "AGE", Kind.SECONDS, lambda v, c: _age(v.created_at, c), ("age",), in_json=False, wide=True),
        F("project", "PROJECT", Kind.TEXT, lambda v, c: v.ownership.project, in_json=False),
    ),
    lambda v: v.tags,
)
BUCKET_FIELDS: Fields[Bucket] = Fields(
    "s3",
    (
        F("bucket", "BUCKET", Kind.TEXT, lambda b, c: b.name, ("name", "id"), shown=True),
        F("region", "REGION", Kind.TEXT, lambda b, c: b.region or None, shown=True),
        F("created_at", "CREATED", Kind.TIME, lambda b, c: b.created_at, shown=True),
        F("objects", "OBJECTS", Kind.NUMBER, lambda b, c: b.objects, shown=True),
        F("bytes", "SIZE", Kind.BYTES, lambda b, c: b.bytes, ("size",), shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda b, c: b.usd_per_month, ("cost",), shown=True),
        F("age_s", "AGE", Kind.SECONDS, lambda b, c: _age(b.created_at, c), ("age",), in_json=False),
    ),
    lambda b: {},
)
JOB_FIELDS: Fields[Job] = Fields(
    "jobs",
    (
        F("id", "ID", Kind.TEXT, lambda j, c: j.id, ("job",), shown=True),
        F("name", "NAME", Kind.TEXT, lambda j, c: j.name),
        F("state", "STATE", Kind.TEXT, lambda j, c: j.state, shown=True),
        F("resource_state", "MACHINE", Kind.TEXT, lambda j, c: j.resource_state, shown=True),
        F("last_seen", "SEEN", Kind.TIME, lambda j, c: j.last_seen),
        F("provider", "PROVIDER", Kind.TEXT, lambda j, c: j.provider),
        F("instance_id", "INSTANCE", Kind.TEXT, lambda j, c: j.instance_id, ("instance",), shown=True),
        F("attempt", "TRY", Kind.NUMBER, lambda j, c: j.attempt, shown=True),
        F("step", "STEP", Kind.NUMBER, lambda j, c: j.step, shown=True),
        F("total_steps", "OF", Kind.NUMBER, lambda j, c: j.total_steps),
        F("metrics", "METRICS", Kind.OBJECT, lambda j, c: dict(j.metrics)),
        F("eta_s", "ETA", Kind.SECONDS, lambda j, c: j.eta_s, ("eta",), shown=True),
        F("usd_so_far", "$ SO FAR", Kind.MONEY, lambda j, c: j.usd_so_far, ("cost",), shown=True),
        F("usd_to_finish", "$ TO END", Kind.MONEY, lambda j, c: j.usd_to_finish, shown=True),
        F("budget_usd", "BUDGET", Kind.MONEY, lambda j, c: j.budget_usd, ("budget",)),
        F("checkpoint_age_s", "CKPT", Kind.SECONDS, lambda j, c: j.checkpoint_age_s, ("checkpoint",), shown=True),
        F("exit_code", "EXIT", Kind.NUMBER, lambda j, c: j.exit_code),
        F("reason", "REASON", Kind.TEXT, lambda j, c: j.reason or None, wide=True),
        F("knowledge", "KNOWN", Kind.TEXT, lambda j, c: j.knowledge or None, wide=True),
        F("at_risk_s", "AT RISK", Kind.SECONDS, lambda j, c: j.at_risk_s, ("risk",), wide=True),
        F("steps_per_s", "STEPS/S", Kind.NUMBER, lambda j, c: j.steps_per_s),
        F("submitted_at", "SUBMITTED", Kind.TIME, lambda j, c: j.submitted_at),
        F("owner", "OWNER", Kind.TEXT, lambda j, c: j.owner, in_json=False, wide=True),
        F("project", "PROJECT", Kind.TEXT, lambda j, c: j.project, in_json=False, wide=True),
    ),
    lambda j: {},
)
COST_FIELDS: Fields[CostItem] = Fields(
    "cost",
    (
        F("kind", "KIND", Kind.TEXT, lambda i, c: str(i.kind), shown=True),
        F("id", "ID", Kind.TEXT, lambda i, c: i.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda i, c: i.name, shown=True),
        F("region", "REGION", Kind.TEXT, lambda i, c: i.region, shown=True),
        F("usd_per_hour", "$/H", Kind.MONEY, lambda i, c: i.usd_per_hour, ("cost", "price"), shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda i, c: i.usd_per_month, shown=True),
        F("since", "SINCE", Kind.TIME, lambda i, c: i.since),
        F("reason", "WHY", Kind.TEXT, lambda i, c: i.reason, ("why",), shown=True),
        F("owner", "OWNER", Kind.TEXT, lambda i, c: i.owner, shown=True),
        F("project", "PROJECT", Kind.TEXT, lambda i, c: i.project, wide=True),
        F("type", "TYPE", Kind.TEXT, lambda i, c: i.type, in_json=False),
        F("market", "MARKET", Kind.TEXT, lambda i, c: i.market, in_json=False),
        F("age_s", "AGE", Kind.SECONDS, lambda i, c: _age(i.since, c), ("age",), in_json=False),
    ),
    lambda i: {},
)
