"""Give a machine more time: the timer on it is moved first, then its tag says so.

In that order, because a tag that promises more time than the timer allows would cost somebody a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from runctl.errors import InputError, RunctlError
from runctl.format import format_duration, format_time
from runctl.models.instance import Instance, InstanceState
from runctl.models.plan import Kind, Verb
from runctl.models.tags import TTL, ends_at
from runctl.services.case import Around, Resource
from runctl.services.launch.request import LONGEST_TTL_S, SHORTEST_TTL_S
from runctl.services.launch.user_data import timer_script
from runctl.services.remote import UnreachableError
from runctl.services.verbs.disk_waits import run_on_machine
from runctl.services.verbs.machines import machine_of, tell_machine
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told


def _read(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    """Machines; each is also the machine that the script runs on."""
    del parameters
    found = ground.cloud.find_instances(region, ids=ids)
    return {m.id: Live(m, Around(job=ground.jobs(m), machine=m)) for m in found}


def _prepare(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The new end as a time, so that a resumed plan does not add twice: from the present end on, or from now."""
    now = ground.clock.now()
    ends = ends_at(machine_of(live).ownership.ttl)
    until = max(now, ends or now) + timedelta(seconds=float(parameters["by_s"]))
    rest = (until - now).total_seconds()
    if not SHORTEST_TTL_S <= rest <= LONGEST_TTL_S:
        raise InputError(
            f"it would end itself {format_duration(rest)} from now",
            allowed=f"{format_duration(SHORTEST_TTL_S)} to {format_duration(LONGEST_TTL_S)} from now",
            example="--by 4h",
        )
    return {"until": until.isoformat(timespec="seconds")}


def _told(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    machine = machine_of(live)
    until = ends_at(str(parameters["until"])) or now
    about = tell_machine(live, now) | {"until": format_time(until)}
    hourly = machine.usd_per_hour
    bill = "" if hourly is None else f", at most ${hourly * max(0.0, (until - now).total_seconds()) / 3600:,.2f} more"
    return Told(about, (), f"it ends itself at {format_time(until)}{bill}", hourly)


def _run(task: Task) -> Done:
    machine, until = machine_of(task.live), str(task.item.parameters["until"])
    noticed = _move_timer(task, machine, until)
    task.send("ec2", "CreateTags", Resources=[machine.id], Tags=[{"Key": TTL, "Value": until}])
    return Done(reason=noticed)


def _move_timer(task: Task, machine: Instance, until: str) -> str:
    """Move the timer on the machine; what is to be said where it has none that can be reached.

    Raises:
        RunctlError: it has a timer that could not be moved, so that the tag would promise what is not so.
    """
    ends = machine.ownership.ttl
    if machine.state is not InstanceState.RUNNING:
        if ends:
            raise RunctlError(f"it is {machine.state}, and its timer moves only while it runs: it still says {ends}")
        return f"it is {machine.state} and has no timer: only the tag says it, and cleanup proposes to end it then"
    at = ends_at(until)
    if at is None:
        raise InputError(f"{until!r} is not a time", allowed="ISO-8601 with an offset")
    kept = f"its timer could not be moved and still says {ends}" if ends else "no timer could be set on it"
    try:
        run_on_machine(task, machine.id, f"{timer_script(at)}echo moved\n", "extend", kept)
    except UnreachableError as error:
        if ends:
            raise
        return f"only the tag says it, and cleanup proposes to end it then: {error}"
    return ""


def _settled(verb: Verb, resource: Resource, parameters: Mapping[str, Any]) -> str:
    del verb
    return "it has that time already" if resource.ownership.ttl == parameters.get("until") else ""


ROWS = (Row(Verb.EXTEND, Kind.INSTANCE, _read, _run, _told, _prepare, settled=_settled),)
