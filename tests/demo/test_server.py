"""The process: it starts, keeps to itself, ends with its parent, and other clients find it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runctl.demo.blind import blind_environment
from runctl.demo.cloud import MISLEADING, DemoCloud, client_environment
from runctl.demo.server import check_installed, start
from runctl.errors import InputError


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_parent_that_is_killed_takes_the_cloud_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from runctl.demo.server import start\n"
        "c = start(fleet='empty', wait=False)\n"
        "print(c.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not _gone(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _until(lambda: _gone(child))


def test_it_listens_on_loopback_only_and_a_taken_port_is_said(cloud_process: DemoCloud) -> None:
    listening = [c for c in psutil.Process(cloud_process.process.pid).net_connections() if c.status == "LISTEN"]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
    with pytest.raises(InputError, match=f"port {listening[0].laddr.port}") as caught:
        start(port=listening[0].laddr.port)
    assert "--port 0" in caught.value.hint


def test_a_request_made_before_it_is_up_waits_for_it() -> None:
    with start(fleet="empty", wait=False) as early:
        assert early.calls() == {}
        early.wait_until_ready()
        address = early.endpoint_url.rsplit(":", 1)[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address)), timeout=5)
    early.stop()


def test_a_cloud_that_cannot_start_says_why() -> None:
    with pytest.raises(InputError, match="unknown fleet 'imaginary'"):
        start(fleet="imaginary")


def test_a_missing_extra_is_an_input_error_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="moto") as caught:
        check_installed()
    assert ".[demo]" in caught.value.hint


def test_the_user_s_credentials_reach_neither_the_cloud_nor_its_clients() -> None:
    mine = {"AWS_PROFILE": "prod", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SESSION_TOKEN": "t", "HOME": "/h",
            "AWS_ENDPOINT_URL_S3": "https://real", "BOTO_CONFIG": "/h/.boto", "PATH": "/bin"}  # fmt: skip
    inside = blind_environment(mine)
    assert {k for k in inside if k in mine} == {"HOME", "PATH"}
    assert inside["AWS_CONFIG_FILE"] == inside["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    outside = client_environment("http://127.0.0.1:1")
    assert outside["AWS_SHARED_CREDENTIALS_FILE"] == outside["AWS_CONFIG_FILE"] == os.devnull
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN"} <= set(MISLEADING)


def test_what_a_client_is_given_leaves_nothing_misleading(cloud_process: DemoCloud) -> None:
    mine = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "AWS_ENDPOINT_URL_EC2": "https://real", "PATH": "/bin"}
    applied = cloud_process.apply(mine)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_EC2"} & set(applied)
    assert applied["AWS_ENDPOINT_URL"] == cloud_process.endpoint_url
    assert applied["PATH"] == "/bin"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:80"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_web_page_is_not_served(cloud_process: DemoCloud, headers: dict[str, str]) -> None:
    port = int(cloud_process.endpoint_url.rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/runctl-demo/reset", "{}", headers)
    reply = connection.getresponse()
    assert reply.status == 403
    assert reply.getheader("Access-Control-Allow-Origin") is None
    connection.close()


def test_a_reset_is_quick_enough_for_every_test(cloud_process: DemoCloud) -> None:
    cloud_process.reset()
    begun = time.monotonic()
    for _ in range(5):
        cloud_process.reset()
    # Measured at 0.03 s each; the bound only catches a reset that starts to load things again.
    assert (time.monotonic() - begun) / 5 < 0.5


def test_a_frozen_clock_freezes_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    monkeypatch.setenv("RUNCTL_NOW", "2026-01-31T12:00:00+00:00")
    seen = []
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    with start() as frozen:
        ec2 = session.create_client("ec2", "us-east-1", endpoint_url=frozen.endpoint_url)
        for _ in range(2):
            frozen.reset()
            reply = ec2.describe_instances()
            seen.append(reply["Reservations"])
            assert reply["ResponseMetadata"]["HTTPHeaders"]["date"] == "Sat, 31 Jan 2026 12:00:00 GMT"
    assert seen[0] == seen[1]
    states = {i["State"]["Name"] for r in seen[0] for i in r["Instances"]}
    assert "pending" in states


@pytest.mark.skipif(not Path("/usr/bin/aws").exists(), reason="the AWS CLI is not installed")
def test_the_aws_command_line_works_against_it(cloud: DemoCloud) -> None:
    command = ["/usr/bin/aws", "ec2", "describe-instances", "--endpoint-url", cloud.endpoint_url, "--output", "json"]
    command += ["--filters", "Name=instance-type,Values=g5.*", "--page-size", "5"]
    environ = cloud.apply(dict(os.environ), region="us-west-2")
    reply = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    found = [i for r in json.loads(reply.stdout)["Reservations"] for i in r["Instances"]]
    assert len(found) == 8
    assert cloud.calls()["ec2", "DescribeInstances", "us-west-2"] == 2


def test_a_plain_moto_server_is_there_for_comparison(plain_moto: str) -> None:
    import boto3

    ec2 = boto3.Session().client("ec2", region_name="us-east-1")  # the default session keeps its keys for other tests
    ec2.run_instances(ImageId="ami-12c6146b", InstanceType="g5.xlarge", MinCount=2, MaxCount=2)
    (reservation,) = ec2.describe_instances()["Reservations"]
    assert len(reservation["Instances"]) == 2
    assert shutil.which("moto_server") is None or plain_moto.startswith("http://127.0.0.1:")
