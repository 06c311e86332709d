"""`runctl instances launch` through the real binary: the offer, the result, every refusal, in both outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl
from tests.services.launch.launching import ground_of, machines, untagged

pytestmark = pytest.mark.e2e
LAUNCH = ("instances", "launch", "--type", "g5.xlarge")


@pytest.fixture(autouse=True)
def _empty(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")


def test_a_dry_run_shows_prices_and_changes_nothing(cloud: DemoCloud) -> None:
    shown = runctl(*LAUNCH, "--spot", "--ttl", "8h", "--name", "run-7", "--dry-run")
    assert (shown.code, cloud.mutating_calls()) == (0, {})
    lines = shown.out.splitlines()
    assert lines[0] == "1 × g5.xlarge, spot, in us-east-1, as run-7"
    assert "log in as ubuntu" in lines[1]
    assert "at most until it ends itself" in lines[2]
    assert any(line.startswith("g5.xlarge  us-east-1") and " 384 " in line for line in lines)
    (one,) = runctl(*LAUNCH, "--spot", "--ttl", "8h", "--dry-run", "-q", "-o", "json").json()
    assert (one["id"], one["action"], one["outcome"], one["rule"]) == (None, "launch", "planned", None)
    first = one["candidates"][0]
    assert first["usd_per_hour"] < first["usd_per_hour_all"]
    assert first["usd_until_ttl"] == pytest.approx(first["usd_per_hour_all"] * 8, rel=0.01)
    assert (first["vcpus_left"], first["vcpus_needed"], first["price_source"]) == (384, 4, "spot-history")


def test_a_launch_names_its_machine_and_waits_for_it(cloud: DemoCloud, tmp_path: Path) -> None:
    cloud.set_timings(pending=1.0)
    script = tmp_path / "start.sh"
    script.write_text("#!/bin/sh\ntrue\n")
    done = runctl(*LAUNCH, "--spot", "--ttl", "8h", "--user-data", str(script), "--tag", "team=v", "--wait", "--yes",
                  "-q", "-o", "json")  # fmt: skip
    (one,) = done.json()
    (machine,) = machines(ground_of())
    assert (done.code, done.err) == (0, "")
    assert (one["id"], one["outcome"], one["state"]) == (machine["InstanceId"], "done", "running")
    assert one["spot_request"] == machine["SpotInstanceRequestId"]
    assert untagged(ground_of()) == []
    assert one["expires_at"] == next(t["Value"] for t in machine["Tags"] if t["Key"] == "runctl:ttl")


def test_without_a_yes_nothing_happens(cloud: DemoCloud) -> None:
    ended = runctl(*LAUNCH)
    assert (ended.code, ended.out, cloud.mutating_calls()) == (1, "", {})
    assert "needs --yes without a terminal" in ended.err


def test_everything_refused_shows_the_grid(cloud: DemoCloud) -> None:
    cloud.faults.add("capacity")
    ended = runctl(*LAUNCH, "--az", "us-east-1a,us-east-1b", "--spot", "--yes")
    assert (ended.code, ended.out, machines(ground_of())) == (2, "", [])
    grid = [line for line in ended.err.splitlines() if "InsufficientInstanceCapacity" in line]
    assert len(grid) == 2
    assert all("capacity" in line and "no Spot capacity" in line for line in grid)
    assert "not launched: 2 places refused it" in ended.err
    assert "--spot-or-on-demand" in ended.err
    again = runctl(*LAUNCH, "--az", "us-east-1a,us-east-1b", "--spot", "--yes", "-o", "json", "-q")
    (one,) = again.json()
    assert (again.code, one["outcome"], one["attempts"]) == (2, "failed", [])
    assert "within the last 10 minutes" in one["reason"]


def test_a_quota_and_a_denial_read_differently(cloud: DemoCloud) -> None:
    cloud.set_quota("L-DB2E81BA", 0)
    quota = runctl(*LAUNCH, "--yes")
    assert quota.code == 2
    assert "VcpuLimitExceeded" in quota.err
    assert "servicequotas/home/services/ec2/quotas/L-DB2E81BA" in quota.err
    cloud.faults.add("denied", service="ec2", operation="RunInstances")
    denied = runctl("instances", "launch", "--type", "c6i.large", "--yes", "-o", "json")
    (one,) = denied.json()
    assert (denied.code, one["outcome"]) == (2, "failed")
    assert [a["came_to"] for a in one["attempts"]] == ["denied"]
    assert "iam:PassRole" in denied.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--ttl", "8"), "--ttl 8h"),
        (("--count", "0"), "--count 0"),
        (("--count", "two"), "--count two"),
        (("--tag", "aws:x=1"), "reserved"),
        (("--max-price", "cheap"), "--max-price cheap"),
        (("--az", "eu-west-1a"), "--region eu-west-1"),
        (("--user-data", "/no/such/file"), "No such file"),
        (("--region", "us-east-1,us-west-2"), "one region"),
        (("--spot", "--on-demand"), "not allowed with"),
    ],
)
def test_bad_flags_are_refused_before_aws_is_asked(cloud: DemoCloud, argv: tuple[str, ...], said: str) -> None:
    cloud.forget_calls()
    ended = runctl(*LAUNCH, "--yes", *argv)
    assert (ended.code, ended.out, cloud.calls()) == (1, "", {})
    assert said in ended.err
    assert "allowed: " in ended.err
