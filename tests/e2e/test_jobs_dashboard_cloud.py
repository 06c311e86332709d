"""Jobs on machines of the embedded cloud, in the dashboard on a real terminal."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e.binary import runctl
from tests.e2e.lab import Lab, in_state, wait
from tests.e2e.terminal import Terminal, terminal

pytestmark = pytest.mark.e2e


def test_an_interrupted_job_goes_on_when_the_dashboard_opens_again(lab: Lab) -> None:
    job = lab.started("--spot", pause="0.02")
    first = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)["instance_id"]
    lab.cloud.interrupt(first, notice_s=120)
    saved = wait(job, in_state("INTERRUPTED"))["exit"]["newest_complete"]
    lab.cloud.advance(130)
    with terminal(columns=120, rows=30) as shown:
        shown.until("train goes on: attempt 2 from")
        shown.press("2")
        shown.until(lambda t: re.search(r"train\b.*RUNNING", t.text))
        shown.press("q")
        assert shown.ended() == 0
    resumed = wait(job, lambda s: s["attempt"] == 2 and (s["step"] or 0) > saved["step"])
    assert resumed["instance_id"] != first
    assert "resumed" in [e["kind"] for e in resumed["events"]]


def _fill(shown: Terminal, *lines: str) -> None:
    """One line of the form after the other, as typing would; "" leaves one as it is."""
    for line in lines:
        shown.press(*([line] if line else []), "\t")


def _steps(shown: Terminal) -> list[int]:
    return [int(n) for n in re.findall(r"^step=(\d+)/", shown.text, re.MULTILINE)]


def test_submitted_followed_stopped_and_resumed_on_ec2_from_the_dialogs(lab: Lab) -> None:
    folder = Path(os.environ["HOME"]) / "vision"
    folder.mkdir()
    (folder / "train.py").write_text((lab.project / "train.py").read_text())
    with terminal(columns=100, rows=30) as shown:
        shown.until("NAME")
        shown.press("2", "n")
        shown.until("a new job")
        _fill(shown, "vision/train.py", "100000 0.02", "", "g5.xlarge", "", "20")
        shown.press("\r")
        shown.until("by user data on a machine of its own")
        assert "us-east-1" in shown.text
        assert "/h" in shown.text
        assert lab.cloud.calls().get(("ec2", "RunInstances", "us-east-1"), 0) == 0  # it has only looked
        shown.press("\t", "\r")
        shown.until("starts on i-")
        shown.press("\x1b")
        shown.until(lambda t: re.search(r"train\b.*RUNNING", t.text))
        job = runctl("jobs", "list", "-o", "json").json()[0]
        shown.press("l")
        shown.until(_steps)  # the record in S3, read by the opened job
        before = max(_steps(shown))
        shown.until(lambda t: max(_steps(t), default=0) > before + 20)
        assert job["instance_id"] in shown.text
        shown.press("S")
        shown.until("the machine terminates")
        shown.press("\t", "\r")
        shown.until("asked for")
        shown.press("\x1b")
        shown.until(lambda t: "CANCELLED" in t.text and "ended" in t.text)
        last = runctl("jobs", "logs", job["id"]).out.rstrip().rsplit("\n", 1)[-1]
        shown.until(last)  # to its very last line
        shown.press("a")
        shown.until("another attempt from the newest complete checkpoint")
        shown.press("\r")
        shown.until("attempt 2 from 1/")
        shown.press("\t", "\r")
        shown.until("starts on i-")
        shown.press("\x1b")
        shown.until("attempt 2 of 2")
        shown.until(lambda t: min(_steps(t), default=0) > before)  # another machine goes on with the same curve
        shown.press("[")
        shown.until(lambda t: "attempt 1 of 2" in t.text and last in t.text)
        shown.press("q", "q")
        assert shown.ended() == 0
    over = wait(job["id"], lambda s: s["attempt"] == 2 and s["state"] == "RUNNING")
    assert over["instance_id"] != job["instance_id"]
    assert (over["budget_usd"], over["spec"]["resources"]["types"]) == (20.0, ["g5.xlarge"])
    assert {"submitted", "stop-wanted", "resumed"} <= {e["kind"] for e in over["events"]}
