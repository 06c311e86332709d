"""Scenario M: what a dashboard that stays open asks of AWS, counted on the wire.

Its day passes in minutes: the pollers are the real ones, their calls go to the embedded cloud, and only the waiting
between them is skipped. Half an hour is gone through; `JOB_SCENARIOS=all` goes through a working day.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import botocore.session
import pytest

from runctl.clock import SystemClock
from runctl.config import DEFAULTS, Settings
from runctl.demo.cloud import DemoCloud
from runctl.keymap import Keymap
from runctl.messages import EventArrived
from runctl.models import record
from runctl.models.snapshot import Source
from runctl.services.aws.backend import open_backend
from runctl.services.backend import Backend
from runctl.services.jobs import reach
from runctl.services.jobs.follower import Follower
from runctl.services.jobs.hands import looking_jobs
from runctl.services.jobs.record import JobRecord
from runctl.services.pollers import DEFAULT_INTERVALS, Pollers
from runctl.session import Session
from runctl.terminal.system import SystemTerminal
from tests.services.doors import EAST, OURS, machine

HOURS = 8.0 if os.environ.get("JOB_SCENARIOS") == "all" else 0.5
#: EC2 lets an account ask 100 times at once and 20 times a second in a region, where a call names ids, a filter or a
#: page size, as all of ours do (EC2 API Reference, "Request throttling"). A dashboard may take a tenth of it.
BURST, RATE = 100 / 10, 20 / 10
#: The screens, and for which part of the time each is looked at.
SCREENS = ("instances", "jobs", "s3", "volumes", "cost")
#: An opened job is looked at as often as the screen does it.
OPENED_S = 2.0


class Day:
    """A time that goes on only when everybody sleeps, and then straight to the moment at which the next one wakes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asleep: dict[threading.Event, float] = {}
        self.now = 0.0

    def nap(self, wake: threading.Event, seconds: float) -> None:
        """Sleep until the time has come, or somebody wakes the sleeper."""
        with self._changed:
            self._asleep[wake] = until = self.now + seconds
            self._changed.notify_all()
            while self.now < until and not wake.is_set():
                self._changed.wait(0.02)  # whoever wakes a sleeper early does not know of this condition
            del self._asleep[wake]

    def go_on(self, sleepers: Callable[[], int], latest: float) -> bool:
        """Wait until so many sleep, then let the first of them wake; False when that would be later than `latest`."""
        deadline = time.monotonic() + 60
        with self._changed:
            while len(self._asleep) < sleepers() or any(wake.is_set() for wake in self._asleep):
                assert time.monotonic() < deadline, "somebody never sleeps"
                self._changed.wait(0.02)
            due = min(self._asleep.values())
            if due > latest:
                self.now = latest
                return False
            self.now = max(self.now, due)
            self._changed.notify_all()
            while any(until <= self.now for until in self._asleep.values()):
                self._changed.wait(0.02)
            return True


@dataclass
class Sample:
    """Calls so far, at a moment: by (service, operation)."""

    at: float
    calls: Counter[tuple[str, str]]


def _calls(cloud: DemoCloud) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for (service, operation, region), number in cloud.calls().items():
        assert region == EAST
        counted[service, operation] += number
    return counted


