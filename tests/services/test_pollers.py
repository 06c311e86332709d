"""Pollers against a cloud with faults: no region waits for another, no failure is silent, calls are counted."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from benchmarks.canned import REGIONS as TWENTY
from benchmarks.canned import Canned, serving
from runctl.clock import SystemClock
from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud, client_environment
from runctl.errors import CallSite, DeniedError
from runctl.events import (
    Event,
    IdentityResolved,
    ItemsUpdated,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
)
from runctl.models.identity import Identity
from runctl.models.instance import Hardware, Instance
from runctl.models.snapshot import Health, Source
from runctl.services.aws.backend import open_backend
from runctl.services.backend import Backend
from runctl.services.pollers import ALL_REGIONS, DENIED_INTERVAL_S, FLEET, HIDDEN_FACTOR, Pollers, collect, keys_of
from runctl.services.prices import PriceBook

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

    def until_each(self, *kinds: type[Event], timeout_s: float = 30.0) -> None:
        """Wait until one event of each kind was seen; other events do not stretch the deadline."""
        deadline = time.monotonic() + timeout_s
        while missing := set(kinds) - {type(e) for e in self.seen}:
            self.until(lambda e: type(e) in missing, timeout_s=deadline - time.monotonic())


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def pollers(cloud: DemoCloud, inbox: Inbox) -> Iterator[Pollers]:
    made = Pollers(open_backend(DEFAULTS), inbox.put, clock=SystemClock(), scope=1, regions=REGIONS, intervals=FAST)
    yield made
    made.stop()


def test_it_polls_again_and_again_and_stops(pollers: Pollers, inbox: Inbox) -> None:
    before = set(threading.enumerate())
    pollers.start()
    own = [t for t in threading.enumerate() if t.name.startswith("poll-") and t not in before]
    assert own
    for _ in range(8):
        inbox.until(lambda e: isinstance(e, ListingCompleted))
    assert any(isinstance(e, IdentityResolved) for e in inbox.seen)
    assert all(e.scope == 1 for e in inbox.seen)
    pollers.stop()
    for thread in own:
        thread.join(15)
    assert [t.name for t in own if t.is_alive()] == []


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
    assert pollers.held.wait(30)
    cloud.faults.clear()
    pollers.resume()
    inbox.until(lambda e: isinstance(e, ListingCompleted))


def test_an_answer_to_what_was_asked_before_the_login_holds_nothing(cloud: DemoCloud, inbox: Inbox) -> None:
    """Its request left with the old credentials, and its refusal comes when the new ones are at work."""
    made = Pollers(open_backend(DEFAULTS), inbox.put, clock=SystemClock(), scope=1, regions=REGIONS, intervals=FAST)
    asked_in = made.turn
    made.resume()
    made.hold(asked_in)
    assert not made.held.is_set()
    made.hold(made.turn)
    assert made.held.is_set()


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
    assert len(keys_of(FLEET, REGIONS)) == 4 * len(REGIONS) + 2  # and the jobs, which ask nothing where there are none


def test_calls_of_a_listing_grow_with_its_pages(canned_cloud: Callable[..., Canned]) -> None:
    counted = {}
    for machines in (0, 60, 200, 201, 2000):
        canned = canned_cloud(machines=machines)
        collect(open_backend(DEFAULTS), (Source.INSTANCES,), ("us-east-1",), lambda _: None, clock=SystemClock())
        counted[machines] = canned.calls["DescribeInstances", "us-east-1"]
    assert counted == {0: 1, 60: 1, 200: 1, 201: 2, 2000: 3}


@pytest.fixture
def canned_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Canned]]:
    with contextlib.ExitStack() as stack:

        def make(**what: object) -> Canned:
            canned = Canned(**what)  # type: ignore[arg-type]  # fields by name
            for name, value in client_environment(stack.enter_context(serving(canned))).items():
                monkeypatch.setenv(name, value)
            return canned

        yield make


def polling(inbox: Inbox, regions: tuple[str, ...], **intervals: float) -> Pollers:
    chosen = {Source(name): seconds for name, seconds in intervals.items()} or dict.fromkeys(FLEET, 10.0)
    return Pollers(open_backend(DEFAULTS), inbox.put, clock=SystemClock(), scope=1, regions=regions, intervals=chosen)


def is_data(event: Event) -> bool:
    return isinstance(event, PageArrived) and event.key.source is Source.INSTANCES and len(event.items) > 0


@pytest.mark.parametrize(
    ("regions", "trips"), [(("us-east-1",), 1), (TWENTY, 1), (ALL_REGIONS, 2)], ids=["one", "twenty", "all"]
)
def test_first_data_takes_two_round_trips_at_most(
    canned_cloud: Callable[..., Canned], inbox: Inbox, regions: tuple[str, ...], trips: int
) -> None:
    canned_cloud(latency=1.0, populated=("us-east-1", "ap-south-1"))
    pollers = polling(inbox, regions)
    began = time.monotonic()
    pollers.start()
    try:
        inbox.until(is_data)
        assert time.monotonic() - began < trips + 0.95
        if not any(isinstance(e, IdentityResolved) for e in inbox.seen):  # asked side by side, so it is due now
            inbox.until(lambda e: isinstance(e, IdentityResolved), timeout_s=0.9)
    finally:
        pollers.stop()


def test_regions_that_hang_do_not_slow_the_others_down(canned_cloud: Callable[..., Canned], inbox: Inbox) -> None:
    canned_cloud(populated=TWENTY, hanging=frozenset(TWENTY[:5]), machines=2)
    pollers = polling(inbox, TWENTY, instances=0.1)
    pollers.start()
    try:
        rounds: dict[str, int] = {}
        while any(rounds.get(r, 0) < 3 for r in TWENTY[5:]):
            event = inbox.until(lambda e: isinstance(e, ListingCompleted), timeout_s=5)
            assert isinstance(event, ListingCompleted)
            rounds[event.key.region] = rounds.get(event.key.region, 0) + 1
        assert not set(rounds) & set(TWENTY[:5])
    finally:
        pollers.stop()


def test_the_deadline_keeps_what_arrived_and_calls_it_partial(canned_cloud: Callable[..., Canned]) -> None:
    canned_cloud(machines=300, stalling=frozenset({"us-east-1"}))
    events: list[Event] = []
    backend = open_backend(DEFAULTS)
    assert not collect(backend, (Source.INSTANCES,), ("us-east-1",), events.append, clock=SystemClock(), timeout_s=1.0)
    assert sum(len(e.items) for e in events if isinstance(e, PageArrived)) == 200
    (failed,) = [e for e in events if isinstance(e, ListingFailed)]
    assert (failed.health, failed.partial, failed.error.operation) == (Health.PARTIAL, True, "DescribeInstances")


def test_a_question_for_regions_that_hangs_ends_at_the_deadline(canned_cloud: Callable[..., Canned]) -> None:
    canned_cloud(hanging=frozenset({"us-east-1"}))
    events: list[Event] = []
    began = time.monotonic()
    backend = open_backend(DEFAULTS)
    assert not collect(backend, (Source.INSTANCES,), ALL_REGIONS, events.append, clock=SystemClock(), timeout_s=0.5)
    assert time.monotonic() - began < 3
    assert {e.key.source for e in events if isinstance(e, ListingFailed)} == {Source.IDENTITY, Source.REGIONS}


def test_who_we_are_and_where_is_asked_again_after_a_failure(cloud: DemoCloud, inbox: Inbox) -> None:
    cloud.faults.add("denied", service="sts", times=1)
    cloud.faults.add("error", code="InvalidParameter", service="ec2", operation="DescribeRegions", times=1)
    pollers = polling(inbox, ALL_REGIONS, instances=5.0)
    pollers.start()
    try:
        inbox.until(lambda e: isinstance(e, ListingFailed) and e.key.source is Source.REGIONS)
        pollers.request()
        inbox.until_each(IdentityResolved, RegionsResolved, PageArrived)
    finally:
        pollers.stop()


class Whoami:
    """A backend that refuses to say who we are, each time when the test lets it."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.refuse = threading.Semaphore(0)

    def fetch_identity(self) -> Identity:
        self.asked.put(None)
        self.refuse.acquire(timeout=20)
        raise DeniedError(
            "not allowed: sts:GetCallerIdentity", CallSite("sts", "GetCallerIdentity", "", "AccessDenied")
        )

    def close(self) -> None:
        self.refuse.release()


