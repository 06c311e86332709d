"""A machine for one errand: launched beside a disk with its end already set, and always taken away again.

It ends itself when its time is up (instance-initiated shutdown = terminate, and a timer in its user data), so that a
killed runctl and a closed laptop leave nothing that bills for ever; its tag says which disk it serves, so that the next
run for the same disk finds it and uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from runctl.errors import CloudError, RunctlError
from runctl.models.instance import Instance, InstanceState
from runctl.models.launch import LaunchRequest
from runctl.models.plan import ItemResult, Rule, Verb
from runctl.models.volume import Volume
from runctl.services.actions import Actions
from runctl.services.case import is_ours
from runctl.services.launch.request import new_request_id
from runctl.services.remote import why_unreachable

#: Tag of such a machine: the disk it is for. No prefix of ours: `runctl:` is what rules are made of.
FOR_VOLUME = "prewarm-volume"
#: Two vCPUs with up to 12.5 Gbit/s of network (EC2 instance type pages), the newest first, the cheap one last.
TYPES = ("c6i.large", "m6i.large", "m5.large", "c5.large", "t3.large")
#: Machines answer within a few minutes of their launch or never.
PATIENCE_S = 600.0
_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Errand:
    """What a temporary machine is like.

    Args:
        volume: the disk it is launched beside.
        instance_profile: its role has to let Systems Manager in and the data set be read.
        ttl_s: seconds until it ends itself.
        types: instance types, the preferred first.
    """

    volume: Volume
    instance_profile: str
    ttl_s: float
    types: tuple[str, ...] = TYPES

    def request(self, door: Actions) -> LaunchRequest:
        """Its launch: on demand, for an errand that an interruption would only repeat."""
        volume = self.volume
        return LaunchRequest(
            new_request_id(), volume.region, self.types, zones=(volume.az,), instance_profile=self.instance_profile,
            expires_at=(door.ground.clock.now() + timedelta(seconds=self.ttl_s)).replace(microsecond=0),
            name=f"prewarm {volume.name or volume.id}"[:255], project=volume.ownership.project or "",
            tags={FOR_VOLUME: volume.id},
        )  # fmt: skip


def find_earlier(door: Actions, volume: Volume) -> Instance | None:
    """A machine that an earlier run for the same disk has left, ours and not about to end; None when there is none.

    Raises:
        CloudError: EC2 cannot be asked.
    """
    wanted = [
        {"Name": f"tag:{FOR_VOLUME}", "Values": [volume.id]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    answer = door.ground.cloud.ask("ec2", "DescribeInstances", volume.region, Filters=wanted)
    ids = [str(i["InstanceId"]) for r in answer.get("Reservations") or () for i in r.get("Instances") or ()]
    found = door.ground.cloud.find_instances(volume.region, ids=ids) if ids else ()
    return next((m for m in found if m.az == volume.az and is_ours(m.ownership, door.ground.actor.owner)), None)


def await_reachable(
    door: Actions, region: str, instance_id: str, sleep: Callable[[float], None] = time.sleep
) -> Instance:
    """The machine once scripts can run on it.

    Raises:
        RunctlError: it ended, or Systems Manager does not see it in time.
        CloudError: AWS cannot be asked.
    """
    clock, cloud = door.ground.clock, door.ground.cloud
    ends = clock.monotonic() + PATIENCE_S
    why = "EC2 does not list it yet"
    while clock.monotonic() < ends:
        machine = next(iter(cloud.find_instances(region, ids=[instance_id])), None)
        if machine is not None and machine.state not in (InstanceState.PENDING, InstanceState.RUNNING):
            raise RunctlError(f"{instance_id} is {machine.state}", hint="its time was up, or somebody ended it")
        if machine is not None and machine.state is InstanceState.RUNNING:
            why = why_unreachable(cloud.ask, region, instance_id, has_profile=bool(machine.profile_arn))
            if not why:
                return machine
        sleep(_PAUSE_S)
    raise RunctlError(f"{instance_id} cannot be reached: {why}", hint="--profile-name names an instance profile")


def take_away(door: Actions, region: str, instance_id: str) -> str:
    """Terminate a temporary machine, young as it is; "" when it is gone, else why it is not."""
    try:
        plan = door.draft_on(
            Verb.TERMINATE,
            door.ground.cloud.find_instances(region, ids=[instance_id]),
            overrides=frozenset({Rule.YOUNGER_THAN}),
            reasons={instance_id: "its errand is over"},
        )
        results: list[ItemResult] = list(door.apply(plan).results.values())
    except (CloudError, RunctlError) as error:
        return str(error)
    return "; ".join(r.reason or r.outcome for r in results if r.outcome != "done")
