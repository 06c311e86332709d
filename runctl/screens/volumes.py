"""Volumes: disks, what they cost, and which of them cost for nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from textual.binding import BindingType

from runctl.format import format_count, format_time, format_usd
from runctl.keymap import Scope, bindings_for
from runctl.models.snapshot import Source
from runctl.models.volume import Volume
from runctl.screens.base import FleetScreen
from runctl.screens.cells import (
    NOT_KNOWN,
    NOTHING,
    Cell,
    Detail,
    Spec,
    age,
    lead,
    money,
    name_or_id,
    number,
    outside,
    plain,
    row,
    state,
)
from runctl.screens.noun import Noun, Resource
from runctl.store.costs import is_waste
from runctl.store.fields import VOLUME_FIELDS, Context, volume_waste
from runctl.widgets.detail import Section

#: What gp3 costs less than gp2 for the same size: 0.08 against 0.10 USD a GB-month (EBS pricing page, us-east-1).
GP3_SAVING = 0.2
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _speed(volume: Volume, _context: Context) -> Cell:
    if volume.iops is None:
        return NOTHING
    return plain(f"{volume.iops:,}" + (f"/{volume.throughput}" if volume.throughput else ""))


def _attached(volume: Volume, context: Context) -> Cell:
    if volume.attached_to is None:
        return NOTHING
    machine = context.instances.get(volume.attached_to)
    return plain(volume.attached_to, "muted") if machine is None else name_or_id(machine.name, machine.id)


def advice(volume: Volume, context: Context) -> Cell:
    """What to do about a disk; what deleting it saves is its price, so only other savings are named."""
    reason = volume_waste(volume, context)
    if reason == "unattached":
        return (("unattached ", "warn"), *((text, "warn") for text, _ in age(volume.created_at, context)))
    if reason:
        return plain("machine is stopped", "warn")
    price = volume.usd_per_month
    if volume.type == "gp2" and price is not None:
        saves = price * GP3_SAVING
        return plain(f"gp2→gp3 saves ${format_usd(saves, 0 if saves >= 10 else 2)}", "accent")
    return NOTHING


COLUMNS: tuple[Spec[Volume], ...] = (
    Spec("", "", 3, lambda v, c: lead(is_waste(v, c), v.state, v.ownership)),
    Spec("name", "NAME/ID", 21, lambda v, c: name_or_id(v.name, v.id)),
    Spec("size_gib", "GIB", 5, lambda v, c: number(v.size_gib), right=True),
    Spec("type", "TYPE", 4, lambda v, c: outside(v.type)),
    Spec("iops", "IOPS/MBS", 10, _speed, right=True, keep=20),
    Spec("state", "STATE", 9, lambda v, c: state(v.state), keep=30),
    Spec("attached_to", "ATTACHED TO", 12, _attached, keep=50),
    Spec("age_s", "AGE", 5, lambda v, c: age(v.created_at, c), right=True, keep=25),
    Spec("usd_per_month", "$/MO", 8, lambda v, c: money(v.usd_per_month, hot=100), right=True),
    Spec("waste", "ADVICE", 19, advice, keep=60, flex=True),
    Spec("id", "ID", 21, lambda v, c: plain(v.id, "muted"), keep=9),
    Spec("az", "AZ", 11, lambda v, c: outside(v.az), keep=8),
    Spec("owner", "OWNER", 10, lambda v, c: outside(v.ownership.owner or ""), keep=7),
    Spec("project", "PROJECT", 12, lambda v, c: outside(v.ownership.project or ""), keep=6),
)


def _facts(volume: Volume, context: Context) -> Section:
    speed = f"{format_count(volume.iops)} IOPS" + (f", {volume.throughput} MiB/s" if volume.throughput else "")
    lines = [
        row("id", plain(volume.id)),
        row("size", (*number(volume.size_gib), (" GiB ", ""), *outside(volume.type))),
        row("speed", plain(speed) if volume.iops is not None else NOTHING),
        row("state", (*state(volume.state), ("  ", ""), *outside(volume.az))),
        row("made", (*plain(format_time(volume.created_at)), ("  ", ""), *age(volume.created_at, context))),
        row("encrypted", NOT_KNOWN if volume.encrypted is None else plain("yes" if volume.encrypted else "no")),
    ]
    if volume.snapshot_id:
        lines.append(row("made from", outside(volume.snapshot_id)))
    return Section("", tuple(lines))


_AT_THE_END = {
    True: "goes with the machine",
    False: "stays after terminate",
    None: "may go with the machine: EC2 does not say",
}


def _attachments(volume: Volume, context: Context) -> Section:
    lines = []
    for attached in volume.attachments:
        machine = context.instances.get(attached.instance_id)
        end = _AT_THE_END[attached.delete_on_termination]
        words = plain(attached.instance_id, "muted") if machine is None else (
            *name_or_id(machine.name, machine.id), ("  ", ""), *state(str(machine.state)))  # fmt: skip
        lines += [row(attached.device, words), row("", plain(end, "muted"))]
    return Section("Attached to", tuple(lines) or (row("", plain("nothing", "warn")),))


def volume_detail(volume: Volume, context: Context) -> Detail:
    """Everything known about a disk."""
    snapshots = [s for s in context.snapshot.snapshots if s.volume_id == volume.id]
    backups = tuple(
        row("".join(text for text, _ in age(s.created_at, context)) + " ago",
             (*plain(s.id, "muted"), ("  $", "money"), *money(s.usd_per_month), ("/mo at most", "muted")))
        for s in sorted(snapshots, key=lambda s: s.created_at or _LONG_AGO, reverse=True)
    )  # fmt: skip
    tags = tuple(row(key, outside(value)) for key, value in sorted(volume.tags.items()))
    return (
        _facts(volume, context),
        Section("Money", (
            row("a month", (("$", "money"), *money(volume.usd_per_month))),
            row("price", outside(volume.price_source or None, "muted")),
            row("advice", advice(volume, context)),
        )),
        _attachments(volume, context),
        Section(f"Snapshots ({len(backups)})", backups or (row("", plain("none: its data is nowhere else", "muted")),)),
        Section(f"Tags ({len(tags)})", tags),
    )  # fmt: skip


VOLUMES: Noun[Volume] = Noun(
    name="volumes",
    word=("volume", "volumes"),
    fields=VOLUME_FIELDS,
    sources=(Source.VOLUMES, Source.SNAPSHOTS),
    rows=lambda c: c.snapshot.volumes,
    columns=COLUMNS,
    detail=volume_detail,
    identify=lambda v: v.id,
    resource=lambda v: Resource("volume", v.region, v.id),
    title=lambda v: v.name or v.id,
    sort="usd_per_month",
    descending=True,
    empty="no volumes in {regions}",
)


class VolumesScreen(FleetScreen[Volume]):
    """Disks."""

    NOUN = VOLUMES
    SCOPE = Scope.VOLUMES
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.VOLUMES)]
