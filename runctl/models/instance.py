"""A machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache

from runctl.models.cost import Price
from runctl.models.tags import Ownership


class _AsTold(StrEnum):
    """Words of AWS. One that is not listed stays as AWS said it, `known` false and no member; "" is not said at all."""

    __hash__ = str.__hash__  # an enum's own is Python code, run for every machine of every picture

    @classmethod
    def _missing_(cls, value: object) -> _AsTold | None:
        if not isinstance(value, str):
            return None
        told = str.__new__(cls, value)
        told._name_, told._value_ = value, value
        return told

    @property
    def known(self) -> bool:
        """Whether it is one of the words listed here, so that somebody thought about what it means."""
        return self in _words(type(self))


@cache  # asked of every machine at every picture
def _words(kind: type[_AsTold]) -> frozenset[str]:
    return frozenset(kind)


class InstanceState(_AsTold):
    """EC2's own state names."""

    PENDING = "pending"
    RUNNING = "running"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"
    STOPPING = "stopping"
    STOPPED = "stopped"


#: States whose rate counts in the burn. AWS bills from `running` on; a pending machine starts billing within seconds
#: and is counted, so that what was just launched is never missing from the total.
BILLING_STATES = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


class Market(_AsTold):
    """How it was bought. Capacity blocks are paid ahead, so what they cost an hour is not in any list."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    CAPACITY_BLOCK = "capacity-block"


class ActivityState(StrEnum):
    """What it is doing, as far as the evidence goes."""

    BUSY = "busy"
    IDLE = "idle"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Activity:
    """Busy, idle or unknown, with the evidence in words ("GPU 0 %, 61 W, no GPU process") and since when."""

    state: ActivityState = ActivityState.UNKNOWN
    evidence: str = ""
    since: datetime | None = None
    gpu_percent: float | None = None
    cpu_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a type is made of. `gpu_count` may be a fraction (g6f); None = the sources do not say, 0 = there is none."""

    vcpus: int | None = None
    memory_gib: float | None = None
    gpu_model: str | None = None
    gpu_count: float | None = None
    gpu_memory_gib: float | None = None
    arch: str | None = None


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk as the machine sees it; `delete_on_termination` is None where EC2 does not say."""

    device: str
    volume_id: str
    delete_on_termination: bool | None

    @property
    def may_go(self) -> bool:
        """Whether terminating the machine deletes it, or may."""
        return bool(self.volume_id) and self.delete_on_termination is not False


@dataclass(frozen=True, slots=True)
class Instance:
    """One EC2 instance as DescribeInstances tells it, with its price.

    Args:
        id: "i-…".
        region: "us-east-1".
        name: tag Name, "" when untagged.
        type: "g5.xlarge".
        state: EC2's state.
        market: on-demand or spot.
        az: "us-east-1a".
        launched_at: LaunchTime; EC2 renews it at each start. None when AWS does not say.
        rate: USD per hour while it runs; None when no source knows it.
        list_usd: USD per hour of its type bought on demand; None when no source knows it.
        hardware: what the type is made of.
        has_lent_address: its public address is lent by EC2; an Elastic one is listed and billed by itself.
        lent_address_usd_per_hour: what that bills, None when no source knows it.
        state_reason: EC2's StateReason message, "" when none.
        state_code: its code ("Server.SpotInstanceTermination"), "" when none.
        stopped_at: since when it is stopped (or gone), None while it runs or where EC2 does not say.
        tags: all tags, text from outside.
    """

    id: str
    region: str
    name: str
    type: str
    state: InstanceState
    market: Market
    az: str
    launched_at: datetime | None
    rate: Price | None = None
    list_usd: float | None = None
    hardware: Hardware = Hardware()
    ownership: Ownership = Ownership()
    activity: Activity = Activity()
    private_ip: str | None = None
    public_ip: str | None = None
    lent_address_usd_per_hour: float | None = None
    has_lent_address: bool = False
    image_id: str = ""
    key_name: str | None = None
    profile_arn: str | None = None
    vpc_id: str | None = None
    subnet_id: str | None = None
    security_groups: tuple[str, ...] = ()
    root_device: str = ""
    devices: tuple[BlockDevice, ...] = ()
    state_reason: str = ""
    state_code: str = ""
    stopped_at: datetime | None = None
    spot_request_id: str | None = None
    platform: str = "Linux/UNIX"
    architecture: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def bills(self) -> bool:
        """Whether the machine itself is known to bill now (its disks bill in every state)."""
        return self.state in BILLING_STATES

    @property
    def may_bill(self) -> bool:
        """Whether it bills, or is in a state of which nobody here knows what it means."""
        return self.state in BILLING_STATES or not self.state.known

    @property
    def usd_per_hour(self) -> float | None:
        """What the machine itself bills now: its rate, a known 0.0 when it does not run, None when unknown."""
        if self.state in BILLING_STATES:
            return None if self.rate is None else self.rate.usd
        return 0.0 if self.state.known else None

    def uptime_s(self, now: datetime) -> float | None:
        """Seconds since LaunchTime while it runs; None otherwise (EC2 does not say when a stopped machine was up)."""
        if not self.bills or self.launched_at is None:
            return None
        return max(0.0, (now - self.launched_at).total_seconds())

    def usd_since_launch(self, now: datetime) -> float | None:
        """USD of the current run, by the second with AWS's 60 s minimum; None when not running or unpriced."""
        up, rate = self.uptime_s(now), self.rate
        return None if up is None or rate is None else max(60.0, up) / 3600 * rate.usd
