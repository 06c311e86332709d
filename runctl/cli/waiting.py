"""`runctl instances wait`: return when machines are in a state. It changes nothing."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from runctl.cli.arguments import Parser, add_format, duration
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.instance import Instance
    from runctl.services.actions import Actions

#: What can be waited for: a state, or that Systems Manager reaches the machine.
STATES = ("running", "stopped", "terminated", "reachable")
#: States from which the awaited one cannot come by itself.
_NEVER = {
    "running": ("stopped", "terminated", "shutting-down", "stopping"),
    "stopped": ("terminated", "shutting-down"),
    "terminated": (),
    "reachable": ("stopped", "terminated", "shutting-down", "stopping"),
}
_EVERY_S = 3.0


def _configure(parser: Parser) -> None:
    parser.add_argument("ids", nargs="+", metavar="ID", help="ids, or names that only one machine has")
    parser.add_argument(
        "--until", choices=STATES, default="running", metavar="STATE", help=f"{', '.join(STATES)} (default: running)"
    )
    parser.add_argument("--within", type=duration, default=600.0, metavar="10m", help="give up after that (10m)")
    add_format(parser, ("table", "json"))


def _run(args: Namespace) -> int:
    from runctl.cli.acting import open_door
    from runctl.cli.invocation import cloud, start
    from runctl.cli.machine_verbs import check_references

    check_references(args.ids)
    with cloud(args):
        call = start(args)
        return wait(call, open_door(call))


def wait(call: Invocation, door: Actions, pause: Callable[[float], Any] = time.sleep) -> int:
    """Look every few seconds until all are there, cannot get there, or time is up; returns the exit code."""
    from runctl.models.instance import Instance
    from runctl.models.plan import Kind
    from runctl.services.references import resolve

    found = resolve(door.ground.cloud, Kind.INSTANCE, call.args.ids, door.regions)
    machines = {m.id: m for m in found if isinstance(m, Instance)}
    began, until = call.clock.monotonic(), call.args.until
    results: dict[str, tuple[str, str]] = {}
    while True:
        for machine in _look(door, [m for m in machines.values() if m.id not in results]):
            machines[machine.id] = machine
            if _there(door, machine, until):
                results[machine.id] = ("done", machine.state.value)
            elif machine.state.value in _NEVER[until]:
                results[machine.id] = ("failed", f"it is {machine.state}")
        waited = call.clock.monotonic() - began
        if len(results) == len(machines) or waited >= call.args.within:
            break
        pause(min(_EVERY_S, max(0.1, call.args.within - waited)))
    for machine in machines.values():
        results.setdefault(machine.id, ("failed", f"still {machine.state} when the time was up"))
    return _tell(call, machines, results)


def _look(door: Actions, machines: list[Instance]) -> Iterable[Instance]:
    for region in dict.fromkeys(m.region for m in machines):
        ids = [m.id for m in machines if m.region == region]
        seen = {m.id: m for m in door.ground.cloud.find_instances(region, ids=ids)}
        yield from (seen.get(m.id, m) for m in machines if m.region == region)


def _there(door: Actions, machine: Instance, until: str) -> bool:
    from runctl.services.remote import why_unreachable

    if until != "reachable":
        return machine.state.value == until
    if machine.state.value != "running":
        return False
    ask = door.ground.cloud.ask
    return not why_unreachable(ask, machine.region, machine.id, has_profile=bool(machine.profile_arn))


def _tell(call: Invocation, machines: dict[str, Instance], results: dict[str, tuple[str, str]]) -> int:
    from runctl.cli import output
    from runctl.cli.style import Tone
    from runctl.cli.table import Cell, Column, table_lines

    if call.output == "json":
        output.write_json(
            [
                {
                    "id": i, "action": "wait", "outcome": results[i][0], "rule": None, "reason": results[i][1],
                    "name": m.name or None, "kind": "instance", "region": m.region, "state": m.state.value,
                }
                for i, m in machines.items()
            ]
        )  # fmt: skip
    else:
        columns = [Column(h, whole=h == "ID", keep=h != "NAME") for h in ("ID", "NAME", "OUTCOME", "STATE")]
        rows = [
            [Cell(i), Cell(call.style.clean(m.name, 60)),
             Cell(results[i][0], Tone.GOOD if results[i][0] == "done" else Tone.BAD), Cell(results[i][1])]
            for i, m in machines.items()
        ]  # fmt: skip
        output.write_lines(table_lines(columns, rows, call.style))
    done = sum(outcome == "done" for outcome, _ in results.values())
    return 0 if done == len(machines) else 4 if done else 2


WAIT = Verb(
    _configure,
    _run,
    ("runctl instances wait trainer", "runctl instances wait old-1 old-2 --until terminated --within 5m"),
)
