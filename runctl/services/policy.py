"""The one policy engine: every refusal, by name. Pure; whatever changes AWS asks `judge` with the live resource first.

What is not known counts against the act: unreadable tags, an unknown age, a job nobody has seen ending. Which rule
concerns which verb stands in the tables below; docs/safety.md says the same for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runctl.errors import InputError
from runctl.format import format_duration
from runctl.models.instance import Instance, InstanceState
from runctl.models.plan import OVERRIDABLE, Refusal, Rule, Verb
from runctl.models.s3 import StoredCheckpoint, TaggedBucket, Upload
from runctl.models.tags import Ownership
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.case import Around, Case, JobFacts, born_at, facts_of

#: Nothing younger is stopped or deleted: somebody may just be setting it up.
MIN_AGE_S = 300.0
#: A running job whose newest complete checkpoint is older than this has work to lose.
UNSAVED_AFTER_S = 600.0

#: Verbs that take something away, for good or for now.
DESTRUCTIVE = frozenset(
    {
        Verb.STOP, Verb.REBOOT, Verb.TERMINATE, Verb.DETACH, Verb.MODIFY, Verb.DELETE, Verb.RELEASE, Verb.ABORT,
        Verb.PRUNE,
    }
)  # fmt: skip
#: What a protected profile still allows: to add, never to take away. An allowlist, so that a new verb starts refused.
ALLOWED_WHEN_PROTECTED = frozenset(
    {
        Verb.LAUNCH, Verb.START, Verb.EXTEND, Verb.TAG, Verb.ADOPT, Verb.SHELL, Verb.CREATE, Verb.RESTORE, Verb.ATTACH,
        Verb.SNAPSHOT, Verb.PROBE, Verb.SET_UP,
    }
)  # fmt: skip
#: What the tag `runctl:protected` (or important, persistent) still allows on the resource that carries it. Changing
#: tags is not among them, or protection would be one command away from gone.
ALLOWED_ON_PROTECTED = frozenset(
    {Verb.START, Verb.EXTEND, Verb.ADOPT, Verb.SHELL, Verb.ATTACH, Verb.SNAPSHOT, Verb.RESTORE, Verb.RUN, Verb.PROBE}
)
_MAKES = frozenset({Verb.LAUNCH, Verb.CREATE})
_ENDS_WORK = frozenset({Verb.STOP, Verb.REBOOT, Verb.TERMINATE})
_NEEDS_AGE = frozenset({Verb.STOP, Verb.TERMINATE, Verb.DELETE, Verb.ABORT, Verb.PRUNE})
#: States of a machine that is no more.
GONE = (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED)


def judge(case: Case) -> tuple[Refusal, ...]:
    """Every rule that speaks against it, the gravest first; nothing means allowed."""
    return tuple(refusal for rule in _RULES for refusal in rule(case))


def standing(refusals: Iterable[Refusal], overrides: frozenset[Rule]) -> tuple[Refusal, ...]:
    """The refusals that overrides do not set aside."""
    return tuple(r for r in refusals if not (r.overridable and r.rule in overrides))


def parse_overrides(names: Iterable[str]) -> frozenset[Rule]:
    """Rules to set aside, from their names.

    Raises:
        InputError: not a rule, or one that nobody may set aside.
    """
    found = set()
    for name in names:
        if name not in OVERRIDABLE:
            known = name in list(Rule)
            raise InputError(
                f"--override {name}: " + ("this rule cannot be set aside" if known else "there is no such rule"),
                allowed=", ".join(sorted(OVERRIDABLE)),
                example="--override younger-than",
            )
        found.add(Rule(name))
    return frozenset(found)


def brake(running: int | None, count: int, warn: int, refuse: int) -> tuple[Refusal | None, str]:
    """(what forbids a launch, else None; what a person should hear first, else "").

    Args:
        running: our machines that run now, None when they could not be counted.
        count: how many more are asked for.
        warn: more than this many deserve a word.
        refuse: more than this many are refused.
    """
    if running is None:
        return None, "how many of our machines run is unknown"
    total = running + count
    told = f"{running} of our machines run already, this makes {total}"
    if total > refuse:
        return Refusal(Rule.TOO_MANY_RUNNING, f"{told}; launch.refuse_running allows {refuse}"), ""
    return None, f"{told}; launch.warn_running is {warn}" if total > warn else ""


def _read_only(case: Case) -> Iterable[Refusal]:
    if case.actor.read_only:
        yield Refusal(Rule.READ_ONLY, "read-only mode: nothing is changed")


def _protected_profile(case: Case) -> Iterable[Refusal]:
    if case.actor.protected and case.verb not in ALLOWED_WHEN_PROTECTED:
        name = case.actor.profile or "default"
        yield Refusal(Rule.PROTECTED_PROFILE, f"the profile {name} is protected: {case.verb} takes something away")


def _ownership(case: Case) -> Iterable[Refusal]:
    resource = case.resource
    if resource is None or case.verb in _MAKES | {Verb.SHELL}:
        return
    in_s3 = isinstance(resource, Upload | StoredCheckpoint | TaggedBucket)
    unreadable = not case.around.tags_readable or (in_s3 and resource.tags is None)
    if unreadable:
        yield Refusal(Rule.TAGS_UNREADABLE, "its tags cannot be read, so nobody knows whose it is")
        return
    yield from _whose(resource.ownership, case, "")
    machine = case.around.machine
    if machine is not None and case.verb in (Verb.ATTACH, Verb.DETACH, Verb.PREWARM):
        yield from _whose(machine.ownership, case, f"the machine {machine.id}: ")


def _whose(ownership: Ownership, case: Case, subject: str) -> Iterable[Refusal]:
    if not ownership.managed and case.verb is not Verb.ADOPT and not case.around.named:
        yield Refusal(Rule.NOT_OURS, f"{subject}not ours: no runctl:managed tag (adopt it first)")
    if ownership.managed_owner not in (None, case.actor.owner):
        yield Refusal(Rule.OTHER_OWNER, f"{subject}it is {ownership.managed_owner}'s, and we are {case.actor.owner}")


def _protected(case: Case) -> Iterable[Refusal]:
    resource = case.resource
    if resource is None or case.verb in ALLOWED_ON_PROTECTED:
        return
    if resource.ownership.protected:
        yield Refusal(Rule.PROTECTED, "it is tagged runctl:protected, important or persistent")
    if isinstance(resource, StoredCheckpoint) and resource.stays and (case.planned or {}).get("stays") != "":
        yield Refusal(Rule.PROTECTED, f"it has to stay: {resource.stays}")
    machine = case.around.machine
    if case.verb is Verb.DETACH and machine is not None and machine.ownership.protected:
        yield Refusal(Rule.PROTECTED, f"the machine {machine.id} is tagged runctl:protected, important or persistent")
    if case.verb is Verb.TERMINATE and isinstance(resource, Instance):
        yield from _disks_that_die(resource, case)


def _disks_that_die(machine: Instance, case: Case) -> Iterable[Refusal]:
    """Terminating a machine deletes disks; those have an owner and protection of their own."""
    dying = {d.volume_id for d in machine.devices if d.may_go}
    if case.around.disks is None:
        if dying:
            yield Refusal(Rule.TAGS_UNREADABLE, "its disks would be deleted with it, and their tags cannot be read")
        return
    for disk in case.around.disks:
        if disk.id not in dying:
            continue
        if disk.ownership.protected:
            yield Refusal(Rule.PROTECTED, f"its disk {disk.id} is protected and would be deleted with it")
        if disk.ownership.managed_owner not in (None, case.actor.owner):
            said = f"its disk {disk.id} is {disk.ownership.managed_owner}'s and would be deleted with it"
            yield Refusal(Rule.OTHER_OWNER, said)


def _termination_protected(case: Case) -> Iterable[Refusal]:
    if case.verb is Verb.TERMINATE and case.around.termination_protected:
        yield Refusal(Rule.TERMINATION_PROTECTED, "EC2 termination protection is on")


def _changed(case: Case) -> Iterable[Refusal]:
    if case.planned is None or case.resource is None:
        return
    now = facts_of(case.resource)
    told = [f"{k}: {v or 'none'} → {now.get(k) or 'none'}" for k, v in case.planned.items() if now.get(k) != v]
    if told:
        yield Refusal(Rule.CHANGED, f"it changed since the plan was made ({', '.join(told)})")


def _state(case: Case) -> Iterable[Refusal]:
    if case.resource is not None and (why := _wrong_state(case)):
        yield Refusal(Rule.STATE, why)


_MACHINE_STATES = {
    Verb.START: (InstanceState.STOPPED,),
    Verb.STOP: (InstanceState.RUNNING,),
    Verb.REBOOT: (InstanceState.RUNNING,),
    Verb.RUN: (InstanceState.RUNNING,),
    Verb.PROBE: (InstanceState.RUNNING,),
    Verb.SHELL: (InstanceState.RUNNING,),
    Verb.TERMINATE: tuple(s for s in InstanceState if s not in GONE),
    Verb.EXTEND: tuple(s for s in InstanceState if s not in GONE),
    Verb.TAG: tuple(s for s in InstanceState if s not in GONE),
    Verb.ADOPT: tuple(s for s in InstanceState if s not in GONE),
}


def _wrong_state(case: Case) -> str:
    match case.resource:
        case Instance(state=state):
            allowed = _MACHINE_STATES.get(case.verb)
            return (
                f"it is {state}; {case.verb} needs {' or '.join(allowed)}" if allowed and state not in allowed else ""
            )
        case Volume():
            return _wrong_volume(case, case.resource)
        case _:
            return ""


def _wrong_volume(case: Case, volume: Volume) -> str:
    machine = case.around.machine
    if case.verb is Verb.PREWARM and machine is not None:
        if machine.state is not InstanceState.RUNNING:
            return f"the machine is {machine.state}; prewarm needs it running"
        if volume.attached_to == machine.id:
            return ""
    if case.verb in (Verb.ATTACH, Verb.PREWARM):
        return _not_to_be_attached(case, volume)
    return "it is not attached" if case.verb is Verb.DETACH and not volume.attachments else ""


def _not_to_be_attached(case: Case, volume: Volume) -> str:
    machine = case.around.machine
    if volume.state != "available":
        return f"it is {volume.state}; {case.verb} needs available"
    if machine is not None and machine.az != volume.az:
        return f"it is in {volume.az} and the machine in {machine.az}; a snapshot restored there would do"
    if machine is not None and machine.state not in (InstanceState.RUNNING, InstanceState.STOPPED):
        return f"the machine is {machine.state}"
    return ""


def _younger_than(case: Case) -> Iterable[Refusal]:
    if case.verb not in _NEEDS_AGE or case.resource is None:
        return
    born = born_at(case.resource)
    if born is None:
        if not isinstance(case.resource, Address | TaggedBucket):  # what is in a bucket has an age of its own
            yield Refusal(Rule.YOUNGER_THAN, "its age is unknown")
        return
    age = (case.now - born).total_seconds()
    if age < MIN_AGE_S:
        yield Refusal(Rule.YOUNGER_THAN, f"it is {format_duration(age)} old, younger than {format_duration(MIN_AGE_S)}")


def job_on(machine: Instance, around: Around) -> JobFacts | None:
    """The job on a machine: what its record says, else what its tags say, None when neither names one."""
    if around.job is not None:
        return around.job
    return JobFacts(machine.ownership.job) if machine.ownership.job else None


def _job_at_work(case: Case) -> JobFacts | None:
    """The job that would be ended; what nobody has seen ending counts as running."""
    machine = case.resource if isinstance(case.resource, Instance) else case.around.machine
    if machine is None or not machine.bills:
        return None
    if case.verb not in (_ENDS_WORK if isinstance(case.resource, Instance) else (Verb.DETACH,)):
        return None
    around = case.around
    job = job_on(machine, around)
    return job if job is not None and job.running is not False else None


def _running_job(case: Case) -> Iterable[Refusal]:
    if (job := _job_at_work(case)) is not None:
        doubt = "" if job.running else ", as far as anybody knows"
        yield Refusal(Rule.RUNNING_JOB, f"the job {job.id} runs on it{doubt}")


def _unsaved_checkpoint(case: Case) -> Iterable[Refusal]:
    job = _job_at_work(case)
    if job is None or job.unsaved is False:
        return
    age = job.checkpoint_age_s
    if age is None:
        yield Refusal(Rule.UNSAVED_CHECKPOINT, f"no complete checkpoint of {job.id} is known")
    elif job.unsaved or age > UNSAVED_AFTER_S:
        yield Refusal(
            Rule.UNSAVED_CHECKPOINT, f"the newest complete checkpoint of {job.id} is {format_duration(age)} old"
        )


def _attached(case: Case) -> Iterable[Refusal]:
    match case.verb, case.resource:
        case Verb.DELETE, Volume(attachments=(first, *_)):
            yield Refusal(Rule.ATTACHED, f"it is attached to {first.instance_id}; overriding detaches it first")
        case Verb.RELEASE, Address() as address if address.associated:
            yield Refusal(Rule.ATTACHED, f"it is used by {address.instance_id or address.network_interface_id}")
        case Verb.TERMINATE, Instance() as machine:
            for disk in machine.devices:
                if disk.may_go and disk.device != machine.root_device:
                    would = "would" if disk.delete_on_termination else "may"
                    yield Refusal(Rule.ATTACHED, f"its data disk {disk.volume_id} {would} be deleted with it")
        case _:
            return


def _snapshot_in_use(case: Case) -> Iterable[Refusal]:
    if case.verb is not Verb.DELETE or not isinstance(case.resource, VolumeSnapshot):
        return
    if case.around.images is None:
        yield Refusal(Rule.SNAPSHOT_IN_USE, "whether a machine image stands on it is unknown")
    elif case.around.images:
        yield Refusal(Rule.SNAPSHOT_IN_USE, f"the machine image {case.around.images[0]} stands on it")
    if case.around.children is None:
        yield Refusal(Rule.SNAPSHOT_IN_USE, "whether a volume was made from it is unknown")
    elif case.around.children:
        yield Refusal(Rule.SNAPSHOT_IN_USE, f"the volume {case.around.children[0]} was made from it")


_RULES: tuple[Callable[[Case], Iterable[Refusal]], ...] = (
    _read_only, _protected_profile, _ownership, _protected, _termination_protected, _changed, _state, _younger_than,
    _running_job, _unsaved_checkpoint, _attached, _snapshot_in_use,
)  # fmt: skip
