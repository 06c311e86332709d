"""The seeded fleet as plain data: who runs what where. Pure; `seed.py` puts it into the cloud.

The roster is written out by hand so that every screen has something to say (idle GPUs, waste, missing prices, foreign
and untagged machines, hostile tags); the seed decides ids, names, ages and sizes. Same seed, same fleet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from runctl.demo.disks import AddressPlan, BucketPlan, SnapshotPlan, VolumePlan, addresses, buckets, snapshots, volumes

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """One machine.

    Args:
        name: value of its Name tag, "" for none.
        age_s: seconds since its launch (for terminated ones too).
        tags: all tags but Name.
        root_gib: size of its root disk.
        termination_protected: DisableApiTermination.
        agent: it has an instance profile, so Systems Manager reaches it.
    """

    name: str
    region: str
    az: str
    type: str
    market: str
    state: str
    age_s: float
    tags: dict[str, str]
    root_gib: int
    root_type: str = "gp3"
    termination_protected: bool = False
    agent: bool = False


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Everything that is there at the start. Volumes and snapshots point to machines by their index."""

    machines: tuple[MachinePlan, ...] = ()
    volumes: tuple[VolumePlan, ...] = ()
    snapshots: tuple[SnapshotPlan, ...] = ()
    addresses: tuple[AddressPlan, ...] = ()
    buckets: tuple[BucketPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """`count` machines of one kind. `tagging`: runctl | plain | none | hostile; `job` only with runctl's tags."""

    count: int
    region: str
    type: str
    market: str
    state: str
    tagging: str
    owner: str = ""
    project: str = ""
    stem: str = ""
    job: bool = False
    extra: dict[str, str] = field(default_factory=dict)


_EAST, _WEST, _EU = "us-east-1", "us-west-2", "eu-west-1"
_OD, _SPOT = "on-demand", "spot"
_KEEP = {"runctl:protected": "true"}

_ROSTER = (
    _Row(2, _EAST, "p4d.24xlarge", _SPOT, "running", "runctl", "ada", "llama-ft", "llama-ft", job=True),
    _Row(1, _EAST, "p5.48xlarge", _OD, "running", "runctl", "grace", "llama-pt", "llama-pt", True, _KEEP),
    _Row(5, _EAST, "g5.xlarge", _SPOT, "running", "runctl", "ada", "vision", "vit-sweep", job=True),
    _Row(3, _EAST, "g5.2xlarge", _OD, "running", "runctl", "alan", "speech", "asr-notebook"),
    _Row(2, _EAST, "g6e.xlarge", _OD, "running", "runctl", "katherine", "protein", "fold", job=True),
    _Row(2, _EAST, "g4dn.xlarge", _OD, "running", "plain", "team-data", "etl", "data-gpu"),
    _Row(2, _EAST, "g4dn.xlarge", _SPOT, "pending", "runctl", "ada", "vision", "vit-eval", job=True),
    _Row(3, _EAST, "c7i.4xlarge", _OD, "running", "plain", "data-eng", "etl", "etl-worker"),
    _Row(3, _EAST, "m7i.2xlarge", _OD, "stopped", "runctl", "grace", "speech", "preprocess"),
    _Row(2, _EAST, "t3.medium", _OD, "running", "none", stem="bastion"),
    _Row(1, _EAST, "r6i.2xlarge", _OD, "stopped", "none"),
    _Row(1, _EAST, "p3.2xlarge", _OD, "stopped", "runctl", "alan", "vision", "old-v100"),
    _Row(1, _EAST, "g5.12xlarge", _SPOT, "terminated", "runctl", "ada", "vision", "vit-large", job=True),
    _Row(1, _WEST, "p5e.48xlarge", _OD, "running", "runctl", "grace", "llama-pt", "llama-pt-h200", True),
    _Row(1, _WEST, "trn1.32xlarge", _SPOT, "running", "runctl", "katherine", "protein", "trn-port", job=True),
    _Row(4, _WEST, "g5.xlarge", _OD, "running", "runctl", "katherine", "protein", "dock", job=True),
    _Row(3, _WEST, "g6.xlarge", _SPOT, "running", "runctl", "alan", "speech", "asr-train", job=True),
    _Row(1, _WEST, "g6e.12xlarge", _OD, "running", "runctl", "grace", "llama-ft", "sft-8b", job=True),
    _Row(2, _WEST, "c6i.8xlarge", _SPOT, "running", "plain", "data-eng", "etl", "tokenize"),
    _Row(2, _WEST, "m6i.xlarge", _OD, "running", "none"),
    _Row(2, _WEST, "g5.xlarge", _OD, "stopped", "runctl", "ada", "vision", "label-tool"),
    _Row(1, _WEST, "g4dn.xlarge", _SPOT, "pending", "runctl", "alan", "speech", "asr-eval", job=True),
    _Row(2, _WEST, "g5.xlarge", _SPOT, "terminated", "runctl", "alan", "speech", "asr-train-old", job=True),
    _Row(1, _WEST, "g4dn.12xlarge", _OD, "stopped", "plain", "team-data", "etl", "gpu-etl"),
    _Row(2, _EU, "g5.xlarge", _OD, "running", "runctl", "grace", "speech", "eu-asr", job=True),
    _Row(2, _EU, "g4dn.xlarge", _SPOT, "running", "runctl", "alan", "speech", "eu-eval", job=True),
    _Row(1, _EU, "p4d.24xlarge", _OD, "running", "runctl", "katherine", "protein", "eu-fold", True, _KEEP),
    _Row(2, _EU, "c7i.4xlarge", _OD, "running", "plain", "data-eng", "etl", "eu-etl"),
    _Row(2, _EU, "t3.large", _OD, "running", "hostile"),
    _Row(2, _EU, "m7i.2xlarge", _OD, "stopped", "runctl", "grace", "speech", "eu-prep"),
    _Row(1, _EU, "g5.2xlarge", _OD, "running", "runctl", "alan", "speech", "eu-notebook"),
)

#: What a tag may hold on EC2 and a terminal should not obey: markup, 8-bit CSI (XML carries no ESC), direction marks.
HOSTILE_TAGS = (
    {"Name": "[bold red]not markup[/] [/x] <b>&amp;</b>", "owner": "🦙 O'Brien; $(rm -rf /)",
     "note": "line\nbreak\ttab"},
    {"Name": "\u009b31mred\u009b0m \u202ereversed\u202c 東京 é́", "project": "[link=file:///etc/passwd]x[/link]",
     "long": "ab🙂" * 64},
)  # fmt: skip
_ROOT_GIB = {"p": 200, "g": 125, "t": 20, "c": 50, "m": 50, "r": 50}


def _age(rng: random.Random, row: _Row) -> float:
    if row.state == "pending":
        return rng.uniform(0, 3)
    if row.state == "terminated":
        return rng.uniform(1, 9) * HOUR
    if row.state == "stopped":
        return rng.uniform(6, 60) * DAY
    # Mostly hours; one in five was left on for days.
    return rng.uniform(2, 12) * DAY if rng.random() < 0.2 else rng.uniform(0.2, 20) * HOUR


def _tags(rng: random.Random, row: _Row, name: str) -> dict[str, str]:
    if row.tagging == "runctl":
        tags = {"runctl:managed": "1", "runctl:owner": row.owner, "runctl:project": row.project}
        if row.job:
            tags |= {"runctl:job": f"{name}-{rng.randrange(36**4):x}", "runctl:attempt": str(rng.choice((1, 1, 1, 2)))}
        return tags | row.extra
    return {"Owner": row.owner, "Project": row.project} if row.tagging == "plain" else {}


def _machine(rng: random.Random, row: _Row, index: int) -> MachinePlan:
    name = f"{row.stem}-{index + 1:02}" if row.stem and row.count > 1 else row.stem
    tags = _tags(rng, row, name)
    if row.tagging == "hostile":
        tags = dict(HOSTILE_TAGS[index % len(HOSTILE_TAGS)])
        name = tags.pop("Name")
    spare = rng.random()
    family = row.type[0]
    old = row.tagging in ("plain", "none")
    return MachinePlan(
        name=name,
        region=row.region,
        az=row.region + rng.choice("abc"),
        type=row.type,
        market=row.market,
        state=row.state,
        age_s=_age(rng, row),
        tags=tags,
        root_gib=_ROOT_GIB.get(family, 100) + (100 if spare < 0.15 else 0),
        root_type="gp2" if old and spare < 0.6 else "gp3",
        termination_protected=bool(row.extra.get("runctl:protected")),
        agent=row.tagging == "runctl",
    )


def _machines(rng: random.Random) -> Iterator[MachinePlan]:
    for row in _ROSTER:
        for index in range(row.count):
            yield _machine(rng, row, index)


def lively(seed: int) -> FleetPlan:
    """60 machines in three regions, 40 data disks beside their root disks, snapshots, addresses, buckets."""
    rng = random.Random(f"fleet {seed}")
    machines = tuple(_machines(rng))
    where = tuple((m.region, m.az, m.state) for m in machines)
    disks = volumes(rng, where)
    return FleetPlan(machines, disks, snapshots(rng, disks), addresses(rng, where), buckets(rng))


def bulk(count: int, region: str, seed: int, instance_type: str = "g5.xlarge") -> FleetPlan:
    """`count` equal running machines in one region, for benchmarks and paging tests."""
    rng = random.Random(f"bulk {seed}")
    machines = [
        MachinePlan(
            name=f"bulk-{n:05}",
            region=region,
            az=region + "abc"[n % 3],
            type=instance_type,
            market=(_OD, _SPOT)[n % 2],
            state="running",
            age_s=rng.uniform(0.1, 200) * HOUR,
            tags={"runctl:managed": "1", "runctl:owner": ("ada", "grace", "alan")[n % 3], "runctl:project": "bulk"},
            root_gib=100,
        )
        for n in range(count)
    ]
    return FleetPlan(machines=tuple(machines))
