"""What can be done to each kind of thing, in the words of the menu; imported when somebody acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runctl.models.plan import Kind, Verb

#: Words for kinds of things, one and many.
WORDS: Mapping[Kind, tuple[str, str]] = {
    Kind.INSTANCE: ("machine", "machines"),
    Kind.VOLUME: ("volume", "volumes"),
    Kind.SNAPSHOT: ("snapshot", "snapshots"),
    Kind.ADDRESS: ("address", "addresses"),
    Kind.UPLOAD: ("upload", "uploads"),
    Kind.BUCKET: ("bucket", "buckets"),
    Kind.CHECKPOINT: ("checkpoint", "checkpoints"),
}
#: What `D` does to a kind of thing.
DELETES = {
    Kind.INSTANCE: Verb.TERMINATE, Kind.VOLUME: Verb.DELETE, Kind.SNAPSHOT: Verb.DELETE, Kind.ADDRESS: Verb.RELEASE,
}  # fmt: skip


class Choice(NamedTuple):
    """One entry of the action menu: the verb and its words."""

    verb: Verb
    label: str
    note: str


_ADOPT = Choice(Verb.ADOPT, "adopt", "make it ours: owner, project, an end")
_TAG = Choice(Verb.TAG, "tag", "set or remove tags")

#: What the menu offers for each kind of thing, in the order in which people want it.
MENU: Mapping[Kind, tuple[Choice, ...]] = {
    Kind.INSTANCE: (
        Choice(Verb.START, "start", "a stopped machine bills again from the first second"),
        Choice(Verb.STOP, "stop", "its disks stay and bill"),
        Choice(Verb.REBOOT, "reboot", "the system restarts; the address stays"),
        Choice(Verb.EXTEND, "extend", "more time before it ends itself"),
        Choice(Verb.SHELL, "shell", "a session of Systems Manager in this terminal"),
        Choice(Verb.PROBE, "probe", "ask it: processor, memory, disks, GPUs, processes"),
        _ADOPT,
        _TAG,
        Choice(Verb.TERMINATE, "terminate", "gone for good, with its root disk"),
    ),
    Kind.VOLUME: (
        Choice(Verb.SNAPSHOT, "snapshot", "a copy to restore from"),
        Choice(Verb.ATTACH, "attach", "to a machine of its zone"),
        Choice(Verb.DETACH, "detach", "unmounted first where the machine runs"),
        Choice(Verb.MODIFY, "modify", "larger, another type, faster"),
        _ADOPT,
        _TAG,
        Choice(Verb.DELETE, "delete", "gone for good"),
    ),
    Kind.SNAPSHOT: (
        Choice(Verb.RESTORE, "restore", "a new disk from it"),
        _ADOPT,
        _TAG,
        Choice(Verb.DELETE, "delete", "gone for good"),
    ),
    Kind.ADDRESS: (_ADOPT, _TAG, Choice(Verb.RELEASE, "release", "whoever gets it next keeps it")),
}
