"""What a machine said about itself, as sections of the detail. Pure; what nobody knows is a question mark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from runctl.format import UNKNOWN, format_bytes, format_count, format_duration
from runctl.models.probe import Gpu, GpuProcess, Probe
from runctl.screens.cells import NOT_KNOWN, Cell, bar, outside, plain, row
from runctl.widgets.detail import Row, Section

#: Answers of a machine that changes all the time are old after this many seconds.
OLD_S = 300.0


def probe_sections(probe: Probe, now: datetime) -> tuple[Section, ...]:
    """Everything of one answer, with its age."""
    age_s = (now - probe.taken_at).total_seconds()
    asked = plain(f"{format_duration(age_s)} ago", "stale" if age_s > OLD_S else "muted")
    return (
        Section("Probe", (row("asked", asked), *_system(probe))),
        Section("GPUs", tuple(_gpus(probe))),
        Section("Disks in use", tuple(_disks(probe))),
        Section("Processes", tuple(_processes(probe))),
        Section("Logged in", tuple(_sessions(probe))),
        Section("Not known", tuple(row("", outside(said, "muted")) for said in probe.missing)),
    )


def _percent(value: float | None) -> Cell:
    return NOT_KNOWN if value is None else (*bar(value, 10), (f" {value:.0f}%", ""))


def _system(probe: Probe) -> Iterator[Row]:
    up = format_duration(probe.uptime_s)
    yield row("system", (*outside(probe.system), (f", up {up}", "")))
    load = UNKNOWN if probe.load is None else f"{probe.load:.2f}"
    yield row("CPU", (*_percent(probe.cpu_percent), (f" of {format_count(probe.cpus)}, load {load}", "")))
    total = format_bytes(probe.memory_total_bytes)
    yield row("memory", (*_percent(probe.memory_percent), (f" of {total}", "")))
    for nic in probe.network or ():
        rates = f"in {format_bytes(nic.received_per_s)}/s, out {format_bytes(nic.sent_per_s)}/s"
        yield row(nic.name, plain(rates))


def _gpus(probe: Probe) -> Iterator[Row]:
    if probe.gpus is None:
        yield row("", NOT_KNOWN)
        return
    for gpu in probe.gpus:
        yield row(f"{gpu.index}", (*_percent(gpu.utilization_percent), (f" {_gpu_words(gpu)}", "")))
        yield from (_process_on(p) for p in probe.gpu_processes or () if p.gpu == gpu.uuid)
    if not probe.gpus:
        yield row("", plain("none", "muted"))
    elif probe.gpu_processes is None:
        yield row("processes", NOT_KNOWN)


def _gpu_words(gpu: Gpu) -> str:
    memory = f"{format_count(gpu.memory_used_mib)}/{format_count(gpu.memory_total_mib)} MiB"
    return f"{memory}, {format_count(gpu.power_w)} W, {format_count(gpu.temperature_c)} °C"


def _process_on(process: GpuProcess) -> Row:
    memory = "" if process.memory_mib is None else f" {process.memory_mib:,.0f} MiB"
    return row("", (*outside(process.name), (f" {process.pid}{memory}", "muted")))


def _disks(probe: Probe) -> Iterator[Row]:
    if probe.disks is None:
        yield row("", NOT_KNOWN)
    for disk in probe.disks or ():
        share = 100 * disk.used_bytes / disk.total_bytes if disk.total_bytes else None
        full = "warn" if share is not None and share >= 90 else ""
        said = f" {format_bytes(disk.used_bytes)} of {format_bytes(disk.total_bytes)}"
        yield row(disk.mount, (*_percent(share), (said, full)))


def _processes(probe: Probe) -> Iterator[Row]:
    if probe.processes is None:
        yield row("", NOT_KNOWN)
    for process in probe.processes or ():
        used = f"{process.cpu_percent:.0f}% cpu {process.memory_percent:.0f}% mem "
        yield row(f"{process.pid}", ((used, ""), *outside(process.command, limit=80)))


def _sessions(probe: Probe) -> Iterator[Row]:
    if probe.sessions is None:
        yield row("", NOT_KNOWN)
    elif not probe.sessions:
        yield row("", plain("nobody", "muted"))
    for session in probe.sessions or ():
        idle = f", idle {format_duration(session.idle_s)}" if session.idle_s is not None else ""
        host = f" from {session.host}" if session.host else ""
        yield row(session.user, outside(f"{session.terminal}{host}{idle}"))
