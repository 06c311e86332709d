"""Jobs as the command line and the dashboard use them: find, look, stop, go on. `recover` is what is done unattended.

jobs = Jobs(stores={"ec2": bucket, "local": directory}, watchers={...}, providers={...}, clock=clock, owner="ana")
looked = jobs.look(jobs.find("vit-small"))
jobs.stop(looked, "asked by ana")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from runctl.clock import Clock
from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.models.instance import Instance
from runctl.models.record import Control, Spec
from runctl.services.case import JobFacts
from runctl.services.jobs import attempts, look
from runctl.services.jobs.attempts import Order
from runctl.services.jobs.look import Look
from runctl.services.jobs.providers import Provider, Started, Watcher
from runctl.services.jobs.record import JobRecord, job_ids, writer_name
from runctl.services.jobs.seen import Outcome
from runctl.services.jobs.stores import Store
from runctl.services.verbs.row import JobLookup

#: Beginnings of an id shorter than this are taken for names.
_SHORTEST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A job that was found: its record, its specification, and where it runs."""

    record: JobRecord
    spec: Spec
    provider: str


@dataclass(slots=True)
class Jobs:
    """All jobs that can be reached.

    Args:
        stores: by provider; a provider without a store is not reachable now.
        watchers: what looks at the places, by name.
        providers: what starts and ends attempts there; fewer than the watchers where a command only looks.
        clock: the time.
        owner: our name.
        doubts: why a store cannot be reached, by provider, for messages.
    """

    stores: Mapping[str, Store]
    watchers: Mapping[str, Watcher]
    providers: Mapping[str, Provider]
    clock: Clock
    owner: str = ""
    doubts: Mapping[str, str] = field(default_factory=dict)
    writer: str = field(default_factory=writer_name)

    def record(self, provider: str, job: str) -> JobRecord:
        """The record of a job.

        Raises:
            InputError: nothing is known of that place.
        """
        if provider not in self.stores:
            raise InputError(
                f"jobs of {provider} cannot be reached: {self.doubts.get(provider, 'no such place')}",
                allowed=", ".join(self.stores),
            )
        return JobRecord(self.stores[provider], job, self.clock, self.owner, self.writer)

    def ids(self) -> Iterator[tuple[str, str]]:
        """(provider, id) of all jobs, oldest first in each place."""
        for provider, store in self.stores.items():
            for job in job_ids(store):
                yield provider, job

    def find(self, text: str) -> Found:
        """A job by its id, the beginning of it, or its name; of several with a name the newest.

        Raises:
            InputError: there is none, or the beginning fits several.
            RunctlError: a store cannot be read.
        """
        known = list(self.ids())
        exact = [(p, j) for p, j in known if j == text.upper()]
        if not exact and len(text) >= _SHORTEST_PREFIX:
            exact = [(p, j) for p, j in known if j.startswith(text.upper())]
            if len(exact) > 1:
                raise InputError(f"{len(exact)} jobs begin with {text}", allowed=", ".join(j for _, j in exact[:8]))
        if exact:
            provider, job = exact[0]
            found = self.record(provider, job)
            return Found(found, found.spec(), provider)
        for provider, job in sorted(known, key=lambda k: k[1], reverse=True):
            found = self.record(provider, job)
            try:
                spec = found.spec()
            except InputError:  # what was left of one: it has no name, and hides no other
                continue
            if spec.get("name") == text:
                return Found(found, spec, provider)
        where = ", ".join(s.where for s in self.stores.values()) or "no place"
        unreachable = "; ".join(f"{p}: {why}" for p, why in self.doubts.items())
        raise InputError(
            f"no job {text!r} in {where}" + (f" ({unreachable})" if unreachable else ""),
            allowed="an id, the beginning of one, or a name, as `runctl jobs list` shows them",
        )

    def look(self, found: Found, *, last_known: str = "") -> Look:
        """The job as it is now."""
        provider = self.watchers.get(found.provider)
        if provider is None:
            return look.look(found.record, None, spec=found.spec, last_known=last_known)
        seen = look.look(
            found.record,
            provider.machines(found.spec),
            spec=found.spec,
            here=partial(provider.here, found.record.job),
            last_known=last_known,
        )
        return look.with_evidence(seen, provider.evidence(seen))

    # --- what a person asks for ---

    def stop(self, found: Found, reason: str, *, grace_s: float | None = None) -> Control:
        """Ask for a stop. The machine does it: signal, grace, upload, verification, power off.

        Raises:
            InputError: it is over already.
            RunctlError: it could not be written.
        """
        seen = self.look(found)
        if seen.verdict.outcome.over:
            raise InputError(f"job {found.record.job} is {seen.verdict.outcome} already: nothing is left to stop")

        def wanted(control: Control) -> Control:
            more: Control = {"desired": "stop", "reason": reason}
            if grace_s is not None:
                more["grace_s"] = grace_s
            return {**control, **more}

        control = found.record.change_control(wanted)
        found.record.say(max(1, seen.seen.attempt), "stop-wanted", reason)
        return control

    def go_on(self, found: Found, *, cause: str, checkpoint: str | None = None, fresh: bool = False) -> Started:
        """Start the next attempt because somebody asked for it.

        Args:
            found: the job.
            cause: "resume" or "retry".
            checkpoint: id of the checkpoint to go on from; the newest complete one when None.
            fresh: begin anew.

        Raises:
            InputError: it still runs, or there is no such checkpoint.
            ConflictError: somebody else was faster.
        """
        seen = self.look(found)
        outcome = seen.verdict.outcome
        if not (outcome.over or outcome is Outcome.INTERRUPTED):
            raise InputError(
                f"job {found.record.job} is {outcome}: {seen.verdict.reason or 'it is not over'}",
                allowed="a job that is over or interrupted; stop it first",
                example=f"runctl jobs stop {found.record.job}",
            )
        chosen = None if fresh else _checkpoint(found.record, checkpoint)
        if cause == "resume" and chosen is None and not fresh:
            raise InputError(
                f"job {found.record.job} has no complete checkpoint to go on from",
                example=f"runctl jobs retry {found.record.job}",
            )
        order = Order(
            seen.seen.attempt + 1,
            cause,
            chosen.get("id") if chosen else None,
            chosen.get("step") if chosen else None,
            look.spent(seen),
            over_stop=seen.seen.stop_wanted,
        )
        return attempts.begin(found.record, self.provider(found), found.spec, order)

    def provider(self, found: Found) -> Provider:
        """What starts and ends attempts of a job.

        Raises:
            InputError: this command cannot.
        """
        provider = self.providers.get(found.provider)
        if provider is None:
            raise InputError(f"jobs of {found.provider} cannot be started here: {self.doubts.get(found.provider, '')}")
        return provider

    def lookup(self) -> JobLookup:
        """For the policy engine: what the record says of the job on a machine."""

        def facts(machine: Instance) -> JobFacts | None:
            job = machine.ownership.job
            if not job or not record.is_job_id(job) or "ec2" not in self.stores:
                return None
            try:
                found = self.record("ec2", job)
                seen = look.look(found, [machine])
            except RunctlError:
                return None
            return job_facts(seen)

        return facts


def job_facts(seen: Look) -> JobFacts:
    """A look in the policy engine's words; what is not known counts as running and unsaved."""
    over = seen.verdict.outcome.over or seen.verdict.outcome is Outcome.INTERRUPTED
    end = seen.seen.exit
    unsaved = None if end is None else end.get("verified") is False
    running = False if over else None if seen.verdict.outcome is Outcome.UNKNOWN else True
    return JobFacts(seen.job, running, look.checkpoint_age(seen), unsaved if over else None)


def _checkpoint(job: JobRecord, wanted: str | None) -> record.Checkpoint | None:
    index = job.index()
    if wanted is None:
        return record.newest_complete(index)
    usable = [c for c in index.get("checkpoints") or [] if c.get("complete") and c.get("deleted_at") is None]
    chosen = next((c for c in usable if wanted in (c.get("id"), c.get("name"))), None)
    if chosen is None:
        named = ", ".join(str(c.get("id")) for c in usable[-8:]) or "none is complete"
        raise InputError(f"job {job.job} has no complete checkpoint {wanted!r}", allowed=named)
    return chosen
