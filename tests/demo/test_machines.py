"""Machines that really run what they were launched with, and end by themselves or with their cloud."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import pytest

from runctl.agent import bootstrap, bundle
from runctl.agent.s3 import S3Store
from runctl.demo import processes
from runctl.demo.cloud import DemoCloud
from runctl.demo.imds_address import metadata_address
from runctl.demo.server import start
from runctl.models import record
from tests.agent.conftest import Job, until
from tests.demo.conftest import Aws, launch, state_of
from tests.services.transfer import servers


@pytest.fixture
def here(cloud_process: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoCloud]:
    """An empty cloud, this process being its user."""
    cloud_process.reset(fleet="empty")
    for name, value in cloud_process.environment().items():
        monkeypatch.setenv(name, value)
    yield cloud_process
    cloud_process.reset(fleet="empty")


def _launch(script: str, **parameters: Any) -> str:
    made = launch(boto3.client("ec2"), UserData=script, IamInstanceProfile={"Name": "runctl-instance"}, **parameters)
    return str(made["Instances"][0]["InstanceId"])


SPOT = {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}}


def _output(cloud: DemoCloud, instance_id: str, *lines: str) -> str:
    """What a command of Systems Manager prints on a machine."""
    ssm = boto3.client("ssm")
    command = ssm.send_command(
        InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": list(lines)}
    )["Command"]["CommandId"]

    def ended() -> dict[str, Any] | None:
        shown = ssm.get_command_invocation(CommandId=command, InstanceId=instance_id)
        return shown if shown["Status"] not in ("Pending", "InProgress") else None

    return str(until(ended, "the command ends")["StandardOutputContent"])


def test_user_data_runs_once_and_commands_see_the_same_machine(here: DemoCloud) -> None:
    machine = _launch("#!/bin/sh\necho run >> $HOME/runs\n")
    here.advance(60)
    until(lambda: _output(here, machine, "cat runs") == "run\n", "user data has run")
    ec2 = boto3.client("ec2")
    ec2.stop_instances(InstanceIds=[machine])
    here.advance(60)
    ec2.start_instances(InstanceIds=[machine])
    here.advance(60)
    assert _output(here, machine, "cat runs") == "run\n"


@pytest.mark.parametrize(
    ("image", "shell"),
    [
        ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "bash"),
        ("/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id", "dash"),
    ],
)
def test_the_shell_of_user_data_is_that_of_the_image(here: DemoCloud, image: str, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"this computer has no {shell}")
    machine = _launch("#!/bin/sh\nreadlink /proc/$$/exe > $HOME/shell; set -o | grep posix >> $HOME/shell\n",
                      ImageId=f"resolve:ssm:{image}")  # fmt: skip
    here.advance(60)
    said = until(lambda: _output(here, machine, "cat shell"), "user data has run").split()
    assert Path(said[0]).name == shell
    assert said[1:] == (["posix", "on"] if shell == "bash" else [])


def test_user_data_of_a_stranger_does_not_run(here: DemoCloud, clients: Aws, tmp_path: Path) -> None:
    launch(clients("ec2"), UserData=f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    here.advance(60)
    machine = _launch(f"#!/bin/sh\ntouch {tmp_path}/mine\n")
    here.advance(60)
    until((tmp_path / "mine").exists, f"{machine} runs its user data")
    assert not (tmp_path / "ran").exists()


def _ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, at.path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_metadata_needs_a_session_token_and_knows_the_machine(here: DemoCloud) -> None:
    machine = _launch("#!/bin/sh\n", **SPOT)
    here.advance(60)
    key = here.environment()["AWS_ACCESS_KEY_ID"]
    base = metadata_address(here.endpoint_url, key, "us-east-1", machine)
    latest = f"{base}/latest/"
    assert _ask(latest + "meta-data/instance-id")[0] == 401
    assert _ask(latest + "api/token", "PUT")[0] == 400
    status, token = _ask(latest + "api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert status == 200

    def get(path: str) -> tuple[int, str]:
        return _ask(latest + path, X_aws_ec2_metadata_token=token)

    assert get("meta-data/instance-id") == (200, machine)
    assert get("meta-data/instance-life-cycle") == (200, "spot")
    assert json.loads(get("dynamic/instance-identity/document")[1])["instanceType"] == "g5.xlarge"
    role = get("meta-data/iam/security-credentials/")[1]
    keys = json.loads(get(f"meta-data/iam/security-credentials/{role}")[1])
    assert keys["AccessKeyId"].startswith("ASIA")
    assert get("meta-data/spot/instance-action")[0] == 404
    here.interrupt(machine)
    assert json.loads(get("meta-data/spot/instance-action")[1])["action"] == "terminate"
    assert get("meta-data/events/recommendations/rebalance")[0] == 404
    here.rebalance(machine)
    assert "noticeTime" in json.loads(get("meta-data/events/recommendations/rebalance")[1])
    assert _ask(latest.replace(base[-24:], "0" * 24) + "api/token", "PUT")[0] == 404


def test_boto_on_a_machine_gets_its_role_by_metadata_and_no_key_of_the_users(here: DemoCloud) -> None:
    machine = _launch("#!/bin/sh\n")
    here.advance(60)
    code = "import boto3; print(boto3.Session().get_credentials().access_key)"
    assert _output(here, machine, f"{sys.executable} -c '{code}'").startswith("ASIA")
    assert here.environment()["AWS_ACCESS_KEY_ID"] not in _output(here, machine, "env")


@pytest.mark.parametrize(("behaviour", "ends"), [("terminate", "terminated"), ("stop", "stopped")])
def test_a_machine_that_shuts_itself_down_stops_or_terminates_as_it_was_launched(
    here: DemoCloud, behaviour: str, ends: str
) -> None:
    machine = _launch("#!/bin/sh\nsudo -n shutdown -h now\n", InstanceInitiatedShutdownBehavior=behaviour)
    here.advance(10)
    ec2 = boto3.client("ec2")
    until(lambda: state_of(ec2, machine) in ("stopping", "shutting-down"), "it shuts down")
    here.advance(60)
    (found,) = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    assert found["State"]["Name"] == ends
    assert found["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_whatever_a_machine_forked_ends_with_it_and_with_a_cloud_that_is_killed() -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with start(fleet="empty", environ=environ) as cloud:
        session = boto3.Session(
            aws_access_key_id=cloud.environment()["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key="x",
            region_name="us-east-1",
        )
        ec2 = session.client("ec2", endpoint_url=cloud.endpoint_url)
        script = f"#!/bin/sh\n(setsid {sys.executable} -c 'import time; time.sleep(600)' &) \n"
        launch(ec2, UserData=script)
        cloud.advance(60)
        root = until(lambda: _roots(cloud.process.pid), "the machine has a directory")[0]
        until(lambda: processes.bearing(root), "it runs something")
        os.kill(cloud.process.pid, signal.SIGKILL)
        until(lambda: not processes.bearing(root) and not Path(root).exists(), "nothing is left")


def _roots(server: int) -> list[str]:
    """Directories that sextons of a server watch over."""
    children = [c for c in psutil.Process(server).children() if c.status() != psutil.STATUS_ZOMBIE]
    lines = [child.cmdline() for child in children]
    return [line[-1] for line in lines if any("processes.py" in word for word in line)]


TRAINER = """
import os, signal, sys, time
folder, step = os.environ["RUNCTL_CHECKPOINT_DIR"], 0
given = os.environ.get("RUNCTL_RESUME_FROM")
assert open("data/deep/a.txt").read() == "a" and open("one.txt").read() == "one"
if given: step = int(open(given).read())
def save():
    with open(f"{folder}/.new", "w") as file: file.write(str(step))
    os.replace(f"{folder}/.new", f"{folder}/step_{step}.pt")