@pytest.fixture
def settings(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small fleet with two jobs: one speaks, the other's machine is on and its supervisor is silent.

    Whatever is in doubt is asked after at every look, which is the dearest that a job can be.
    """
    cloud.reset(fleet="empty")
    bucket = "records-of-jobs"
    botocore.session.Session().create_client("s3", EAST).create_bucket(Bucket=bucket)
    monkeypatch.setenv("RUNCTL_JOBS_BUCKET", bucket)
    made = replace(
        DEFAULTS, regions=(EAST,), jobs=replace(DEFAULTS.jobs, bucket=bucket),
        aws=replace(DEFAULTS.aws, calls_per_second=1e6),
    )  # fmt: skip
    stores, _ = reach.open_stores(made)
    ids = [record.job_id(1_700_000_000_000 + n, b"0123456789") for n in range(2)]
    cloud.build([machine(f"m{n}", market="spot") for n in range(20)])
    cloud.build([machine(f"job{n}", {**OURS, "runctl:job": job, "runctl:attempt": "1"}) for n, job in enumerate(ids)])
    for job, heartbeat_s in zip(ids, (86_400.0, 0.001), strict=True):
        now = time.time()
        one = JobRecord(stores["ec2"], job, SystemClock())
        one.create(cast(Any, {"v": 1, "id": job, "name": f"n{job[-4:]}", "provider": "ec2", "region": EAST}))
        one.take_lease(fence=1)
        one.write_launch({"v": 1, "job": job, "attempt": 1, "at": now, "spent_usd": 0.0})
        state = {"v": 1, "at": now, "phase": "RUNNING", "heartbeat_s": heartbeat_s, "step": 3, "progress_at": now}
        one.store.put(record.attempt_key(job, 1, "state.json"), record.dump(state))
    cloud.forget_calls()
    return made


class Dashboard:
    """A session without a screen, whose pollers sleep in a `Day`; and somebody who looks at one job now and then."""

    def __init__(self, settings: Settings, day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
        class Sleeping(Pollers):
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                self.monotonic = lambda: day.now

            def nap(self, wake: threading.Event, seconds: float) -> None:
                day.nap(wake, seconds)

        monkeypatch.setattr("runctl.services.pollers.Pollers", Sleeping)
        monkeypatch.setattr(SystemClock, "monotonic", lambda _: day.now)
        self.backend = open_backend(settings)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.session = Session(
            self._connect, self._post, settings=settings, clock=SystemClock(), terminal=SystemTerminal({}),
            keymap=Keymap(),
        )  # fmt: skip
        self._day, self._settings = day, settings
        self._opened, self._over = threading.Event(), threading.Event()
        self._viewer = threading.Thread(target=self._look, daemon=True)

    def _connect(self, _: str | None) -> Backend:
        return self.backend

    def _post(self, message: Any) -> bool:
        self._events.put(message)
        return True

    def open(self) -> None:
        self.session.open(None, (EAST,))
        self._viewer.start()

    def sleepers(self) -> int:
        """How many must sleep before time may go on: each source's thread, the one for the identity, the viewer."""
        return len(DEFAULT_INTERVALS) + 2

    def _look(self) -> None:
        """The opened job, while there is one; else a sleep."""
        jobs = looking_jobs(self._settings, self.backend, "zoe")
        follower: Follower | None = None
        while not self._over.is_set():
            if self._opened.is_set():
                silent = max(job for _, job in jobs.ids())
                follower = follower or Follower(jobs, jobs.find(silent), monotonic=lambda: self._day.now)
                follower.look()
            self._day.nap(self._over, OPENED_S)

    def show(self, screen: str) -> None:
        self.session.focus(screen)
        (self._opened.set if screen == "jobs" else self._opened.clear)()

    def fold(self) -> None:
        """What arrived, into the store, as the app does it."""
        while not self._events.empty():
            message = self._events.get()
            if isinstance(message, EventArrived):
                self.session.apply(message.event)

    def close(self) -> None:
        self._over.set()
        self.session.close()


@pytest.fixture
def dashboard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Dashboard, Day]]:
    day = Day()
    made = Dashboard(settings, day, monkeypatch)
    yield made, day
    made.close()


def _stay_open(cloud: DemoCloud, made: Dashboard, day: Day, seconds: float) -> list[Sample]:
    """Look at each screen in turn; what was asked by when."""
    samples = [Sample(0.0, Counter())]
    made.open()
    for number, screen in enumerate(SCREENS, 1):
        made.show(screen)
        while day.go_on(made.sleepers, seconds * number / len(SCREENS)):
            made.fold()
            samples.append(Sample(day.now, _calls(cloud)))
        samples.append(Sample(day.now, _calls(cloud)))
    return samples


def _ec2(sample: Sample) -> int:
    return sum(number for (service, _), number in sample.calls.items() if service == "ec2")


@pytest.mark.timeout(180 + 240 * HOURS)
def test_a_dashboard_that_stays_open_costs_nothing_and_takes_a_tenth_of_what_ec2_answers(
    cloud: DemoCloud, dashboard: tuple[Dashboard, Day]
) -> None:
    made, day = dashboard
    seconds = HOURS * 3600
    samples = _stay_open(cloud, made, day, seconds)
    asked = samples[-1].calls
    assert cloud.paid_calls() == {}
    assert not [call for call in asked if call[0] in ("ce", "monitoring", "cloudwatch")]
    assert cloud.mutating_calls() == {}
    # It did look all the time: no less than its own schedule wants.
    assert asked["ec2", "DescribeInstances"] >= math.floor(seconds / DEFAULT_INTERVALS[Source.INSTANCES])
    assert asked["s3", "ListBuckets"] >= seconds / len(SCREENS) / DEFAULT_INTERVALS[Source.BUCKETS]
    assert asked["ec2", "DescribeInstanceStatus"] > seconds / len(SCREENS) / DEFAULT_INTERVALS[Source.JOBS]
    assert len(made.session.store.snapshot.instances) == 22
    # A tenth of EC2's bucket is enough for it at every moment.
    tokens = BURST
    for before, sample in pairwise(samples):
        tokens = min(BURST, tokens + (sample.at - before.at) * RATE) - (_ec2(sample) - _ec2(before))
        assert tokens >= 0, f"at {sample.at:.0f} s: {sample.calls - before.calls}"
    assert _ec2(samples[-1]) <= RATE * seconds
