"""Looking at one job for a while: its verdict, story, curves and log, reading only what may have changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from runctl.models import record
from runctl.models.instance import Instance
from runctl.models.job import Job
from runctl.models.record import Event, Exit, Spec, State
from runctl.services.jobs.follow import (
    Curves,
    LogPart,
    Moment,
    Point,
    curves_of,
    log_chunks,
    read_curves,
    read_log,
    read_points,
    timeline,
)
from runctl.services.jobs.look import Look, look, row_of, with_evidence
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.service import Found, Jobs

#: EC2 is asked for a job's machine no more often than this.
MACHINES_S = 10.0
#: The rest of a bucket's record; a directory is read at every look.
RECORD_S = 5.0
#: How far back the log is fetched when a job is opened; what lies before comes when somebody scrolls there.
TAIL_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class News:
    """A job as it was at one look.

    Args:
        row: as the list of jobs shows it.
        spec: what was asked for.
        attempt: the attempt that is shown, and `attempts` all there are.
        state: its newest heartbeat, {} before the first.
        end: its exit record, None while there is none.
        story: what happened, in the order of time, over all attempts.
        curves: the metrics of the attempt.
        live: whether more may come.
        used: how much the GPUs were used, in per cent on average; None where that is not known.
    """

    row: Job
    spec: Spec
    attempt: int
    attempts: tuple[int, ...]
    state: State
    end: Exit | None
    story: tuple[Moment, ...]
    curves: Curves
    live: bool
    used: Point | None = None


@dataclass
class Follower:
    """Reads one job again and again. Not for two threads at once.

    Args:
        jobs: where it lies and who looks at its machine.
        found: which job.
        monotonic: seconds, for how old what was read is.
    """

    jobs: Jobs
    found: Found
    monotonic: Callable[[], float] = time.monotonic
    _machines: tuple[float, list[Instance] | None] | None = None
    _events: dict[str, Event] = field(default_factory=dict)
    _seen: tuple[float, Look] | None = None
    _news: tuple[tuple[Any, ...], News] | None = None

    @property
    def record(self) -> JobRecord:
        """The job's record."""
        return self.found.record

    def look(self, attempt: int | None = None, last: int = 0) -> News:
        """The job as it is.

        Args:
            attempt: which attempt to show, None for the newest.
            last: show the curves of so many points only, each as it was written; 0 for all of them, thinned.

        Raises:
            RunctlError: the record cannot be read.
        """
        now = self.monotonic()
        kept = self._news
        if kept is not None and kept[0] == (attempt, last) and not self._due(now):
            return kept[1]
        seen = self._look(now)
        newest = max(1, seen.seen.attempt)
        shown = attempt or newest
        state, end = seen.seen.state or {}, seen.seen.exit
        if shown != seen.seen.attempt:
            beat = self.record.beat(shown)
            state, end = (beat.state if beat else {}), self.record.exit(shown)
        news = News(
            row_of(seen),
            self.found.spec,
            shown,
            tuple(range(1, newest + 1)),
            state,
            end,
            self._story(),
            self._curves(shown, last),
            live=not seen.verdict.outcome.over,
            used=_use(state),
        )
        self._news = ((attempt, last), news)
        return news

    def _due(self, now: float) -> bool:
        every = 0.0 if self.found.provider == "local" else RECORD_S
        return self._seen is None or now - self._seen[0] >= every

    def _look(self, now: float) -> Look:
        watcher = self.jobs.watchers.get(self.found.provider)
        here = None if watcher is None else partial(watcher.here, self.record.job)
        last = self._seen[1].verdict.outcome.value if self._seen is not None else ""
        seen = look(self.record, self._of_machine(now), spec=self.found.spec, here=here, last_known=last)
        if watcher is not None and seen.seen.readable:
            seen = with_evidence(seen, watcher.evidence(seen))
        self._seen = (now, seen)
        return seen

    def _of_machine(self, now: float) -> Iterable[Instance] | None:
        watcher = self.jobs.watchers.get(self.found.provider)
        if watcher is None:
            return None
        if self._machines is None or now - self._machines[0] >= MACHINES_S:
            machines = watcher.machines(self.found.spec)
            self._machines = (now, None if machines is None else list(machines))
        return self._machines[1]

    def _story(self) -> tuple[Moment, ...]:
        """Every event is an object that never changes: each is read once."""
        for entry in self.record.store.entries(record.events_prefix(self.record.job)):
            if entry.key not in self._events and record.parse_event_key(entry.key):
                self._events[entry.key] = cast(Event, self.record.read(entry.key) or {})
        return timeline(e for e in self._events.values() if e)

    def _curves(self, attempt: int, last: int) -> Curves:
        thin = read_curves(self.record, attempt)
        if not last or thin.points <= max((len(s) for s in thin.series.values()), default=0):
            return _only(thin, last)
        exact = curves_of(point for _, point in read_points(self.record, attempt, max(0, thin.points - last)))
        return replace(exact, points=thin.points)

    # --- the log ---

    def log_begin(self, attempt: int) -> int:
        """Where to begin reading so that the end of the log is there soon."""
        chunks = [chunk for _, chunk in log_chunks(self.record, attempt)]
        return next((c.start for c in chunks if chunks[-1].end - c.start <= TAIL_BYTES), 0)

    def read_log(self, attempt: int, offset: int, end: int | None = None) -> Iterator[LogPart]:
        """The log from an offset on, as far as it is there; see `runctl.services.jobs.follow.read_log`."""
        return read_log(self.record, attempt, offset, end=end)


def _only(curves: Curves, last: int) -> Curves:
    """The last points of each series."""
    return replace(curves, series={n: s[-last:] for n, s in curves.series.items()}) if last else curves


def _use(state: State) -> Point | None:
    used = [g["util"] for g in (state.get("load") or {}).get("gpus") or () if g.get("util") is not None]
    at = state.get("at")
    return Point(state.get("step"), float(at), sum(used) / len(used)) if used and at is not None else None
