"""A small cloud in memory: the Backend protocol over data made here, with doors that can be shut.

Its answers do not depend on the time of day or on chance, so that a picture of a screen is the same every time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.errors import CallSite, CredentialsError, DeniedError, NetworkError, RunctlError
from runctl.models.billed import Billed, BilledCell
from runctl.models.cost import Confidence, Price
from runctl.models.identity import Identity
from runctl.models.instance import Activity, ActivityState, BlockDevice, Hardware, Instance, InstanceState, Market
from runctl.models.job import Job
from runctl.models.s3 import Bucket, S3Entry
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
A10G = Hardware(vcpus=4, memory_gib=16.0, gpu_model="A10G", gpu_count=1, gpu_memory_gib=24.0, arch="x86_64")
A100 = Hardware(vcpus=96, memory_gib=1152.0, gpu_model="A100", gpu_count=8, gpu_memory_gib=320.0, arch="x86_64")
CPU = Hardware(vcpus=16, memory_gib=32.0, gpu_model=None, gpu_count=0, arch="x86_64")
REGION = "us-east-1"


def price(usd: float) -> Price:
    """A list price an hour."""
    return Price(usd, "hour", "book", Confidence.LISTED, NOW.date())


def machine(number: int, name: str, kind: str = "g5.xlarge", state: str = "running", **more: Any) -> Instance:
    """One machine; `up_h` is its age in hours, `tags` adds tags, anything else is a field of Instance."""
    tags = {"Name": name, **more.pop("tags", {})}
    defaults: dict[str, Any] = {
        "market": Market.ON_DEMAND,
        "az": "us-east-1a",
        "rate": price(1.006),
        "hardware": A10G,
        "private_ip": f"10.0.0.{number % 250}",
        "devices": (BlockDevice("/dev/xvda", f"vol-{number:017x}", True),),
    }
    return Instance(
        id=f"i-{number:017x}",
        region=more.pop("region", REGION),
        name=name,
        type=kind,
        state=InstanceState(state),
        launched_at=NOW - timedelta(hours=more.pop("up_h", 5.0)),
        ownership=parse_ownership(tags),
        tags=tags,
        **(defaults | more),
    )


def busy(gpu: float) -> Activity:
    """Working, with its evidence."""
    return Activity(ActivityState.BUSY, f"GPU {gpu:.0f} %, 287 W", NOW - timedelta(hours=3), gpu, 31.0)


def idle(hours: float) -> Activity:
    """Doing nothing for some hours, with the evidence."""
    return Activity(ActivityState.IDLE, "GPU 0 %, 61 W, no GPU process", NOW - timedelta(hours=hours), 0.0, 1.0)


OURS = {"runctl:managed": "1", "runctl:owner": "ana", "runctl:project": "vision"}


def machines() -> tuple[Instance, ...]:
    """Eight machines of which each says something else."""
    return (
        machine(1, "train-llama-7b", "p4d.24xlarge", up_h=76, rate=price(21.957642), hardware=A100, activity=busy(82),
                tags={**OURS, "runctl:job": "llama-7b-a2", "runctl:attempt": "2"}),
        machine(2, "eval-nightly", up_h=26, market=Market.SPOT, rate=price(0.4106), activity=idle(2.1), tags=OURS),
        machine(3, "jupyter-zoe", "g6e.2xlarge", up_h=227, rate=price(2.24208), tags={"owner": "zoe"}),
        machine(4, "sweep-3", state="pending", up_h=0.0022, market=Market.SPOT, rate=price(0.4106),
                tags={**OURS, "runctl:job": "sweep"}),
        machine(5, "build-box", "c7i.4xlarge", state="stopped", up_h=300, rate=price(0.714), hardware=CPU, tags=OURS),
        machine(6, "mystery", "p9z.48xlarge", up_h=12, rate=None, hardware=Hardware(), tags={}),
        machine(7, "[/b] \x1b[31mred\nline", "t3.micro", up_h=1, rate=price(0.0104), hardware=CPU, tags={"x": "[b]"}),
        machine(8, "数据-🚀-worker", "g5.2xlarge", up_h=50, rate=price(1.212), az="us-east-1b", activity=busy(55),
                tags=OURS),
    )  # fmt: skip


def volume(number: int, name: str, size: int, **more: Any) -> Volume:
    """One disk; `on` is the number of the machine it is attached to."""
    on = more.pop("on", None)
    tags = more.pop("tags", {})
    attachments = () if on is None else (Attachment(f"i-{on:017x}", "/dev/xvda", "attached", True),)
    defaults: dict[str, Any] = {"type": "gp3", "iops": 3000, "throughput": 125, "usd_per_month": size * 0.08}
    return Volume(
        id=f"vol-{number:017x}",
        region=REGION,
        name=name,
        size_gib=size,
        state="available" if on is None else "in-use",
        az="us-east-1a",
        created_at=NOW - timedelta(days=more.pop("age_d", 20)),
        attachments=attachments,
        ownership=parse_ownership(tags),
        tags=tags,
        **(defaults | more),
    )


def volumes() -> tuple[Volume, ...]:
    """Five disks: in use, on a stopped machine, free, old type, without price."""
    return (
        volume(1, "llama-root", 500, on=1, iops=6000, throughput=500, usd_per_month=70.0, tags=OURS),
        volume(2, "eval-root", 100, on=2),
        volume(5, "build-root", 200, on=5, type="gp2", iops=600, throughput=None, usd_per_month=20.0),
        volume(20, "old-dataset", 500, age_d=41, tags=OURS),
        volume(21, "", 64, age_d=3, type="io9", usd_per_month=None),
    )


class FleetBackend:
    """The cloud. Set `errors[method]` to make a method fail, clear `open` to make everything hang."""

    def __init__(self, profile: str | None = None) -> None:
        self.profile = profile or ""
        self.open = threading.Event()
        self.open.set()
        self.closed = threading.Event()
        self.errors: dict[str, RunctlError] = {}
        self.calls: list[str] = []
        self.asked_by: set[threading.Thread] = set()
        self.instances, self.volumes = machines(), volumes()
        self.region: str | None = REGION

    def _call(self, name: str, region: str = "") -> None:
        self.calls.append(name)
        self.asked_by.add(threading.current_thread())
        while not self.open.wait(0.02):
            if self.closed.is_set():
                raise NetworkError("closed", CallSite("ec2", name, region, "Closed"))
        if (error := self.errors.get(name)) is not None:
            raise error

    def fetch_identity(self) -> Identity:
        """One account."""
        self._call("fetch_identity")
        return Identity("123456789012", "arn:aws:iam::123456789012:user/ana", self.profile, "acme-ml")

    def fetch_regions(self) -> tuple[str, ...]:
        """Three regions."""
        self._call("fetch_regions")
        return ("eu-west-1", "us-east-1", "us-west-2")

    def default_region(self) -> str | None:
        """The region of the profile."""
        return self.region

    def list_instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """In pages of five."""
        self._call("list_instances", region)
        mine = tuple(i for i in self.instances if i.region == region)
        yield from (mine[at : at + 5] for at in range(0, len(mine), 5))

    def list_volumes(self, region: str) -> Iterator[tuple[Volume, ...]]:
        """One page."""
        self._call("list_volumes", region)
        yield tuple(v for v in self.volumes if v.region == region)

    def list_snapshots(self, region: str) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """One snapshot."""
        self._call("list_snapshots", region)
        if region == REGION:
            made = NOW - timedelta(days=30)
            yield (
                VolumeSnapshot(
                    "snap-0001", region, "before-move", f"vol-{20:017x}", 500, "completed", "100%", made,
                    usd_per_month=25.0,
                ),
            )  # fmt: skip

    def fetch_cpu(
        self, region: str, ids: tuple[str, ...], since: datetime, until: datetime
    ) -> dict[str, tuple[tuple[datetime, float], ...]]:
        """Nothing is known."""
        del region, ids, since, until
        return {}

    def fetch_billed(self, now: datetime) -> Billed:
        """A small bill."""
        cells = (BilledCell(now.date(), "EC2 - Other", 12.5, True), BilledCell(now.date(), "AWS Lambda", 0.5, True))
        return Billed("service", now.date(), now.date(), cells, now, 1)

    def refresh_spot(self, region: str, types: tuple[str, ...]) -> None:
        """Spot prices stay as they are."""

    def list_addresses(self, region: str) -> Iterator[tuple[Address, ...]]:
        """One unused address."""
        self._call("list_addresses", region)
        if region == REGION:
            yield (Address("eipalloc-0001", region, "198.51.100.7", usd_per_hour=0.005),)

    def list_buckets(self) -> Iterator[tuple[Bucket, ...]]:
        """Two buckets."""
        self._call("list_buckets")
        made = NOW - timedelta(days=100)
        yield (
            Bucket("acme-datasets", REGION, made),
            Bucket("acme-checkpoints", "us-west-2", made, 1200, 88 * 2**30, 2.02),
        )

    def list_jobs(self) -> Iterator[tuple[Job, ...]]:
        """No records: the tags of machines tell of jobs."""
        self._call("list_jobs")
        yield ()

    def list_prefix(self, bucket: str, prefix: str) -> Iterator[tuple[S3Entry, ...]]:
        """Two prefixes and two keys at every level, in two pages."""
        self._call(f"list_prefix {bucket}")
        yield (S3Entry(f"{prefix}runs/", True), S3Entry(f"{prefix}[/x]/", True))
        yield (
            S3Entry(f"{prefix}readme.md", False, 2048, NOW - timedelta(days=2), "STANDARD", "abc"),
            S3Entry(f"{prefix}step-1000.pt", False, 3 * 2**30, NOW - timedelta(hours=4), "STANDARD_IA", "def"),
        )

    def fetch_hardware(self, region: str, types: tuple[str, ...]) -> dict[str, Hardware]:
        """Knows nothing about them."""
        self._call("fetch_hardware", region)
        return {kind: Hardware() for kind in types}

    def fetch_raw(self, kind: str, region: str, resource_id: str) -> dict[str, Any]:
        """What AWS would say, nearly."""
        self._call("fetch_raw", region)
        return {"Kind": kind, "InstanceId": resource_id, "Placement": {"AvailabilityZone": f"{region}a"}, "Tags": []}

    def close(self) -> None:
        """Calls under way end."""
        self.closed.set()


def denied(operation: str, region: str = REGION) -> DeniedError:
    """What AWS says to somebody without the permission."""
    site = CallSite("ec2", operation, region, "UnauthorizedOperation")
    return DeniedError("You are not authorized to perform this operation.", site, hint="ask for the IAM action")


def signed_out() -> CredentialsError:
    """No credentials at all."""
    site = CallSite("sts", "GetCallerIdentity", REGION, "NoCredentials")
    return CredentialsError("no credentials were found", site, hint="aws sso login, or set AWS_PROFILE")
