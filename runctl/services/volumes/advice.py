"""What a disk should rather be, why, and what that saves. Pure: a volume, what is around it, the price book, a clock.

Only two kinds of sentence are made: facts ("unattached 41 days") and the same speed for less money. That a disk is too
fast for its work is never claimed, for nobody measured its work; what the extra speed costs is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runctl.format import format_duration
from runctl.models.instance import Instance, InstanceState
from runctl.models.volume import Volume
from runctl.services.prices import GP3_FREE_IOPS, GP3_FREE_THROUGHPUT, PriceBook
from runctl.services.volumes.limits import LIMITS, Range, Shape, describe, shape_of

#: gp2's baseline and its ceiling of throughput (EBS User Guide, "General Purpose SSD volumes").
_GP2_IOPS_PER_GIB, _GP2_IOPS_MOST, _GP2_THROUGHPUT = 3, 16_000, 250
#: From this size on gp2 may reach 250 MiB/s, below 128 MiB/s (the same page).
_GP2_FAST_FROM_GIB = 170
#: A saving smaller than this is not worth a person's attention, USD a month.
LEAST_SAVING_USD = 0.5
#: A free disk younger than this may be about to be attached.
_UNATTACHED_AFTER_S = 24 * 3600.0


class Use(StrEnum):
    """What a disk is for; the value is the word of `--use`."""

    DATA_LOADING = "data-loading"
    CHECKPOINTS = "checkpoints"
    GENERAL = "general"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do about one disk.

    Args:
        volume_id: the disk.
        rule: its name: unattached, stopped-machine, gp2-to-gp3, io-to-gp3, io1-to-io2, provisioned, use.
        reason: one sentence with the facts it rests on.
        action: the command that does it, "" when it is only said.
        becomes: the shape that it would have, None when it would go.
        saves_usd_per_month: what is saved, negative when it costs more, None when a price is unknown.
    """

    volume_id: str
    rule: str
    reason: str
    action: str = ""
    becomes: Shape | None = None
    saves_usd_per_month: float | None = None


def advise(
    volume: Volume, machine: Instance | None, book: PriceBook, now: datetime, use: Use | None = None
) -> tuple[Advice, ...]:
    """Everything worth saying about one disk, the largest saving first.

    Args:
        volume: the disk.
        machine: the machine it is attached to, None when there is none or it is not known.
        book: prices.
        now: the time.
        use: what it is for, when the person said so.
    """
    if volume.size_gib is None:
        return tuple(_waste(volume, machine, now))  # nothing can be reckoned from a size that nobody knows
    if use is not None:
        found = list(_for_use(volume, book, use))
    else:
        # What lies about unused should go, not become cheaper.
        found = list(_waste(volume, machine, now)) or [*_cheaper(volume, book), *_provisioned(volume, book)]
    return tuple(sorted(found, key=lambda a: -(a.saves_usd_per_month or 0.0)))


def _waste(volume: Volume, machine: Instance | None, now: datetime) -> Iterable[Advice]:
    delete = f"runctl volumes snapshot {volume.id} && runctl volumes delete {volume.id}"
    if volume.unattached and volume.created_at is not None:
        age_s = (now - volume.created_at).total_seconds()
        if age_s >= _UNATTACHED_AFTER_S:
            # AWS does not tell since when a disk is free; its age is the most that can be said.
            reason = f"attached to nothing, and {format_duration(age_s)} old"
            yield Advice(volume.id, "unattached", reason, delete, None, volume.usd_per_month)
    elif machine is not None and machine.state is InstanceState.STOPPED:
        reason = f"its machine {machine.name or machine.id} is stopped, and it bills all the same"
        yield Advice(volume.id, "stopped-machine", reason, "", None, volume.usd_per_month)


def _price(volume: Volume, book: PriceBook, shape: Shape) -> float | None:
    return book.volume_usd_per_month(volume.region, shape.type, shape.size_gib, shape.iops, shape.throughput)[0]


def _saving(volume: Volume, book: PriceBook, shape: Shape) -> float | None:
    before = volume.usd_per_month if volume.usd_per_month is not None else _price(volume, book, shape_of(volume))
    after = _price(volume, book, shape)
    return None if before is None or after is None else before - after


def _modify(volume: Volume, shape: Shape) -> str:
    words = [f"runctl volumes modify {volume.id} --type {shape.type}"]
    if shape.iops is not None and (shape.type != "gp3" or shape.iops > GP3_FREE_IOPS):
        words.append(f"--iops {shape.iops}")
    if shape.throughput is not None and shape.throughput > GP3_FREE_THROUGHPUT:
        words.append(f"--throughput {shape.throughput}")
    return " ".join(words)


