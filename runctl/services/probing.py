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
from runctl.services.remote import Ran, UnreachableError, run_script, why_unreachable


def take_probe(
    door: Actions, machine: Instance, *, pause: Callable[[float], None] = time.sleep
) -> Probe | ItemResult | RunctlError:
    """What a machine says about itself, or why it was not asked: the refusal, or the error.

    Args:
        door: to act through.
        machine: whom.
        pause: waits so many seconds between two looks for the answer.
    """
    asked_at = door.ground.clock.now()
    ran = look_with(door, machine, probe_script(), comment=COMMENT, timeout_s=TIMEOUT_S, pause=pause)
    return parse_probe(ran.stdout, asked_at) if isinstance(ran, Ran) else ran


def look_with(
    door: Actions,
    machine: Instance,
    script: str,
    *,
    comment: str,
    timeout_s: int,
    pause: Callable[[float], None] = time.sleep,
) -> Ran | ItemResult | RunctlError:
    """Run a script that only looks; how it ended, or why it was not run.

    Args:
        door: to act through.
        machine: where.
        script: POSIX sh that changes nothing.
        comment: for the history of commands.
        timeout_s: seconds it may take.
        pause: waits so many seconds between two looks for the answer.
    """
    item = PlanItem(Verb.PROBE, Kind.INSTANCE, machine.id, machine.region, name=machine.name)
    ground, region = door.ground, machine.region
    try:
        begun = door.begin(item, door.plan_of([item]))
        if isinstance(begun, ItemResult):
            return begun
        return run_script(
            begun.send, ground.cloud.ask, region, machine.id, script, timeout_s=timeout_s, comment=comment, pause=pause
        )
    except RequestError as error:
        why = _why(door, machine)
        return UnreachableError(f"{machine.id}: {why or error.message}")
    except (CloudError, UnreachableError) as error:
        return error


def _why(door: Actions, machine: Instance) -> str:
    """Why Systems Manager did not take a script, "" when it does not say."""
    try:
        ask = door.ground.cloud.ask
        return why_unreachable(ask, machine.region, machine.id, has_profile=bool(machine.profile_arn))
    except CloudError:
        return ""
