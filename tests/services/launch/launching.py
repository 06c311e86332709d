"""Launches on the embedded cloud, as zoe makes them, and what is there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runctl import paths
from runctl.config import LaunchSettings, Settings
from runctl.models.launch import Attempt, LaunchRequest, LaunchResult, Offer
from runctl.services.journal import Journal
from runctl.services.launch.attempts import Launcher
from runctl.services.launch.offer import make_offer
from runctl.services.launch.quarantine import Quarantine, open_quarantine
from runctl.services.launch.request import new_request_id
from runctl.services.prices import PriceBook
from runctl.services.verbs.row import Ground
from tests.services.doors import EAST, ZOE, open_door

_grounds: dict[str, Ground] = {}


def ground_of(settings: Settings = ZOE) -> Ground:
    """Kept over tests: the clients behind it take longer to make than a launch, and the cloud stays where it is."""
    key = repr(settings)
    if key not in _grounds:
        _grounds[key] = open_door(settings).ground
    ground = _grounds[key]
    return replace(ground, journal=Journal(paths.journal_file(), ground.clock))


def braked(warn: int, refuse: int) -> Settings:
    return replace(ZOE, launch=LaunchSettings(warn, refuse))


def asked(*types: str, **more: Any) -> LaunchRequest:
    return LaunchRequest(new_request_id(), EAST, types or ("g5.xlarge",), **more)


def quarantine_of(ground: Ground) -> Quarantine:
    return open_quarantine(ground.clock)


def offered(ground: Ground, request: LaunchRequest) -> Offer:
    return make_offer(ground, request, PriceBook(), quarantine_of(ground))


def launched(ground: Ground, request: LaunchRequest, tell: Callable[[Attempt], None] = lambda _: None) -> LaunchResult:
    return Launcher(ground, quarantine_of(ground), tell).launch(offered(ground, request))


def machines(ground: Ground) -> list[dict[str, Any]]:
    """Every machine of the region that is not on its way out."""
    answer = ground.cloud.ask("ec2", "DescribeInstances", EAST)
    found = [i for r in answer["Reservations"] for i in r["Instances"]]
    return [i for i in found if i["State"]["Name"] not in ("shutting-down", "terminated")]


def untagged(ground: Ground) -> list[str]:
    """What exists without saying that it is ours."""
    ask = ground.cloud.ask
    found: dict[str, list[dict[str, str]]] = {i["InstanceId"]: i.get("Tags") or [] for i in machines(ground)}
    found |= {v["VolumeId"]: v.get("Tags") or [] for v in ask("ec2", "DescribeVolumes", EAST)["Volumes"]}
    spot = ask("ec2", "DescribeSpotInstanceRequests", EAST)["SpotInstanceRequests"]
    found |= {s["SpotInstanceRequestId"]: s.get("Tags") or [] for s in spot}
    return [i for i, tags in found.items() if {"Key": "runctl:managed", "Value": "1"} not in tags]
