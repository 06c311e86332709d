"""kill -9 of the real binary at every step between plan, journal and result: nothing twice, nothing lost.

`ACT_KILLS=50` runs the long form: as many kills at random moments.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable

import pytest

from runctl import paths
from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Outcome
from runctl.services.journal import Journal
from tests.e2e.binary import BINARY, killed
from tests.services.doors import EAST, fleet_of, machine, open_door

pytestmark = pytest.mark.e2e
KILLS = int(os.environ.get("ACT_KILLS", "0"))
OPERATION = {"stop": "StopInstances", "reboot": "RebootInstances"}


def journal_lines() -> int:
    try:
        return paths.journal_file().read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def plan_files() -> int:
    return len(list(paths.plans_dir().glob("plan-*.json")))


def settle(cloud: DemoCloud, operation: str) -> None:
    """Wait until a call that outlived its sender has had its effect: the cloud delays it by the fault's latency."""
    before = -1
    while before != (before := sum(n for (_, o, _), n in cloud.calls().items() if o == operation)):
        time.sleep(0.6)


def check_and_resume(cloud: DemoCloud, verb: str, ids: list[str]) -> None:
    """What holds after any kill, and after the resumed run."""
    operation = OPERATION[verb]
    settle(cloud, operation)
    cloud.faults.clear()
    sent = [named for o, _, named in cloud.changes() if o == operation]
    written = Journal(paths.journal_file(), SystemClock()).entries()
    assert len(sent) <= len(written), "in the journal before it was sent"
    door = open_door()
    for identifier in door.plans.ids():
        done = door.apply(door.plans.load(identifier))
        for result in done.results.values():
            doubt = verb == "reboot" and "may have been done already" in result.reason
            assert result.outcome is Outcome.DONE or doubt, result
    counts = [sum(named == [i] for o, _, named in cloud.changes() if o == operation) for i in ids]
    assert max(counts) <= 1, "nothing is done twice"
    if door.plans.ids() and verb == "stop":
        assert counts == [1] * len(ids), "and nothing is forgotten"
    assert {e.outcome for e in door.ground.journal.entries()} <= {"done", "unknown"}, "no entry stays open"


@pytest.fixture
def ids(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    return fleet_of(cloud, machine("a"), machine("b"), machine("c"))


STEPS: dict[str, Callable[[], bool]] = {
    "the plan is saved": lambda: plan_files() == 1,
    "the first is in the journal and being sent": lambda: journal_lines() == 1,
    "the first is done": lambda: journal_lines() == 2,
    "the second is being sent": lambda: journal_lines() == 3,
    "the third is being sent": lambda: journal_lines() == 5,
}


@pytest.mark.parametrize(("verb", "step"), [*(("stop", s) for s in STEPS), *(("reboot", s) for s in list(STEPS)[1:3])])
def test_killed_at_each_step(cloud: DemoCloud, ids: list[str], verb: str, step: str) -> None:
    cloud.faults.add("latency", service="ec2", operation=OPERATION[verb], seconds=0.4)
    assert killed("instances", verb, *ids, "--yes", when=STEPS[step])
    check_and_resume(cloud, verb, ids)


@pytest.mark.skipif(not KILLS, reason="the long form: ACT_KILLS=50")
@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_a_random_moment(cloud: DemoCloud, ids: list[str], number: int) -> None:
    draw = random.Random(number)
    verb = draw.choice(["stop", "reboot"])
    cloud.faults.add("latency", service="ec2", operation=".*", seconds=draw.uniform(0.0, 0.2))
    moment = time.monotonic() + draw.uniform(0.2, 3.0)
    killed("instances", verb, *ids, "--yes", when=lambda: time.monotonic() > moment)
    check_and_resume(cloud, verb, ids)


def test_two_processes_do_not_do_one_thing_twice(cloud: DemoCloud, ids: list[str]) -> None:
    """Two people (or one impatient one) stop the same machines at once: each machine is stopped once, or found so."""
    argv = [str(BINARY), "instances", "stop", *ids, "--yes"]
    both = [
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=os.environ["HOME"])
        for _ in range(2)
    ]
    assert {p.wait(60) for p in both} <= {0, 1, 4}
    door = open_door()
    states = [m.state.value for m in door.ground.cloud.find_instances(EAST, ids=ids)]
    assert set(states) <= {"stopping", "stopped"}
    assert {e.outcome for e in door.ground.journal.entries()} <= {"done", "failed"}
