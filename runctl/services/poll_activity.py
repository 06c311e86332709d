"""What machines are doing, filled into their rows from every reading: heartbeats of jobs, probes, and CloudWatch.

CloudWatch is asked where that is allowed; a heartbeat comes with the row of its job and costs nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from runctl.clock import Clock, SystemClock
from runctl.errors import RunctlError
from runctl.events import Event, Item, PageArrived
from runctl.models.instance import Instance
from runctl.models.job import Job
from runctl.models.snapshot import Source
from runctl.services.activity import Reading, Signal, Watch, readings_of
from runctl.services.backend import Backend

#: Basic metrics come every five minutes.
EVERY_S: Final = 300.0
BACK: Final = timedelta(hours=3)


class ActivityScout:
    """Stands between the listings and who publishes them.

    Args:
        backend: asked for CPU figures.
        clock: the time.
        paid: whether CloudWatch may be asked (each figure is billed).
    """

    def __init__(self, backend: Backend, clock: Clock, *, paid: bool = False) -> None:
        self._backend, self._clock, self._paid = backend, clock, paid
        self._watch = Watch()
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()
        self._monotonic = SystemClock().monotonic

    def add(self, region: str, instance_id: str, readings: Iterable[Reading]) -> None:
        """Readings of a heartbeat or a probe; any thread."""
        with self._lock:
            self._watch.add(region, instance_id, readings)

    def fill(self, event: Event) -> Event:
        """The event, its machines with what they are known to do; what was said of them already stays."""
        if not isinstance(event, PageArrived):
            return event
        if event.key.source is Source.JOBS:
            self._hear(event.items)
        if event.key.source is not Source.INSTANCES:
            return event
        with self._lock:
            filled = tuple(self._filled(i) if isinstance(i, Instance) else i for i in event.items)
            due = self._paid and self._monotonic() - self._asked.get(event.key.region, -EVERY_S) >= EVERY_S
            ids = tuple(i.id for i in event.items if isinstance(i, Instance) and i.bills) if due else ()
            if ids:
                self._asked[event.key.region] = self._monotonic()
        if ids:
            region = event.key.region
            threading.Thread(target=self._ask, args=(region, ids), name=f"poll-cpu-{region}", daemon=True).start()
        return replace(event, items=filled)

    def fill_rows(self, machines: Iterable[Instance]) -> tuple[Instance, ...]:
        """Machines with what they are known to do, for who looks once."""
        with self._lock:
            return tuple(self._filled(m) for m in machines)

    def _hear(self, items: Iterable[Item]) -> None:
        for job in items:
            if isinstance(job, Job) and job.heartbeat and job.instance_id:
                self.add(job.region, job.instance_id, readings_of(job.heartbeat))

    def _filled(self, item: Instance) -> Instance:
        if item.activity.evidence:
            return item
        known = self._watch.judge(item, self._clock.now())
        return item if known == item.activity else replace(item, activity=known)

    def _ask(self, region: str, ids: tuple[str, ...]) -> None:
        now = self._clock.now()
        try:
            found = self._backend.fetch_cpu(region, ids, now - BACK, now)
        except RunctlError:
            return  # silence is unknown, never idle
        for name, points in found.items():
            self.add(region, name, (Reading(at, Signal.CPU, value, "cloudwatch") for at, value in points))
