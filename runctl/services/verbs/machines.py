"""Start, stop, reboot and terminate machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from runctl.errors import CloudError, CredentialsError
from runctl.format import format_duration
from runctl.models.cost import a_month
from runctl.models.instance import BlockDevice, Instance, InstanceState, Market
from runctl.models.plan import Kind, PlanItem, Refusal, Rule, Verb
from runctl.models.volume import Volume
from runctl.services.case import Around
from runctl.services.instance_store import has_instance_store
from runctl.services.policy import job_on
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told


def read_machines(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    """Machines with their jobs: what most verbs need."""
    del parameters
    return {m.id: Live(m, Around(job=ground.jobs(m))) for m in ground.cloud.find_instances(region, ids=ids)}


def read_with_disks(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    """Machines with their jobs, disks and termination protection: what terminating needs."""
    del parameters
    machines = ground.cloud.find_instances(region, ids=ids)
    disks = _disks_of(ground, region, [m.id for m in machines])
    return {m.id: Live(m, _around(ground, m, disks)) for m in machines}


def _disks_of(ground: Ground, region: str, ids: Sequence[str]) -> tuple[Volume, ...] | None:
    """The disks of some machines, None when they cannot be read."""
    if not ids:
        return ()
    try:
        return ground.cloud.find_volumes(region, attached_to=ids)
    except CredentialsError:
        raise
    except CloudError:
        return None


def _around(ground: Ground, machine: Instance, disks: tuple[Volume, ...] | None) -> Around:
    """What concerns one machine. Disks that a machine names and nobody could describe are unread, not absent."""
    own = None if disks is None else tuple(d for d in disks if any(a.instance_id == machine.id for a in d.attachments))
    named = {d.volume_id for d in machine.devices if d.volume_id}
    if own is not None and named - {d.id for d in own}:
        own = None
    return Around(
        job=ground.jobs(machine),
        disks=own,
        termination_protected=ground.cloud.termination_protected(machine.region, machine.id),
    )


def tell_machine(live: Live, now: datetime) -> dict[str, str]:
    """What a person wants to see beside a machine."""
    machine = machine_of(live)
    ownership = machine.ownership
    job = job_on(machine, live.around)
    facts = {
        "type": machine.type,
        "state": machine.state.value,
        "market": machine.market.value,
        "az": machine.az,
        "owner": ownership.owner or "",
        "project": ownership.project or "",
        "job": job.id if job else "",
        "age": format_duration((now - machine.launched_at).total_seconds() if machine.launched_at else None),
        "expires": ownership.ttl or "",
    }
    return {k: v for k, v in facts.items() if v}


def machine_of(live: Live) -> Instance:
    """The machine that a row has read."""
    if not isinstance(live.resource, Instance):
        raise TypeError(f"a machine was expected, not {live.resource!r}")
    return live.resource


def _lost_work(live: Live) -> Iterator[str]:
    job = job_on(machine_of(live), live.around)
    if job is not None and job.running is not False and machine_of(live).may_bill:
        age = job.checkpoint_age_s
        saved = "no complete checkpoint is known" if age is None else f"newest checkpoint {format_duration(age)} old"
        yield f"the run of job {job.id} ({saved})"


def _lost_memory(machine: Instance) -> Iterator[str]:
    known = has_instance_store(machine.type)
    if machine.may_bill and known is not False:
        yield "what is on its instance store" if known else "what is on its instance store, if it has one"


def _disk_name(device: BlockDevice, disks: tuple[Volume, ...] | None) -> str:
    disk = next((d for d in disks or () if d.id == device.volume_id), None)
    size = f"{disk.size_gib} GiB {disk.type}, " if disk else ""
    return f"disk {device.volume_id} ({size}{device.device})"


def _told_start(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    machine = machine_of(live)
    rate = machine.rate.usd if machine.rate else None
    return Told(tell_machine(live, now), (), "stop ends it again", rate, a_month(None if rate is None else -rate))


def _told_stop(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    machine = machine_of(live)
    lost = [*_lost_work(live), *_lost_memory(machine)]
    if machine.public_ip:
        lost.append(f"its public address {machine.public_ip}, unless it is an Elastic IP")
    return Told(
        tell_machine(live, now), tuple(lost), "start brings it back; its disks stay and bill", machine.usd_per_hour,
        a_month(machine.usd_per_hour),
    )  # fmt: skip


def _told_reboot(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    about, hourly = tell_machine(live, now), machine_of(live).usd_per_hour
    return Told(about, tuple(_lost_work(live)), "it comes back by itself", hourly, 0.0)


def _told_terminate(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    machine, disks = machine_of(live), live.around.disks
    dying = [d for d in machine.devices if d.may_go]
    staying = [d for d in machine.devices if d.volume_id and not d.may_go]
    lost = [*_lost_work(live), *(_lost_disk(d, disks) for d in dying), *_lost_memory(machine)]
    saved = [a_month(machine.usd_per_hour)]
    prices = {d.id: d.usd_per_month for d in disks or ()}
    saved += [prices.get(d.volume_id) if d.delete_on_termination else None for d in dying]
    kept = "only what its disks keep: " + ", ".join(_disk_name(d, disks) for d in staying) if staying else ""
    known = [s for s in saved if s is not None]
    return Told(
        tell_machine(live, now), tuple(lost), kept, machine.usd_per_hour,
        sum(known) if len(known) == len(saved) else None,
    )  # fmt: skip


def _lost_disk(device: BlockDevice, disks: tuple[Volume, ...] | None) -> str:
    name = _disk_name(device, disks)
    return name if device.delete_on_termination else f"maybe {name}: EC2 does not say whether it goes with the machine"


def _call(operation: str) -> Callable[[Task], Done]:
    """One call with the machine's id; EC2 answers with the states it found and left."""

    def run(task: Task) -> Done:
        answer = task.send("ec2", operation, InstanceIds=[task.item.id])
        for changed in answer.get("StoppingInstances") or answer.get("StartingInstances") or ():
            before = (changed.get("PreviousState") or {}).get("Name", "")
            if before in ("stopped", "stopping") and operation == "StopInstances":
                return Done(reason=f"already {before}")
        return Done()

    return run


