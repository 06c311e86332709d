"""The question put to the policy engine: who, what, to which live resource, with what around it. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runctl.config import Settings
from runctl.models.identity import Identity
from runctl.models.instance import Instance, InstanceState
from runctl.models.plan import Verb
from runctl.models.s3 import StoredCheckpoint, TaggedBucket, Upload
from runctl.models.tags import Ownership
from runctl.models.volume import Address, Volume, VolumeSnapshot

Resource = Instance | Volume | VolumeSnapshot | Address | Upload | StoredCheckpoint | TaggedBucket


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, under which rules of the profile.

    Args:
        owner: our name, as `runctl:owner` would carry it.
        read_only: nothing may be changed.
        protected: the profile is marked protected.
        profile: its name, for the sentence.
    """

    owner: str
    read_only: bool = False
    protected: bool = False
    profile: str = ""


def actor_of(settings: Settings, identity: Identity, profile: str) -> Actor:
    """Whoever has asked AWS who he is, under the rules of a profile."""
    rules = settings.rules(profile)
    owner = settings.owner or identity.name
    return Actor(owner, settings.is_read_only(profile), rules.protected, profile)


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of the job on a machine.

    Args:
        id: the job.
        running: whether it still runs; None when nobody knows, which counts as yes.
        checkpoint_age_s: age of the newest complete checkpoint in seconds, None when there is none or nobody knows.
        unsaved: whether work would be lost, where the job's record says so; None leaves it to the age.
    """

    id: str
    running: bool | None = None
    checkpoint_age_s: float | None = None
    unsaved: bool | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """What else is attached or running; None means that it could not be read.

    Args:
        tags_readable: the tags of the resource could be read.
        termination_protected: EC2's DisableApiTermination; None leaves the word to EC2, which refuses by itself.
        job: the job on the machine; None when only the machine's tags are known.
        disks: volumes attached to the machine.
        machine: the machine that a volume is attached to or shall be.
        images: machine images that stand on the snapshot.
        children: volumes that were made from the snapshot.
        named: a person named the place in S3 (`s3 prune s3://...`), so that a bucket that nobody has tagged is no
            reason to refuse; what the tags do say counts all the same.
    """

    tags_readable: bool = True
    termination_protected: bool | None = None
    job: JobFacts | None = None
    disks: tuple[Volume, ...] | None = ()
    machine: Instance | None = None
    images: tuple[str, ...] | None = ()
    children: tuple[str, ...] | None = ()
    named: bool = False


NOTHING_AROUND = Around()


@dataclass(frozen=True, slots=True)
class Case:
    """One question: may `actor` do `verb` to `resource` now?

    Args:
        verb: what.
        resource: as AWS describes it at this moment; None for what does not exist yet.
        actor: who.
        now: when, on the clock that ages are reckoned by.
        around: what else is attached or running.
        planned: `facts_of` the resource when the plan was made, None when there is no plan.
    """

    verb: Verb
    resource: Resource | None
    actor: Actor
    now: datetime
    around: Around = NOTHING_AROUND
    planned: Mapping[str, str] | None = None


def born_at(resource: Resource) -> datetime | None:
    """AWS's own timestamp of its age; None where AWS keeps none (addresses) or sent none."""
    match resource:
        case Instance(launched_at=at) | Volume(created_at=at) | VolumeSnapshot(created_at=at) | Upload(started_at=at):
            return at
        case StoredCheckpoint(newest_at=at):
            return at
        case _:
            return None


def is_ours(ownership: Ownership, owner: str) -> bool:
    """Ours: managed by runctl, and the owner named is us or nobody."""
    return ownership.managed and ownership.managed_owner in (None, owner)


def facts_of(resource: Resource) -> dict[str, str]:
    """What must not have changed between plan and act. States that follow each other by themselves count as one."""
    ownership = resource.ownership
    facts = {
        "managed": str(ownership.managed),
        "owner": ownership.managed_owner or "",
        "protected": str(ownership.protected),
        "job": ownership.job or "",
        "ttl": ownership.ttl or "",
    }
    match resource:
        case Instance():
            disks = sorted(d.volume_id for d in resource.devices if d.volume_id)
            facts |= {"state": _coarse(resource.state), "type": resource.type, "disks": " ".join(disks)}
            facts |= {"launched": resource.launched_at.isoformat() if resource.launched_at else ""}
        case Volume():
            facts |= {"size": f"{resource.size_gib or '?'} GiB", "type": resource.type}
            facts |= {"attached to": " ".join(sorted(a.instance_id for a in resource.attachments))}
        case Address():
            facts |= {"used by": resource.instance_id or resource.network_interface_id or ""}
        case Upload():
            facts |= {"bytes": "?" if resource.bytes is None else str(resource.bytes)}
        case StoredCheckpoint():
            facts |= {"objects": str(len(resource.keys)), "bytes": str(resource.bytes), "stays": resource.stays}
            facts |= {"written": resource.newest_at.isoformat() if resource.newest_at else "", "files": resource.seal}
        case _:
            pass
    return facts


def _coarse(state: InstanceState) -> str:
    return {
        InstanceState.PENDING: "running",
        InstanceState.STOPPING: "stopped",
        InstanceState.SHUTTING_DOWN: "terminated",
    }.get(state, state.value)


def settled(verb: Verb, resource: Resource, parameters: Mapping[str, object]) -> str:
    """Why nothing is left to do ("already stopped"), "" when there is."""
    match verb, resource:
        case Verb.STOP, Instance(state=InstanceState.STOPPED | InstanceState.STOPPING):
            return f"already {resource.state}"
        case Verb.START, Instance(state=InstanceState.RUNNING | InstanceState.PENDING):
            return f"already {resource.state}"
        case Verb.TERMINATE, Instance(state=InstanceState.TERMINATED | InstanceState.SHUTTING_DOWN):
            return f"already {resource.state}"
        case Verb.DETACH, Volume(attachments=()):
            return "already detached"
        case Verb.ATTACH, Volume() if parameters.get("instance_id") == resource.attached_to is not None:
            return f"already attached to {resource.attached_to}"
        case _:
            return ""
