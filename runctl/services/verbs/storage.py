"""Make and restore disks, delete snapshots, give addresses back: one row for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from runctl.errors import CloudError, CredentialsError, InputError
from runctl.format import format_duration
from runctl.models.cost import a_month, an_hour
from runctl.models.plan import Kind, PlanItem, Verb
from runctl.models.volume import Address, VolumeSnapshot
from runctl.services.case import Around
from runctl.services.prices import PriceBook
from runctl.services.verbs.made import specification, tags_for, token_of
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told
from runctl.services.volumes.limits import Shape, check_shape, describe
from runctl.services.writer import MOST_VALUES

_BOOK = PriceBook()


def shape_in(parameters: Mapping[str, Any]) -> Shape:
    """The shape that parameters ask for.

    Raises:
        InputError: EC2 would refuse it.
    """
    return check_shape(
        Shape(
            int(parameters["size_gib"]),
            str(parameters.get("type") or "gp3"),
            parameters.get("iops"),
            parameters.get("throughput"),
        )
    )


def _price(region: str, shape: Shape) -> float | None:
    return _BOOK.volume_usd_per_month(region, shape.type, shape.size_gib, shape.iops, shape.throughput)[0]


def _request(task: Task, token: str) -> dict[str, Any]:
    """CreateVolume's parameters: what was asked for, with its tags in the same call."""
    wanted = task.item.parameters
    shape = shape_in(wanted)
    figures = {"Iops": shape.iops, "Throughput": shape.throughput}
    tags = tags_for(
        task.ground.actor.owner,
        name=str(wanted.get("name") or ""),
        project=str(wanted.get("project") or ""),
        more=dict(wanted.get("tags") or {}),
    )
    return {
        "AvailabilityZone": wanted["az"], "Size": shape.size_gib, "VolumeType": shape.type, "ClientToken": token,
        "TagSpecifications": specification("volume", tags), **{k: v for k, v in figures.items() if v is not None},
        **({"Encrypted": True} if wanted.get("encrypted") else {}),
    }  # fmt: skip


# -- create ------------------------------------------------------------------------------------------------------------


def plan_volume(region: str, token: str, parameters: Mapping[str, Any]) -> PlanItem:
    """A disk that does not exist yet, as an item for `Actions.plan_of`.

    Args:
        region: where.
        token: EC2's client token: the same one makes one disk only.
        parameters: size_gib, az, and optionally type, iops, throughput, name, project, tags, encrypted.

    Raises:
        InputError: EC2 would refuse it.
    """
    shape = shape_in(parameters)
    price = _price(region, shape)
    return PlanItem(
        Verb.CREATE, Kind.VOLUME, token, region,
        name=str(parameters.get("name") or ""), parameters=dict(parameters),
        about={"size": describe(shape), "az": str(parameters["az"])},
        usd_per_hour=an_hour(price),
        saves_usd_per_month=None if price is None else -price, recoverable="delete removes it again",
    )  # fmt: skip


