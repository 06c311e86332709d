"""Ask machines how they are, through the door: what is not ours is not asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from runctl.errors import CloudError, RequestError, RunctlError
from runctl.models.instance import Instance
from runctl.models.plan import ItemResult, Kind, PlanItem, Verb
from runctl.models.probe import Probe
from runctl.services.actions import Actions
from runctl.services.probe import COMMENT, TIMEOUT_S, parse_probe, probe_script
from runctl.services.remote import UnreachableError, run_script, why_unreachable
from runctl.services.verbs.row import Task


def take_probe(
    door: Actions, machine: Instance, *, pause: Callable[[float], None] = time.sleep
) -> Probe | ItemResult | RunctlError:
    """What a machine says about itself, or why it was not asked: the refusal, or the error.

    Args:
        door: to act through.
        machine: whom.
        pause: waits so many seconds between two looks for the answer.
    """
    item = PlanItem(Verb.PROBE, Kind.INSTANCE, machine.id, machine.region, name=machine.name)
    try:
        begun = door.begin(item, door.plan_of([item]))
        return begun if isinstance(begun, ItemResult) else _asked(begun, machine, pause)
    except (CloudError, UnreachableError) as error:
        return error


def _asked(task: Task, machine: Instance, pause: Callable[[float], None]) -> Probe:
    ground, region = task.ground, machine.region
    asked_at = ground.clock.now()
    try:
        ran = run_script(
            task.send, ground.cloud.ask, region, machine.id, probe_script(),
            timeout_s=TIMEOUT_S, comment=COMMENT, pause=pause,
        )  # fmt: skip
    except RequestError as error:
        why = why_unreachable(ground.cloud.ask, region, machine.id, has_profile=bool(machine.profile_arn))
        raise UnreachableError(f"{machine.id}: {why or error.message}") from error
    return parse_probe(ran.stdout, asked_at)