def _gp3_as_fast(size_gib: int, iops: int, throughput: int) -> Shape | None:
    """A gp3 disk with at least this speed, None when gp3 does not reach it."""
    limits = LIMITS["gp3"]
    if limits.iops is None or limits.throughput is None:
        return None
    needed = max(iops, throughput * 4, limits.iops.least)
    if needed > limits.iops.top(size_gib) or throughput > limits.throughput.most:
        return None
    return Shape(size_gib, "gp3", needed, max(throughput, limits.throughput.least))


def _cheaper(volume: Volume, book: PriceBook) -> Iterable[Advice]:
    """The same speed on another type, where it costs less."""
    size_gib = shape_of(volume).size_gib
    if volume.type == "gp2":
        iops = min(max(100, _GP2_IOPS_PER_GIB * size_gib), _GP2_IOPS_MOST)
        # Small disks reach their ceiling only in bursts; gp3's own baseline is above what they sustain.
        throughput = _GP2_THROUGHPUT if size_gib >= 1_000 else GP3_FREE_THROUGHPUT
        rule, shape = "gp2-to-gp3", _gp3_as_fast(size_gib, iops, throughput)
        if shape is not None and (saves := _saving(volume, book, shape)) is not None and saves < LEAST_SAVING_USD:
            shape = _gp3_as_fast(size_gib, iops, GP3_FREE_THROUGHPUT)
    elif volume.type in ("io1", "io2") and volume.iops is not None:
        # io1 reaches 1,000 MiB/s at 64,000 IOPS and 500 below 32,000 (EBS User Guide, "Provisioned IOPS SSD volumes").
        rule, shape = (
            "io-to-gp3",
            _gp3_as_fast(size_gib, volume.iops, 500 if volume.iops < 32_000 else 1_000),
        )
    else:
        return
    if shape is None:
        return
    saves = _saving(volume, book, shape)
    if saves is not None and saves >= LEAST_SAVING_USD:
        note = (
            "" if volume.type == "gp2" else "; io volumes answer faster and fail more rarely, gp3 does not promise that"
        )
        reason = f"{describe(shape)} is as fast for less{note}"
        yield Advice(volume.id, rule, reason, _modify(volume, shape), shape, saves)


def _provisioned(volume: Volume, book: PriceBook) -> Iterable[Advice]:
    """What speed above gp3's baseline costs; whether it is needed only its owner knows."""
    if volume.type != "gp3":
        return
    extra = (volume.iops or 0) > GP3_FREE_IOPS or (volume.throughput or 0) > GP3_FREE_THROUGHPUT
    if not extra:
        return
    plain = Shape(shape_of(volume).size_gib, "gp3", GP3_FREE_IOPS, GP3_FREE_THROUGHPUT)
    saves = _saving(volume, book, plain)
    if saves is not None and saves < LEAST_SAVING_USD:
        return
    reason = f"{describe(shape_of(volume))}: the speed above the baseline bills whether it is used or not"
    command = f"runctl volumes modify {volume.id} --iops {GP3_FREE_IOPS} --throughput {GP3_FREE_THROUGHPUT}"
    yield Advice(volume.id, "provisioned", reason, command, plain, saves)


def recommended(use: Use, size_gib: int) -> Shape:
    """A good shape for a use and size, within EC2's own limits.

    Sequential reading of large data sets is what st1 is made for, archives sc1; both only from 125 GiB on. Everything
    that is written in bursts (checkpoints) or at random wants gp3, whose throughput needs a quarter of its IOPS.
    """
    if use is Use.DATA_LOADING and size_gib > 1_000:
        return Shape(size_gib, "st1")
    if use is Use.ARCHIVE and size_gib > 500:
        return Shape(size_gib, "sc1")
    extra = {Use.DATA_LOADING: 100, Use.CHECKPOINTS: 60, Use.GENERAL: 0, Use.ARCHIVE: 0}[use]
    iops_range = LIMITS["gp3"].iops or Range(3_000, 80_000)
    iops = min(iops_range.least + extra * size_gib, 16_000, iops_range.top(size_gib))
    throughput = max(GP3_FREE_THROUGHPUT, min(1_000, iops // 4)) if extra else GP3_FREE_THROUGHPUT
    return Shape(size_gib, "gp3", iops, throughput)


def _for_use(volume: Volume, book: PriceBook, use: Use) -> Iterable[Advice]:
    shape = recommended(use, shape_of(volume).size_gib)
    if shape == shape_of(volume):
        return
    reason = f"for {use}: {describe(shape)} instead of {describe(shape_of(volume))}"
    yield Advice(volume.id, "use", reason, _modify(volume, shape), shape, _saving(volume, book, shape))