def test_what_is_requested_while_a_refusal_is_under_way_is_asked_again() -> None:
    """However late the refusal: while it travels, while it is told, before it is counted."""
    backend = Whoami()
    pollers: Pollers

    def receive(event: Event) -> None:
        if isinstance(event, ListingFailed):
            pollers.request()  # told, not yet counted

    pollers = Pollers(
        cast(Backend, backend), receive, clock=SystemClock(), scope=1, regions=(), intervals={Source.INSTANCES: 50.0}
    )
    pollers.start()
    try:
        backend.asked.get(timeout=20)
        pollers.request()  # under way
        for _ in range(3):
            backend.refuse.release()
            backend.asked.get(timeout=20)  # and not after DENIED_INTERVAL_S
    finally:
        pollers.stop()


def test_expired_credentials_end_all_calls_within_one_cycle(cloud: DemoCloud, inbox: Inbox) -> None:
    pollers = polling(inbox, REGIONS, instances=0.2, volumes=0.2)
    pollers.start()
    try:
        inbox.until(is_data)
        cloud.faults.add("expired", service="*")
        failed = inbox.until(lambda e: isinstance(e, ListingFailed))
        assert isinstance(failed, ListingFailed)
        assert failed.next_try is None
        assert pollers.held.wait(30)
        settled = wait_until_still(lambda: sum(cloud.calls().values()))
        time.sleep(0.6)  # three cycles in which nobody may ask
        assert sum(cloud.calls().values()) == settled
    finally:
        pollers.stop()


