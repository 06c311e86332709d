"""Jobs on machines of their own: the supervisor comes with the user data, and the machine ends with the job."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runctl.agent import bootstrap, bundle
from runctl.errors import CloudError, CredentialsError, InputError, RunctlError
from runctl.models import record
from runctl.models.instance import Instance, InstanceState
from runctl.models.launch import Attempt, Candidate, LaunchRequest, LaunchResult, MarketChoice, Offer
from runctl.models.plan import Outcome, Rule, Verb
from runctl.models.record import Launch, Rate, Spec
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend
from runctl.services.jobs.evidence import find_evidence, nobody_asks
from runctl.services.jobs.inquiry import Inquiry, OpenDoor
from runctl.services.jobs.look import Look, host_of
from runctl.services.jobs.providers import Intent, Started
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Machine
from runctl.services.jobs.stores import ConflictError
from runctl.services.launch.attempts import Launcher
from runctl.services.launch.offer import make_offer
from runctl.services.launch.quarantine import Quarantine
from runctl.services.remote import why_unreachable

#: A job's own machine may be ended young: its work is over and saved, which the record proves.
_OVERRIDES = frozenset({Rule.YOUNGER_THAN, Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT})


class Ec2Reader:
    """Looks at machines of jobs; starts and ends nothing.

    Args:
        backend: reads.
        open_door: opens the door in a region when a machine has to be asked for its supervisor; None to ask none.
    """

    def __init__(self, backend: AwsBackend, open_door: OpenDoor | None = None) -> None:
        self.backend = backend
        self._ask_supervisor = Inquiry(open_door) if open_door is not None else nobody_asks

    @property
    def name(self) -> str:
        """As the spec has it."""
        return "ec2"

    def machines(self, spec: Spec) -> Iterable[Instance] | None:
        """The job's machines in its region."""
        region = spec.get("region")
        if not region:
            return ()
        host = host_of(spec)
        try:
            pages = self.backend.list_job_machines(region, spec["id"], (host,) if host else ())
            return [m for page in pages for m in page]
        except CloudError:
            return None

    def here(self, job: str, attempt: int) -> Machine | None:
        """EC2 is asked instead."""
        del job, attempt
        return None

    def evidence(self, found: Look) -> Mapping[str, Any]:
        """Checks, agent and supervisor of a silent machine; spot request and CloudTrail of one that is gone."""
        try:
            return find_evidence(self.backend, found, self._ask_supervisor)
        except CredentialsError:
            return {}


@dataclass(frozen=True, slots=True)
class Bed:
    """What machines of jobs are started with.

    Args:
        bucket: where the record lies.
        region: the bucket's.
        endpoint: address of the services for clouds that are not AWS, None for AWS.
        profile: instance profile for machines whose spec names none.
        pace: the supervisor's; "fast" where the cloud is embedded.
    """

    bucket: str
    region: str
    endpoint: str | None = None
    profile: str = ""
    pace: str = "normal"


