"""Today's limits of EBS volume types, checked before AWS is asked.

Source of every number: EBS User Guide, "Amazon EBS volume types", and the EC2 API reference, "CreateVolume" (2025): gp3
grew to 64 TiB, 80,000 IOPS and 2,000 MiB/s, and all io2 volumes are Block Express.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runctl.errors import InputError
from runctl.models.volume import Volume


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends included; `per_gib` is the most for each GiB, None where the size does not matter."""

    least: int
    most: int
    per_gib: int | None = None

    def top(self, size_gib: int) -> int:
        """The most that a volume of this size may have; what every volume includes is never forbidden."""
        return self.most if self.per_gib is None else max(self.least, min(self.most, self.per_gib * size_gib))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one volume type allows.

    Args:
        size_gib: its size.
        iops: provisioned operations a second, None where they cannot be chosen.
        throughput: provisioned MiB a second, None where it cannot be chosen.
        iops_needed: whether the type has no default of IOPS.
    """

    size_gib: Range
    iops: Range | None = None
    throughput: Range | None = None
    iops_needed: bool = False


LIMITS: Mapping[str, Limits] = {
    "gp3": Limits(Range(1, 65_536), Range(3_000, 80_000, 500), Range(125, 2_000)),
    "gp2": Limits(Range(1, 16_384)),
    "io1": Limits(Range(4, 16_384), Range(100, 64_000, 50), iops_needed=True),
    "io2": Limits(Range(4, 65_536), Range(100, 256_000, 1_000), iops_needed=True),
    "st1": Limits(Range(125, 16_384)),
    "sc1": Limits(Range(125, 16_384)),
    "standard": Limits(Range(1, 1_024)),
}
#: gp3 gives at most this many MiB/s for each provisioned IOPS (EBS User Guide, "General Purpose SSD volumes").
GP3_THROUGHPUT_PER_IOPS = 0.25
#: Modifications of one volume in a rolling day (EC2 API reference, "ModifyVolume").
MODIFICATIONS_A_DAY = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a volume's speed and price: GiB, type, IOPS and MiB/s (None: the type's own)."""

    size_gib: int
    type: str = "gp3"
    iops: int | None = None
    throughput: int | None = None


def shape_of(volume: Volume) -> Shape:
    """The shape that a volume has, with only those figures that its type lets one choose.

    Raises:
        InputError: AWS did not say its size.
    """
    if volume.size_gib is None:
        raise InputError(f"{volume.id}: AWS does not say how large it is", allowed="a volume whose size is known")
    limits = LIMITS.get(volume.type)
    return Shape(
        volume.size_gib,
        volume.type,
        volume.iops if limits is None or limits.iops else None,
        volume.throughput if limits is None or limits.throughput else None,
    )


def check_shape(shape: Shape) -> Shape:
    """The shape, when EC2 would accept it.

    Raises:
        InputError: a type that does not exist, or a figure outside of what the type allows.
    """
    limits = LIMITS.get(shape.type)
    if limits is None:
        raise InputError(f"--type {shape.type}: no such volume type", allowed=", ".join(LIMITS), example="--type gp3")
    _check(f"--size {shape.size_gib}", shape.size_gib, limits.size_gib, shape, "GiB")
    if shape.iops is None and limits.iops_needed and limits.iops:
        top = limits.iops.top(shape.size_gib)
        raise InputError(
            f"--iops is missing: {shape.type} has no default",
            allowed=f"{limits.iops.least:,} to {top:,} for {shape.size_gib:,} GiB",
            example=f"--iops {min(3_000, top)}",
        )
    _check_optional("--iops", shape.iops, limits.iops, shape, "IOPS")
    _check_optional("--throughput", shape.throughput, limits.throughput, shape, "MiB/s")
    _check_gp3(shape)
    return shape


def _check(what: str, value: int, allowed: Range, shape: Shape, unit: str) -> None:
    top = allowed.top(shape.size_gib) if unit != "GiB" else allowed.most
    if allowed.least <= value <= top:
        return
    why = f", which is {allowed.per_gib:,} for each GiB" if allowed.per_gib and top < allowed.most else ""
    raise InputError(
        f"{what}: {shape.type} does not allow it",
        allowed=f"{allowed.least:,} to {top:,} {unit}{why}",
        example=f"{what.split(maxsplit=1)[0]} {min(max(value, allowed.least), top)}",
    )


def _check_optional(flag: str, value: int | None, allowed: Range | None, shape: Shape, unit: str) -> None:
    if value is None:
        return
    if allowed is None:
        kinds = ", ".join(k for k, held in LIMITS.items() if (held.iops if unit == "IOPS" else held.throughput))
        raise InputError(f"{flag} {value}: {shape.type} does not let one choose it", allowed=f"with --type {kinds}")
    _check(f"{flag} {value}", value, allowed, shape, unit)


def _check_gp3(shape: Shape) -> None:
    if shape.type != "gp3" or shape.throughput is None:
        return
    iops = shape.iops or 3_000
    most = int(iops * GP3_THROUGHPUT_PER_IOPS)
    if shape.throughput > most:
        raise InputError(
            f"--throughput {shape.throughput}: gp3 gives {GP3_THROUGHPUT_PER_IOPS} MiB/s for each of its {iops:,} IOPS",
            allowed=f"up to {most:,} MiB/s with {iops:,} IOPS",
            example=f"--throughput {shape.throughput} --iops {shape.throughput * 4}",
        )


def modified(
    volume: Volume,
    *,
    size_gib: int | None = None,
    kind: str | None = None,
    iops: int | None = None,
    throughput: int | None = None,
) -> Shape:
    """What a volume would become; only what is named changes, but a new type forgets figures it does not know.

    Raises:
        InputError: it would shrink, nothing would change, or EC2 would refuse the result.
    """
    now = shape_of(volume)
    kind = kind or now.type
    limits = LIMITS.get(kind, Limits(Range(1, 65_536)))
    keep_iops = now.iops if limits.iops and (kind == now.type or limits.iops_needed) else None
    keep_throughput = now.throughput if limits.throughput and kind == now.type else None
    wanted = Shape(size_gib or now.size_gib, kind, iops or keep_iops, throughput or keep_throughput)
    if wanted.size_gib < now.size_gib:
        raise InputError(
            f"--size {wanted.size_gib}: {volume.id} has {now.size_gib:,} GiB, and a volume never shrinks",
            allowed=f"{now.size_gib:,} GiB or more; a smaller disk is a new volume and a copy",
            example=f"--size {now.size_gib * 2}",
        )
    if wanted == now:
        raise InputError(f"{volume.id} is {describe(now)} already", allowed="--size, --type, --iops or --throughput")
    return check_shape(wanted)


def describe(shape: Shape) -> str:
    """The shape in a phrase: "500 GiB gp3, 6,000 IOPS, 250 MiB/s"."""
    parts = [f"{shape.size_gib:,} GiB {shape.type}"]
    if shape.iops is not None:
        parts.append(f"{shape.iops:,} IOPS")
    if shape.throughput is not None:
        parts.append(f"{shape.throughput:,} MiB/s")
    return ", ".join(parts)
