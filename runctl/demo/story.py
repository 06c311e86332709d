"""What happens in the lively fleet while somebody watches: launches, stops, terminations, on a seeded agenda."""

from __future__ import annotations

import random
from typing import Any

from runctl.demo import seed
from runctl.demo.fleet import MachinePlan
from runctl.demo.gateway import spot
from runctl.demo.world import World

#: Demo seconds between two events: the first comes early enough to be seen.
_FIRST, _SHORTEST, _LONGEST = 15.0, 20.0, 70.0
_REGION = "us-east-1"


def begin_story(world: World, machines: list[Any]) -> None:
    """Put the first event on the agenda; each one plans the next. Only runctl's own unprotected machines take part."""
    rng = random.Random(f"story {world.seed}")
    cast = [m for m in machines if "runctl:managed" in m.ec2_backend.tags[m.id] and not m.disable_api_termination]
    world.schedule(_FIRST, lambda: _turn(world, rng, cast, 0))


def _turn(world: World, rng: random.Random, cast: list[Any], number: int) -> None:
    event = rng.choice((_launch, _launch, _stop, _start, _end, _interrupted))
    event(world, rng, cast, number)
    world.schedule(rng.uniform(_SHORTEST, _LONGEST), lambda: _turn(world, rng, cast, number + 1))


def _pick(rng: random.Random, cast: list[Any], state: str, lifecycle: str | None = None) -> Any:
    fit = [m for m in cast if m.state == state and (lifecycle is None or (m.lifecycle or "on-demand") == lifecycle)]
    return rng.choice(fit) if fit else None


def _launch(world: World, rng: random.Random, cast: list[Any], number: int) -> None:
    owner, project, stem = rng.choice((("ada", "vision", "vit-sweep"), ("alan", "speech", "asr-train")))
    name = f"{stem}-{number + 60:02}"
    tags = {"runctl:managed": "1", "runctl:owner": owner, "runctl:project": project,
            "runctl:job": f"{name}-{rng.randrange(36**4):x}", "runctl:attempt": "1"}  # fmt: skip
    plan = MachinePlan(
        name, _REGION, _REGION + rng.choice("abc"), "g5.xlarge", "spot", "pending", 0.0, tags, 125, agent=True
    )
    cast.append(seed.add_machine(world, plan))


def _stop(_world: World, rng: random.Random, cast: list[Any], _number: int) -> None:
    if machine := _pick(rng, cast, "running", "on-demand"):
        machine.stop()


def _start(_world: World, rng: random.Random, cast: list[Any], _number: int) -> None:
    if machine := _pick(rng, cast, "stopped"):
        machine.start()


def _end(_world: World, rng: random.Random, cast: list[Any], _number: int) -> None:
    # Never below a floor: a demo that runs for hours stays lively.
    if sum(m.state == "running" for m in cast) > 20 and (machine := _pick(rng, cast, "running", "spot")):
        machine.terminate()


def _interrupted(world: World, rng: random.Random, cast: list[Any], _number: int) -> None:
    if sum(m.state == "running" for m in cast) > 20 and (machine := _pick(rng, cast, "running", "spot")):
        spot.interrupt(world, machine.region_name, machine.id)
