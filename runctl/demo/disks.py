"""The storage side of the seeded fleet: disks, snapshots, addresses, buckets. Pure data, see `fleet.py`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0
_OWNERS = ("ada", "grace", "alan", "katherine")
_PROJECTS = ("vision", "llama-ft", "speech", "protein")
#: (region, zone, state) of a machine.
Where = Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """One data disk; `machine` is the index of the machine it is attached to, None when it is free."""

    name: str
    region: str
    az: str
    size_gib: int
    type: str
    age_s: float
    tags: dict[str, str]
    iops: int | None = None
    throughput: int | None = None
    machine: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """One snapshot; `volume` is the index of its disk, None when that disk is gone."""

    name: str
    region: str
    size_gib: int
    age_s: float
    description: str
    tags: dict[str, str]
    volume: int | None = None
    progress: int = 100


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """One Elastic IP address; `machine` is the index of the machine that uses it, None when nothing does."""

    name: str
    region: str
    machine: int | None = None


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """One bucket with its objects: key, size in bytes, age in seconds, storage class."""

    name: str
    region: str
    age_s: float
    objects: tuple[tuple[str, int, float, str], ...] = ()


def _owned(rng: random.Random) -> dict[str, str]:
    number = rng.randrange(len(_OWNERS))
    return {"runctl:managed": "1", "runctl:owner": _OWNERS[number], "runctl:project": _PROJECTS[number]}


def volumes(rng: random.Random, where: Where) -> tuple[VolumePlan, ...]:
    """40 data disks: 16 in use (4 over-provisioned), 8 on stopped machines, 16 free."""
    running = [n for n, (_, _, state) in enumerate(where) if state == "running"]
    stopped = [n for n, (_, _, state) in enumerate(where) if state == "stopped"]
    plans = [_attached(rng, where, n, index < 4) for index, n in enumerate(rng.sample(running, 16))]
    plans += [_attached(rng, where, n, False) for n in rng.sample(stopped, 8)]
    return tuple(plans + [_free(rng, index) for index in range(16)])


def _attached(rng: random.Random, where: Where, machine: int, generous: bool) -> VolumePlan:
    region, az, _ = where[machine]
    kind = "gp3" if generous or rng.random() < 0.7 else rng.choice(("gp2", "io2", "st1"))
    iops = 16000 if generous else {"gp3": 3000, "io2": 8000}.get(kind)
    return VolumePlan(
        name=f"data-{machine:02}",
        region=region,
        az=az,
        size_gib=rng.choice((500, 1000, 2000)) if kind != "io2" else 400,
        type=kind,
        age_s=rng.uniform(1, 40) * DAY,
        tags=_owned(rng) if rng.random() < 0.8 else {},
        iops=iops,
        throughput={True: 1000, False: 125}[generous] if kind == "gp3" else None,
        machine=machine,
    )


def _free(rng: random.Random, index: int) -> VolumePlan:
    region = ("us-east-1", "us-east-1", "us-west-2", "eu-west-1")[index % 4]
    kind = rng.choice(("gp3", "gp3", "gp2", "io2"))
    tags = [_owned(rng), {"Owner": "team-data"}, {}][index % 3]
    return VolumePlan(
        name="" if index % 5 == 4 else f"scratch-{index:02}",
        region=region,
        az=region + rng.choice("abc"),
        size_gib=rng.choice((100, 200, 500, 1000)),
        type=kind,
        age_s=rng.uniform(0.1, 200) * DAY,
        tags=tags,
        iops={"gp3": 3000, "io2": 4000}.get(kind),
        throughput=125 if kind == "gp3" else None,
    )


def snapshots(rng: random.Random, disks: Sequence[VolumePlan]) -> tuple[SnapshotPlan, ...]:
    """12 of existing disks (one still being made), 6 whose disk is gone."""
    plans = []
    for index in range(12):
        number = rng.randrange(len(disks))
        disk = disks[number]
        age = rng.uniform(0.01, 1) * disk.age_s
        plans.append(
            SnapshotPlan(
                name=f"{disk.name or 'disk'}-snap",
                region=disk.region,
                size_gib=disk.size_gib,
                age_s=5.0 if index == 0 else age,
                description="nightly" if index % 2 else f"before resize of {disk.name}",
                tags=disk.tags,
                volume=number,
                progress=3 if index == 0 else 100,
            )
        )
    for index in range(6):
        plans.append(
            SnapshotPlan(
                name=f"archive-{index}" if index % 2 else "",
                region=("us-east-1", "us-west-2", "eu-west-1")[index % 3],
                size_gib=rng.choice((100, 500, 1000)),
                age_s=rng.uniform(60, 400) * DAY,
                description="Created by CreateImage" if index == 5 else "disk of a machine that is gone",
                tags=_owned(rng) if index % 2 else {},
            )
        )
    return tuple(plans)


def addresses(rng: random.Random, where: Where) -> tuple[AddressPlan, ...]:
    """6 addresses, 2 of them used by nothing, 1 by a stopped machine."""
    running = [n for n, (_, _, state) in enumerate(where) if state == "running"]
    stopped = [n for n, (_, _, state) in enumerate(where) if state == "stopped"]
    used = [*rng.sample(running, 3), rng.choice(stopped)]
    plans = [AddressPlan(f"eip-{n:02}", where[n][0], n) for n in used]
    return (*plans, AddressPlan("old-gateway", "us-east-1"), AddressPlan("", "us-west-2"))


def _checkpoints(rng: random.Random, job: str, newest_step: int) -> list[tuple[str, int, float, str]]:
    objects = []
    for index in range(4):
        step = newest_step - index * 500
        age = 300 + index * 1800 + rng.uniform(0, 60)
        stem = f"runctl/jobs/{job}/checkpoints/step-{step:08}"
        parts = (("model.safetensors", 48_000), ("optimizer.pt", 64_000), ("trainer_state.json", 2_000))
        objects += [(f"{stem}/{part}", size + rng.randrange(999), age, "STANDARD") for part, size in parts]
        if index:  # the newest one is still being written: it has no marker yet
            objects.append((f"{stem}/COMPLETE.json", 96, age, "STANDARD"))
    objects.append((f"runctl/jobs/{job}/log/000001.log", 9_000, 60, "STANDARD"))
    objects.append((f"runctl/jobs/{job}/spec.json", 700, 40_000, "STANDARD"))
    return objects


def buckets(rng: random.Random) -> tuple[BucketPlan, ...]:
    """Five buckets: checkpoints, data sets, an archive, odd keys, and an empty one."""
    checkpoints = [o for n in range(5) for o in _checkpoints(rng, f"job-{n:02}", 4000 + 500 * rng.randrange(8))]
    shards = [(f"datasets/c4/train-{n:05}.parquet", 20_000 + n * 17, 30 * DAY, "STANDARD") for n in range(120)]
    archive = [(f"2025/{m:02}/run-{m}.tar.zst", 5_000, 200 * DAY, "GLACIER_IR") for m in range(1, 13)]
    odd = [
        ("../escape.txt", 10, DAY, "STANDARD"),
        ("/absolute", 10, DAY, "STANDARD"),
        ("name with spaces/[bold]x[/].txt", 10, DAY, "STANDARD"),
        ("Case.txt", 10, DAY, "STANDARD"),
        ("case.txt", 10, DAY, "STANDARD"),
        ("🦙/é.bin", 10, DAY, "STANDARD"),
        ("empty-folder/", 0, DAY, "STANDARD"),
    ]
    return (
        BucketPlan("runctl-demo-checkpoints", "us-east-1", 90 * DAY, tuple(checkpoints)),
        BucketPlan("runctl-demo-datasets", "us-west-2", 400 * DAY, tuple(shards)),
        BucketPlan("runctl-demo-archive", "eu-west-1", 700 * DAY, tuple(archive)),
        BucketPlan("runctl-demo-odd-keys", "us-east-1", 10 * DAY, tuple(odd)),
        BucketPlan("runctl-demo-empty", "eu-west-1", 5 * DAY),
    )
