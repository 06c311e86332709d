"""Changing things in the real dashboard on a real terminal, 80x24: stop, terminate with its id typed, a launch."""

from __future__ import annotations

import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.terminal import launch_by_wizard, terminal
from tests.services.doors import fleet_of, machine

pytestmark = pytest.mark.e2e
ZOE = {"RUNCTL_OWNER": "zoe"}


def sent(cloud: DemoCloud) -> list[tuple[str, list[str]]]:
    """What was changed, in order: (operation, ids)."""
    return [(operation.rpartition(":")[2], named) for operation, _, named in cloud.changes()]


def test_stop_then_terminate_with_the_id_typed(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer"))
    cloud.set_timings(stopping=0.5)
    with terminal(env=ZOE) as shown:
        shown.until("1 of 1")
        shown.press("S")
        shown.until("Cancel")
        shown.press("\r")  # Cancel has the focus
        shown.without("Cancel")
        assert sent(cloud) == []
        shown.press("S")
        shown.until("Cancel")
        shown.press("\t", "\r")
        shown.until("1 done")
        shown.press("\x1b")
        shown.without("1 done")
        shown.until("stopped")
        shown.press("D")
        shown.until(f"type  {one}  to go on")
        shown.press("terminate", "\r")
        shown.until("nothing was done")
        assert [o for o, _ in sent(cloud)] == ["StopInstances"]
        shown.press("\x15", one, "\r")
        shown.until("1 done")
        shown.press("\x1b")
        shown.without("1 done")
        shown.press("q")
        assert shown.ended() == 0
        assert shown.is_restored()
    assert sent(cloud) == [("StopInstances", [one]), ("TerminateInstances", [one])]


def test_the_wizard_launches_one_machine(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    with terminal(env=ZOE) as shown:
        shown.until("1 of 1")
        launch_by_wizard(shown)
        shown.until("launched: i-")
        shown.press("\x1b")
        shown.until("2 of 2")
        shown.press("q")
        assert shown.ended() == 0
    assert [o for o, _ in sent(cloud)] == ["RunInstances"]
