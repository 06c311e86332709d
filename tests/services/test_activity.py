"""Busy, idle, unknown: two signals over a window, never silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.clock import FrozenClock
from runctl.events import PageArrived
from runctl.models.instance import Activity, ActivityState, Hardware, Instance, InstanceState
from runctl.models.job import Job
from runctl.models.probe import Gpu, Probe
from runctl.models.snapshot import Source, SourceKey
from runctl.services.activity import FRESH, GRACE, WINDOW, Reading, Signal, Watch, judge, readings_of, readings_of_probe
from runctl.services.jobs.stores import LocalStore
from runctl.services.poll_activity import ActivityScout
from tests.screens.fleet import CPU, NOW, FleetBackend, busy, machine
from tests.screens.job_records import RecordedBackend, begin, job_machines, state, write_jobs

IDLE = {
    Signal.GPU: 0.0,
    Signal.GPU_WATTS: 61.0,
    Signal.GPU_PROCESSES: 0.0,
    Signal.CPU: 2.0,
    Signal.JOB: 0.0,
    Signal.LOGINS: 0.0,
}
BUSY = {Signal.GPU: 83.0, Signal.GPU_WATTS: 287.0, Signal.CPU: 71.0, Signal.JOB: 1.0}
GPU_BOX = machine(1, "box", up_h=24)
CPU_BOX = machine(2, "cpu", up_h=24, hardware=CPU)


def steady(signal: Signal, value: float, minutes: int = 60, until: datetime = NOW) -> Iterator[Reading]:
    for minute in range(0, minutes + 1, 5):
        yield Reading(until - timedelta(minutes=minute), signal, value)


def test_two_signals_over_the_window_are_idle_with_their_evidence_and_since() -> None:
    found = judge(GPU_BOX, [*steady(Signal.GPU, 0.0), *steady(Signal.GPU_WATTS, 61.0, 45)], NOW)
    assert found.state is ActivityState.IDLE
    assert found.evidence == "GPU 0 %, 61 W"
    assert found.since == NOW - timedelta(minutes=45)
    assert found.gpu_percent == 0.0


@pytest.mark.parametrize("signal", Signal)
def test_one_signal_alone_is_never_idle(signal: Signal) -> None:
    assert judge(GPU_BOX, [*steady(signal, IDLE[signal])], NOW).state is ActivityState.UNKNOWN


@pytest.mark.parametrize("signal", BUSY)
def test_one_busy_signal_is_busy_whatever_the_others_say(signal: Signal) -> None:
    others = [r for s in IDLE if s is not signal for r in steady(s, IDLE[s])]
    found = judge(GPU_BOX, [*others, *steady(signal, BUSY[signal], 20)], NOW)
    assert found.state is ActivityState.BUSY
    assert found.since == NOW - timedelta(minutes=20)


def test_cpu_and_logins_say_nothing_about_gpus() -> None:
    quiet = [*steady(Signal.CPU, 1.0), *steady(Signal.LOGINS, 0.0)]
    assert judge(GPU_BOX, quiet, NOW).state is ActivityState.UNKNOWN
    assert judge(replace(GPU_BOX, hardware=Hardware()), quiet, NOW).state is ActivityState.UNKNOWN
    assert judge(CPU_BOX, quiet, NOW).state is ActivityState.IDLE


def test_silence_is_unknown() -> None:
    assert judge(GPU_BOX, [], NOW).state is ActivityState.UNKNOWN
    old = NOW - FRESH - timedelta(minutes=1)
    stale = [*steady(Signal.GPU, 0.0, until=old), *steady(Signal.CPU, 0.0, until=old)]
    assert judge(GPU_BOX, stale, NOW).state is ActivityState.UNKNOWN


def test_a_hole_in_the_window_is_not_idleness() -> None:
    holed = [
        r
        for s in (Signal.GPU, Signal.CPU)
        for r in steady(s, 0.0)
        if not timedelta(minutes=8) < NOW - r.at < timedelta(minutes=25)
    ]
    assert judge(GPU_BOX, holed, NOW).state is ActivityState.UNKNOWN


def test_a_new_machine_is_given_time_and_an_old_run_does_not_count() -> None:
    readings = [*steady(Signal.GPU, 0.0, 600), *steady(Signal.CPU, 0.0, 600)]
    fresh = replace(GPU_BOX, launched_at=NOW - GRACE - WINDOW + timedelta(minutes=1))
    assert "too soon" in judge(fresh, readings, NOW).evidence
    grown = replace(GPU_BOX, launched_at=NOW - GRACE - WINDOW - timedelta(minutes=6))
    assert judge(grown, readings, NOW).state is ActivityState.IDLE


def test_somebody_who_is_logged_in_keeps_a_machine_from_being_idle() -> None:
    quiet = [*steady(Signal.GPU, 0.0), *steady(Signal.CPU, 0.0), *steady(Signal.LOGINS, 1.0)]
    found = judge(GPU_BOX, quiet, NOW)
    assert found.state is ActivityState.UNKNOWN
    assert "1 logged in" in found.evidence


def test_a_stopped_machine_is_neither() -> None:
    stopped = replace(GPU_BOX, state=InstanceState.STOPPED)
    assert judge(stopped, [*steady(Signal.GPU, 90.0)], NOW).state is ActivityState.UNKNOWN


_READINGS = st.lists(
    st.builds(
        Reading,
        st.integers(0, 120).map(lambda m: NOW - timedelta(minutes=m)),
        st.sampled_from(Signal),
        st.floats(0, 400),
    ),
    max_size=60,
)


@given(_READINGS)
def test_idle_always_rests_on_two_signals_read_all_through_the_window(readings: list[Reading]) -> None:
    found = judge(GPU_BOX, readings, NOW)
    if found.state is not ActivityState.IDLE:
        return
    assert found.since is not None
    assert NOW - found.since >= WINDOW
    quiet = {r.signal for r in readings if NOW - r.at >= WINDOW}
    assert len(quiet) >= 2


def test_a_heartbeat_becomes_readings_and_null_becomes_none() -> None:
    at = NOW.timestamp()
    full = {
        "at": at,
        "phase": "RUNNING",
        "progress_at": at - 30,
        "load": {"cpu": 40, "gpus": [{"util": 3}, {"util": 97}]},
    }
    assert {(r.signal, r.value) for r in readings_of(full)} == {
        (Signal.CPU, 40.0), (Signal.GPU, 97.0), (Signal.JOB, 1.0),
    }  # fmt: skip
    unknown = {"at": at, "load": {"cpu": None, "gpus": [{"util": 0}, {"util": None}]}}
    assert readings_of(unknown) == ()
    assert readings_of({"load": {"cpu": 1}}) == ()
    assert [r.value for r in readings_of({"at": at, "phase": "ENDED"})] == [0.0]
    stuck = {"at": at, "phase": "RUNNING", "progress_at": at - 7200}
    assert readings_of(stuck) == (), "a job that is stuck is not the same as none"


def test_the_watch_keeps_what_can_still_decide() -> None:
    watch = Watch(keep=timedelta(hours=2))
    for hours in (5, 1, 0):
        watch.add("us-east-1", GPU_BOX.id, steady(Signal.GPU, 0.0, until=NOW - timedelta(hours=hours)))
        watch.add("us-east-1", GPU_BOX.id, steady(Signal.CPU, 1.0, until=NOW - timedelta(hours=hours)))
    assert watch.judge(GPU_BOX, NOW).state is ActivityState.IDLE
    assert watch.judge(replace(GPU_BOX, region="eu-west-1"), NOW).state is ActivityState.UNKNOWN


def test_a_probe_becomes_readings_and_what_it_could_not_say_does_not() -> None:
    gpus = (Gpu(0, "a", "A10G", 0.0, power_w=60.0), Gpu(1, "b", "A10G", 91.0, power_w=None))
    probe = Probe(NOW, cpu_percent=3.0, gpus=gpus, gpu_processes=(), sessions=None)
    assert {(r.signal, r.value) for r in readings_of_probe(probe)} == {
        (Signal.CPU, 3.0), (Signal.GPU, 91.0), (Signal.GPU_PROCESSES, 0.0),
    }  # fmt: skip
    assert readings_of_probe(Probe(NOW)) == ()


class Meter(FleetBackend):
    """CloudWatch with a quiet machine in it."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked = threading.Event()

    def fetch_cpu(
        self, region: str, ids: tuple[str, ...], since: datetime, until: datetime
    ) -> dict[str, tuple[tuple[datetime, float], ...]]:
        del region, since
        points = tuple((until - timedelta(minutes=m), 1.0) for m in range(0, 60, 5))
        self.asked.set()
        return dict.fromkeys(ids, points)


