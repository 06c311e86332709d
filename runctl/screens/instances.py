"""Instances: machines with their state, price and activity."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from textual.binding import BindingType

from runctl.format import format_count, format_duration, format_time, format_usd
from runctl.keymap import Scope, bindings_for
from runctl.models.cost import HOURS_PER_MONTH
from runctl.models.instance import ActivityState, Instance
from runctl.models.snapshot import Source
from runctl.screens import modals
from runctl.screens.base import FleetScreen
from runctl.screens.cells import (
    NOTHING,
    Cell,
    Detail,
    Spec,
    activity_short,
    bar,
    duration,
    lead,
    market_suffix,
    money,
    name_or_id,
    outside,
    plain,
    price_words,
    row,
    state,
)
from runctl.screens.noun import Noun, Resource
from runctl.store.costs import is_waste
from runctl.store.fields import INSTANCE_FIELDS, Context, disks_usd_per_hour, expires_in_s
from runctl.theme import ASCII
from runctl.widgets.detail import Section

#: From here on a machine's rate is drawn hot.
HOT_USD_PER_HOUR = 5.0


def _rate(machine: Instance, context: Context) -> Cell:
    """What it bills now; a machine that does not run shows its disks, with a `d`."""
    if machine.may_bill:
        return money(machine.usd_per_hour, suffix=market_suffix(machine) or " ", hot=HOT_USD_PER_HOUR)
    disks = disks_usd_per_hour(machine, context)
    return ((NOTHING[0], (" ", ""))) if disks is None else money(disks, suffix="d")


def _since(machine: Instance, context: Context) -> Cell:
    since = machine.usd_since_launch(context.now)
    return money(since, decimals=0 if since is not None and since >= 1000 else 1) if machine.may_bill else NOTHING


def _gpu(machine: Instance, _context: Context) -> Cell:
    if not machine.may_bill or machine.hardware.gpu_count == 0:
        return NOTHING
    return bar(machine.activity.gpu_percent)


def _cpu(machine: Instance, _context: Context) -> Cell:
    return bar(machine.activity.cpu_percent) if machine.may_bill else NOTHING


def _up(machine: Instance, context: Context) -> Cell:
    return duration(machine.uptime_s(context.now)) if machine.may_bill else NOTHING


def _expires(machine: Instance, context: Context) -> Cell:
    left = expires_in_s(machine, context)
    if left is None:
        return NOTHING
    return duration(left) if left > 0 else plain("expired", "warn")


def gpu_words(machine: Instance) -> Cell:
    """`8×A100`, a dash without GPU, a question mark where nobody says."""
    count, model = machine.hardware.gpu_count, machine.hardware.gpu_model
    if count == 0:
        return NOTHING
    return outside(None) if count is None else plain(f"{format_count(count)}×{model or '?'}")


COLUMNS: tuple[Spec[Instance], ...] = (
    Spec("", "", 3, lambda i, c: lead(is_waste(i, c), str(i.state), i.ownership)),
    Spec("name", "NAME", 14, lambda i, c: name_or_id(i.name, i.id), flex=True),
    Spec("type", "TYPE", 13, lambda i, c: outside(i.type)),
    Spec("state", "STATE", 10, lambda i, c: state(str(i.state))),
    Spec(
        "gpu_percent",
        "GPU%",
        5,
        _gpu,
        keep=10,
        useful=lambda rows: any(i.activity.gpu_percent is not None for i in rows),
    ),
    Spec("activity", "ACT", 7, activity_short, keep=20),
    Spec("uptime_s", "UP", 5, _up, right=True, keep=40),
    Spec("usd_per_hour", "$/H", 7, _rate, right=True),
    Spec("usd_since_launch", "SINCE", 7, _since, right=True, keep=30),
    Spec("id", "ID", 19, lambda i, c: plain(i.id, "muted"), keep=9),
    Spec("gpu_model", "GPU", 9, lambda i, c: gpu_words(i), keep=8),
    Spec("az", "AZ", 11, lambda i, c: outside(i.az), keep=7),
    Spec("owner", "OWNER", 10, lambda i, c: outside(i.ownership.owner or ""), keep=6),
    Spec("job", "JOB", 14, lambda i, c: outside(i.ownership.job or ""), keep=5),
    Spec("expires_in_s", "EXPIRES", 7, _expires, right=True, keep=4),
    Spec(
        "cpu_percent",
        "CPU%",
        5,
        _cpu,
        keep=3,
        useful=lambda rows: any(i.activity.cpu_percent is not None for i in rows),
    ),
    Spec("private_ip", "IP", 15, lambda i, c: outside(i.private_ip or ""), keep=2),
)


def _tomorrow_nine(now: datetime) -> datetime:
    """Nine o'clock tomorrow, where the person is."""
    local = now.astimezone()
    return (local + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)


def _facts(machine: Instance) -> Section:
    hardware = machine.hardware
    parts = (
        f"{format_count(hardware.vcpus)} vCPU",
        f"{format_count(hardware.memory_gib)} GiB",
        *((f"{gpu_words(machine)[0][0]}",) if hardware.gpu_count else ()),
    )
    lines = [
        row("id", plain(machine.id)),
        row("type", outside(machine.type)),
        row("has", plain(", ".join(parts), "muted")),
        row("state", state(str(machine.state))),
        row("where", (*outside(machine.az), ("  ", ""), *outside(str(machine.market)))),
    ]
    if machine.state_reason:
        lines.append(row("why", outside(machine.state_reason, "warn")))
    lines.append(row("launched", plain(format_time(machine.launched_at))))
    return Section("", tuple(lines))