def wait_until_still(count: Callable[[], int], for_s: float = 0.3) -> int:
    """The count once it has not grown for a while."""
    deadline, value, since = time.monotonic() + 10, count(), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < for_s:
        time.sleep(0.05)
        if (now := count()) != value:
            value, since = now, time.monotonic()
    return value


def test_throttling_stretches_the_interval_and_success_restores_it(cloud: DemoCloud, inbox: Inbox) -> None:
    rule = cloud.faults.add("throttle", service="ec2")
    pollers = polling(inbox, ("us-east-1",), instances=0.5)
    pollers.start()
    try:
        failed = inbox.until(lambda e: isinstance(e, ListingFailed) and e.key.source is Source.INSTANCES)
        assert isinstance(failed, ListingFailed)
        assert failed.next_try is not None
        assert (failed.next_try - failed.error.at).total_seconds() == pytest.approx(2.0, abs=0.2)
        cloud.faults.remove(rule)
        pollers.request()
        done = inbox.until(lambda e: isinstance(e, ListingCompleted))
        assert isinstance(done, ListingCompleted)
        assert done.next_try is not None
        assert (done.next_try - done.as_of).total_seconds() < 1.9
    finally:
        pollers.stop()


def test_a_hidden_source_is_asked_less_often_until_it_is_shown(cloud: DemoCloud, inbox: Inbox) -> None:
    pollers = polling(inbox, ("us-east-1",), instances=50.0, volumes=1.0)
    key = keys_of((Source.VOLUMES,), ("us-east-1",))[0]
    assert pollers.wait_s(key, 0) == HIDDEN_FACTOR
    pollers.start()
    try:
        volumes = lambda e: isinstance(e, ListingCompleted) and e.key == key  # noqa: E731  # read twice below
        inbox.until(volumes)
        shown = time.monotonic()
        pollers.focus({Source.VOLUMES})
        inbox.until(volumes, timeout_s=5)
        assert time.monotonic() - shown < HIDDEN_FACTOR - 2
    finally:
        pollers.stop()


def test_failing_for_days_neither_overflows_nor_stops(cloud: DemoCloud, inbox: Inbox) -> None:
    pollers = polling(inbox, REGIONS)
    for key in (*keys_of(FLEET, REGIONS), *keys_of((Source.IDENTITY, Source.REGIONS), ("",))):
        assert 0 < pollers.wait_s(key, 100_000) <= 60


def test_a_receiver_that_fails_does_not_end_polling(canned_cloud: Callable[..., Canned]) -> None:
    canned = canned_cloud(machines=1)

    def broken(event: Event) -> None:
        if isinstance(event, PageArrived | ListingFailed):
            raise RuntimeError(type(event).__name__)

    pollers = Pollers(
        open_backend(DEFAULTS), broken, clock=SystemClock(), scope=1, regions=("us-east-1",),
        intervals={Source.INSTANCES: 0.02},
    )  # fmt: skip
    pollers.start()
    try:
        deadline = time.monotonic() + 10
        while canned.calls["DescribeInstances", "us-east-1"] < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert canned.calls["DescribeInstances", "us-east-1"] >= 4
    finally:
        pollers.stop()


class BookWithoutTypes(PriceBook):
    """A book older than every type."""

    def hardware(self, instance_type: str) -> Hardware | None:
        del instance_type
        return None


def test_types_the_book_does_not_know_are_asked_once_and_filled_in(cloud: DemoCloud, inbox: Inbox) -> None:
    backend = open_backend(DEFAULTS, book=BookWithoutTypes())
    pollers = Pollers(
        backend, inbox.put, clock=SystemClock(), scope=1, regions=("us-east-1",), intervals={Source.INSTANCES: 0.3}
    )
    pollers.start()
    try:
        update = inbox.until(lambda e: isinstance(e, ItemsUpdated))
        assert isinstance(update, ItemsUpdated)
        assert update.items
        assert all(isinstance(i, Instance) and i.hardware.vcpus for i in update.items)
        page = inbox.until(is_data)
        assert isinstance(page, PageArrived)
        known = {i.type for i in update.items if isinstance(i, Instance)}
        assert all(i.hardware.vcpus for i in page.items if isinstance(i, Instance) and i.type in known)
        asked = [number for (_, operation, _), number in cloud.calls().items() if operation == "DescribeInstanceTypes"]
        assert sum(asked) <= 1 + len({i.type for i in page.items if isinstance(i, Instance)})
    finally:
        pollers.stop()
