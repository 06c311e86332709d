"""`runctl demo serve`: prints the environment, stays, ends cleanly."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys

import boto3
import psutil
import pytest

from runctl.demo.cloud import Control, DemoCloud
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


def _interrupt(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runctl", "demo", "interrupt", *arguments],
        env=scrubbed_environment() | {"HOME": os.environ["HOME"]} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_spot_machine_is_taken_on_command_and_anything_else_is_refused(cloud: DemoCloud) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    wanted = [
        {"Name": "instance-lifecycle", "Values": ["spot"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    machine = ec2.describe_instances(Filters=wanted)["Reservations"][0]["Instances"][0]["InstanceId"]
    here = {"AWS_ENDPOINT_URL": cloud.endpoint_url}
    done = _interrupt(machine, **here)
    assert (done.returncode, done.stdout) == (0, f"{machine}: taken in 120 demo seconds\n")
    cloud.advance(150)
    (found,) = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    assert found["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert "not a spot machine" in _interrupt("i-0123456789abcdef0", **here).stderr
    refused = _interrupt(machine, AWS_ENDPOINT_URL="https://ec2.amazonaws.com")
    assert refused.returncode == 1
    assert "runctl demo serve" in refused.stderr
