"""What a verb has to say about itself so that the door can do it: one `Row` for each verb and kind of thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runctl.clock import Clock
from runctl.config import DEFAULTS, LaunchSettings
from runctl.errors import CloudError, NetworkError, RunctlError, ServiceError
from runctl.models.instance import Instance
from runctl.models.plan import Kind, Plan, PlanItem, Refusal, Verb
from runctl.services.case import NOTHING_AROUND, Actor, Around, JobFacts, Resource, settled
from runctl.services.journal import Journal, Stamp
from runctl.services.permit import ForbiddenError, Permit, Request
from runctl.services.writer import Writer

if TYPE_CHECKING:  # most verbs have nothing to do with S3
    from runctl.services.transfer.hand import S3Hand

#: Answers which job is on a machine; None when only the machine's tags are known.
JobLookup = Callable[[Instance], JobFacts | None]
#: What the engine of transfers changes: it knows every key, and buckets of every region.
_IN_S3 = (Kind.UPLOAD, Kind.CHECKPOINT, Kind.BUCKET)
#: Errors after which nobody knows whether the change had its effect.
DOUBTFUL = (NetworkError, ServiceError)


def no_job_known(machine: Instance) -> JobFacts | None:
    """The lookup of somebody who has no record of jobs: tags alone decide, and a job named there counts as running."""
    del machine
    return None


def unheard(line: str) -> None:
    """Nobody listens."""
    del line


@dataclass(frozen=True, slots=True)
class Ground:
    """What every verb stands on.

    Args:
        cloud: live reads and permitted changes.
        journal: the record of changes.
        actor: who acts, under which rules.
        stamp: who that is for AWS.
        clock: the time.
        launch: brakes on starting machines.
        jobs: which job is on a machine.
        s3: what looks into buckets and changes them, None where there is none.
        tell: hears how far something that takes long has come, a line at a time.
    """

    cloud: Writer
    journal: Journal
    actor: Actor
    stamp: Stamp
    clock: Clock
    launch: LaunchSettings = DEFAULTS.launch
    jobs: JobLookup = no_job_known
    s3: S3Hand | None = None
    tell: Callable[[str], None] = unheard


@dataclass(frozen=True, slots=True)
class Live:
    """One thing as it is at this moment, with what is around it; None for what does not exist yet."""

    resource: Resource | None
    around: Around = NOTHING_AROUND


@dataclass(frozen=True, slots=True)
class Told:
    """What a person wants to know before saying yes; see `PlanItem` for each."""

    about: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    recoverable: str = ""
    usd_per_hour: float | None = None
    saves_usd_per_month: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a verb: ids of what was made, and a word on what was noticed."""

    made: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One item under way: what a row's `run` gets.

    Args:
        item: what is to be done.
        plan: the plan it belongs to.
        live: the resource as it was judged a moment ago.
        permit: what was granted.
        ground: cloud, journal, clock.
        inverse: the command that undoes it.
    """

    item: PlanItem
    plan: Plan
    live: Live
    permit: Permit
    ground: Ground
    inverse: str = ""

    def send(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """One change: into the journal first (on disk before it is sent), its outcome after.

        Raises:
            CloudError: it did not work; the journal says `failed`, or `unknown` where it may have had its effect.
            RunctlError: S3 did some of it and says why not the rest; the journal says `unknown`.
            JournalError: it cannot be written down, so it was not sent.
            ForbiddenError: the permit does not cover it.
        """
        if self.item.verb is Verb.PROBE:
            return self.look(service, operation, **parameters)
        request = Request(service, operation, self.item.region, parameters)
        journal = self.ground.journal
        entry = journal.begin(
            self.ground.stamp,
            request.action,
            parameters,
            verb=self.item.verb,
            kind=self.item.kind,
            resource=self.item.id,
            region=self.item.region,
            inverse=self.inverse,
            plan=self.plan.id,
        )
        hand = self.ground.s3 if self.item.kind in _IN_S3 else None
        try:
            answer = (hand or self.ground.cloud).change(request, self.permit)
        except CloudError as error:
            outcome = "unknown" if isinstance(error, DOUBTFUL) else "failed"
            journal.finish(entry, outcome, code=error.site.code, message=error.message)
            raise
        except ForbiddenError as error:  # nothing was sent
            journal.finish(entry, "failed", message=str(error))
            raise
        except Exception as error:  # stopped while it waited, or a defect of ours: it may have been sent
            journal.finish(entry, "unknown", message=str(error))
            raise
        if problem := str(answer.get("Problem") or ""):
            journal.finish(entry, "unknown", message=problem)
            raise RunctlError(problem)
        journal.finish(entry, "done", made=made_by(answer))
        return answer

    def look(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """A script on a machine that only looks: it changes nothing, and a line for each would bury the others.

        Raises:
            CloudError: it did not work.
            ForbiddenError: the permit does not cover it.
        """
        return self.ground.cloud.change(Request(service, operation, self.item.region, parameters), self.permit)


def made_by(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of what a change made, as EC2's answers name them."""
    machines = tuple(str(i.get("InstanceId", "")) for i in answer.get("Instances") or ())
    single = tuple(str(answer[k]) for k in ("VolumeId", "SnapshotId", "AllocationId") if answer.get(k))
    return machines or single


#: (ground, region, ids, parameters) -> what there is of these ids; what is gone is not in it.
Read = Callable[[Ground, str, Sequence[str], Mapping[str, Any]], Mapping[str, Live]]


def no_inverse(item: PlanItem, live: Live) -> str:
    """Nothing undoes it."""
    del item, live
    return ""


def nothing_more(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """No refusals beside the policy engine's."""
    del ground, live, parameters
    return ()


def as_planned(ground: Ground, plan: Plan, item: PlanItem, live: Live) -> Mapping[str, str]:
    """Everything has to be as it was when the plan was made."""
    del ground, plan, live
    return item.facts


def nothing_to_prepare(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters as they were given."""
    del ground, live
    return parameters


@dataclass(frozen=True, slots=True)
class Row:
    """How one verb is done to one kind of thing.

    Args:
        verb, kind: which.
        read: looks at the things as they are now. A verb that makes something answers `Live(None)` for its id.
        run: sends it, by `Task.send`, one call on one resource; whatever it waits for is its own matter.
        tell: what a person wants to know beforehand: (live, parameters, now).
        prepare: completes and checks parameters when a plan is made (relative times become absolute); may raise
            InputError.
        inverse: the command that undoes it, "" when nothing does.
        settled: why nothing is left to do, "" when there is.
        left: what must still be as planned: less than everything where an earlier run of the plan may have done a part.
        refuse: refusals beside the policy engine's (a brake on launches).
        repeatable: whether it may be sent again when a killed run left it open and it is not settled. False for what
            leaves no trace in the resource (a reboot) unless a client token guards it.
        gone_is_done: what is no longer there counts as done (terminate, delete), not as refused.
    """

    verb: Verb
    kind: Kind
    read: Read
    run: Callable[[Task], Done]
    tell: Callable[[Live, Mapping[str, Any], datetime], Told]
    prepare: Callable[[Ground, Live, Mapping[str, Any]], Mapping[str, Any]] = nothing_to_prepare
    inverse: Callable[[PlanItem, Live], str] = no_inverse
    settled: Callable[[Verb, Resource, Mapping[str, Any]], str] = settled
    left: Callable[[Ground, Plan, PlanItem, Live], Mapping[str, str]] = as_planned
    refuse: Callable[[Ground, Live, Mapping[str, Any]], tuple[Refusal, ...]] = nothing_more
    repeatable: bool = True
    gone_is_done: bool = False
