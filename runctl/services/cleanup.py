"""What could go, and why: candidates for a cleanup plan, from what was seen. Pure; the door judges each again.

Only what is ours or adopted is ever a candidate: untagged things are not even looked at twice. The gentler verb comes
first: a machine is stopped before it is ever terminated, unless EC2 cannot stop it; a disk is copied to a snapshot
before it is deleted. Nothing follows from silence: unknown activity is not idle, a job of which nothing is known is not
finished, and a disk or a snapshot counts as without parent only where the list of parents is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from runctl.format import format_duration
from runctl.models.cost import a_month
from runctl.models.instance import ActivityState, Instance, InstanceState
from runctl.models.plan import Kind, Verb
from runctl.models.s3 import Upload
from runctl.models.tags import ends_at
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.case import JobFacts, Resource, is_ours

T = TypeVar("T", Instance, Volume, VolumeSnapshot, Address, Upload)
DAY_S = 86_400.0
#: EC2 User Guide, "Stop a Spot Instance": only those of persistent requests.
_NOT_STOPPED = "EC2 does not stop a one-time spot machine, it can only be terminated"


@dataclass(frozen=True, slots=True)
class CleanupRules:
    """How long something must have been useless, in seconds, before it is a candidate."""

    idle_s: float = 2 * 3600.0
    stopped_s: float = 7 * DAY_S
    unattached_s: float = 7 * DAY_S
    snapshot_s: float = 30 * DAY_S
    upload_s: float = 2 * DAY_S
    snapshot_first: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cleanup looks at.

    Args:
        now: the time.
        owner: our name.
        instances, volumes, snapshots, addresses, uploads: all that was listed, ours and not ours.
        jobs: which job is on a machine; None when nothing but its tags is known.
        complete: regions whose machines and disks are all listed: only there can anything be without a parent.
        one_time: ids of the machines of one-time spot requests, which EC2 does not stop.
    """

    now: datetime
    owner: str
    instances: tuple[Instance, ...] = ()
    volumes: tuple[Volume, ...] = ()
    snapshots: tuple[VolumeSnapshot, ...] = ()
    addresses: tuple[Address, ...] = ()
    uploads: tuple[Upload, ...] = ()
    jobs: Callable[[Instance], JobFacts | None] = lambda _: None
    complete: frozenset[str] = frozenset()
    one_time: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Args:
        verb: what.
        kind: to what kind of thing.
        resource: to which.
        reason: why, a phrase with its figures.
        rule: the name of the rule that found it.
        after: the step that has to be done before, None for none.
        saves_usd_per_month: what is saved, None when unknown; 0.0 for a step that only prepares another.
    """

    verb: Verb
    kind: Kind
    resource: Resource
    reason: str
    rule: str
    after: Step | None = None
    saves_usd_per_month: float | None = 0.0


def candidates(seen: Seen, rules: CleanupRules = CleanupRules()) -> tuple[Step, ...]:
    """All steps, in the order in which they would be done: machines, disks, snapshots, addresses, uploads."""
    disks = {v.id: v for v in seen.volumes}
    steps: list[Step] = []
    for machine in _ours(seen.instances, seen):
        steps += _machine(machine, disks, seen, rules)
    going = {s.resource.id for s in steps if s.verb is Verb.TERMINATE}
    for volume in _ours(seen.volumes, seen):
        if volume.attached_to not in going:
            steps += _volume(volume, seen, rules)
    steps += _snapshots(seen, rules)
    steps += _addresses(seen)
    steps += _uploads(seen, rules)
    return tuple(steps)


def _ours(found: Iterable[T], seen: Seen) -> Iterator[T]:
    return (x for x in found if is_ours(x.ownership, seen.owner) and not x.ownership.protected)


def _machine(machine: Instance, disks: Mapping[str, Volume], seen: Seen, rules: CleanupRules) -> Iterator[Step]:
    if machine.state is InstanceState.RUNNING:
        why = _why_stop(machine, seen, rules)
        if why is None:
            return
        rule, reason = why
        if machine.id in seen.one_time:
            yield from _terminate(machine, disks, (rule, f"{reason}; {_NOT_STOPPED}"), rules)
        else:
            yield Step(Verb.STOP, Kind.INSTANCE, machine, reason, rule, None, a_month(machine.usd_per_hour))
    elif machine.state is InstanceState.STOPPED and machine.stopped_at is not None:
        for_s = (seen.now - machine.stopped_at).total_seconds()
        if for_s >= rules.stopped_s and machine.devices:
            reason = f"stopped {format_duration(for_s)} ago, its disks still bill"
            yield from _terminate(machine, disks, ("stopped-long", reason), rules)


def _terminate(
    machine: Instance, disks: Mapping[str, Volume], why: tuple[str, str], rules: CleanupRules
) -> Iterator[Step]:
    named = [disks.get(d.volume_id) for d in machine.devices if d.may_go]
    dying = [d for d in named if d is not None]
    if len(dying) < len(named):  # what was not listed can neither be kept first nor be priced
        return
    before: Step | None = None
    for disk in dying if rules.snapshot_first else ():
        said = f"kept before {machine.name or machine.id} is terminated"
        before = Step(Verb.SNAPSHOT, Kind.VOLUME, disk, said, "snapshot-first", before)
        yield before
    running = [a_month(machine.usd_per_hour)] if machine.state is InstanceState.RUNNING else []
    prices = [*running, *(d.usd_per_month for d in dying)]
    saves = sum(p for p in prices if p is not None) if None not in prices else None
    rule, reason = why
    yield Step(Verb.TERMINATE, Kind.INSTANCE, machine, reason, rule, before, saves)


def _why_stop(machine: Instance, seen: Seen, rules: CleanupRules) -> tuple[str, str] | None:
    job = seen.jobs(machine)
    if job is not None and job.running:
        return None
    if job is not None and job.running is False:
        return "job-finished", f"its job {job.id} has ended"
    expired = _expired_s(machine, seen.now)
    if expired is not None and expired >= 0:
        return "ttl-expired", f"its time ran out {format_duration(expired)} ago"
    activity = machine.activity
    if activity.state is ActivityState.IDLE and activity.since is not None:
        idle_s = (seen.now - activity.since).total_seconds()
        if idle_s >= rules.idle_s:
            return "idle", f"idle for {format_duration(idle_s)}: {activity.evidence}"
    return None


def _expired_s(machine: Instance, now: datetime) -> float | None:
    at = ends_at(machine.ownership.ttl)
    return None if at is None else (now - at).total_seconds()


def _age_s(made: datetime | None, seen: Seen) -> float | None:
    return None if made is None else (seen.now - made).total_seconds()


def _volume(volume: Volume, seen: Seen, rules: CleanupRules) -> Iterator[Step]:
    age_s = _age_s(volume.created_at, seen)
    if not volume.unattached or age_s is None or age_s < rules.unattached_s:
        return
    before = None
    if rules.snapshot_first and not _saved(volume, seen):
        before = Step(Verb.SNAPSHOT, Kind.VOLUME, volume, "kept before it is deleted", "snapshot-first")
        yield before
    reason = f"attached to nothing, {format_duration(age_s)} old"
    yield Step(Verb.DELETE, Kind.VOLUME, volume, reason, "unattached", before, volume.usd_per_month)


def _saved(volume: Volume, seen: Seen) -> bool:
    """Whether a snapshot surely holds all that was ever written.

    Nobody can write to a disk that is attached to nothing, but since when it is free AWS does not say, so only a
    snapshot of the last hour is believed.
    """
    recent = seen.now - timedelta(hours=1)
    return any(
        s.volume_id == volume.id and s.state == "completed" and s.created_at is not None and s.created_at >= recent
        for s in seen.snapshots
    )


def _snapshots(seen: Seen, rules: CleanupRules) -> Iterator[Step]:
    living = {v.id for v in seen.volumes}
    for snapshot in _ours(seen.snapshots, seen):
        age_s = _age_s(snapshot.created_at, seen)
        orphan = snapshot.region in seen.complete and snapshot.volume_id not in living
        if snapshot.state == "completed" and orphan and age_s is not None and age_s >= rules.snapshot_s:
            reason = f"its volume {snapshot.volume_id} is gone, {format_duration(age_s)} old"
            yield Step(Verb.DELETE, Kind.SNAPSHOT, snapshot, reason, "snapshot-orphan", None, snapshot.usd_per_month)


def _addresses(seen: Seen) -> Iterator[Step]:
    for address in _ours(seen.addresses, seen):
        if not address.associated:
            saves = a_month(address.usd_per_hour)
            reason = f"{address.public_ip} is used by nothing"
            yield Step(Verb.RELEASE, Kind.ADDRESS, address, reason, "address-unused", None, saves)


def _uploads(seen: Seen, rules: CleanupRules) -> Iterator[Step]:
    for upload in _ours(seen.uploads, seen):
        age_s = (seen.now - upload.started_at).total_seconds()
        if age_s >= rules.upload_s:
            reason = f"begun {format_duration(age_s)} ago and never finished"
            yield Step(Verb.ABORT, Kind.UPLOAD, upload, reason, "upload-unfinished", None, None)
