"""The WSGI application in front of moto: counts calls, injects faults, answers the control routes.

    GET  /runctl-demo/calls     {"ec2 DescribeInstances us-east-1": 3, ...}
    ...

Control routes answer JSON and are meant for `control.py` only.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from runctl.demo import fleet, seed
from runctl.demo.requests import Target, identify
from runctl.demo.world import World

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PREFIX = "/runctl-demo/"
FLEETS: dict[str, Callable[[int], fleet.FleetPlan]] = {"lively": fleet.lively, "empty": lambda _: fleet.FleetPlan()}


class Edge:
    """One embedded cloud as a WSGI application."""

    def __init__(self, world: World, cloud: Application) -> None:
        self.world = world
        self._cloud = cloud
        self.calls: Counter[Target] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if path.startswith(PREFIX):
            return self._control(path.removeprefix(PREFIX), json.loads(body or b"{}"), start_response)
        target = identify(environ, body)
        self.calls[target] += 1
        with self.world.lock:
            self.world.settle()
            return self._cloud(environ, start_response)

    def _control(self, route: str, body: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        result: Any = {}
        if route == "calls":
            result = [[*t, n] for t, n in sorted(self.calls.items())]
        elif route == "reset":
            number = int(body.get("seed", self.world.seed))
            seed.reset(self.world, FLEETS[body.get("fleet", "lively")](number), number, body.get("speed"))
            self.calls.clear()
        elif route == "advance":
            self.world.advance(float(body["seconds"]))
        elif route == "bulk":
            plan = fleet.bulk(int(body["count"]), body.get("region", "us-east-1"), self.world.seed)
            result = [i.id for i in seed.build(self.world, plan)]
        text = json.dumps(result).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]
