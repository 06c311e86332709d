"""A launch: what is asked for, where it could run and at what price, each try, and what came of it. Frozen values.

request  →  offer (candidates, priced; nothing has happened yet)  →  result (one attempt for each candidate tried)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from runctl.models.cost import Price
from runctl.models.instance import Hardware, Market
from runctl.models.plan import Refusal


class MarketChoice(StrEnum):
    """Which markets may be tried; the value is the option of the command line without its dashes."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"
    SPOT_OR_ON_DEMAND = "spot-or-on-demand"

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets, in the order in which they are tried."""
        if self is MarketChoice.SPOT_OR_ON_DEMAND:
            return (Market.SPOT, Market.ON_DEMAND)
        return (Market.SPOT,) if self is MarketChoice.SPOT else (Market.ON_DEMAND,)


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What somebody wants to run. The same `id` sent twice, by whomever and after whatever, never runs twice.

    Args:
        id: names the launch; client tokens come from it. A job uses its id and attempt ("job-7.2").
        region: where.
        types: instance types, the preferred first.
        market: which markets may be tried.
        zones: zones to try, () for every one that offers a type.
        image: "" for the usual one of each type, "ami-…", or the path of a Systems Manager parameter.
        disk_gib: size of the root disk, None for what `runctl.services.launch.images` thinks usual.
        expires_at: when the machine ends itself; None for never. Absolute, so that a repeated request is the same.
        name, project: tags of that name, "" for none.
        tags: more tags of the user.
        key_name: EC2 key pair, "" for none.
        instance_profile: name or ARN of the IAM instance profile, "" for none.
        count: how many alike, all in one zone, all or none.
        subnet: where, "" for the default subnet of each zone.
        security_groups: ids, () for the default one of the network.
        max_usd_per_hour: candidates above it are left out, and spot is told; None (the rule) for no cap.
        user_data: a script with its "#!" line that runs once, as root, at the first start.
        job, attempt: what it is for; tags `runctl:job` and `runctl:attempt`.
        stops: a `shutdown` inside stops it and keeps its disk, where it would end a machine with a timer or a job.
    """

    id: str
    region: str
    types: tuple[str, ...]
    market: MarketChoice = MarketChoice.ON_DEMAND
    zones: tuple[str, ...] = ()
    image: str = ""
    disk_gib: int | None = None
    expires_at: datetime | None = None
    name: str = ""
    project: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    key_name: str = ""
    instance_profile: str = ""
    count: int = 1
    subnet: str = ""
    security_groups: tuple[str, ...] = ()
    max_usd_per_hour: float | None = None
    user_data: str = field(default="", repr=False)
    job: str = ""
    attempt: int | None = None
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """A machine image as DescribeImages tells it.

    Args:
        id: "ami-…".
        name: the maker's name for it.
        architecture: "x86_64" or "arm64".
        root_device: "/dev/xvda".
        minimum_gib: size of its root snapshot; None when EC2 did not say.
        user: whom to log in as, None when the name does not tell.
        source: the parameter that named it, "" when it was given by id.
        note: what a person should know ("no driver for this accelerator in it"), "" for nothing.
    """

    id: str
    name: str
    architecture: str
    root_device: str
    minimum_gib: int | None = None
    user: str | None = None
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """A vCPU quota of Service Quotas with what counts against it; None where it could not be read.

    Args:
        code: "L-DB2E81BA".
        limit: vCPUs allowed.
        used: vCPUs of the machines that run now.
    """

    code: str
    limit: float | None = None
    used: int | None = None

    @property
    def left(self) -> float | None:
        """The vCPUs that are left, None when either side is unknown."""
        return None if self.limit is None or self.used is None else max(0.0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place where it could run.

    Args:
        type, zone, market: the triple; zone "" lets EC2 choose.
        price: USD an hour of one machine, None when unknown.
        extra_usd_per_hour: its disk and public address, of one machine; None when unknown.
        hardware: what it is made of.
        image: what it starts from, None when none is known.
        quota: what limits it, None where no quota is known.
        subnet: the subnet that is asked for, "" for the zone's default.
        excluded: why it is not tried, "" when it is.
    """

    type: str
    zone: str
    market: Market
    price: Price | None = None
    extra_usd_per_hour: float | None = None
    hardware: Hardware = Hardware()
    image: Image | None = None
    quota: Quota | None = None
    subnet: str = ""
    excluded: str = ""

    @property
    def usd_per_hour(self) -> float | None:
        """The machine with its disk and address, None when a part is unknown."""
        if self.price is None or self.extra_usd_per_hour is None:
            return None
        return self.price.usd + self.extra_usd_per_hour

    def without(self, reason: str) -> Candidate:
        """The candidate, not to be tried; an earlier reason stays."""
        return self if self.excluded else replace(self, excluded=reason)


@dataclass(frozen=True, slots=True)
class Offer:
    """What is shown before anything happens.

    Args:
        request: what was asked for.
        candidates: in the order in which they are tried, left-out ones included.
        running: our machines that run now, in every region asked; None when they could not be counted.
        warnings: what a person should hear first.
        refusals: the rules that speak against it; any one means that nothing is launched.
    """

    request: LaunchRequest
    candidates: tuple[Candidate, ...]
    running: int | None = None
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def open_candidates(self) -> tuple[Candidate, ...]:
        """Those that will be tried."""
        return tuple(c for c in self.candidates if not c.excluded)


class AttemptClass(StrEnum):
    """What one try came to. The four middle ones are different things to do: wait, ask for more, log in, mend."""

    LAUNCHED = "launched"
    CAPACITY = "capacity"
    NOT_OFFERED = "not-offered"
    PRICE = "price"
    QUOTA = "quota"
    DENIED = "denied"
    CREDENTIALS = "credentials"
    REQUEST = "bad-request"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate tried.

    Args:
        candidate: where.
        came_to: what it came to.
        token: the client token that was sent.
        code, message: AWS's own words, "" when it worked.
        took_s: seconds.
    """

    candidate: Candidate
    came_to: AttemptClass
    token: str
    code: str = ""
    message: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """What came of a launch.

    Args:
        request: what was asked for.
        instances: ids of the machines, () when there is none.
        spot_requests: ids of their spot requests.
        attempts: every candidate tried, in order.
        candidate: the one that worked, None when none did.
        adopted: an earlier try of the same request had launched them already.
        pending: an earlier try of the same request may still bring a machine; ask again in some minutes.
        refusals: the rules that kept anything from being sent.
        exit_code: 0 launched, 1 request or rules, 2 AWS, 3 credentials.
    """

    request: LaunchRequest
    instances: tuple[str, ...] = ()
    spot_requests: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    candidate: Candidate | None = None
    adopted: bool = False
    pending: bool = False
    refusals: tuple[Refusal, ...] = ()
    exit_code: int = 0

    @property
    def launched(self) -> bool:
        """Whether there is a machine."""
        return bool(self.instances)
