"""Attach, detach, modify, copy and delete disks: one row for each verb."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runctl.errors import InputError, RequestError
from runctl.format import format_duration
from runctl.models.cost import an_hour
from runctl.models.instance import Instance, InstanceState
from runctl.models.plan import Kind, PlanItem, Refusal, Verb
from runctl.models.volume import Volume
from runctl.services.case import Around, Case
from runctl.services.policy import judge
from runctl.services.prices import PriceBook
from runctl.services.verbs.disk_waits import await_free, await_modified, await_snapshot, run_on_machine
from runctl.services.verbs.made import REQUEST, specification, tags_for, token_of
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told
from runctl.services.volumes.limits import Shape, describe, modified, shape_of
from runctl.services.volumes.scripts import (
    FILE_SYSTEMS,
    check_mount_point,
    grow_script,
    instructions,
    mount_script,
    unmount_script,
)

_DEVICE = re.compile(r"/dev/(?:sd|xvd)[f-p]")
_BOOK = PriceBook()


def volume_of(live: Live) -> Volume:
    """The disk that is looked at."""
    if not isinstance(live.resource, Volume):
        raise TypeError(f"a volume was expected, not {live.resource!r}")
    return live.resource


def read_volumes(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    """Disks with the machine that each is attached to, or shall be."""
    volumes = ground.cloud.find_volumes(region, ids=ids)
    wanted = {a.instance_id for v in volumes for a in v.attachments}
    meant = str(parameters.get("instance_id") or "")
    machines = {m.id: m for m in ground.cloud.find_instances(region, ids=sorted(wanted | {meant} - {""}))}
    return {v.id: Live(v, _around(ground, v, machines, meant)) for v in volumes}


def _around(ground: Ground, volume: Volume, machines: Mapping[str, Instance], meant: str) -> Around:
    """A machine that a disk is attached to and nobody could describe is unread: nobody knows whose it is."""
    machine = machines.get(meant or volume.attached_to or "")
    unread = any(a.instance_id not in machines for a in volume.attachments)
    return Around(tags_readable=not unread, job=ground.jobs(machine) if machine else None, machine=machine)


def tell_volume(live: Live, now: datetime) -> dict[str, str]:
    """What a person wants to see beside a disk."""
    volume = volume_of(live)
    machine = live.around.machine
    at = volume.attached_to
    facts = {
        "size": describe(shape_of(volume)),
        "state": volume.state,
        "az": volume.az,
        "attached to": (machine.name or at if machine and machine.id == at else at) if at else "",
        "owner": volume.ownership.owner or "",
        "project": volume.ownership.project or "",
        "age": format_duration((now - volume.created_at).total_seconds()) if volume.created_at else "?",
    }
    return {k: v for k, v in facts.items() if v}


def _hourly(volume: Volume) -> float | None:
    return an_hour(volume.usd_per_month)


def command(words: str, item: PlanItem) -> str:
    """A command line about the same disk."""
    return f"runctl volumes {words} --region {item.region}"


# -- attach and detach -------------------------------------------------------------------------------------------------


def free_device(machine: Instance) -> str:
    """A device name that nothing uses (EC2 User Guide, "Device names on Linux instances": /dev/sd[f-p] are for disks).

    Raises:
        InputError: all eleven are taken.
    """
    used = {d.device[-1] for d in machine.devices if _DEVICE.fullmatch(d.device)}
    for letter in "fghijklmnop":
        if letter not in used:
            return f"/dev/sd{letter}"
    raise InputError(f"{machine.id} has no free device name", allowed="at most 11 disks beside its own")


def no_such_machine(wanted: str, region: str) -> InputError:
    """The error for a machine that is not where the disk is."""
    return InputError(
        f"--instance {wanted}: no such instance in {region}",
        allowed="a machine in the volume's own zone",
        example="--instance i-0123456789abcdef0",
    )


def check_file_system(kind: object) -> None:
    """Doubt what a disk shall be formatted with; nothing is no format at all.

    Raises:
        InputError: it is none of those offered.
    """
    if kind and kind not in FILE_SYSTEMS:
        raise InputError(f"--format {kind}: not offered", allowed=", ".join(FILE_SYSTEMS), example="--format ext4")


def _prepare_attach(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    del ground
    machine, wanted = live.around.machine, str(parameters.get("instance_id") or "")
    if machine is None or machine.id != wanted:
        raise no_such_machine(wanted, volume_of(live).region)
    device = str(parameters.get("device") or "") or free_device(machine)
    if not _DEVICE.fullmatch(device):
        raise InputError(
            f"--device {device}: not a name for a disk", allowed="/dev/sdf to /dev/sdp", example="/dev/sdf"
        )
    if any(d.device == device for d in machine.devices):
        raise InputError(f"--device {device}: in use on {machine.id}", allowed=f"for example {free_device(machine)}")
    return {**parameters, "device": device, **_checked_mount(parameters, machine)}


def _checked_mount(parameters: Mapping[str, Any], machine: Instance) -> dict[str, Any]:
    where, kind = parameters.get("mount"), parameters.get("format")
    if kind and not where:
        raise InputError("--format formats a disk that is mounted", allowed="with --mount DIRECTORY")
    if not where:
        return {}
    check_file_system(kind)
    if machine.state is not InstanceState.RUNNING:
        raise InputError(f"--mount: {machine.id} is {machine.state}", allowed="on a running machine")
    return {"mount": check_mount_point(str(where))}


def _told_attach(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    about = tell_volume(live, now) | {"as": str(parameters.get("device", "")), "on": str(parameters["instance_id"])}
    lost = ("what is on the disk, if it is blank to the system",) if parameters.get("format") else ()
    return Told(about, lost, "detach takes it off again", _hourly(volume_of(live)), 0.0)


def _attach(task: Task) -> Done:
    machine, device = str(task.item.parameters["instance_id"]), str(task.item.parameters["device"])
    task.send("ec2", "AttachVolume", VolumeId=task.item.id, InstanceId=machine, Device=device)
    where = str(task.item.parameters.get("mount") or "")
    if not where:
        return Done(reason=instructions(task.item.id, device))
    script = mount_script(task.item.id, device, where, str(task.item.parameters.get("format") or ""))
    return Done(
        reason=run_on_machine(task, machine, script, "mount a volume", f"attached as {device}, but not mounted")
    )


def _undo_attach(item: PlanItem, live: Live) -> str:
    del live
    return command(f"detach {item.id}", item)


def _prepare_detach(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    del ground
    volume, wanted = volume_of(live), parameters.get("instance_id")
    if len(volume.attachments) > 1 and not wanted:
        at = ", ".join(a.instance_id for a in volume.attachments)
        raise InputError(f"{volume.id} is attached to several machines", allowed=f"--instance, one of {at}")
    return {**parameters, "instance_id": wanted or volume.attached_to or ""}


def _told_detach(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    machine = live.around.machine
    running = machine is not None and machine.state is InstanceState.RUNNING
    lost = ("what the machine has not written yet",) if running and parameters.get("no_unmount") else ()
    return Told(tell_volume(live, now), lost, "attach brings it back; its data stays", _hourly(volume_of(live)), 0.0)


def _detach(task: Task) -> Done:
    _take_off(task, str(task.item.parameters.get("instance_id") or ""))
    return Done()


def _take_off(task: Task, instance_id: str) -> None:
    """Unmount where a system runs that could be writing, then detach.

    Raises:
        RunctlError: it is busy, or the machine cannot be reached: nothing was detached.
    """
    volume, machine = volume_of(task.live), task.live.around.machine
    device = next((a.device for a in volume.attachments if a.instance_id == instance_id), "")
    running = machine is not None and machine.state is InstanceState.RUNNING
    if running and not task.item.parameters.get("no_unmount"):
        said = "not detached, for it could not be unmounted (--no-unmount detaches all the same)"
        run_on_machine(task, instance_id, unmount_script(volume.id, device), "unmount a volume", said)
    task.send("ec2", "DetachVolume", VolumeId=volume.id, InstanceId=instance_id)


def _undo_detach(item: PlanItem, live: Live) -> str:
    volume = volume_of(live)
    at = next((a for a in volume.attachments if a.instance_id == item.parameters.get("instance_id")), None)
    return command(f"attach {item.id} --instance {at.instance_id} --device {at.device}", item) if at else ""


# -- modify ------------------------------------------------------------------------------------------------------------


def _target(live: Live, parameters: Mapping[str, Any]) -> Shape:
    return modified(
        volume_of(live),
        size_gib=parameters.get("size_gib"),
        kind=parameters.get("type"),
        iops=parameters.get("iops"),
        throughput=parameters.get("throughput"),
    )


def _prepare_modify(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    volume, shape = volume_of(live), _target(live, parameters)
    answer = ground.cloud.ask(
        "ec2", "DescribeVolumesModifications", volume.region, Filters=[{"Name": "volume-id", "Values": [volume.id]}]
    )
    for last in answer.get("VolumesModifications") or ():
        state = last.get("ModificationState")
        if state in ("modifying", "optimizing"):
            raise InputError(
                f"{volume.id} is being modified: {state}, {last.get('Progress', '?')} %",
                allowed="one change at a time, four in 24 hours, each after the one before is completed",
            )
    chosen = {"size_gib": shape.size_gib, "type": shape.type, "iops": shape.iops, "throughput": shape.throughput}
    return {**parameters, **chosen}


def _told_modify(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    volume = volume_of(live)
    shape = Shape(parameters["size_gib"], parameters["type"], parameters["iops"], parameters["throughput"])
    after, _ = _BOOK.volume_usd_per_month(volume.region, shape.type, shape.size_gib, shape.iops, shape.throughput)
    saves = None if after is None or volume.usd_per_month is None else volume.usd_per_month - after
    about = tell_volume(live, now) | {"becomes": describe(shape)}
    return Told(about, (), "type and speed can be changed back, the size cannot", _hourly(volume), saves)


def _modify(task: Task) -> Done:
    volume, wanted = volume_of(task.live), task.item.parameters
    was = shape_of(volume)
    chosen = {"Size": wanted["size_gib"], "VolumeType": wanted["type"], "Iops": wanted["iops"],
              "Throughput": wanted["throughput"]}  # fmt: skip
    now = {"Size": was.size_gib, "VolumeType": was.type, "Iops": was.iops, "Throughput": was.throughput}
    changed = {k: v for k, v in chosen.items() if v is not None and v != now[k]}
    try:
        task.send("ec2", "ModifyVolume", VolumeId=volume.id, **changed)
    except RequestError as error:
        if error.site.code == "VolumeModificationRateExceeded":
            raise InputError(f"{volume.id}: {error.message}", allowed="four changes in 24 hours") from error
        raise
    grown = ""
    if "Size" in changed and wanted.get("grow"):
        await_modified(task, volume.id, completed=False)
        grown = _grown(task, volume)
    if wanted.get("wait"):
        await_modified(task, volume.id, completed=True)
    return Done(reason=grown)


def _grown(task: Task, volume: Volume) -> str:
    machine = task.live.around.machine
    if machine is None or machine.state is not InstanceState.RUNNING:
        return "the file system has to be grown once it is on a running machine"
    script = grow_script(volume.id, volume.attachments[0].device)
    return run_on_machine(task, machine.id, script, "grow a file system", "bigger, but the file system was not grown")


def _settled_modify(verb: Verb, resource: object, parameters: Mapping[str, Any]) -> str:
    del verb
    if not isinstance(resource, Volume):
        return ""
    wanted = Shape(parameters["size_gib"], parameters["type"], parameters["iops"], parameters["throughput"])
    return f"already {describe(wanted)}" if shape_of(resource) == wanted else ""


def _undo_modify(item: PlanItem, live: Live) -> str:
    was = shape_of(volume_of(live))
    speed = [f"--iops {was.iops}"] if was.iops else []
    speed += [f"--throughput {was.throughput}"] if was.throughput else []
    same = item.parameters.get("size_gib") == was.size_gib
    return command(" ".join([f"modify {item.id} --type {was.type}", *speed]), item) if same else ""


# -- snapshot and delete -----------------------------------------------------------------------------------------------


def _told_snapshot(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    volume = volume_of(live)
    price = None if volume.size_gib is None else _BOOK.snapshot_usd_per_month(volume.region, volume.size_gib)
    about = tell_volume(live, now) | ({"costs": f"at most ${price:,.2f} a month"} if price is not None else {})
    return Told(about, (), "the snapshot can be deleted", _hourly(volume), None if price is None else -price)


def _snapshot(task: Task) -> Done:
    """CreateSnapshot knows no client token, so a tag says which request made it: asked twice, it is made once."""
    volume, item = volume_of(task.live), task.item
    token = token_of(task.plan, item)
    wanted = [{"Name": f"tag:{REQUEST}", "Values": [token]}]
    found = task.ground.cloud.ask("ec2", "DescribeSnapshots", item.region, OwnerIds=["self"], Filters=wanted)
    made = next((str(s["SnapshotId"]) for s in found.get("Snapshots") or ()), "")
    if not made:
        name = str(item.parameters.get("name") or volume.name)
        ours = tags_for(
            task.ground.actor.owner, name=name, project=volume.ownership.project or "", more={REQUEST: token}
        )
        answer = task.send(
            "ec2", "CreateSnapshot", VolumeId=volume.id, Description=f"runctl: {volume.name or volume.id}"[:255],
            TagSpecifications=specification("snapshot", ours),
        )  # fmt: skip
        made = str(answer.get("SnapshotId", ""))
    if item.parameters.get("wait"):
        await_snapshot(task, made)
    return Done((made,), f"{made} is complete" if item.parameters.get("wait") else f"{made} is being made")


def _refuse_delete(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """Overriding `attached` detaches first, so everything that forbids detaching forbids that."""
    del parameters
    volume = volume_of(live)
    if not volume.attachments:
        return ()
    now = ground.clock.now()
    own = judge(Case(Verb.DELETE, volume, ground.actor, now, live.around))
    off = judge(Case(Verb.DETACH, volume, ground.actor, now, live.around))
    return tuple(r for r in off if r not in own)


def _prepare_delete(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    del ground
    volume = volume_of(live)
    if len(volume.attachments) > 1:
        at = ", ".join(a.instance_id for a in volume.attachments)
        raise InputError(f"{volume.id} is attached to several machines: {at}", allowed="detach it from each first")
    return parameters


def _told_delete(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    volume = volume_of(live)
    kept = "the snapshot made before brings it back" if parameters.get("kept") else ""
    lost = ("everything on it since its snapshot",) if kept else ("everything on it",)
    return Told(tell_volume(live, now), lost, kept, _hourly(volume), volume.usd_per_month)


def _delete(task: Task) -> Done:
    volume = volume_of(task.live)
    for attachment in volume.attachments:
        _take_off(task, attachment.instance_id)
        await_free(task, volume.id)
    task.send("ec2", "DeleteVolume", VolumeId=volume.id)
    return Done(reason=_how_to_restore(task))


def _how_to_restore(task: Task) -> str:
    before = task.plan.results.get(task.item.after)
    made = before.made[0] if before is not None and before.made else ""
    return f"restore: runctl volumes restore {made} --az {volume_of(task.live).az}" if made else ""


ROWS = (
    Row(Verb.ATTACH, Kind.VOLUME, read_volumes, _attach, _told_attach, _prepare_attach, _undo_attach),
    Row(Verb.DETACH, Kind.VOLUME, read_volumes, _detach, _told_detach, _prepare_detach, _undo_detach),
    Row(Verb.MODIFY, Kind.VOLUME, read_volumes, _modify, _told_modify, _prepare_modify, _undo_modify, _settled_modify),
    Row(Verb.SNAPSHOT, Kind.VOLUME, read_volumes, _snapshot, _told_snapshot),
    Row(
        Verb.DELETE,
        Kind.VOLUME,
        read_volumes,
        _delete,
        _told_delete,
        _prepare_delete,
        refuse=_refuse_delete,
        gone_is_done=True,
    ),
)
