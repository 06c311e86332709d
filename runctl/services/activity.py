"""Busy, idle or unknown, from readings of independent signals over a window. Pure.

Never idle from one signal, never from silence: each signal that says idle must have been read all through the window,
and on a machine with GPUs one of them must be about its GPUs or its job, since training may leave the CPU alone. A
machine that was just launched is given time. One signal that says busy is enough for busy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from runctl.format import format_duration
from runctl.models.instance import Activity, ActivityState, Instance
from runctl.models.probe import Probe

#: How long every signal must say idle, how long a new machine is given, how old the newest reading may be.
WINDOW = timedelta(minutes=30)
GRACE = timedelta(minutes=15)
FRESH = timedelta(minutes=12)
#: Readings further apart leave a hole in which anything may have happened. Basic metrics come every five minutes.
HOLE = timedelta(minutes=11)


class Signal(StrEnum):
    """What can be read of a machine. The words are those of the evidence."""

    GPU = "GPU"  # utilisation, percent, the busiest one
    GPU_WATTS = "GPU power"  # watts of the hungriest one
    GPU_PROCESSES = "GPU processes"  # how many
    CPU = "CPU"  # percent of all cores
    JOB = "job"  # 1.0 while its heartbeat tells of progress, 0.0 when it tells that nothing runs
    LOGINS = "logins"  # sessions


#: Below the first figure a signal says idle, from the second on busy, between them nothing. A process may hold memory
#: of a GPU and do nothing, and somebody who is logged in may do nothing: neither says busy by itself.
#: GPUs of data centres draw 25 to 90 W when nothing runs (NVIDIA data sheets state no idle power; measured values).
_LIMITS: Mapping[Signal, tuple[float, float]] = {
    Signal.GPU: (5.0, 10.0),
    Signal.GPU_WATTS: (95.0, 150.0),
    Signal.GPU_PROCESSES: (1.0, float("inf")),
    Signal.CPU: (5.0, 25.0),
    Signal.JOB: (0.5, 0.5),
    Signal.LOGINS: (1.0, float("inf")),
}
_ABOUT_THE_WORK = frozenset({Signal.GPU, Signal.GPU_WATTS, Signal.GPU_PROCESSES, Signal.JOB})
_UNITS = {Signal.GPU: " %", Signal.CPU: " %", Signal.GPU_WATTS: " W"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one signal.

    Args:
        at: when.
        signal: what.
        value: what it said.
        source: who told: "heartbeat", "probe", "cloudwatch".
    """

    at: datetime
    signal: Signal
    value: float
    source: str = ""


def judge(machine: Instance, readings: Iterable[Reading], now: datetime) -> Activity:
    """What a machine is doing.

    Args:
        machine: the machine; one that does not run is unknown.
        readings: everything known of it, in any order, also from before it was started.
        now: the time.
    """
    if not machine.bills or machine.launched_at is None:
        return Activity()
    own = sorted((r for r in readings if machine.launched_at <= r.at <= now), key=lambda r: r.at)
    by_signal = {s: tuple(r for r in own if r.signal is s) for s in Signal}
    recent = {s: rs[-1] for s, rs in by_signal.items() if rs and now - rs[-1].at <= FRESH}
    cpu, gpu = recent.get(Signal.CPU), recent.get(Signal.GPU)
    figures = (gpu.value if gpu else None, cpu.value if cpu else None)
    busy = [r for s, r in recent.items() if r.value >= _LIMITS[s][1]]
    if busy:
        since = min(_turned(by_signal[r.signal], busy=True) for r in busy)
        return Activity(ActivityState.BUSY, _words(busy), since, *figures)
    if not recent:
        return Activity(ActivityState.UNKNOWN, "nothing tells", None, *figures)
    age = now - machine.launched_at
    if age < GRACE + WINDOW:
        ago = format_duration(age.total_seconds())
        return Activity(ActivityState.UNKNOWN, f"started {ago} ago: too soon to tell", None, *figures)
    return _idle_or_unknown(machine, by_signal, recent, now, figures)


def _idle_or_unknown(
    machine: Instance,
    by_signal: Mapping[Signal, Sequence[Reading]],
    recent: Mapping[Signal, Reading],
    now: datetime,
    figures: tuple[float | None, float | None],
) -> Activity:
    idle = {s: start for s in recent if (start := _idle_since(by_signal[s], s)) is not None}
    lasting = {s: start for s, start in idle.items() if now - start >= WINDOW}
    if len(lasting) < 2:
        said = _words(recent.values())
        why = "only one signal" if len(lasting) == 1 and len(recent) == 1 else "not for long enough"
        return Activity(ActivityState.UNKNOWN, f"{said}: {why}", None, *figures)
    # Somebody whose GPU count nobody knows may well have GPUs.
    if machine.hardware.gpu_count != 0 and not _ABOUT_THE_WORK & set(lasting):
        return Activity(ActivityState.UNKNOWN, f"{_words(recent.values())}: nothing tells of its GPUs", None, *figures)
    undecided = set(recent) - set(idle)
    if undecided:
        return Activity(ActivityState.UNKNOWN, f"{_words(recent.values())}: they disagree", None, *figures)
    evidence = _words(recent[s] for s in lasting)
    return Activity(ActivityState.IDLE, evidence, max(lasting.values()), *figures)


