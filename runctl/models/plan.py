"""What is going to be done, what spoke against it, and what came of it. Frozen values; plans survive a kill on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can be acted on."""

    INSTANCE = "instance"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    ADDRESS = "address"
    UPLOAD = "upload"
    CHECKPOINT = "checkpoint"
    BUCKET = "bucket"
    ACCOUNT = "account"


class Verb(StrEnum):
    """What can be done. The value is the word of the command line, of JSON and of the journal."""

    LAUNCH = "launch"
    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    TERMINATE = "terminate"
    EXTEND = "extend"
    TAG = "tag"
    ADOPT = "adopt"
    RUN = "run"
    PROBE = "probe"
    SHELL = "shell"
    CREATE = "create"
    RESTORE = "restore"
    ATTACH = "attach"
    DETACH = "detach"
    MODIFY = "modify"
    SNAPSHOT = "snapshot"
    DELETE = "delete"
    PREWARM = "prewarm"
    RELEASE = "release"
    ABORT = "abort"
    PRUNE = "prune"
    SET_UP = "set-up"


#: Verbs that nothing brings back: they are typed, never only confirmed.
IRREVERSIBLE = frozenset({Verb.TERMINATE, Verb.DELETE, Verb.RELEASE, Verb.ABORT, Verb.PRUNE})
#: What S3 calls these is too long to be typed: one of them is typed as many are, `abort 1`.
_TYPED_BY_COUNT = frozenset({Kind.UPLOAD, Kind.CHECKPOINT})


class Rule(StrEnum):
    """Why something is refused; the value is the name that `--override` takes where the rule can be overridden."""

    READ_ONLY = "read-only"
    PROTECTED_PROFILE = "protected-profile"
    TAGS_UNREADABLE = "tags-unreadable"
    NOT_OURS = "not-ours"
    OTHER_OWNER = "other-owner"
    PROTECTED = "protected"
    TERMINATION_PROTECTED = "termination-protected"
    CHANGED = "changed"
    STATE = "state"
    TOO_MANY_RUNNING = "too-many-running"
    YOUNGER_THAN = "younger-than"
    RUNNING_JOB = "running-job"
    UNSAVED_CHECKPOINT = "unsaved-checkpoint"
    ATTACHED = "attached"
    SNAPSHOT_IN_USE = "snapshot-in-use"


#: The rules a person may set aside, each by its own name.
OVERRIDABLE = frozenset(
    {Rule.YOUNGER_THAN, Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT, Rule.ATTACHED, Rule.SNAPSHOT_IN_USE}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule that speaks against it, in a sentence."""

    rule: Rule
    reason: str

    @property
    def overridable(self) -> bool:
        """Whether naming the rule sets it aside."""
        return self.rule in OVERRIDABLE


class Outcome(StrEnum):
    """How far one item has come. `STARTED` is read only after a kill: the call may have had its effect or not."""

    PLANNED = "planned"
    STARTED = "started"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One call on one resource.

    Args:
        verb: what is done.
        kind: to what kind of thing.
        id: AWS id; the client token for what does not exist yet.
        region: where.
        name: its name, "" when it has none.
        reason: why it is in the plan, one phrase ("unattached 41 days").
        parameters: what the verb needs beside the id; plain JSON values, never secrets.
        facts: fingerprint of the resource when the plan was made: what must still be so (`policy.facts_of`).
        about: what a person wants to see beside it: type, state, owner, age.
        usd_per_hour: what it bills now, None when unknown.
        saves_usd_per_month: what is saved once it is done, None when unknown.
        lost: what is gone afterwards, each in a phrase.
        recoverable: how it can be brought back, "" when it cannot.
        refusals: the rules that speak against it now, overridable or not.
        after: `key` of the item that must be done before (a snapshot before a delete), "" for none.
    """

    verb: Verb
    kind: Kind
    id: str
    region: str
    name: str = ""
    reason: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    usd_per_hour: float | None = None
    saves_usd_per_month: float | None = None
    lost: tuple[str, ...] = ()
    recoverable: str = ""
    refusals: tuple[Refusal, ...] = ()
    after: str = ""

    @property
    def key(self) -> str:
        """Names the item within its plan."""
        return f"{self.verb} {self.region} {self.id}"

    @property
    def place(self) -> str:
        """Its id as a person reads it: of an unfinished upload without what S3 calls it, which nobody can read."""
        return self.id.partition("?uploadId=")[0] if self.kind is Kind.UPLOAD else self.id

    @property
    def typed(self) -> str:
        """What is typed to confirm it alone, where it cannot be undone."""
        return f"{self.verb} 1" if self.kind in _TYPED_BY_COUNT else self.id


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What came of one item.

    Args:
        item: what was to be done.
        outcome: how far it came.
        rule: the first rule that refused it, None when none did.
        reason: a sentence: why not, or what was noticed ("already stopped").
        code: AWS's error code, "" when there was none.
        inverse: the command that undoes it, "" when nothing does.
        made: ids of what was created.
        exit_class: exit code that the failure has (1 request, 2 AWS, 3 credentials), 0 without failure.
    """

    item: PlanItem
    outcome: Outcome
    rule: Rule | None = None
    reason: str = ""
    code: str = ""
    inverse: str = ""
    made: tuple[str, ...] = ()
    exit_class: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Items in the order in which they are done, and how far each has come.

    Args:
        id: name on disk and on the command line.
        made_at: when.
        title: "terminate 3 machines".
        account: the account it was made for; applying it under another one is refused.
        profile: the profile it was made with.
        items: what to do.
        overrides: rules set aside by name.
        results: by `PlanItem.key`; an item without a result has not been touched.
        notes: what could not be looked at while it was made, each a sentence for whoever is asked; not kept.
    """

    id: str
    made_at: datetime
    title: str
    account: str
    profile: str
    items: tuple[PlanItem, ...]
    overrides: frozenset[Rule] = frozenset()
    results: Mapping[str, ItemResult] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def with_result(self, result: ItemResult) -> Plan:
        """The plan with one more result."""
        return replace(self, results={**self.results, result.item.key: result})

    @property
    def open_items(self) -> tuple[PlanItem, ...]:
        """What a resumed apply still has to do: everything that is neither done nor refused."""
        settled = (Outcome.DONE, Outcome.REFUSED)
        return tuple(i for i in self.items if i.key not in self.results or self.results[i.key].outcome not in settled)

    def count(self, outcome: Outcome) -> int:
        """How many items ended so."""
        return sum(1 for r in self.results.values() if r.outcome is outcome)

    @property
    def saves_usd_per_month(self) -> tuple[float, int]:
        """(USD a month of the items nothing refuses, how many of them have no price)."""
        going = [i for i in self.items if not any(r.rule not in self.overrides for r in i.refusals)]
        known = [i.saves_usd_per_month for i in going if i.saves_usd_per_month is not None]
        return sum(known), len(going) - len(known)
