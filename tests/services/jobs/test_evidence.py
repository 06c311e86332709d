"""What is asked where a verdict is in doubt, on the embedded cloud: a machine that was taken, ended, or went silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore.session
import pytest

from runctl.clock import FrozenClock
from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud
from runctl.models import record
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.jobs.evidence import KeptEvidence, find_evidence, is_impaired
from runctl.services.jobs.look import Look, machine_of, seen_machine, with_evidence
from runctl.services.jobs.seen import Outcome, Seen
from runctl.services.jobs.verdict import judge

JOB = record.job_id(1_700_000_000_000, b"0123456789")


@pytest.fixture
def machine(cloud: DemoCloud) -> str:
    """A spot machine of the job."""
    cloud.reset(fleet="empty")
    cloud.set_timings(pending=0.1, shutting_down=0.1, agent_online=0.1, initializing=0.1)
    said = {"runctl:managed": "1", "runctl:job": JOB, "runctl:attempt": "1"}
    tags = [{"Key": k, "Value": v} for k, v in said.items()]
    made = botocore.session.Session().create_client("ec2", "us-east-1").run_instances(
        ImageId="resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        InstanceType="g5.xlarge", MinCount=1, MaxCount=1, InstanceMarketOptions={"MarketType": "spot"},
        TagSpecifications=[{"ResourceType": t, "Tags": tags} for t in ("instance", "spot-instances-request")],
    )  # fmt: skip
    cloud.advance(30)
    return str(made["Instances"][0]["InstanceId"])


def _look(backend: AwsBackend, machine: str) -> Look:
    """The job with a heartbeat of three hours ago, as its machine is now."""
    listed = [m for page in backend.list_job_machines("us-east-1", JOB) for m in page]
    own = machine_of(listed, 1)
    state: Any = {"phase": "RUNNING", "heartbeat_s": 15.0, "machine": {"instance_id": machine}}
    seen = Seen(attempt=1, fence=1, launch={}, launch_age_s=1e5, state=state, heartbeat_age_s=1e4)
    seen = replace(seen, machine=seen_machine(own, asked=True))
    return Look(JOB, {"region": "us-east-1"}, seen, judge(seen), own, datetime.now(UTC))


def test_a_machine_that_is_gone_was_taken_as_its_spot_request_says(cloud: DemoCloud, machine: str) -> None:
    backend = open_backend(DEFAULTS)
    cloud.interrupt(machine, notice_s=1)
    cloud.advance(2 * 3600)
    found = _look(backend, machine)
    assert found.verdict.outcome is Outcome.LOST
    more = find_evidence(backend, found)
    assert more["spot_status"].startswith("instance-terminated")
    assert with_evidence(found, more).verdict.outcome is Outcome.INTERRUPTED


def test_a_silent_machine_is_asked_for_its_health(cloud: DemoCloud, machine: str) -> None:
    found = _look(open_backend(DEFAULTS), machine)
    assert found.verdict.outcome is Outcome.UNREACHABLE
    more = find_evidence(open_backend(DEFAULTS), found)
    assert more["machine"].impaired is False
    judged = with_evidence(found, more).verdict
    assert judged.outcome is (Outcome.UNKNOWN if more["machine"].agent == "Online" else Outcome.UNREACHABLE)


@pytest.mark.parametrize(
    ("words", "impaired"),
    [
        (["ok", "ok"], False), (["impaired", "ok"], True), ([], None), (["ok", "insufficient-data"], None),
        (["initializing"], None), (["impaired", "insufficient-data"], True), (["ok", "not-applicable"], False),
    ],
)  # fmt: skip
def test_too_little_data_is_no_failing_check(words: list[str], impaired: bool | None) -> None:
    """An "impaired" machine gets a successor; nothing of that kind may follow from what nobody knows."""
    assert is_impaired(words) is impaired


def test_what_may_not_be_asked_stays_unknown(cloud: DemoCloud, machine: str) -> None:
    backend = open_backend(DEFAULTS)
    found = _look(backend, machine)
    with cloud.faults.active("denied", operation="DescribeInstance(Status|Information)"):
        more = find_evidence(backend, found)
    assert (more["machine"].agent, more["machine"].impaired) == (None, None)
    assert with_evidence(found, more).verdict.outcome is Outcome.UNREACHABLE


def test_the_same_doubt_is_asked_about_once_in_a_minute_and_another_at_once(cloud: DemoCloud, machine: str) -> None:
    clock, backend = FrozenClock(datetime.now(UTC)), open_backend(DEFAULTS)
    kept = KeptEvidence(partial(find_evidence, backend), clock.monotonic)
    found = _look(backend, machine)

    def asked() -> int:
        cloud.forget_calls()
        judged = with_evidence(found, kept(found)).verdict
        assert judged.outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE)
        return cloud.calls().get(("ec2", "DescribeInstanceStatus", "us-east-1"), 0)

    counts = [asked(), asked()]
    clock.advance(59)
    counts.append(asked())
    clock.advance(1)
    counts.append(asked())
    cloud.interrupt(machine, notice_s=1)
    cloud.advance(60)
    assert counts == [1, 0, 0, 1]
    found = _look(backend, machine)
    assert with_evidence(found, kept(found)).verdict.outcome is Outcome.INTERRUPTED


def test_nothing_is_asked_where_nothing_is_in_doubt(cloud: DemoCloud, machine: str) -> None:
    backend = open_backend(DEFAULTS)
    found = _look(backend, machine)
    sure = replace(found, seen=replace(found.seen, heartbeat_age_s=1.0))
    sure = replace(sure, verdict=judge(sure.seen))
    cloud.forget_calls()
    assert find_evidence(backend, sure) == {}
    assert cloud.calls() == {}