def _terminate(task: Task) -> Done:
    """A persistent spot request would start the machine again, so that one is cancelled first."""
    machine = machine_of(task.live)
    if machine.market is Market.SPOT and machine.spot_request_id and _comes_again(task, machine.spot_request_id):
        task.send("ec2", "CancelSpotInstanceRequests", SpotInstanceRequestIds=[machine.spot_request_id])
    task.send("ec2", "TerminateInstances", InstanceIds=[task.item.id])
    return Done()


def _comes_again(task: Task, request_id: str) -> bool:
    return "persistent" in _spot_kinds(task.ground, task.item.region, request_id)


def _spot_kinds(ground: Ground, region: str, request_id: str) -> set[str]:
    """Whether a spot request is "one-time" or "persistent"; nothing when it is not listed any more."""
    wanted = [{"Name": "spot-instance-request-id", "Values": [request_id]}]
    answer = ground.cloud.ask("ec2", "DescribeSpotInstanceRequests", region, Filters=wanted)
    return {str(r.get("Type")) for r in answer.get("SpotInstanceRequests") or ()}


def _refuse_stop(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """EC2 stops spot machines of persistent requests only (EC2 User Guide, "Stop a Spot Instance"): said beforehand.

    Where the request cannot be read, EC2 itself has the last word.
    """
    del parameters
    machine = machine_of(live)
    if machine.market is not Market.SPOT or not machine.spot_request_id or machine.state is not InstanceState.RUNNING:
        return ()
    try:
        kinds = _spot_kinds(ground, machine.region, machine.spot_request_id)
    except CredentialsError:
        raise
    except CloudError:
        return ()
    said = "it is a one-time spot machine, which EC2 does not stop; save what it has, then terminate it"
    return (Refusal(Rule.STATE, said),) if kinds == {"one-time"} else ()


def _told_shell(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    return Told(tell_machine(live, now))


def _no_call(task: Task) -> Done:
    """A shell is a program on this computer; it is judged here like everything else and started by whoever asked."""
    del task
    return Done()


def command(verb: str, item: PlanItem) -> str:
    """The command line that does a verb to the same machine."""
    return f"runctl instances {verb} {item.id} --region {item.region}"


def _undo_stop(item: PlanItem, live: Live) -> str:
    del live
    return command("start", item)


def _undo_start(item: PlanItem, live: Live) -> str:
    """Stop, unless it was running all the time."""
    resource = live.resource
    was_up = isinstance(resource, Instance) and resource.state is InstanceState.RUNNING
    return "" if was_up else command("stop", item)


ROWS = (
    Row(Verb.START, Kind.INSTANCE, read_machines, _call("StartInstances"), _told_start, inverse=_undo_start),
    Row(
        Verb.STOP,
        Kind.INSTANCE,
        read_machines,
        _call("StopInstances"),
        _told_stop,
        inverse=_undo_stop,
        refuse=_refuse_stop,
    ),
    Row(Verb.REBOOT, Kind.INSTANCE, read_machines, _call("RebootInstances"), _told_reboot, repeatable=False),
    Row(Verb.TERMINATE, Kind.INSTANCE, read_with_disks, _terminate, _told_terminate, gone_is_done=True),
    Row(Verb.SHELL, Kind.INSTANCE, read_machines, _no_call, _told_shell),
)  # fmt: skip