@pytest.mark.parametrize("paid", [False, True])
def test_cloudwatch_is_asked_only_where_that_is_allowed_and_alone_never_says_idle(paid: bool) -> None:
    meter = Meter()
    scout = ActivityScout(meter, FrozenClock(NOW), paid=paid)
    page = PageArrived(1, SourceKey(Source.INSTANCES, "us-east-1"), 1, (GPU_BOX, CPU_BOX))
    scout.fill(page)
    assert meter.asked.wait(20 if paid else 0.2) is paid
    if not paid:
        return
    for name in (GPU_BOX.id, CPU_BOX.id):
        scout.add("us-east-1", name, steady(Signal.LOGINS, 0.0))
    deadline = time.monotonic() + 20
    while True:
        filled = scout.fill(page)
        assert isinstance(filled, PageArrived)
        states = [i.activity.state for i in filled.items if isinstance(i, Instance)]
        if states == [ActivityState.UNKNOWN, ActivityState.IDLE] or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert states == [ActivityState.UNKNOWN, ActivityState.IDLE], "nothing tells of the GPUs of the first"


def test_what_a_listing_already_knows_of_a_machine_stays() -> None:
    known = replace(GPU_BOX, activity=busy(80))
    page = PageArrived(1, SourceKey(Source.INSTANCES, "us-east-1"), 1, (known,))
    filled = ActivityScout(Meter(), FrozenClock(NOW)).fill(page)
    assert isinstance(filled, PageArrived)
    assert filled.items[0] is known


