"""`runctl instances probe`: ask a machine how it is."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runctl.cli.arguments import Parser, add_format
from runctl.cli.dispatch import Verb
from runctl.format import UNKNOWN, format_bytes, format_count, format_duration, format_percent

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.instance import Instance
    from runctl.models.probe import Gpu, Probe
    from runctl.services.actions import Actions


def _configure(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help="id, or a name that only one machine has")
    add_format(parser, ("table", "json"))


def _run(args: Namespace) -> int:
    from runctl.cli.acting import open_door
    from runctl.cli.invocation import cloud, start
    from runctl.cli.machine_verbs import check_references

    check_references([args.id])
    with cloud(args):
        call = start(args)
        return probe(call, open_door(call))


def probe(call: Invocation, door: Actions) -> int:
    """Ask one machine and write down what it says; returns the exit code.

    Raises:
        InputError: no such machine, or it is not asked.
        CloudError: AWS could not be asked.
    """
    from runctl.cli import nouns, output
    from runctl.errors import InputError
    from runctl.models.instance import Instance
    from runctl.models.plan import ItemResult, Kind
    from runctl.services.probing import take_probe
    from runctl.services.references import resolve

    (machine,) = resolve(door.ground.cloud, Kind.INSTANCE, [call.args.id], door.regions)
    if not isinstance(machine, Instance):
        raise TypeError(f"a machine was expected, not {machine!r}")
    answer = take_probe(door, machine)
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, ItemResult):
        raise InputError(f"{machine.id}: {answer.reason}" + (f" ({answer.rule})" if answer.rule else ""))
    if call.output == "json":
        output.write_json(probe_json(machine, answer))
    else:
        nouns.write_facts(call, [(label, call.style.clean(value)) for label, value in facts_of(machine, answer)])
    return 4 if answer.truncated else 0


def probe_json(machine: Instance, answer: Probe) -> dict[str, Any]:
    """An answer as one object: every field of the model, with the machine in front."""
    held = asdict(answer)
    held["taken_at"] = answer.taken_at.isoformat()
    return {"id": machine.id, "name": machine.name, "region": machine.region, **held}


def facts_of(machine: Instance, answer: Probe) -> Iterator[tuple[str, str]]:
    """An answer as lines of (label, text); what is unknown says so."""
    yield "MACHINE", f"{machine.id} {machine.name} ({machine.type})"
    yield "SYSTEM", f"{answer.system or UNKNOWN}, up {format_duration(answer.uptime_s)}"
    load = UNKNOWN if answer.load is None else f"{answer.load:.2f}"
    yield "CPU", f"{format_percent(answer.cpu_percent)} of {format_count(answer.cpus)}, load {load}"
    total, left = answer.memory_total_bytes, answer.memory_available_bytes
    used = None if total is None or left is None else total - left
    yield "MEMORY", f"{format_percent(answer.memory_percent)}, {format_bytes(used)} of {format_bytes(total)}"
    yield from _gpu_facts(answer)
    yield from _listed("DISK", answer.disks, lambda d: (
        f"{d.mount}  {format_percent(100 * d.used_bytes / d.total_bytes if d.total_bytes else None)}, "
        f"{format_bytes(d.used_bytes)} of {format_bytes(d.total_bytes)}  {d.device}"
    ))  # fmt: skip
    yield from _listed("NETWORK", answer.network, lambda n: (
        f"{n.name}  in {format_bytes(n.received_per_s)}/s  out {format_bytes(n.sent_per_s)}/s"
    ))  # fmt: skip
    yield from _listed("SESSION", answer.sessions, lambda s: (
        f"{s.user} on {s.terminal}" + (f" from {s.host}" if s.host else "") + f", idle {format_duration(s.idle_s)}"
    ))  # fmt: skip
    yield from _listed("PROCESS", answer.processes, lambda p: (
        f"{p.pid:>7} {p.user:<10} {p.cpu_percent:5.1f}% cpu {p.memory_percent:4.1f}% mem  {p.command}"
    ))  # fmt: skip
    for missing in answer.missing:
        yield "UNKNOWN", missing


def _gpu_facts(answer: Probe) -> Iterator[tuple[str, str]]:
    yield from _listed("GPU", answer.gpus, _gpu_line)
    names = {g.uuid: g.index for g in answer.gpus or ()}
    yield from _listed("GPU PROCESS", answer.gpu_processes, lambda p: (
        f"{p.pid:>7} on {names.get(p.gpu, UNKNOWN)}, {_amount(p.memory_mib, 'MiB')}  {p.name}"
    ))  # fmt: skip


def _gpu_line(gpu: Gpu) -> str:
    return (
        f"{gpu.index}  {format_percent(gpu.utilization_percent)}, memory {_amount(gpu.memory_used_mib)} of "
        f"{_amount(gpu.memory_total_mib, 'MiB')}, {_amount(gpu.power_w)} of {_amount(gpu.power_limit_w, 'W')}, "
        f"{_amount(gpu.temperature_c)} °C  {gpu.name}"
    )


def _amount(value: float | None, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{value:,.0f} {unit}".strip()


def _listed(label: str, items: Any, line: Any) -> Iterator[tuple[str, str]]:
    """A line for each; "none" and "unknown" are different answers."""
    if items is None:
        yield label, UNKNOWN
    elif not items:
        yield label, "none"
    else:
        yield from ((label if n == 0 else "", line(item)) for n, item in enumerate(items))


PROBE = Verb(_configure, _run, ("runctl instances probe trainer", "runctl instances probe trainer -o json"))
