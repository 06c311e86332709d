"""Copy a data set of S3 onto a disk, through a machine that it is attached to for as long as that takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runctl.errors import InputError, RunctlError
from runctl.format import format_bytes, format_duration
from runctl.models.plan import Kind, Verb
from runctl.models.volume import Volume
from runctl.services.verbs.disk_waits import await_free, need_reachable, run_on_machine
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told
from runctl.services.verbs.volumes import (
    check_file_system,
    free_device,
    no_such_machine,
    read_volumes,
    tell_volume,
    volume_of,
)
from runctl.services.volumes.scripts import copied_script, copy_script, unmount_script

#: Systems Manager ends a command after two days at the latest (Systems Manager API reference, AWS-RunShellScript).
LONGEST_S = 172_800
_DIRECTORY = re.compile(r"/?(?:[\w.@+-]+/?)*")
_MIB, _GIB = 2**20, 2**30


def check_directory(text: str) -> str:
    """A directory of the disk: "/" is its top.

    Raises:
        InputError: with `..`, or characters that a shell would have to be told about.
    """
    if not _DIRECTORY.fullmatch(text) or ".." in text.split("/"):
        raise InputError(
            f"--dir {text}: not a directory of the disk", allowed="names of letters, digits and . _ @ + -, without ..",
            example="--dir /imagenet",
        )  # fmt: skip
    return "/" + text.strip("/")


def _prepare(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """A machine that does not exist yet is named ""; then only the disk is looked at."""
    del ground
    volume, machine = volume_of(live), live.around.machine
    wanted, kind, size = (parameters.get(k) for k in ("instance_id", "format", "bytes"))
    if wanted and (machine is None or machine.id != wanted):
        raise no_such_machine(str(wanted), volume.region)
    check_file_system(kind)
    if size is not None and volume.size_gib is not None and size >= volume.size_gib * _GIB:
        raise InputError(
            f"{parameters['uri']} holds {format_bytes(size)}, and {volume.id} has {volume.size_gib:,} GiB",
            allowed="a disk that is larger than what is copied", example=f"runctl volumes modify {volume.id} --size "
            f"{size // _GIB * 11 // 10 + 2}",
        )  # fmt: skip
    device = next((a.device for a in volume.attachments if a.instance_id == wanted), "")
    if not device and wanted and machine is not None:
        device = free_device(machine)
    return {**parameters, "device": device, "directory": check_directory(str(parameters.get("directory") or "/"))}


def seconds_to_copy(volume: Volume, size: int | None) -> float | None:
    """How long the disk alone would take to write that much, seconds; None when nobody knows."""
    return None if size is None or not volume.throughput else size / (volume.throughput * _MIB)


def _told(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    volume, size = volume_of(live), parameters.get("bytes")
    about = tell_volume(live, now) | {
        "from": str(parameters["uri"]),
        "to": str(parameters["directory"]),
        "copies": format_bytes(size),
        "on": str(parameters.get("instance_id") or "a temporary machine"),
    }
    takes = seconds_to_copy(volume, size)
    if takes is not None:
        about["takes"] = f"{format_duration(takes)} or more at {volume.throughput:,} MiB/s"
    lost = [f"files below {parameters['directory']} that differ from those of the same name in S3"]
    if parameters.get("format"):
        lost = ["what is on the disk, if it is blank to the system"]
    return Told(about, tuple(lost), "the copy can be repeated: what is there is not fetched again", None, 0.0)


def _run(task: Task) -> Done:
    """Attach where it is not attached yet, copy, and leave the disk as it was found: free, or where it was."""
    volume, wanted = volume_of(task.live), task.item.parameters
    machine, device = str(wanted["instance_id"]), str(wanted["device"])
    if not machine:
        raise InputError("nothing is copied without a machine", allowed="--instance, or a temporary one")
    need_reachable(task, machine, "nothing was copied")
    if volume.attached_to == machine:
        return Done(reason=f"{_copied(task, machine, device)}; it stays attached")
    task.send("ec2", "AttachVolume", VolumeId=volume.id, InstanceId=machine, Device=device)
    try:
        said = _copied(task, machine, device)
    except RunctlError as error:
        try:
            _let_go(task, machine, device)
        except RunctlError as another:
            raise RunctlError(f"{error}; {another}", hint=f"see: runctl volumes show {volume.id}") from error
        raise
    except KeyboardInterrupt:
        _let_go(task, machine, device)
        raise
    _let_go(task, machine, device)
    return Done(reason=f"{said}; it is free again")


def _copied(task: Task, machine: str, device: str) -> str:
    wanted, volume = task.item.parameters, volume_of(task.live)
    script = copy_script(
        volume.id, device, str(wanted["uri"]), str(wanted["directory"]), region=volume.region,
        format_as=str(wanted.get("format") or ""),
    )  # fmt: skip
    return run_on_machine(
        task, machine, script, f"prewarm {volume.id}", "not copied", timeout_s=LONGEST_S,
        watched_by=copied_script(volume.id),
    )  # fmt: skip


def _let_go(task: Task, machine: str, device: str) -> None:
    """Write out, unmount, detach."""
    script = unmount_script(task.item.id, device)
    run_on_machine(task, machine, script, "unmount a volume", f"still attached to {machine}")
    task.send("ec2", "DetachVolume", VolumeId=task.item.id, InstanceId=machine)
    await_free(task, task.item.id)


def _never_settled(verb: Verb, resource: object, parameters: Mapping[str, Any]) -> str:
    """What S3 holds may have changed, so there is always something to look at."""
    del verb, resource, parameters
    return ""


ROWS = (Row(Verb.PREWARM, Kind.VOLUME, read_volumes, _run, _told, _prepare, settled=_never_settled),)