def _jobs_page(backend: RecordedBackend) -> PageArrived:
    (jobs,) = backend.list_jobs()
    return PageArrived(1, SourceKey(Source.JOBS, ""), 1, jobs)


def test_the_heartbeat_of_a_job_makes_its_machine_busy_with_its_evidence(tmp_path: Path) -> None:
    write_jobs(tmp_path / "records")
    scout = ActivityScout(Meter(), FrozenClock(NOW))
    machines = {m.name: replace(m, activity=Activity()) for m in job_machines()}
    page = PageArrived(1, SourceKey(Source.INSTANCES, "us-east-1"), 1, tuple(machines.values()))
    scout.fill(_jobs_page(RecordedBackend(tmp_path)))
    filled = scout.fill(page)
    assert isinstance(filled, PageArrived)
    told = {i.name: i.activity for i in filled.items if isinstance(i, Instance)}
    assert told["llama-7b"].state is ActivityState.BUSY
    assert "GPU 97 %" in told["llama-7b"].evidence
    assert "287 W" in told["llama-7b"].evidence
    assert told["bert-x"].state is ActivityState.UNKNOWN, "a machine that is gone does nothing"


def test_a_heartbeat_from_an_earlier_machine_says_nothing_of_the_one_there_is(tmp_path: Path) -> None:
    writer = begin(LocalStore(tmp_path / "records"), "running")
    writer.put("state.json", **state("RUNNING", 12_000, machine={"instance_id": "i-gone"}))
    backend = RecordedBackend(tmp_path)
    (row,) = _jobs_page(backend).items
    assert isinstance(row, Job)
    assert row.step == 12_000
    assert row.heartbeat is None
