"""Whether a shell on a machine may be opened and can be, and whom to log in as. Asks AWS; opens nothing."""

from __future__ import annotations

from runctl.errors import InputError
from runctl.models.instance import Instance
from runctl.models.plan import Verb
from runctl.services.actions import Actions
from runctl.services.remote import why_unreachable
from runctl.services.shell import USERS


def check_reach(door: Actions, machine: Instance) -> None:
    """Doubt a shell before the screen is given up.

    Raises:
        InputError: a rule refuses it, or Systems Manager does not reach the machine.
        CloudError: AWS cannot be asked.
    """
    (item,) = door.draft_on(Verb.SHELL, [machine]).items
    if item.refusals:
        first = item.refusals[0]
        raise InputError(f"{machine.id}: {first.reason} ({first.rule})")
    ask = door.ground.cloud.ask
    if why := why_unreachable(ask, machine.region, machine.id, has_profile=bool(machine.profile_arn)):
        raise InputError(f"{machine.id}: {why}")


def login_name(door: Actions, machine: Instance) -> str:
    """The login name of the machine's system, as Systems Manager knows it.

    Raises:
        InputError: it does not.
        CloudError: AWS cannot be asked.
    """
    wanted = [{"Key": "InstanceIds", "Values": [machine.id]}]
    answer = door.ground.cloud.ask("ssm", "DescribeInstanceInformation", machine.region, Filters=wanted)
    system = next((str(i.get("PlatformName", "")) for i in answer.get("InstanceInformationList") or ()), "")
    if system not in USERS:
        raise InputError(f"nobody knows the login name of {system or 'this system'}", example="--user ubuntu")
    return USERS[system]