def _money(machine: Instance, context: Context) -> Section:
    disks = disks_usd_per_hour(machine, context)
    lines = [row("now", (("$", "money"), *money(machine.usd_per_hour), (" an hour", "")))]
    if machine.may_bill:
        lines.append(row("price", price_words(machine.rate)))
    if context.disks_of.get(machine.id):
        lines.append(row("disks", (("$", "money"), *money(disks, 3), (" an hour", ""))))
    since = machine.usd_since_launch(context.now)
    if machine.bills:
        lines.append(row("since start", (("$", "money"), *money(since))))
    rate = machine.usd_per_hour
    if machine.bills and rate is not None:
        hours = (_tomorrow_nine(context.now) - context.now).total_seconds() / 3600
        unpriced = disks is None and bool(context.disks_of.get(machine.id))
        more = (" more, disks not counted" if unpriced else " more", "muted")
        lines.append(row("till 09:00", (("$", "money"), *money(hours * (rate + (disks or 0))), more)))
        lines.append(row("a month", plain(f"${format_usd(rate * HOURS_PER_MONTH, 0)} if it stays", "muted")))
    return Section("Money", tuple(lines))


def _activity(machine: Instance, context: Context) -> Section:
    activity = machine.activity
    words = plain(f"{activity.state}", "warn" if activity.state is ActivityState.IDLE else "")
    if activity.since is not None:
        words = (*words, (f" for {format_duration((context.now - activity.since).total_seconds())}", ""))
    lines = [row("is", words)]
    lines.append(row("evidence", outside(activity.evidence or "none: no probe has answered", "muted")))
    if activity.gpu_percent is not None:
        lines.append(row("GPU", (*bar(activity.gpu_percent, 20), (f" {activity.gpu_percent:.0f}%", ""))))
    if activity.cpu_percent is not None:
        lines.append(row("CPU", (*bar(activity.cpu_percent, 20), (f" {activity.cpu_percent:.0f}%", ""))))
    return Section("Activity", tuple(lines))


def _whose(machine: Instance, context: Context) -> Section:
    own = machine.ownership
    known = (("owner", own.owner), ("project", own.project), ("job", own.job))
    lines = [row(label, outside(value)) for label, value in known if value]
    ours = "yes" if own.managed else "no runctl:managed tag"
    lines.append(row("ours", plain(ours + (", protected" if own.protected else ""), "" if own.managed else "muted")))
    if own.ttl:
        lines.append(row("ends", (*outside(own.ttl), ("  ", ""), *_expires(machine, context))))
    return Section("Whose", tuple(lines))


def _disks(machine: Instance, context: Context) -> Section:
    volumes = context.volumes
    lines = []
    for device in machine.devices:
        known = volumes.get(device.volume_id)
        if known is None:
            lines.append(row(device.device, plain(device.volume_id, "muted")))
            continue
        kept = {True: "", False: ", stays after terminate", None: ", may go with it"}[device.delete_on_termination]
        size = plain(f"{known.size_gib:,} GiB ") + outside(known.type)
        lines.append(
            row(device.device, (*size, ("  $", "money"), *money(known.usd_per_month), (f"/mo{kept}", "muted")))
        )
    return Section("Disks", tuple(lines))


def _network(machine: Instance) -> Section:
    known = (
        ("private", machine.private_ip),
        ("public", machine.public_ip),
        ("subnet", machine.subnet_id),
        ("groups", ", ".join(machine.security_groups)),
        ("image", machine.image_id),
        ("key", machine.key_name),
        ("role", (machine.profile_arn or "").rpartition("/")[2]),
    )
    return Section("Network and image", tuple(row(label, outside(value)) for label, value in known if value))


def instance_detail(machine: Instance, context: Context) -> Detail:
    """Everything known about a machine, the most needed first."""
    tags = tuple(row(key, outside(value)) for key, value in sorted(machine.tags.items()))
    return (
        _facts(machine),
        _money(machine, context),
        _activity(machine, context),
        _whose(machine, context),
        _disks(machine, context),
        _network(machine),
        Section(f"Tags ({len(tags)})", tags),
    )


INSTANCES: Noun[Instance] = Noun(
    name="instances",
    word=("machine", "machines"),
    fields=INSTANCE_FIELDS,
    sources=(Source.INSTANCES,),
    rows=lambda c: c.snapshot.instances,
    columns=COLUMNS,
    detail=instance_detail,
    identify=lambda i: i.id,
    resource=lambda i: Resource("instance", i.region, i.id),
    title=lambda i: i.name or i.id,
    sort="usd_per_hour",
    descending=True,
    empty="no machines in {regions}; R looks in other regions",
)


class InstancesScreen(FleetScreen[Instance]):
    """Machines."""

    NOUN = INSTANCES
    SCOPE = Scope.INSTANCES
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.INSTANCES)]

    def action_launch(self) -> None:
        """Launch machines: one screen, and a question before anything happens."""
        self.app.push_screen(modals.WizardModal(self.desk, self.context, ascii_only=self.signs is ASCII))
