"""One job's record: what the client reads of it and the few objects it writes. Layout: docs/job-record.md.

Every write that could cross another's is conditional; who loses reads again. Nothing here decides anything.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from runctl.clock import Clock
from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.models.record import Checkpoint, Control, Event, Exit, Index, Launch, Lease, Notice, Spec, State
from runctl.services.jobs.stores import Blob, ConflictError, MissingError, Store

T = TypeVar("T")
#: A client's right to act for a job, seconds; long enough for a launch that tries many zones.
LEASE_S = 900.0
_TRIES = 8
#: The client's word on a launch that brought no machine, beside `launch.json`.
REFUSED = "refused.json"


def writer_name() -> str:
    """A name for this process in events and leases; not a secret, and no two alike."""
    return f"client-{socket.gethostname().split('.')[0][:24]}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat and its age in seconds by the store's clock."""

    state: State
    age_s: float


@dataclass(slots=True)
class JobRecord:
    """Reads and writes the record of one job.

    Args:
        store: where it lies.
        job: its id.
        clock: for the times written.
        owner: our name in the lease.
        writer: our name in events.
    """

    store: Store
    job: str
    clock: Clock
    owner: str = ""
    writer: str = field(default_factory=writer_name)
    _seq: int = 0

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.now().timestamp()

    # --- reading ---

    def read(self, key: str) -> dict[str, Any] | None:
        """One JSON object, None when there is none.

        Raises:
            RunctlError: it cannot be read, or is not what docs/job-record.md says.
        """
        try:
            return parse(self.store.fetch(key), key)
        except MissingError:
            return None

    def spec(self) -> Spec:
        """The specification.

        Raises:
            InputError: there is no such job.
        """
        found = self.read(record.spec_key(self.job))
        if found is None:
            raise InputError(f"no job {self.job} in {self.store.where}", allowed="what `runctl jobs list` shows")
        return cast(Spec, found)

    def lease(self) -> tuple[Lease, str]:
        """The lease and its ETag; ({}, "") when nobody ever took one."""
        value, etag = self._with_etag(record.lease_key(self.job))
        return cast(Lease, value), etag

    def control(self) -> Control:
        """What is wanted now; {} when nothing was ever said."""
        return cast(Control, self.read(record.control_key(self.job)) or {})

    def launch(self, attempt: int) -> Launch | None:
        """The intent of an attempt."""
        return cast("Launch | None", self.read(record.attempt_key(self.job, attempt, "launch.json")))

    def beat(self, attempt: int) -> Beat | None:
        """The newest heartbeat of an attempt."""
        key = record.attempt_key(self.job, attempt, "state.json")
        try:
            blob = self.store.fetch(key)
        except MissingError:
            return None
        return Beat(cast(State, parse(blob, key)), blob.age_s)

    def exit(self, attempt: int) -> Exit | None:
        """How an attempt ended."""
        return cast("Exit | None", self.read(record.attempt_key(self.job, attempt, "exit.json")))

    def refusal(self, attempt: int) -> dict[str, Any] | None:
        """Why the launch of an attempt brought no machine."""
        return self.read(record.attempt_key(self.job, attempt, REFUSED))

    def notice(self, attempt: int) -> Notice | None:
        """What the machine was told by IMDS."""
        return cast("Notice | None", self.read(record.attempt_key(self.job, attempt, "notice.json")))

    def index(self) -> Index:
        """The checkpoints; {} when there are none."""
        return cast(Index, self.read(record.index_key(self.job)) or {})

    def newest_checkpoint(self) -> Checkpoint | None:
        """The one to resume from: complete, of the highest step."""
        return record.newest_complete(self.index())

    def attempts(self) -> tuple[int, ...]:
        """The numbers of all attempts that left anything."""
        names = self.store.children(record.job_prefix(self.job) + "attempts/")
        return tuple(sorted(int(n) for n in names if n.isdecimal()))

    def events(self) -> list[Event]:
        """All events by time."""
        prefix = record.events_prefix(self.job)
        found = [self.read(e.key) for e in self.store.entries(prefix) if record.parse_event_key(e.key)]
        return sorted((cast(Event, e) for e in found if e), key=lambda e: (e.get("at", 0.0), e.get("seq", 0)))

    # --- writing ---

    def create(self, spec: Spec) -> None:
        """Write the specification, once.

        Raises:
            ConflictError: another one is there.
        """
        self.store.put(record.spec_key(self.job), record.dump(cast(Mapping[str, Any], spec)), absent=True)

    def write_launch(self, launch: Launch) -> None:
        """Write the intent of an attempt, once.

        Raises:
            ConflictError: somebody else starts this attempt.
        """
        key = record.attempt_key(self.job, launch["attempt"], "launch.json")
        self.store.put(key, record.dump(cast(Mapping[str, Any], launch)), absent=True)

    def refuse(self, attempt: int, problem: str, message: str, tries: Sequence[Mapping[str, Any]]) -> None:
        """Write down that a launch brought no machine, and how often that happened."""
        before = self.refusal(attempt) or {}
        said = {
            "v": record.VERSION, "job": self.job, "attempt": attempt, "at": self.now(), "class": problem,
            "message": message, "tries": [dict(t) for t in tries], "count": int(before.get("count") or 0) + 1,
        }  # fmt: skip
        self.store.put(record.attempt_key(self.job, attempt, REFUSED), record.dump(said))

    def take_lease(self, *, fence: int) -> Lease:
        """Become the one who starts attempt `fence`.

        Raises:
            ConflictError: another client was first, or holds the lease for that attempt.
        """
        before, etag = self.lease()
        held = before.get("expires_at", 0.0) > self.now() and before.get("owner") != self._holder()
        if before.get("fence", 0) >= fence and (held or before.get("fence", 0) > fence):
            raise ConflictError(
                f"job {self.job}: {before.get('owner', 'somebody')} already starts attempt {before.get('fence')}",
                hint="look again in a moment: runctl jobs show " + self.job,
            )
        lease: Lease = {
            "v": record.VERSION, "job": self.job, "owner": self._holder(), "host": socket.gethostname(),
            "fence": fence, "at": self.now(), "expires_at": self.now() + LEASE_S,
        }  # fmt: skip
        self._put_over(record.lease_key(self.job), cast(Mapping[str, Any], lease), etag)
        return lease

    def release_lease(self) -> None:
        """Let others act at once; the fence stays."""
        lease, etag = self.lease()
        if lease.get("owner") == self._holder():
            lease["expires_at"] = self.now()
            self._put_over(record.lease_key(self.job), cast(Mapping[str, Any], lease), etag)

    def _holder(self) -> str:
        return f"{self.owner or 'somebody'} ({self.writer})"

    def change_control(self, change: Callable[[Control], Control]) -> Control:
        """Change what is wanted; read again and tried again when somebody else changed it meanwhile.

        Args:
            change: makes the new object from the present one; may raise to leave it.

        Raises:
            ConflictError: others were faster every time.
        """
        key = record.control_key(self.job)
        for _ in range(_TRIES):
            before, etag = self._with_etag(key)
            wanted = change(cast(Control, dict(before)))
            wanted |= {"v": record.VERSION, "job": self.job, "at": self.now(), "by": self.owner or self.writer}
            try:
                self._put_over(key, cast(Mapping[str, Any], wanted), etag)
            except ConflictError:
                continue
            return wanted
        raise ConflictError(f"job {self.job}: its control object changes faster than it can be read")

    def say(self, attempt: int, kind: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Append an event of ours; an object of its own, so nothing is ever lost to a race."""
        while True:
            self._seq += 1
            event: Event = {
                "v": record.VERSION, "job": self.job, "attempt": attempt, "seq": self._seq, "writer": self.writer,
                "at": self.now(), "kind": kind, "message": message, "data": dict(data or {}),
            }  # fmt: skip
            key = record.event_key(self.job, attempt, self._seq, self.writer)
            try:
                self.store.put(key, record.dump(cast(Mapping[str, Any], event)), absent=True)
            except ConflictError:
                continue
            return

    def change_index(self, change: Callable[[Index], Index]) -> Index:
        """Change the checkpoints' index by `If-Match`.

        Raises:
            ConflictError: the machine was faster every time.
            InputError: there is no index.
        """
        key = record.index_key(self.job)
        for _ in range(_TRIES):
            before, etag = self._with_etag(key)
            if not etag:
                raise InputError(f"job {self.job} has no checkpoints")
            wanted = change(cast(Index, before))
            try:
                self._put_over(key, cast(Mapping[str, Any], wanted), etag)
            except ConflictError:
                continue
            return wanted
        raise ConflictError(f"job {self.job}: its index changes faster than it can be read")

    def _with_etag(self, key: str) -> tuple[dict[str, Any], str]:
        try:
            blob = self.store.fetch(key)
        except MissingError:
            return {}, ""
        return parse(blob, key), blob.etag

    def _put_over(self, key: str, value: Mapping[str, Any], etag: str) -> str:
        return self.store.put(key, record.dump(value), absent=not etag, match=etag)


def parse(blob: Blob, key: str) -> dict[str, Any]:
    """An object of a record.

    Raises:
        RunctlError: it is not JSON, or of a version that this runctl does not read.
    """
    try:
        value = record.load(blob.body)
    except ValueError as error:
        raise RunctlError(f"{key}: not an object of a record: {error}") from error
    if not record.is_readable(value):
        raise RunctlError(
            f"{key}: written by a newer runctl (version {value.get('v')!r})", hint="upgrade runctl to read it"
        )
    return value


def job_ids(store: Store) -> Iterator[str]:
    """The ids of all jobs of a store, oldest first."""
    yield from (name for name in store.children(record.JOBS) if record.is_job_id(name))
