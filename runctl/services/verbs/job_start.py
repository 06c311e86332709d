"""Start a job's supervisor on a machine that runs already: one script by Systems Manager."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runctl.errors import RunctlError
from runctl.models.plan import Kind, Verb
from runctl.services.remote import run_script
from runctl.services.verbs.machines import read_machines, tell_machine
from runctl.services.verbs.row import Done, Live, Row, Task, Told

_TIMEOUT_S = 300


def _told(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    return Told(tell_machine(live, now), recoverable="the job can be stopped; the machine stays")


def _run(task: Task) -> Done:
    item = task.item
    ran = run_script(
        task.send, task.ground.cloud.ask, item.region, item.id, str(item.parameters["script"]),
        timeout_s=_TIMEOUT_S, comment="runctl job",
    )  # fmt: skip
    if ran.code != 0:
        raise RunctlError(f"{item.id}: the supervisor did not start: {ran.complaint}")
    return Done(reason="its supervisor runs")


ROWS = (Row(Verb.RUN, Kind.INSTANCE, read_machines, _run, _told),)
