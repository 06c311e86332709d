"""Where jobs run. One protocol; `ec2` and `local` speak it, and others may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runctl.models.instance import Instance
from runctl.models.record import Launch, Rate, Spec
from runctl.services.jobs.look import Look
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Machine


@dataclass(frozen=True, slots=True)
class Intent:
    """What an attempt would be, before anything happens.

    Args:
        rates: what an hour costs where it may run.
        candidates: the places in the order they are tried, for the record and for people.
        warnings: what a person should hear first.
        refusals: what forbids it, each in a sentence.
        how: how it is started and why so ("by user data: a machine of its own").
    """

    rates: tuple[Rate, ...] = ()
    candidates: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    how: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """What came of starting an attempt.

    Args:
        machine: its id, "" when there is none.
        tries: every place tried, with AWS's own words.
        problem: class of what went wrong ("capacity", "quota", "denied", …), "" when it runs.
        message: in a sentence.
        exit_code: what a command would end with.
    """

    machine: str = ""
    tries: tuple[Mapping[str, Any], ...] = field(default=())
    problem: str = ""
    message: str = ""
    exit_code: int = 0


class Watcher(Protocol):
    """Looks at where attempts run."""

    @property
    def name(self) -> str:
        """As the spec has it."""
        ...

    def machines(self, spec: Spec) -> Iterable[Instance] | None:
        """The job's machines, None when nobody can be asked."""
        ...

    def here(self, job: str, attempt: int) -> Machine | None:
        """For a provider without machines of EC2: what is known of the attempt's process."""
        ...

    def evidence(self, found: Look) -> Mapping[str, Any]:
        """What else can be learnt where a verdict is in doubt: more fields of `Seen`; asks only, {} for nothing."""
        ...


class Provider(Watcher, Protocol):
    """One place where attempts are started and ended."""

    def intend(self, spec: Spec, attempt: int, ttl_at: float | None) -> Intent:
        """Look at what starting would mean; sends nothing.

        Raises:
            RunctlError: it cannot be known.
        """
        ...

    def start(self, job: JobRecord, spec: Spec, launch: Launch) -> Started:
        """Start an attempt whose intent is written. Doing it again brings the same machine, never a second one.

        Raises:
            RunctlError: nobody knows what came of it; doing it again finds out.
        """
        ...

    def end(self, job: JobRecord, attempt: int, machine: Instance | None, *, at_end: str) -> str:
        """Give back what an attempt that is over still holds; what was done, "" for nothing.

        Raises:
            RunctlError: it did not work.
        """
        ...
