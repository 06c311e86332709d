"""Every row of the verdict's table as it really comes about: a record, and a machine of the embedded cloud behind it.

The heartbeat is written by hand and made old; what EC2, Systems Manager, the spot request, CloudTrail and the machine
itself say is asked for by the code that people use.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.demo.cloud import DemoCloud
from runctl.models import record
from runctl.services.aws.backend import open_backend
from runctl.services.jobs.hands import looking_jobs
from runctl.services.jobs.look import Look
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Action, Outcome
from runctl.services.jobs.service import Found, Jobs
from runctl.services.jobs.stores import LocalStore

JOB = record.job_id(1_700_000_000_000, b"0123456789")
SETTINGS = Settings(owner="ada")
#: What a machine runs in the place of the supervisor, where its file would lie.
_SUPERVISOR = """
mkdir -p "$RUNCTL_HOME/{job}/1"; cd "$RUNCTL_HOME/{job}/1"
echo 'import time; time.sleep(600)' > agent.pyz
printf 'starting\\nMemoryError: no room left\\n' > agent.log
nohup python3 "$PWD/agent.pyz" run >/dev/null 2>&1 &
echo $! > pid
"""


@dataclass
class Case:
    """One job on one machine."""

    cloud: DemoCloud
    store: LocalStore
    machine: str

    @property
    def job(self) -> JobRecord:
        return JobRecord(self.store, JOB, SystemClock(), "ada", "client-test")

    def aws(self, service: str, **keys: str) -> Any:
        return botocore.session.Session().create_client(service, "us-east-1", **keys)

    def put(self, name: str, attempt: int = 1, **value: Any) -> None:
        self.store.put(record.attempt_key(JOB, attempt, name), record.dump({"v": 1, "job": JOB, **value}))

    def beat(self, attempt: int = 1, *, age_s: float = 0.0, **state: Any) -> None:
        """A heartbeat of that age."""
        said = {"phase": "RUNNING", "heartbeat_s": 15.0, "machine": {"instance_id": self.machine}, **state}
        self.put("state.json", attempt, **said)
        path = self.store.root / record.attempt_key(JOB, attempt, "state.json")
        os.utime(path, (time.time() - age_s,) * 2)

    def client(self, settings: Settings) -> Jobs:
        """Who looks, and has not looked before."""
        reached = replace(settings, jobs=replace(settings.jobs, bucket="unread"))
        jobs = looking_jobs(reached, open_backend(settings), "ada")
        jobs.stores = {"ec2": self.store}
        return jobs

    def look(self, settings: Settings = SETTINGS) -> Look:
        """As `runctl jobs show` looks."""
        return self.client(settings).look(Found(self.job, self.job.spec(), "ec2"))

    def on_machine(self, script: str) -> None:
        """Run a script there to its end."""
        ssm = self.aws("ssm")
        sent = ssm.send_command(
            InstanceIds=[self.machine], DocumentName="AWS-RunShellScript",
            Parameters={"commands": script.format(job=JOB).splitlines()},
        )  # fmt: skip
        which = {"CommandId": sent["Command"]["CommandId"], "InstanceId": self.machine}
        deadline = time.monotonic() + 30
        while (said := ssm.get_command_invocation(**which))["Status"] in ("Pending", "InProgress"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert said["Status"] == "Success", said


@pytest.fixture
def case(cloud: DemoCloud, tmp_path: Path) -> Case:
    """A job that has trained and is silent since two hours, on a spot machine that runs."""
    cloud.reset(fleet="empty")
    cloud.set_timings(pending=0.1, stopping=0.1, shutting_down=0.1, agent_online=0.1, initializing=0.1)
    tags = [{"Key": "runctl:managed", "Value": "1"}, {"Key": "runctl:owner", "Value": "ada"},
            {"Key": "runctl:job", "Value": JOB}, {"Key": "runctl:attempt", "Value": "1"}]  # fmt: skip
    made = botocore.session.Session().create_client("ec2", "us-east-1").run_instances(
        ImageId="resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        InstanceType="g5.xlarge", MinCount=1, MaxCount=1, InstanceMarketOptions={"MarketType": "spot"},
        IamInstanceProfile={"Name": "runctl-job"},
        TagSpecifications=[{"ResourceType": t, "Tags": tags} for t in ("instance", "spot-instances-request")],
    )  # fmt: skip
    cloud.advance(30)
    ready = Case(cloud, LocalStore(tmp_path / "records"), str(made["Instances"][0]["InstanceId"]))
    spec: Any = {"v": 1, "id": JOB, "name": "vit", "provider": "ec2", "region": "us-east-1", "owner": "ada",
                 "created_at": time.time() - 7300}  # fmt: skip
    ready.job.create(spec)
    ready.job.take_lease(fence=1)
    ready.job.release_lease()
    ready.put("launch.json", at=time.time() - 7200, spent_usd=0.0)
    ready.beat(age_s=7200)
    return ready


def _told(found: Look) -> tuple[int, Outcome, Action]:
    return found.verdict.row, found.verdict.outcome, found.verdict.action


def test_row_5_the_machine_is_asked_and_its_supervisor_is_there(case: Case) -> None:
    case.on_machine(_SUPERVISOR)
    found = case.look()
    assert _told(found) == (5, Outcome.RUNNING, Action.NONE)
    assert found.verdict.reason == "the supervisor runs, but its uploads do not arrive"
    case.on_machine('kill -9 "$(cat "$RUNCTL_HOME/{job}/1/pid")"')
    dead = case.look()
    assert _told(dead) == (5, Outcome.FAILED, Action.NONE)  # its disk may hold what is saved nowhere
    assert "(MemoryError: no room left)" in dead.verdict.reason
    assert dead.verdict.resource == "running"


@pytest.mark.parametrize("settings", [replace(SETTINGS, read_only=True), replace(SETTINGS, owner="zoe")])
def test_row_5_stays_open_where_the_machine_may_not_be_asked(case: Case, settings: Settings) -> None:
    case.cloud.forget_calls()
    found = case.look(settings)
    assert _told(found) == (5, Outcome.UNKNOWN, Action.NONE)
    assert found.verdict.question == "supervisor"
    assert case.cloud.mutating_calls() == {}


def test_a_machine_is_not_asked_again_at_every_look(case: Case) -> None:
    jobs = case.client(SETTINGS)
    case.cloud.forget_calls()
    for _ in range(3):
        assert jobs.look(Found(case.job, case.job.spec(), "ec2")).verdict.outcome is Outcome.FAILED
    assert sum(n for (_, name, _), n in case.cloud.calls().items() if name == "SendCommand") == 1


def _checks(case: Case) -> None:
    case.cloud.afflict(case.machine, "checks")


def _agent(case: Case) -> None:
    case.cloud.afflict(case.machine, "agent")


def _host(case: Case) -> None:
    case.cloud.afflict(case.machine, "host")
    case.cloud.advance(5)


def _spot(case: Case) -> None:
    case.cloud.interrupt(case.machine, notice_s=1)
    case.cloud.advance(60)


def _forgotten(case: Case) -> None:
    case.cloud.advance(2 * 3600)


def _somebody(case: Case) -> None:
    iam = case.aws("iam")
    iam.create_user(UserName="grace")
    key = iam.create_access_key(UserName="grace")["AccessKey"]
    theirs = case.aws("ec2", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    theirs.terminate_instances(InstanceIds=[case.machine])
    case.cloud.advance(5)


def _inside(case: Case) -> None:
    case.on_machine("shutdown -h now")
    case.cloud.advance(5)


def _inside_at_its_time(case: Case) -> None:
    case.beat(age_s=7200, stop={"reason": "ttl"})
    _inside(case)


def _nobody_says(case: Case) -> None:
    case.cloud.faults.add("denied", operation="DescribeSpotInstanceRequests")
    case.cloud.faults.add("denied", operation="LookupEvents")


def _speaking(case: Case) -> None:
    case.beat()


def _no_ec2(case: Case) -> None:
    case.cloud.faults.add("denied", operation="DescribeInstances")


def _no_record(case: Case) -> None:
    case.store.put(record.lease_key(JOB), b"{broken")


GONE = "spot interruption (the machine is gone)"
SHUT = "shutdown: the machine was shut down from inside"
#: What happens one after the other, and what is seen then.
STORIES: tuple[tuple[tuple[Callable[[Case], None], tuple[int, Outcome, Action], str], ...], ...] = (
    ((_speaking, (4, Outcome.RUNNING, Action.NONE), ""),
     (_no_record, (11, Outcome.UNKNOWN, Action.NONE), "the record cannot be read")),
    ((_agent, (6, Outcome.UNREACHABLE, Action.NONE), "its agent has lost the connection"),
     (_checks, (6, Outcome.UNREACHABLE, Action.RECOVER), "a status check fails"),
     (_host, (7, Outcome.INTERRUPTED, Action.RECOVER), "host failure (Server.ScheduledStop)")),
    ((_no_ec2, (11, Outcome.UNKNOWN, Action.NONE), "its machine cannot be asked"),),
    ((_spot, (7, Outcome.INTERRUPTED, Action.RECOVER), "spot interruption"),
     (_forgotten, (10, Outcome.INTERRUPTED, Action.RECOVER), GONE)),
    ((_somebody, (8, Outcome.CANCELLED, Action.NONE), "external: ended by grace"),
     (_forgotten, (8, Outcome.CANCELLED, Action.NONE), "external: ended by grace"),
     (_nobody_says, (10, Outcome.LOST, Action.NONE), "the machine is gone without")),
    ((_inside, (9, Outcome.FAILED, Action.NONE), SHUT),),
    ((_inside_at_its_time, (9, Outcome.FAILED, Action.NONE), "ttl: the time to live ran out"),
     (_forgotten, (10, Outcome.FAILED, Action.NONE), "ttl: the time to live ran out")),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s[0][0].__name__.strip("_"))
def test_each_row_comes_about(case: Case, story: tuple[tuple[Callable[[Case], None], object, str], ...]) -> None:
    for happened, told, said in story:
        happened(case)
        found = case.look()
        assert _told(found) == told, found.verdict
        assert said in found.verdict.reason
    case.cloud.faults.clear()


def test_row_12_an_older_attempt_that_still_speaks_is_named(case: Case) -> None:
    case.job.take_lease(fence=2)
    case.job.release_lease()
    case.put("launch.json", 2, at=time.time(), spent_usd=0.0)
    case.beat(2)
    assert case.look().verdict.zombies == ()  # the first is silent
    case.beat(1)
    found = case.look()
    assert (found.verdict.outcome, found.verdict.zombies) == (Outcome.RUNNING, (1,))
    assert "attempt 1 still runs and may not write" in found.verdict.reason
    case.put("exit.json", 1, rc=0, stop_reason="fenced", verified=True)
    assert case.look().verdict.zombies == ()  # it has ended: its last word was only a moment ago
