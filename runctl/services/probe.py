"""The probe: one script that a machine answers with one JSON object a line, and what its answer means. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from runctl.format import clean_text
from runctl.models.probe import Filesystem, Gpu, GpuProcess, Interface, LoginSession, Probe, Process

T = TypeVar("T")
_SCRIPT = Path(__file__).parents[1] / "data" / "probe.sh"
#: Seconds a machine has for its answer.
TIMEOUT_S = 45
#: What Systems Manager's history of commands calls it.
COMMENT = "runctl probe"


@cache
def probe_script() -> str:
    """What runs on the machine: POSIX sh and awk, about a second, changes nothing."""
    return _SCRIPT.read_text(encoding="utf-8")


def parse_probe(text: str, taken_at: datetime) -> Probe:
    """The answer of a machine. Never raises: what is missing, torn or odd is unknown, and said so.

    Args:
        text: standard output of the script, perhaps cut off.
        taken_at: when it was asked.
    """
    found: dict[str, Any] = {}
    missing: list[str] = []
    for part in _parts(text):
        if "missing" in part:
            missing.append(clean_text(str(part["missing"]), 120))
        else:
            found |= part
    truncated = "end" not in found
    if truncated:
        missing.append("the rest: the answer was cut off" if found else "everything: it did not answer")
    return Probe(
        taken_at,
        system=_text(found, "system"),
        uptime_s=_number(found, "uptime_s"),
        cpus=_whole(found, "cpus"),
        load=_number(found, "load"),
        cpu_percent=_number(found, "cpu_percent"),
        memory_total_bytes=_whole(found, "memory_total_bytes"),
        memory_available_bytes=_whole(found, "memory_available_bytes"),
        gpus=_all(found, "gpus", _gpu),
        gpu_processes=_all(found, "gpu_processes", _gpu_process),
        disks=_all(found, "disks", _disk),
        network=_all(found, "network", _interface),
        processes=_all(found, "processes", _process),
        sessions=_all(found, "sessions", _session),
        missing=tuple(missing),
        truncated=truncated,
    )


def _parts(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:  # torn at the end, or a word of somebody's login script
            continue
        if isinstance(value, dict):
            yield value


def _all(found: Mapping[str, Any], name: str, make: Callable[[Mapping[str, Any]], T | None]) -> tuple[T, ...] | None:
    """Every item that can be read; None when the machine did not say."""
    listed = found.get(name)
    if not isinstance(listed, list):
        return None
    made = [make(i) for i in listed if isinstance(i, dict)]
    return tuple(m for m in made if m is not None)


def _number(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(item: Mapping[str, Any], name: str) -> int | None:
    value = _number(item, name)
    return None if value is None else int(value)


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return clean_text(value, 200) if isinstance(value, str) and value else None


def _word(item: Mapping[str, Any], name: str) -> str:
    return _text(item, name) or ""


def _gpu(item: Mapping[str, Any]) -> Gpu | None:
    index = _whole(item, "index")
    if index is None:
        return None
    figures = (
        "utilization_percent", "memory_used_mib", "memory_total_mib", "power_w", "power_limit_w", "temperature_c",
    )  # fmt: skip
    return Gpu(index, _word(item, "uuid"), _word(item, "name"), **{f: _number(item, f) for f in figures})


def _gpu_process(item: Mapping[str, Any]) -> GpuProcess | None:
    pid = _whole(item, "pid")
    return (
        None if pid is None else GpuProcess(_word(item, "gpu"), pid, _word(item, "name"), _number(item, "memory_mib"))
    )


def _disk(item: Mapping[str, Any]) -> Filesystem | None:
    total, used = _whole(item, "total_bytes"), _whole(item, "used_bytes")
    if total is None or used is None:
        return None
    return Filesystem(_word(item, "device"), _word(item, "mount"), total, used)


def _interface(item: Mapping[str, Any]) -> Interface | None:
    received, sent = _whole(item, "received_bytes"), _whole(item, "sent_bytes")
    if received is None or sent is None:
        return None
    rates = _number(item, "received_per_s"), _number(item, "sent_per_s")
    return Interface(_word(item, "name"), received, sent, *rates)


def _process(item: Mapping[str, Any]) -> Process | None:
    pid, cpu, memory = _whole(item, "pid"), _number(item, "cpu_percent"), _number(item, "memory_percent")
    if pid is None or cpu is None or memory is None:
        return None
    return Process(pid, _word(item, "user"), cpu, memory, _word(item, "command"))


def _session(item: Mapping[str, Any]) -> LoginSession | None:
    if not _word(item, "user"):
        return None
    return LoginSession(_word(item, "user"), _word(item, "terminal"), _word(item, "host"), _number(item, "idle_s"))
