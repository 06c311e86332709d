"""Scripts through Systems Manager: really run on machines of the embedded cloud."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud
from runctl.errors import RequestError
from runctl.models.instance import InstanceState
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.remote import STDOUT_MOST, UnreachableError, run_script, why_unreachable

EAST = "us-east-1"


@pytest.fixture
def backend(cloud: DemoCloud) -> AwsBackend:
    return open_backend(DEFAULTS)


def online(backend: AwsBackend) -> str:
    for page in backend.list_instances(EAST):
        for machine in page:
            if machine.state is InstanceState.RUNNING and not why_unreachable(
                backend.session.call, EAST, machine.id, has_profile=True
            ):
                return machine.id
    pytest.fail("no machine of the demo fleet is online")


def send(backend: AwsBackend) -> Any:
    return lambda service, operation, **parameters: backend.session.call(service, operation, EAST, **parameters)


def test_code_and_both_outputs_come_back(backend: AwsBackend) -> None:
    machine = online(backend)
    ran = run_script(send(backend), backend.session.call, EAST, machine, "echo here\necho no disk >&2\nexit 3")
    assert (ran.code, ran.stdout, ran.status) == (3, "here\n", "Failed")
    assert ran.complaint == "no disk"
    assert not ran.cut


def test_output_that_systems_manager_cut_says_so(backend: AwsBackend) -> None:
    ran = run_script(
        send(backend), backend.session.call, EAST, online(backend), f"head -c {STDOUT_MOST + 9} /dev/zero | tr '\\0' x"
    )
    assert (len(ran.stdout), ran.cut) == (STDOUT_MOST, True)


def test_a_machine_nobody_knows_has_a_reason(backend: AwsBackend) -> None:
    ask = backend.session.call
    assert "no instance profile" in why_unreachable(ask, EAST, "i-0123456789abcdef0", has_profile=False)
    assert "AmazonSSMManagedInstanceCore" in why_unreachable(ask, EAST, "i-0123456789abcdef0", has_profile=True)
    with pytest.raises(RequestError):
        run_script(send(backend), ask, EAST, "i-0123456789abcdef0", "true")


def test_a_command_that_never_ends_is_told_and_not_waited_for_for_ever() -> None:
    now = [0.0]

    def later(seconds: float) -> None:
        now[0] += seconds

    def answer(service: str, operation: str, *_: Any, **__: Any) -> dict[str, Any]:
        return {"Command": {"CommandId": "c-1"}} if operation == "SendCommand" else {"Status": "InProgress"}

    with pytest.raises(UnreachableError, match="did not end in 30 s"):
        run_script(answer, answer, EAST, "i-1", "true", timeout_s=30, pause=later, monotonic=lambda: now[0])
    assert 90 <= now[0] < 100
