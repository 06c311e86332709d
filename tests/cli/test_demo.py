"""`runctl demo serve`: prints the environment, stays, ends cleanly."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys

import psutil
import pytest

from runctl.demo.cloud import Control
from tests.conftest import scrubbed_environment


def _serve(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "runctl", "demo", "serve", *arguments],
        env=scrubbed_environment() | {"HOME": os.environ["HOME"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_the_environment_serves_it_and_ends_on_a_signal(ending: signal.Signals, code: int) -> None:
    process = _serve("--fleet", "empty")
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(9)]
    assert lines[0].startswith("unset AWS_PROFILE")
    exported = dict(shlex.split(line)[1].split("=", 1) for line in lines[1:])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", exported["AWS_ENDPOINT_URL"])
    assert Control(exported["AWS_ENDPOINT_URL"]).post("calls") == []
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(ending)
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in complaint
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--port", "70000"], "not a port"), (["--speed", "0"], "not a speed"), (["--fleet", "big"], "lively")],
)
def test_bad_values_are_refused_before_anything_starts(arguments: list[str], complaint: str) -> None:
    process = _serve(*arguments)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert complaint in error
