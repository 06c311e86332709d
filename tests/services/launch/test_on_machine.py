"""What was launched really runs: the caller's script, and the timer that ends the machine from inside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.services.launch.attempts import Launcher
from runctl.services.verbs.row import Ground
from tests.services.doors import EAST
from tests.services.launch.launching import asked, ground_of, offered, quarantine_of


@pytest.fixture(autouse=True)
def _empty(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    cloud.set_timings(pending=0.2, shutting_down=0.2)


def launched_until(ground: Ground, expires_at: datetime, script: str = "") -> str:
    """Launch with an end that the command line would find too near."""
    offer = offered(ground, asked("c6i.large"))
    request = replace(offer.request, expires_at=expires_at, user_data=script)
    (machine,) = Launcher(ground, quarantine_of(ground)).launch(replace(offer, request=request)).instances
    return machine


def raw(ground: Ground, machine: str) -> dict[str, Any]:
    answer = ground.cloud.ask("ec2", "DescribeInstances", EAST, InstanceIds=[machine])
    found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return found


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_timer_ends_the_machine_for_good(cloud: DemoCloud) -> None:
    ground = ground_of()
    machine = launched_until(ground, datetime.now(UTC))
    until(lambda: raw(ground, machine)["State"]["Name"] == "terminated")
    assert raw(ground, machine)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_the_callers_script_runs_and_may_end_the_machine_sooner(cloud: DemoCloud) -> None:
    ground = ground_of()
    machine = launched_until(ground, datetime.now(UTC) + timedelta(hours=8), "#!/bin/sh\nshutdown -h now\n")
    until(lambda: raw(ground, machine)["State"]["Name"] == "terminated")
    assert raw(ground, machine)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_without_either_it_runs_on(cloud: DemoCloud) -> None:
    ground = ground_of()
    machine = launched_until(ground, datetime.now(UTC) + timedelta(hours=8))
    until(lambda: raw(ground, machine)["State"]["Name"] == "running")
    cloud.advance(60)
    assert raw(ground, machine)["State"]["Name"] == "running"