def _read_nothing(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    del ground, region, parameters
    return {i: Live(None) for i in ids}


def _told_create(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    del live, now
    return Told({"size": describe(shape_in(parameters)), "az": str(parameters["az"])})


def _create(task: Task) -> Done:
    answer = task.send("ec2", "CreateVolume", **_request(task, task.item.id))
    made = str(answer.get("VolumeId", ""))
    return Done((made,), f"{made} is being made")


# -- snapshots ---------------------------------------------------------------------------------------------------------


def snapshot_of(live: Live) -> VolumeSnapshot:
    """The snapshot that is looked at."""
    if not isinstance(live.resource, VolumeSnapshot):
        raise TypeError(f"a snapshot was expected, not {live.resource!r}")
    return live.resource


def read_snapshots(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    """Snapshots with the images that stand on them and the disks that were made from them."""
    del parameters
    found = ground.cloud.find_snapshots(region, ids=ids)
    if not found:
        return {}
    names = [s.id for s in found]
    images = _users(ground, region, "DescribeImages", "block-device-mapping.snapshot-id", names)
    disks = _users(ground, region, "DescribeVolumes", "snapshot-id", names)

    def of(users: Mapping[str, tuple[str, ...]] | None, snapshot: VolumeSnapshot) -> tuple[str, ...] | None:
        return None if users is None else users.get(snapshot.id, ())

    return {s.id: Live(s, Around(images=of(images, s), children=of(disks, s))) for s in found}


def _users(
    ground: Ground, region: str, operation: str, name: str, snapshots: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    """Who uses each of some snapshots; None when that cannot be asked."""
    more = {"Owners": ["self"]} if operation == "DescribeImages" else {}
    users: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(snapshots), MOST_VALUES):
        wanted = [{"Name": name, "Values": list(snapshots[start : start + MOST_VALUES])}]
        try:
            answer = ground.cloud.ask("ec2", operation, region, Filters=wanted, **more)
        except CredentialsError:
            raise
        except CloudError:
            return None
        for at, user in _used(answer):
            users[at] = (*users.get(at, ()), user)
    return users


def _used(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(snapshot, image or disk) of an answer that lists either."""
    for image in answer.get("Images") or ():
        for mapping in image.get("BlockDeviceMappings") or ():
            yield str((mapping.get("Ebs") or {}).get("SnapshotId")), str(image.get("ImageId", ""))
    for volume in answer.get("Volumes") or ():
        yield str(volume.get("SnapshotId")), str(volume.get("VolumeId", ""))


def tell_snapshot(live: Live, now: datetime) -> dict[str, str]:
    """What a person wants to see beside a snapshot."""
    snapshot = snapshot_of(live)
    facts = {
        "of": snapshot.volume_id,
        "size": "?" if snapshot.size_gib is None else f"{snapshot.size_gib:,} GiB",
        "state": snapshot.state if snapshot.state == "completed" else f"{snapshot.state} {snapshot.progress}".strip(),
        "owner": snapshot.ownership.owner or "",
        "age": format_duration((now - snapshot.created_at).total_seconds()) if snapshot.created_at else "?",
    }
    return {k: v for k, v in facts.items() if v}


def _told_delete(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    snapshot = snapshot_of(live)
    # What deleting one frees is at most its price: blocks that other snapshots need stay.
    return Told(
        tell_snapshot(live, now), (f"the copy of {snapshot.volume_id}",), "", an_hour(snapshot.usd_per_month),
        snapshot.usd_per_month,
    )  # fmt: skip


def _delete(task: Task) -> Done:
    task.send("ec2", "DeleteSnapshot", SnapshotId=task.item.id)
    return Done()


def _prepare_restore(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    del ground
    snapshot = snapshot_of(live)
    if snapshot.state != "completed":
        raise InputError(f"{snapshot.id} is {snapshot.state} {snapshot.progress}", allowed="a completed snapshot")
    least = snapshot.size_gib or 1
    size = int(parameters.get("size_gib") or least)
    if size < least:
        raise InputError(
            f"--size {size}: {snapshot.id} needs at least {least} GiB", allowed=f"{least} GiB or more",
            example=f"--size {least}",
        )  # fmt: skip
    ready = {**parameters, "size_gib": size, "name": parameters.get("name") or snapshot.name}
    shape_in(ready)
    return ready


def _told_restore(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    snapshot, shape = snapshot_of(live), shape_in(parameters)
    price = _price(snapshot.region, shape)
    about = tell_snapshot(live, now) | {"becomes": describe(shape), "az": str(parameters["az"])}
    return Told(about, (), "delete removes the new disk", an_hour(price), None if price is None else -price)


def _restore(task: Task) -> Done:
    request = _request(task, token_of(task.plan, task.item))
    answer = task.send("ec2", "CreateVolume", SnapshotId=task.item.id, **request)
    made = str(answer.get("VolumeId", ""))
    return Done((made,), f"{made} is being made; its blocks arrive as they are read")


# -- addresses ---------------------------------------------------------------------------------------------------------


def _read_addresses(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    del parameters
    return {a.id: Live(a) for a in ground.cloud.find_addresses(region, ids=ids)}


def _told_release(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    del now
    address = live.resource
    if not isinstance(address, Address):
        raise TypeError(f"an address was expected, not {address!r}")
    used = address.instance_id or address.network_interface_id or ""
    about = {"address": address.public_ip, "used by": used, "owner": address.ownership.owner or ""}
    hourly = address.usd_per_hour
    lost = (f"the address {address.public_ip}: whoever gets it next keeps it",)
    return Told({k: v for k, v in about.items() if v}, lost, "", hourly, a_month(hourly))


def _release(task: Task) -> Done:
    task.send("ec2", "ReleaseAddress", AllocationId=task.item.id)
    return Done()


ROWS = (
    Row(Verb.CREATE, Kind.VOLUME, _read_nothing, _create, _told_create),
    Row(Verb.RESTORE, Kind.SNAPSHOT, read_snapshots, _restore, _told_restore, _prepare_restore),
    Row(Verb.DELETE, Kind.SNAPSHOT, read_snapshots, _delete, _told_delete, gone_is_done=True),
    Row(Verb.RELEASE, Kind.ADDRESS, _read_addresses, _release, _told_release, gone_is_done=True),
)
