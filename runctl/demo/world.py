"""What the embedded cloud knows beside moto: its clock, what is due to happen, and how long things take.

Nothing here runs on its own. Every request first calls `World.settle`, which carries out what has become due since the
last one, in order. So there are no timer threads, a test moves time with `advance` instead of sleeping, and the same
seed gives the same story.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from runctl.clock import Clock, SystemClock
from runctl.demo.machine import Sandboxes

ACCOUNT = "123456789012"
#: Regions the seeded fleet lives in; every other region answers too, and is empty.
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


@dataclass(slots=True)
class Timings:
    """Seconds that AWS takes (as seen from the demo's clock, which runs `speed` times faster than ours).

    The defaults are usual values on EC2, not promises: a launch reaches `running` in well under a minute, status checks
    take some minutes (shortened here), a terminated machine is listed for about an hour.
    """

    pending: float = 8.0
    stopping: float = 12.0
    shutting_down: float = 10.0
    initializing: float = 45.0
    terminated_listed: float = 3600.0
    volume_creating: float = 2.0
    volume_modifying: float = 20.0
    volume_optimizing: float = 60.0
    snapshot_per_gib: float = 0.5
    agent_online: float = 20.0


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    action: Callable[[], None] = field(compare=False)


class World:
    """Clock and agenda of one embedded cloud.

    Args:
        seed: decides every id, price walk and event.
        speed: how many demo seconds pass in one real second.
        clock: real time, or a frozen clock for screenshots (then nothing changes unless `advance` is called).
        timings: how long transitions take.
        key: the access key id that this cloud has given out; only requests with it may run scripts.
        sandboxes: where they run.
    """

    def __init__(
        self,
        seed: int = 7,
        speed: float = 1.0,
        clock: Clock | None = None,
        timings: Timings | None = None,
        *,
        key: str = "",
        sandboxes: Sandboxes | None = None,
    ) -> None:
        self.key = key
        self.sandboxes = sandboxes or Sandboxes({})
        self.seed = seed
        self.speed = speed
        self._timings = timings or Timings()
        self.timings = replace(self._timings)
        self.lock = threading.RLock()
        self._clock = clock or SystemClock()
        self._start = self._clock.monotonic()
        self._advanced = 0.0
        self._agenda: list[_Due] = []
        self._numbers = itertools.count()
        self._settling: float | None = None
        #: What happens to a machine that shuts itself down, by its id.
        self.on_power_off: Callable[[str], None] = lambda _: None
        #: Calls that have changed machines, for CloudTrail's event history (`gateway/trail.py`).
        self.trail: list[dict[str, Any]] = []
        #: vCPU quotas that a test has changed, by (region, code).
        self.quotas: dict[tuple[str, str], float] = {}

    @property
    def elapsed(self) -> float:
        """Demo seconds since the start; while an action of the agenda runs, the moment at which it was due."""
        if self._settling is not None:
            return self._settling
        return (self._clock.monotonic() - self._start) * self.speed + self._advanced

    def now(self) -> datetime:
        """Wall-clock time of the cloud: ours, plus what `advance` skipped."""
        return self._clock.now() + timedelta(seconds=self._advanced)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, and everything that falls due in them happen.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time runs forwards: {seconds}")
        with self.lock:
            self._advanced += seconds
            self.settle()

    def schedule(self, after: float, action: Callable[[], None]) -> None:
        """Do `action` in `after` demo seconds, at the first request from then on."""
        heapq.heappush(self._agenda, _Due(self.elapsed + after, next(self._numbers), action))

    def settle(self) -> None:
        """Carry out everything that is due, oldest first, as if at its own moment."""
        with self.lock:
            if self._settling is not None:
                return
            for machine in self.sandboxes.powered_off():
                self.on_power_off(machine)
            until = self.elapsed
            try:
                while self._agenda and self._agenda[0].at <= until:
                    due = heapq.heappop(self._agenda)
                    self._settling = due.at
                    due.action()
            finally:
                self._settling = None

    def restart(self, seed: int, speed: float | None = None) -> None:
        """Back to the first second, with an empty agenda."""
        with self.lock:
            self.seed = seed
            self.speed = self.speed if speed is None else speed
            self._agenda.clear()
            self.quotas.clear()
            self.trail.clear()
            self.sandboxes.clear()
            self.timings = replace(self._timings)
            self._advanced = 0.0
            self._start = self._clock.monotonic()
