"""A job of this computer in the dashboard on a real terminal: its log grows, it is stopped, its story stays."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl import paths
from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl
from tests.e2e.terminal import Terminal, terminal
from tests.services.jobs.running import TRAINER

pytestmark = pytest.mark.e2e


@pytest.fixture
def job(tmp_path: Path) -> Iterator[str]:
    """A training that goes on until it is stopped; its supervisor is killed in the end."""
    (tmp_path / "train.py").write_text(TRAINER)
    (tmp_path / "job.toml").write_text(
        'name = "homework"\nprovider = "local"\n[checkpoints]\npattern = "step-*.json"\nstable = "1s"\n'
    )
    spec = str(tmp_path / "job.toml")
    done = runctl("jobs", "submit", str(tmp_path / "train.py"), "--spec", spec, "--yes", "--", "100000", "0.02")
    assert done.code == 0, done.err
    yield done.out.strip()
    for file in (paths.local_jobs_dir() / "work").glob("*/*/supervisor.json"):
        try:
            os.killpg(json.loads(file.read_text())["pid"], signal.SIGKILL)
        except ProcessLookupError:
            continue


def _last_step(shown: Terminal) -> int:
    return max((int(n) for n in re.findall(r"^step=(\d+)/", shown.text, re.MULTILINE)), default=0)


def test_a_job_is_opened_followed_stopped_and_read_afterwards(cloud: DemoCloud, job: str) -> None:
    with terminal() as shown:
        shown.until("NAME")
        shown.press("2")
        shown.until(lambda t: re.search(r"homework\b.*RUNNING", t.text))
        shown.press("/")
        shown.press("homework")
        shown.until(lambda t: re.search(r"\b1 of \d+", t.text))
        shown.press("\r")
        shown.until(lambda t: "l log" in t.lines[-1])  # the rows have the keys again
        shown.press("l")
        shown.until(lambda t: "this computer" in t.text and _last_step(t) > 0)
        before = _last_step(shown)
        shown.until(lambda t: _last_step(t) > before + 20)
        assert "following" in shown.text
        shown.press("S")
        shown.until("its supervisor ends")
        shown.press("\t", "\r")
        shown.until("asked for")
        shown.press("\x1b")
        shown.until(lambda t: "CANCELLED" in t.text and "ended" in t.text)
        last = runctl("jobs", "logs", job).out.rstrip().rsplit("\n", 1)[-1]
        shown.until(last)  # to the very last line
        assert int(last.partition("/")[0].removeprefix("step=")) > before
        shown.press("q", "q", "q")  # the job, the filter, the dashboard
        assert shown.ended() == 0
    assert cloud.mutating_calls() == {}
