"""The door to acting on the embedded cloud, and machines to act on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runctl.clock import SystemClock
from runctl.config import DEFAULTS, Settings
from runctl.demo.cloud import DemoCloud
from runctl.models.tags import MANAGED, OWNER
from runctl.services.actions import Actions
from runctl.services.aws.backend import open_backend
from runctl.services.aws.door import open_actions
from runctl.services.verbs.row import JobLookup, no_job_known

EAST = "us-east-1"
OURS = {MANAGED: "1", OWNER: "zoe"}
#: Our own pace of calls is not what these tests are about.
ZOE = replace(DEFAULTS, owner="zoe", aws=replace(DEFAULTS.aws, calls_per_second=100.0))


def open_door(
    settings: Settings = ZOE, regions: tuple[str, ...] = (EAST,), *, jobs: JobLookup = no_job_known
) -> Actions:
    """The door as zoe has it."""
    return open_actions(open_backend(settings), settings, SystemClock(), regions, jobs=jobs)


def machine(name: str = "", tags: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A machine for `DemoCloud.build`, two hours old and running."""
    plain: dict[str, Any] = {
        "name": name, "region": EAST, "az": f"{EAST}a", "type": "t3.micro", "market": "on-demand", "state": "running",
        "age_s": 7200.0, "tags": OURS if tags is None else tags, "root_gib": 8,
    }  # fmt: skip
    return plain | more


def disk(machine_index: int | None = None, tags: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A disk for `DemoCloud.build`, three days old."""
    plain: dict[str, Any] = {
        "name": "", "region": EAST, "az": f"{EAST}a", "size_gib": 10, "type": "gp3", "age_s": 3 * 86400.0,
        "tags": OURS if tags is None else tags, "machine": machine_index,
    }  # fmt: skip
    return plain | more


def fleet_of(cloud: DemoCloud, *machines: dict[str, Any], disks: tuple[dict[str, Any], ...] = ()) -> list[str]:
    """An empty cloud with just these; the machines' ids."""
    cloud.reset(fleet="empty")
    ids = cloud.build(machines, disks)
    cloud.forget_calls()
    return ids


def states(door: Actions, ids: list[str], region: str = EAST) -> list[str]:
    """The machines' states now, in the order of the ids."""
    found = {m.id: m.state.value for m in door.ground.cloud.find_instances(region, ids=ids)}
    return [found[i] for i in ids]


def touched(cloud: DemoCloud) -> set[str]:
    """Every resource that any change has named."""
    return {i for _, _, ids in cloud.changes() for i in ids}
