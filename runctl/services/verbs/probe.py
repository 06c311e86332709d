"""Ask a machine how it is: one script by Systems Manager that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runctl.models.plan import Kind, Verb
from runctl.services.probe import COMMENT, TIMEOUT_S, probe_script
from runctl.services.remote import run_script
from runctl.services.verbs.machines import read_machines, tell_machine
from runctl.services.verbs.row import Done, Live, Row, Task, Told


def _told(live: Live, _: Mapping[str, Any], now: datetime) -> Told:
    return Told(tell_machine(live, now), recoverable="nothing is changed")


def _run(task: Task) -> Done:
    """The answer is not kept here: `runctl.services.probing` is how to get one."""
    item = task.item
    run_script(
        task.send, task.ground.cloud.ask, item.region, item.id, probe_script(), timeout_s=TIMEOUT_S, comment=COMMENT
    )
    return Done()


ROWS = (Row(Verb.PROBE, Kind.INSTANCE, read_machines, _run, _told),)