class Ec2Provider(Ec2Reader):
    """Launches machines through the door, and ends them.

    Args:
        backend: reads.
        door: changes.
        quarantine: places that were refused a moment ago.
        bed: what machines are started with.
    """

    def __init__(self, backend: AwsBackend, door: Actions, quarantine: Quarantine, bed: Bed) -> None:
        super().__init__(backend, lambda _region: door)
        self._door, self._quarantine, self._bed = door, quarantine, bed

    def intend(self, spec: Spec, attempt: int, ttl_at: float | None) -> Intent:
        """The candidates with their prices, and what speaks against them."""
        if host_of(spec):
            return self._intend_on(spec)
        offer = self._offer(spec, attempt, ttl_at)
        places = offer.open_candidates
        return Intent(
            rates=tuple(_rate(c) for c in places if c.price is not None),
            candidates=tuple(_place(c) for c in offer.candidates),
            warnings=offer.warnings,
            refusals=tuple(f"{r.rule}: {r.reason}" for r in offer.refusals),
            how="by user data on a machine of its own, which ends with the job",
        )

    def _intend_on(self, spec: Spec) -> Intent:
        """A machine that runs already: whether its supervisor can be started there, and why so."""
        host, machine = host_of(spec), self._host(spec)
        if machine is None:
            return Intent(refusals=(f"{host}: no such machine in {spec.get('region')}",))
        ask = self._door.ground.cloud.ask
        why = why_unreachable(ask, machine.region, machine.id, has_profile=bool(machine.profile_arn))
        (item,) = self._door.draft_on(Verb.RUN, [machine], {"script": ""}).items
        refusals = [f"{r.rule}: {r.reason}" for r in self._door.refused(item, frozenset())]
        rate = machine.rate
        return Intent(
            rates=()
            if rate is None
            else ({"type": machine.type, "az": None, "market": str(machine.market), "usd_per_hour": rate.usd},),
            refusals=tuple(refusals + ([f"{host}: {why}"] if why else [])),
            how=f"by Systems Manager on {host}, which has a profile and is online; it stays when the job is over",
        )

    def _host(self, spec: Spec) -> Instance | None:
        found = self.machines(spec)
        if found is None:
            raise RunctlError(f"{host_of(spec)}: EC2 cannot be asked for it")
        return next(iter(found), None)

    def _start_on(self, job: JobRecord, spec: Spec, attempt: int) -> Started:
        machine = self._host(spec)
        if machine is None:
            return Started(problem="request", message=f"{host_of(spec)}: no such machine", exit_code=1)
        script = self.script(job.job, attempt, power_off=False)
        plan = self._door.apply(self._door.draft_on(Verb.RUN, [machine], {"script": script}))
        result = next(iter(plan.results.values()))
        if result.outcome is Outcome.DONE:
            return Started(machine=machine.id)
        return Started(problem=str(result.rule or "request"), message=result.reason, exit_code=result.exit_class or 1)

    def _offer(self, spec: Spec, attempt: int, ttl_at: float | None) -> Offer:
        request = self._request(spec, attempt, ttl_at)
        return make_offer(self._door.ground, request, self.backend.book, self._quarantine, regions=self._door.regions)

    def _request(self, spec: Spec, attempt: int, ttl_at: float | None) -> LaunchRequest:
        wanted: Mapping[str, Any] = spec.get("resources") or {}
        region = spec.get("region")
        if not region:
            raise InputError("the job names no region", example="--region us-east-1")
        profile = str(wanted.get("profile") or self._bed.profile)
        return LaunchRequest(
            id=f"{spec['id']}.{attempt}",
            region=region,
            types=tuple(wanted.get("types") or ()),
            market=MarketChoice(str(wanted.get("market") or "on-demand")),
            zones=tuple(wanted.get("zones") or ()),
            image=str(wanted.get("image") or ""),
            disk_gib=wanted.get("disk"),
            expires_at=None if ttl_at is None else datetime.fromtimestamp(ttl_at, UTC),
            name=str(spec.get("name") or spec["id"]),
            project=str(spec.get("project") or ""),
            instance_profile=profile,
            max_usd_per_hour=wanted.get("max_usd_per_hour"),
            user_data=self.script(spec["id"], attempt),
            job=spec["id"],
            attempt=attempt,
            stops=spec.get("at_end") == "stop",
        )

    def script(self, job: str, attempt: int, *, power_off: bool = True) -> str:
        """What brings the supervisor to life on a machine."""
        return bootstrap.user_data(
            bucket=self._bed.bucket,
            region=self._bed.region,
            job=job,
            attempt=attempt,
            agent_sha256=hashlib.sha256(bundle.build()).hexdigest(),
            endpoint=self._bed.endpoint,
            pace=self._bed.pace,
            power_off=power_off,
        )

    def start(self, job: JobRecord, spec: Spec, launch: Launch) -> Started:
        """Launch, trying one place after the other; the same request sent twice brings one machine."""
        upload_agent(job)
        if host_of(spec):
            return self._start_on(job, spec, launch["attempt"])
        offer = self._offer(spec, launch["attempt"], launch.get("ttl_at"))
        tries: list[Mapping[str, Any]] = []
        launcher = Launcher(self._door.ground, self._quarantine, tell=lambda a: tries.append(_try(a)))
        result = launcher.launch(offer)
        if result.launched:
            return Started(machine=result.instances[0], tries=tuple(tries))
        if result.pending:
            raise RunctlError(
                f"job {job.job}: an earlier try may still bring a machine", hint="ask again in some minutes"
            )
        problem, message = _why_not(result)
        if problem == "unknown":
            raise RunctlError(f"job {job.job}: {message}", hint="ask again: the same request never runs twice")
        return Started(tries=tuple(tries), problem=problem, message=message, exit_code=result.exit_code or 2)

    def end(self, job: JobRecord, attempt: int, machine: Instance | None, *, at_end: str) -> str:
        """Terminate or stop the machine of an attempt that is over, through the door."""
        del attempt
        gone = (InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN)
        if machine is None or machine.state in gone or at_end == "keep" or machine.ownership.job != job.job:
            return ""
        verb = Verb.STOP if at_end == "stop" else Verb.TERMINATE
        plan = self._door.draft_on(verb, [machine], overrides=_OVERRIDES)
        plan = self._door.apply(plan)
        result = next(iter(plan.results.values()))
        if result.outcome is not Outcome.DONE:
            rule = f" [{result.rule}]" if result.rule else ""
            raise RunctlError(f"{machine.id}: not ended: {result.reason}{rule}")
        return f"{machine.id} {'stopped' if verb is Verb.STOP else 'terminated'}"


