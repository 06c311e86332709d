"""What the control routes of the embedded cloud do, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runctl.demo import fleet, seed
from runctl.demo.disks import VolumePlan
from runctl.demo.faults import fault_from
from runctl.demo.gateway import spot
from runctl.demo.gateway.calls import ec2_of
from runctl.demo.story import begin_story
from runctl.demo.world import ACCOUNT

if TYPE_CHECKING:
    from runctl.demo.edge import Edge

#: What can be wrong with a machine; "" makes it well again.
AILMENTS = ("", "checks", "agent", "host")
FLEETS: dict[str, Callable[[int], fleet.FleetPlan]] = {"lively": fleet.lively, "empty": lambda _: fleet.FleetPlan()}


def plan_of(name: str, number: int) -> fleet.FleetPlan:
    """The fleet of that name for a seed.

    Raises:
        ValueError: no such fleet.
    """
    if name not in FLEETS:
        raise ValueError(f"unknown fleet {name!r}; allowed: {', '.join(sorted(FLEETS))}")
    return FLEETS[name](number)


def start_fleet(edge: Edge, name: str, number: int, speed: float | None = None, *, story: bool = True) -> None:
    """Empty the cloud and build a fleet; the lively one also begins to move, unless it shall have no story."""
    plan = plan_of(name, number)
    edge.faults.clear(number)
    edge.skew_s = 0.0
    machines = seed.reset(edge.world, plan, number, speed)
    edge.calls.clear()
    edge.changes.clear()
    if name == "lively" and story:
        begin_story(edge.world, machines)


def _reset(edge: Edge, body: dict[str, Any]) -> Any:
    start_fleet(
        edge,
        body.get("fleet", "lively"),
        int(body.get("seed", edge.world.seed)),
        body.get("speed"),
        story=bool(body.get("story", True)),
    )
    return {}


def _advance(edge: Edge, body: dict[str, Any]) -> Any:
    edge.world.advance(float(body["seconds"]))
    return {"elapsed": edge.world.elapsed}


def _bulk(edge: Edge, body: dict[str, Any]) -> Any:
    plan = fleet.bulk(int(body["count"]), body.get("region", "us-east-1"), edge.world.seed)
    return [i.id for i in seed.build(edge.world, plan)]


def _calls(edge: Edge, body: dict[str, Any]) -> Any:
    counted = [[*target, number] for target, number in sorted(edge.calls.items())]
    if body.get("clear"):
        edge.calls.clear()
        edge.changes.clear()
    return counted


def _changes(edge: Edge, body: dict[str, Any]) -> Any:
    del body
    return [[*target, ids] for target, ids in edge.changes]


def _build(edge: Edge, body: dict[str, Any]) -> Any:
    plan = fleet.FleetPlan(
        machines=tuple(fleet.MachinePlan(**m) for m in body.get("machines", ())),
        volumes=tuple(VolumePlan(**v) for v in body.get("volumes", ())),
    )
    return [i.id for i in seed.build(edge.world, plan)]


def _faults(edge: Edge, body: dict[str, Any]) -> Any:
    if "add" in body:
        return edge.faults.add(fault_from(body["add"]))
    if "remove" in body:
        edge.faults.remove(int(body["remove"]))
    elif body.get("clear"):
        edge.faults.clear()
    return edge.faults.listed()


def _interrupt(edge: Edge, body: dict[str, Any]) -> Any:
    with edge.world.lock:
        spot.interrupt(edge.world, body["region"], body["instance_id"], notice_s=float(body.get("notice_s", 120)))
    return {}


def _rebalance(edge: Edge, body: dict[str, Any]) -> Any:
    with edge.world.lock:
        spot.recommend_rebalance(edge.world, body["region"], body["instance_id"])
    return {}


def _afflict(edge: Edge, body: dict[str, Any]) -> Any:
    ailment = str(body["ailment"])
    if ailment not in AILMENTS:
        raise ValueError(f"no ailment {ailment!r}; allowed: {', '.join(repr(a) for a in AILMENTS)}")
    with edge.world.lock:
        machine = ec2_of(body["region"], ACCOUNT).get_instance(body["instance_id"])
        if ailment == "host":
            machine.retire()
        else:
            machine.ailment = ailment
    return {}


def _skew(edge: Edge, body: dict[str, Any]) -> Any:
    edge.skew_s = float(body["seconds"])
    return {}


def _quota(edge: Edge, body: dict[str, Any]) -> Any:
    edge.world.quotas[body["region"], body["code"]] = float(body["vcpus"])
    return {}


def _timings(edge: Edge, body: dict[str, Any]) -> Any:
    for name, value in body.items():
        if not hasattr(edge.world.timings, name):
            raise ValueError(f"no timing {name!r}")
        setattr(edge.world.timings, name, float(value))
    return {}


_ROUTES: dict[str, Callable[[Edge, dict[str, Any]], Any]] = {
    "reset": _reset,
    "advance": _advance,
    "afflict": _afflict,
    "build": _build,
    "bulk": _bulk,
    "changes": _changes,
    "calls": _calls,
    "faults": _faults,
    "interrupt": _interrupt,
    "rebalance": _rebalance,
    "skew": _skew,
    "quota": _quota,
    "timings": _timings,
}


def answer(edge: Edge, route: str, body: dict[str, Any]) -> Any:
    """The answer of one control route.

    Raises:
        ValueError: no such route, or a bad value.
        KeyError: a missing value, or a thing that does not exist.
    """
    if route not in _ROUTES:
        raise ValueError(f"no control route {route!r}; there are {', '.join(_ROUTES)}")
    return _ROUTES[route](edge, body)
