"""Jobs on machines of the embedded cloud, in the dashboard on a real terminal."""

from __future__ import annotations

import re

import pytest

from tests.e2e.lab import Lab, in_state, wait
from tests.e2e.terminal import terminal

pytestmark = pytest.mark.e2e


def test_an_interrupted_job_goes_on_when_the_dashboard_opens_again(lab: Lab) -> None:
    job = lab.started("--spot", pause="0.02")
    first = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)["instance_id"]
    lab.cloud.interrupt(first, notice_s=120)
    saved = wait(job, in_state("INTERRUPTED"))["exit"]["newest_complete"]
    lab.cloud.advance(130)
    lab.cloud.forget_calls()
    with terminal(columns=120, rows=30, env={"RUNCTL_READ_ONLY": "1"}) as shown:
        shown.press("2")
        shown.until(lambda t: re.search(r"train\b.*INTERRUPTED", t.text))
        shown.press("q")
        assert shown.ended() == 0
    assert lab.cloud.mutating_calls() == {}
    with terminal(columns=120, rows=30) as shown:
        shown.until("train goes on: attempt 2 from")
        shown.press("2")
        shown.until(lambda t: re.search(r"train\b.*RUNNING", t.text))
        shown.press("q")
        assert shown.ended() == 0
    resumed = wait(job, lambda s: s["attempt"] == 2 and (s["step"] or 0) > saved["step"])
    assert resumed["instance_id"] != first
    assert "resumed" in [e["kind"] for e in resumed["events"]]