def _turned(readings: Sequence[Reading], *, busy: bool) -> datetime:
    """Since when a signal has said what it says, without a hole."""
    since, last = readings[-1].at, readings[-1].at
    for reading in reversed(readings):
        says = reading.value >= _LIMITS[reading.signal][1] if busy else reading.value < _LIMITS[reading.signal][0]
        if not says or last - reading.at > HOLE:
            break
        since = last = reading.at
    return since


def _idle_since(readings: Sequence[Reading], signal: Signal) -> datetime | None:
    return _turned(readings, busy=False) if readings[-1].value < _LIMITS[signal][0] else None


def _words(readings: Iterable[Reading]) -> str:
    return ", ".join(_one(r) for r in readings)


def _one(reading: Reading) -> str:
    value = f"{reading.value:.0f}"
    match reading.signal:
        case Signal.GPU_PROCESSES:
            return "no GPU process" if reading.value < 1 else f"{value} GPU processes"
        case Signal.LOGINS:
            return "nobody logged in" if reading.value < 1 else f"{value} logged in"
        case Signal.JOB:
            return "job makes progress" if reading.value >= 0.5 else "no job runs"
        case Signal.GPU_WATTS:
            return f"{value} W"
    return f"{reading.signal} {value}{_UNITS[reading.signal]}"


class Watch:
    """Readings of many machines, kept for as long as they can decide anything."""

    def __init__(self, keep: timedelta = timedelta(days=2)) -> None:
        self._keep = keep
        self._readings: dict[tuple[str, str], list[Reading]] = {}

    def add(self, region: str, instance_id: str, readings: Iterable[Reading]) -> None:
        """Take readings; those already there are not taken twice."""
        kept = self._readings.setdefault((region, instance_id), [])
        known = set(kept)
        kept += [r for r in readings if r not in known]
        newest = max((r.at for r in kept), default=None)
        if newest is not None:
            kept[:] = [r for r in kept if newest - r.at <= self._keep]

    def judge(self, machine: Instance, now: datetime) -> Activity:
        """What a machine is doing; unknown where nothing was read."""
        readings = self._readings.get((machine.region, machine.id))
        return judge(machine, tuple(readings), now) if readings else Activity()


#: A job whose step moved within this long of its heartbeat makes progress.
_PROGRESS = timedelta(minutes=10)
_ENDED = "ENDED"


def readings_of(heartbeat: Mapping[str, object]) -> tuple[Reading, ...]:
    """The readings in a supervisor's heartbeat (`attempts/N/state.json`); null and absent are not known, never 0.

    That a job runs and makes no progress says nothing: it may be compiling, or waiting for data.
    """
    at = _number(heartbeat.get("at"))
    if at is None:
        return ()
    moment = datetime.fromtimestamp(at, UTC)
    load = heartbeat.get("load")
    found = [] if not isinstance(load, Mapping) else list(_load_readings(load, moment))
    progress = _number(heartbeat.get("progress_at"))
    if heartbeat.get("phase") == _ENDED:
        found.append(Reading(moment, Signal.JOB, 0.0, "heartbeat"))
    elif progress is not None and at - progress <= _PROGRESS.total_seconds():
        found.append(Reading(moment, Signal.JOB, 1.0, "heartbeat"))
    return tuple(found)


def readings_of_probe(probe: Probe) -> tuple[Reading, ...]:
    """The readings in one answer of a machine; what it could not say is not read."""
    at, found = probe.taken_at, dict[Signal, float | None]()
    found[Signal.CPU] = probe.cpu_percent
    if probe.gpus:
        used, watts = [g.utilization_percent for g in probe.gpus], [g.power_w for g in probe.gpus]
        found[Signal.GPU] = max((u for u in used if u is not None), default=None) if None not in used else None
        found[Signal.GPU_WATTS] = max((w for w in watts if w is not None), default=None) if None not in watts else None
        found[Signal.GPU_PROCESSES] = None if probe.gpu_processes is None else float(len(probe.gpu_processes))
    if probe.sessions is not None:
        found[Signal.LOGINS] = float(len(probe.sessions))
    return tuple(Reading(at, signal, value, "probe") for signal, value in found.items() if value is not None)


def _load_readings(load: Mapping[str, object], at: datetime) -> Iterator[Reading]:
    if (cpu := _number(load.get("cpu"))) is not None:
        yield Reading(at, Signal.CPU, cpu, "heartbeat")
    gpus = load.get("gpus")
    each = [g for g in gpus if isinstance(g, Mapping)] if isinstance(gpus, list) else []
    for signal, names in ((Signal.GPU, ("util", "utilization")), (Signal.GPU_WATTS, ("power_w", "watts", "power"))):
        values = [next((v for n in names if (v := _number(g.get(n))) is not None), None) for g in each]
        # One GPU of which nothing is known may be the one that works.
        if values and None not in values:
            yield Reading(at, signal, max(v for v in values if v is not None), "heartbeat")


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and isinstance(value, int | float) else None
