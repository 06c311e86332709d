"""Scripts through Systems Manager: really run on machines of the embedded cloud."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.errors import RequestError
from runctl.models.plan import Verb
from runctl.services.actions import Actions
from runctl.services.case import Case
from runctl.services.permit import Permit, Request, grant
from runctl.services.remote import STDOUT_MOST, Ran, UnreachableError, run_script, why_unreachable
from tests.services.doors import EAST, fleet_of, machine, open_door


def run(door: Actions, instance_id: str, script: str) -> Ran:
    """As a verb does it: with a permit for this machine."""
    (live,) = door.ground.cloud.find_instances(EAST, ids=[instance_id])
    permit = grant(Case(Verb.RUN, live, door.ground.actor, door.ground.clock.now()), EAST)
    assert isinstance(permit, Permit)

    def send(service: str, operation: str, **parameters: Any) -> Any:
        return door.ground.cloud.change(Request(service, operation, EAST, parameters), permit)

    return run_script(send, door.ground.cloud.ask, EAST, instance_id, script)


@pytest.fixture
def one(cloud: DemoCloud) -> str:
    return fleet_of(cloud, machine("trainer", agent=True))[0]


def test_code_and_both_outputs_come_back(one: str) -> None:
    ran = run(open_door(), one, "echo here\necho no disk >&2\nexit 3")
    assert (ran.code, ran.stdout, ran.status) == (3, "here\n", "Failed")
    assert ran.complaint == "no disk"
    assert not ran.cut


def test_output_that_systems_manager_cut_says_so(one: str) -> None:
    ran = run(open_door(), one, f"head -c {STDOUT_MOST + 9} /dev/zero | tr '\\0' x")
    assert (len(ran.stdout), ran.cut) == (STDOUT_MOST, True)


def test_a_machine_that_cannot_be_reached_has_a_reason(cloud: DemoCloud) -> None:
    (bare,) = fleet_of(cloud, machine("bare"))
    door = open_door()
    ask = door.ground.cloud.ask
    assert "no instance profile" in why_unreachable(ask, EAST, bare, has_profile=False)
    assert "AmazonSSMManagedInstanceCore" in why_unreachable(ask, EAST, bare, has_profile=True)
    with pytest.raises(RequestError):
        run(door, bare, "true")


def test_a_command_that_never_ends_is_told_and_not_waited_for_for_ever() -> None:
    now = [0.0]

    def later(seconds: float) -> None:
        now[0] += seconds

    def answer(service: str, operation: str, *_: Any, **__: Any) -> dict[str, Any]:
        return {"Command": {"CommandId": "c-1"}} if operation == "SendCommand" else {"Status": "InProgress"}

    with pytest.raises(UnreachableError, match="did not end in 30 s"):
        run_script(answer, answer, EAST, "i-1", "true", timeout_s=30, pause=later, monotonic=lambda: now[0])
    assert 90 <= now[0] < 100