while step < 100000 and not os.path.exists(os.environ["RUNCTL_STOP_FILE"]):
    step += 1
    print(f"step={step} loss={1 / step:.4f}", flush=True)
    if step % 5 == 0: save()
    time.sleep(0.05)
save()
"""


class _Cloudy(Job):
    """A job whose machines are the cloud's."""

    def launch(self, attempt: int, market: dict[str, Any]) -> str:
        body = bundle.build()
        import hashlib

        digest = hashlib.sha256(body).hexdigest()
        self.store.put(record.agent_key(digest), body)
        script = bootstrap.user_data(
            bucket="jobs", region="us-east-1", job=self.id, attempt=attempt, agent_sha256=digest, pace="fast"
        )
        assert len(base64.b64encode(script.encode())) < 16_384
        return _launch(script, InstanceInitiatedShutdownBehavior="terminate", **market)


def test_an_interrupted_job_saves_itself_and_continues_on_the_next_machine(here: DemoCloud, tmp_path: Path) -> None:
    """Scenario C: notice, checkpoint, INTERRUPTED; the next machine continues, and ends itself when it is done.

    A rebalance recommendation before it is told, and ends nothing.
    """
    servers.make_bucket(servers.client_of(here.endpoint_url), "jobs")
    job = _Cloudy(tmp_path, tmp_path, S3Store("jobs"), "s3://jobs")
    rates = [{"type": "g5.xlarge", "az": None, "market": "spot", "usd_per_hour": 0.5}]
    command = [sys.executable, "-c", TRAINER]
    for key, text in (("set/deep/a.txt", "a"), ("set/b.txt", "b"), ("lone", "one")):
        boto3.client("s3").put_object(Bucket="jobs", Key=key, Body=text.encode())
    data = [{"source": "s3://jobs/set/", "target": "data"}, {"source": "s3://jobs/lone", "target": "one.txt"}]
    limits = {"grace_s": 20.0, "upload_s": 20.0, "budget_usd": 9.0}
    job.submit(
        *command, launch={"rates": rates}, limits=limits, data=data, at_end="terminate"
    )  # the machine is the cloud's
    machine = job.launch(1, SPOT)
    here.advance(10)
    until(lambda: (job.state().get("step") or 0) > 5, "it trains", 90)
    assert [e["data"]["files"] for e in job.events() if e["kind"] == "data"] == [3]
    assert job.state()["machine"]["instance_id"] == machine
    assert job.state()["machine"]["market"] == "spot"
    assert job.state()["limits"]["spent_usd"] > 0
    here.rebalance(machine)
    until(lambda: "rebalance" in job.kinds(), "the recommendation is told")
    told = job.state()["step"]
    until(lambda: (record.newest_complete(job.index()) or {"step": 0})["step"] > told, "it saves and runs on")
    assert (job.json("notice.json")["kind"], job.json("exit.json")) == ("rebalance", None)  # type: ignore[index]
    here.interrupt(machine)
    until(lambda: job.json("exit.json"), "the exit is written", 90)
    end = job.exit()
    assert (end["stop_reason"], end["rc"], end["verified"]) == ("spot-notice", 0, True)
    assert job.json("notice.json")["kind"] == "spot"  # type: ignore[index]
    saved = record.newest_complete(job.index())
    assert saved is not None
    assert saved["step"] is not None
    assert saved["step"] == end["step"]
    here.advance(130)
    assert state_of(boto3.client("ec2"), machine) in ("shutting-down", "terminated")
    job.submit(attempt=2, launch={"resume_from": saved["id"], "rates": rates})
    second = job.launch(2, SPOT)
    here.advance(10)
    until(lambda: (job.state(2).get("resume") or {}).get("verified"), "it continues", 90)
    assert job.state(2)["resume"]["first_step"] == saved["step"] + 1
    job.control(desired="stop", reason="enough")
    until(lambda: job.json("exit.json", 2), "the exit is written", 90)
    until(lambda: state_of(boto3.client("ec2"), second) in ("shutting-down", "terminated"), "it ends its machine")


def test_a_machine_whose_supervisor_never_comes_says_so_and_ends_itself(here: DemoCloud, tmp_path: Path) -> None:
    servers.make_bucket(servers.client_of(here.endpoint_url), "jobs")
    job = Job(tmp_path, tmp_path, S3Store("jobs"), "s3://jobs").submit("true")
    script = bootstrap.user_data(
        bucket="jobs", region="us-east-1", job=job.id, attempt=1, agent_sha256="a" * 64, patience_s=0.5
    )
    machine = _launch(script, InstanceInitiatedShutdownBehavior="terminate")
    here.advance(10)
    until(lambda: state_of(boto3.client("ec2"), machine) in ("shutting-down", "terminated"), "it ends itself")
    end = job.exit()
    assert record.is_readable(end)
    assert (end["rc"], end["cause"], end["verified"], end["attempt"]) == (None, "setup", True, 1)
    assert f"the supervisor could not be fetched: s3://jobs/{record.agent_key('a' * 64)}: HTTP 404" in end["message"]
