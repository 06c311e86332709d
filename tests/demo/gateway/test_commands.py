"""Run Command: scripts really run, and end when they should."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from runctl.demo.cloud import DemoCloud
from runctl.demo.machine import Sandboxes
from tests.demo.conftest import Aws, launch, refused

ENDED = {"Success", "Failed", "TimedOut", "Cancelled"}


class Machine:
    """One machine with an agent, and the scripts that are sent to it."""

    def __init__(self, ssm: Any, instance_id: str) -> None:
        self.ssm, self.id = ssm, instance_id

    def send(self, *lines: str, **parameters: str) -> str:
        given = {"commands": list(lines)} | {k: [v] for k, v in parameters.items()}
        reply = self.ssm.send_command(InstanceIds=[self.id], DocumentName="AWS-RunShellScript", Parameters=given)
        return str(reply["Command"]["CommandId"])

    def look(self, command: str) -> dict[str, Any]:
        reply: dict[str, Any] = self.ssm.get_command_invocation(CommandId=command, InstanceId=self.id)
        return reply

    def wait(self, command: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        wanted = until or (lambda i: i["Status"] in ENDED)
        deadline = time.monotonic() + 15
        while not wanted(shown := self.look(command)):
            assert time.monotonic() < deadline, shown
            time.sleep(0.01)
        return shown


@pytest.fixture
def machine(cloud_process: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> Machine:
    cloud_process.reset(fleet="empty")
    for name, value in cloud_process.environment().items():
        monkeypatch.setenv(name, value)
    made = launch(boto3.client("ec2"), IamInstanceProfile={"Name": "runctl-instance"})["Instances"][0]
    cloud_process.advance(60)
    return Machine(boto3.client("ssm"), made["InstanceId"])


def test_a_script_runs_and_tells_its_output(machine: Machine) -> None:
    shown = machine.wait(machine.send("echo out $INSTANCE_ID; echo err >&2", "exit 3"))
    assert (shown["Status"], shown["ResponseCode"]) == ("Failed", 3)
    assert (shown["StandardOutputContent"], shown["StandardErrorContent"]) == (f"out {machine.id}\n", "err\n")
    assert machine.wait(machine.send("true"))["Status"] == "Success"


def test_files_stay_on_their_machine(machine: Machine) -> None:
    machine.wait(machine.send("echo kept > f", workingDirectory="/home/ubuntu"))
    assert machine.wait(machine.send("cat home/ubuntu/f"))["StandardOutputContent"] == "kept\n"


def test_long_output_is_cut_as_aws_cuts_it(machine: Machine) -> None:
    assert len(machine.wait(machine.send("yes | head -c 100000"))["StandardOutputContent"]) == 24_000


def test_a_script_that_takes_too_long_is_ended(machine: Machine) -> None:
    assert machine.wait(machine.send("sleep 60", executionTimeout="0.2"))["Status"] == "TimedOut"


def test_a_cancelled_script_ends(machine: Machine) -> None:
    command = machine.send("sleep 60 & wait")
    machine.wait(command, lambda i: i["Status"] == "InProgress")
    machine.ssm.cancel_command(CommandId=command)
    shown = machine.wait(command)
    assert shown["Status"] == "Cancelled"
    assert shown["ResponseCode"] < 0


def test_a_script_that_nobody_wants_any_more_never_gets_far(tmp_path: Path) -> None:
    sandboxes = Sandboxes({})
    outcome = sandboxes.run("i-1", "c-1", f"sleep 5; touch {tmp_path}/done", region="us-east-1", wanted=lambda: False)
    assert outcome.code == -9
    assert not (tmp_path / "done").exists()
    folder = sandboxes.directory("i-1")
    sandboxes.clear()
    assert not folder.exists()


def test_a_machine_that_stops_takes_its_processes_with_it(machine: Machine, cloud_process: DemoCloud) -> None:
    command = machine.send("trap '' TERM; echo $$ > pid; while true; do sleep 0.05; done")
    pids = machine.send("until [ -s pid ]; do sleep 0.01; done; cat pid")
    pid = int(machine.wait(pids)["StandardOutputContent"])
    boto3.client("ec2").terminate_instances(InstanceIds=[machine.id])
    assert psutil.pid_exists(pid), "it ignores TERM and lives while the machine shuts down"
    cloud_process.advance(30)
    assert boto3.client("ec2").describe_instances()["Reservations"]
    assert machine.wait(command)["Status"] == "Failed"
    assert not psutil.pid_exists(pid)
    with refused("InvalidInstanceId"):
        machine.send("true")


def test_a_script_finds_the_cloud_it_runs_in(machine: Machine) -> None:
    code = "import os; print(os.environ['AWS_ENDPOINT_URL'], os.environ['AWS_REGION'])"
    shown = machine.wait(machine.send(f'python3 -c "{code}"'))
    assert shown["StandardOutputContent"].split()[1] == "us-east-1"
    assert shown["StandardOutputContent"].startswith("http://127.0.0.1:")


def test_commands_are_listed_with_their_results(machine: Machine) -> None:
    command = machine.send("echo hello")
    machine.wait(command)
    (found,) = machine.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert found["CommandPlugins"][0]["Output"] == "hello\n"
    (listed,) = machine.ssm.list_commands()["Commands"]
    assert (listed["Status"], listed["CompletedCount"], listed["TargetCount"]) == ("Success", 1, 1)


def test_targets_can_be_named_by_tag(machine: Machine) -> None:
    boto3.client("ec2").create_tags(Resources=[machine.id], Tags=[{"Key": "runctl:job", "Value": "j"}])
    command = machine.ssm.send_command(
        Targets=[{"Key": "tag:runctl:job", "Values": ["j"]}], DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["true"]},
    )["Command"]  # fmt: skip
    assert command["InstanceIds"] == [machine.id]


def test_strangers_run_nothing(machine: Machine, clients: Aws) -> None:
    with refused("AccessDeniedException"):
        Machine(clients("ssm"), machine.id).send("true")
    with refused("InvalidDocument"):
        machine.ssm.send_command(InstanceIds=[machine.id], DocumentName="AWS-RunPowerShellScript")
    with refused("InvocationDoesNotExist"):
        machine.look("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize("line", ["shutdown -h now", "sudo -n shutdown -h now", "poweroff", "halt"])
def test_a_machine_that_shuts_itself_down_ends_and_this_computer_stays_on(
    machine: Machine, cloud_process: DemoCloud, line: str
) -> None:
    machine.wait(machine.send(line))
    shown = boto3.client("ec2").describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"][0]
    assert shown["State"]["Name"] == "stopping", "launched without InstanceInitiatedShutdownBehavior, it stops"
    assert shown["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    cloud_process.advance(60)
    made = launch(
        boto3.client("ec2"),
        IamInstanceProfile={"Name": "runctl-instance"},
        InstanceInitiatedShutdownBehavior="terminate",
    )["Instances"][0]
    cloud_process.advance(60)
    other = Machine(boto3.client("ssm"), made["InstanceId"])
    other.wait(other.send("reboot; shutdown -r now"))
    other.wait(other.send(line))
    shown = boto3.client("ec2").describe_instances(InstanceIds=[other.id])["Reservations"][0]["Instances"][0]
    assert shown["State"]["Name"] == "shutting-down"


def test_what_a_script_leaves_behind_ends_with_its_machine(machine: Machine, cloud_process: DemoCloud) -> None:
    left = machine.wait(machine.send("setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!"))
    child = psutil.Process(int(left["StandardOutputContent"]))
    boto3.client("ec2").terminate_instances(InstanceIds=[machine.id])
    cloud_process.advance(60)
    child.wait(15)
