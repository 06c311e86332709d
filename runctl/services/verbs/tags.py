"""Tag and adopt: what tags say whose a thing is, for machines, disks, snapshots and addresses alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from runctl.errors import InputError
from runctl.models.plan import Kind, PlanItem, Verb
from runctl.models.tags import MANAGED, OWNER, PROJECT, PROTECTION, TTL
from runctl.models.volume import VolumeSnapshot
from runctl.services.case import Around, Resource
from runctl.services.journal import redacted
from runctl.services.verbs.machines import read_machines, tell_machine
from runctl.services.verbs.row import Done, Ground, Live, Read, Row, Task, Told
from runctl.services.verbs.volumes import read_volumes, tell_volume

#: runctl's own tags that a person may set by hand; the others say whose a thing is, which `adopt` does.
_OWN = frozenset({PROJECT, *PROTECTION})
#: EC2 user guide, "Tag restrictions".
_LONGEST_KEY, _LONGEST_VALUE = 128, 256


def parse_tag(text: str) -> tuple[str, str]:
    """(key, value) of "K=V".

    Raises:
        InputError: no "=", or what EC2 or runctl would not take.
    """
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"{text!r} is not a tag", allowed="KEY=VALUE, or --remove KEY", example="team=vision")
    check_key(key)
    if len(value) > _LONGEST_VALUE or not (value + "x").isprintable():
        raise InputError(f"the value of {key} is too long or not printable", allowed=f"{_LONGEST_VALUE} characters")
    return key, value


def check_key(key: str) -> None:
    """Doubt the key of a tag that a person sets or removes.

    Raises:
        InputError: empty, too long, reserved, or one that says whose a thing is.
    """
    if not key.strip() or len(key) > _LONGEST_KEY or not key.isprintable():
        raise InputError(f"{key!r} cannot be the key of a tag", allowed=f"1 to {_LONGEST_KEY} characters")
    if key.lower().startswith("aws:"):
        raise InputError(f"{key}: the prefix aws: is AWS's own", allowed="any other key", example="team=vision")
    if key.startswith("runctl:") and key not in _OWN:
        raise InputError(
            f"{key}: runctl sets it itself", allowed=f"{', '.join(sorted(_OWN))}; adopt says whose a thing is",
            example="runctl adopt i-0123456789abcdef0",
        )  # fmt: skip


def prepare_tag(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tags to set and to remove.

    Raises:
        InputError: none is named.
    """
    del ground, live
    wanted, unwanted = dict(parameters.get("set") or {}), list(parameters.get("unset") or ())
    if not wanted and not unwanted:
        raise InputError("no tag is named", allowed="KEY=VALUE or --remove KEY", example="team=vision")
    return {"set": wanted, "unset": unwanted}


def prepare_adopt(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tags from what was asked: owner (us, when none is named), project, a time to live in seconds."""
    del live
    tags = {MANAGED: "1", OWNER: str(parameters.get("owner") or ground.actor.owner)}
    if parameters.get("project"):
        tags[PROJECT] = str(parameters["project"])
    if parameters.get("ttl_s"):
        ends = ground.clock.now() + timedelta(seconds=float(parameters["ttl_s"]))
        tags[TTL] = ends.isoformat(timespec="seconds")
    return {"set": tags, "unset": []}


def tagged_already(verb: Verb, resource: Resource, parameters: Mapping[str, Any]) -> str:
    """What is tagged so already needs no call."""
    tags = getattr(resource, "tags", None) or {}
    wanted, unwanted = parameters.get("set") or {}, parameters.get("unset") or ()
    if any(tags.get(k) != v for k, v in wanted.items()) or any(k in tags for k in unwanted):
        return ""
    return "ours already" if verb is Verb.ADOPT else "tagged so already"


def _tag(task: Task) -> Done:
    wanted, unwanted = task.item.parameters.get("set") or {}, task.item.parameters.get("unset") or ()
    if wanted:
        tags = [{"Key": k, "Value": v} for k, v in wanted.items()]
        task.send("ec2", "CreateTags", Resources=[task.item.id], Tags=tags)
    if unwanted:
        task.send("ec2", "DeleteTags", Resources=[task.item.id], Tags=[{"Key": k} for k in unwanted])
    return Done()


def told_tags(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    """What the tags are and become."""
    resource = live.resource
    about = _ABOUT.get(type(resource).__name__, _plain)(live, now)
    before = getattr(resource, "tags", None) or {}
    changes = [f"{k}: {before.get(k) or 'none'} → {v}" for k, v in (parameters.get("set") or {}).items()]
    changes += [f"{k}: {before[k]} → none" for k in parameters.get("unset") or () if k in before]
    return Told(about | {"tags": ", ".join(changes) or "as they are"}, recoverable="tags can be changed back")


def _plain(live: Live, now: datetime) -> dict[str, str]:
    del now
    resource = live.resource
    owner = resource.ownership.owner if resource is not None else None
    return {"owner": owner} if owner else {}


_ABOUT = {"Instance": tell_machine, "Volume": tell_volume}


def undo_tag(item: PlanItem, live: Live) -> str:
    """The command that sets the tags back; keys or values of somebody else may need quotes, which shlex adds.

    None where it would repeat what looks like a secret: the journal and the plan keep it.
    """
    import shlex

    before = getattr(live.resource, "tags", None) or {}
    wanted, unwanted = item.parameters.get("set") or {}, item.parameters.get("unset") or ()
    if MANAGED in unwanted:
        owner = ["--owner", before[OWNER]] if before.get(OWNER) else []
        return shlex.join(["runctl", "adopt", item.id, *owner, "--region", item.region])
    had = [{"Key": k, "Value": before[k]} for k in (*wanted, *unwanted) if k in before]
    back = [f"{tag['Key']}={tag['Value']}" for tag in had]
    gone = [w for k in wanted if k not in before for w in ("--remove", k)]
    if item.kind is not Kind.INSTANCE or redacted(had) != had:
        return ""
    return shlex.join(["runctl", "instances", "tag", item.id, *back, *gone, "--region", item.region])


def undo_adopt(item: PlanItem, live: Live) -> str:
    """The command that gives it up again."""
    del live
    return f"runctl adopt {item.id} --release --region {item.region}"


def release_parameters(owned: Iterable[str] = (MANAGED, OWNER, TTL)) -> dict[str, Any]:
    """Parameters of `Verb.TAG` that give a thing up: it is nobody's to runctl from then on."""
    return {"set": {}, "unset": list(owned)}


def _read_snapshots(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    del parameters
    found: tuple[VolumeSnapshot, ...] = ground.cloud.find_snapshots(region, ids=ids)
    return {s.id: Live(s, Around(images=None)) for s in found}


def _read_addresses(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    del parameters
    return {a.id: Live(a) for a in ground.cloud.find_addresses(region, ids=ids)}


_READERS: Mapping[Kind, Read] = {
    Kind.INSTANCE: read_machines,
    Kind.VOLUME: read_volumes,
    Kind.SNAPSHOT: _read_snapshots,
    Kind.ADDRESS: _read_addresses,
}
ROWS = tuple(
    row
    for kind, read in _READERS.items()
    for row in (
        Row(Verb.TAG, kind, read, _tag, told_tags, prepare_tag, undo_tag, tagged_already),
        Row(Verb.ADOPT, kind, read, _tag, told_tags, prepare_adopt, undo_adopt, tagged_already),
    )
)
