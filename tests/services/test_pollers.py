"""Pollers against a cloud with faults: no region waits for another, no failure is silent, calls are counted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from runctl.clock import SystemClock
from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud
from runctl.events import Event, IdentityResolved, ListingCompleted, ListingFailed, PageArrived
from runctl.models.snapshot import Health, Source
from runctl.services.aws.backend import open_backend
from runctl.services.pollers import DENIED_INTERVAL_S, FLEET, Pollers, collect, keys_of

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
FAST = {Source.INSTANCES: 0.2, Source.VOLUMES: 0.2}


class Inbox:
    """Collects events and waits for the one that is due."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.seen: list[Event] = []

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def until(self, due: Callable[[Event], bool], timeout_s: float = 20.0) -> Event:
        deadline = time.monotonic() + timeout_s
        while True:
            event = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            self.seen.append(event)
            if due(event):
                return event


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def pollers(cloud: DemoCloud, inbox: Inbox) -> Iterator[Pollers]:
    made = Pollers(open_backend(DEFAULTS), inbox.put, clock=SystemClock(), scope=1, regions=REGIONS, intervals=FAST)
    yield made
    made.stop()


def test_it_polls_again_and_again_and_stops(pollers: Pollers, inbox: Inbox) -> None:
    pollers.start()
    for _ in range(8):
        inbox.until(lambda e: isinstance(e, ListingCompleted))
    assert any(isinstance(e, IdentityResolved) for e in inbox.seen)
    assert all(e.scope == 1 for e in inbox.seen)
    pollers.stop()
    names = {t.name for t in threading.enumerate() if t.name.startswith("poll-")}
    deadline = time.monotonic() + 15
    while names and time.monotonic() < deadline:
        names = {t.name for t in threading.enumerate() if t.name.startswith("poll-")}
        time.sleep(0.01)
    assert names == set()


def test_pause_and_resume(pollers: Pollers, inbox: Inbox) -> None:
    pollers.pause()
    pollers.start()
    with pytest.raises(queue.Empty):
        inbox.until(lambda e: isinstance(e, PageArrived), timeout_s=0.6)
    pollers.resume()
    inbox.until(lambda e: isinstance(e, PageArrived))


def test_a_denied_source_is_one_panel_and_is_asked_seldom(cloud: DemoCloud, pollers: Pollers, inbox: Inbox) -> None:
    cloud.faults.add("denied", service="ec2", operation="DescribeVolumes")
    pollers.start()
    failed = inbox.until(lambda e: isinstance(e, ListingFailed))
    assert isinstance(failed, ListingFailed)
    assert (failed.health, failed.key.source) == (Health.DENIED, Source.VOLUMES)
    assert (failed.error.service, failed.error.operation) == ("ec2", "DescribeVolumes")
    inbox.until(lambda e: isinstance(e, ListingCompleted) and e.key.source is Source.INSTANCES)
    deadline = time.monotonic() + 5
    while pollers.wait_s(failed.key, 0) != DENIED_INTERVAL_S and time.monotonic() < deadline:
        time.sleep(0.01)
    assert pollers.wait_s(failed.key, 0) == DENIED_INTERVAL_S


def test_expired_credentials_stop_polling_until_resumed(cloud: DemoCloud, pollers: Pollers, inbox: Inbox) -> None:
    cloud.faults.add("expired", service="*")
    pollers.start()
    inbox.until(lambda e: isinstance(e, ListingFailed) and e.error.error_class == "CredentialsError")
    assert pollers.held.wait(5)
    cloud.faults.clear()
    pollers.resume()
    inbox.until(lambda e: isinstance(e, ListingCompleted))


def test_a_hung_region_delays_nobody_and_is_named(cloud: DemoCloud) -> None:
    cloud.faults.add("hang", service="ec2", region="us-west-2", seconds=8)
    events: list[Event] = []
    began = time.monotonic()
    backend = open_backend(DEFAULTS)
    whole = collect(backend, (Source.INSTANCES,), REGIONS, events.append, clock=SystemClock(), timeout_s=4.0)
    backend.close()
    assert time.monotonic() - began < 6
    assert not whole
    done = {e.key.region for e in events if isinstance(e, ListingCompleted)}
    late = {e.key.region for e in events if isinstance(e, ListingFailed)}
    assert (done, late) == ({"us-east-1", "eu-west-1"}, {"us-west-2"})


def test_a_throttled_call_is_tried_again_and_arrives(cloud: DemoCloud) -> None:
    cloud.faults.add("throttle", service="ec2", operation="DescribeInstances", times=1)
    events: list[Event] = []
    assert collect(open_backend(DEFAULTS), (Source.INSTANCES,), ("us-east-1",), events.append, clock=SystemClock())
    assert any(isinstance(e, ListingCompleted) for e in events)


def test_calls_grow_with_pages_never_with_machines(cloud: DemoCloud) -> None:
    def calls() -> int:
        before = sum(cloud.calls().values())
        collect(open_backend(DEFAULTS), FLEET, REGIONS, lambda _: None, clock=SystemClock(), timeout_s=60)
        return sum(cloud.calls().values()) - before

    small = calls()
    assert small == 1 + 4 * len(REGIONS) + 1  # STS; four EC2 listings a region; the buckets
    assert len(keys_of(FLEET, REGIONS)) == 4 * len(REGIONS) + 1