def upload_agent(job: JobRecord) -> str:
    """Put the supervisor's file where machines find it; its digest."""
    data = bundle.build()
    digest = hashlib.sha256(data).hexdigest()
    key = record.agent_key(digest)
    if next(job.store.entries(key), None) is None:
        with contextlib.suppress(ConflictError):  # somebody was faster with the same bytes
            job.store.put(key, data, absent=True)
    return digest


def _rate(candidate: Candidate) -> Rate:
    price = candidate.usd_per_hour if candidate.usd_per_hour is not None else candidate.price and candidate.price.usd
    return {
        "type": candidate.type,
        "az": candidate.zone or None,
        "market": str(candidate.market),
        "usd_per_hour": float(price or 0.0),
    }


def _place(candidate: Candidate) -> dict[str, Any]:
    return {
        "type": candidate.type,
        "az": candidate.zone,
        "market": str(candidate.market),
        "usd_per_hour": candidate.usd_per_hour,
        "excluded": candidate.excluded or None,
    }


def _try(attempt: Attempt) -> dict[str, Any]:
    return {
        **_place(attempt.candidate),
        "came_to": str(attempt.came_to),
        "code": attempt.code,
        "message": attempt.message,
        "ms": round(attempt.took_s * 1000),
    }


def _why_not(result: LaunchResult) -> tuple[str, str]:
    if result.refusals:
        first = result.refusals[0]
        return str(first.rule), first.reason
    if not result.attempts:  # an offer without any place but quarantined ones: each had no capacity a moment ago
        return "capacity", "every place was refused a moment ago"
    kinds = [str(a.came_to) for a in result.attempts]
    last = result.attempts[-1]
    said = "; ".join(
        dict.fromkeys(f"{a.candidate.type} {a.candidate.zone}: {a.code} {a.message}" for a in result.attempts)
    )
    # Waiting helps only where every place that was left said so.
    waits = {"capacity", "not-offered", "price"}
    return ("capacity" if set(kinds) <= waits and "capacity" in kinds else str(last.came_to)), said[:1500]
