"""A profile that may only look, however it is named; and a record that wants to act on terminals. The real binary."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.services.jobs.record import JobRecord
from tests.e2e.binary import runctl
from tests.e2e.records import launched
from tests.screens.job_records import Writer, state

pytestmark = pytest.mark.e2e
BUCKET = "records-of-lab"
HOSTILE = "loss\x1b]0;owned\x07\x1b[31m"


@pytest.fixture
def lab(cloud: DemoCloud, tmp_path: Path) -> dict[str, str]:
    """Settings in which the profile `lab` may only look."""
    keys = "aws_access_key_id = test\naws_secret_access_key = test\n"
    (tmp_path / "config").write_text(f"[profile lab]\nregion = us-east-1\n{keys}")
    (tmp_path / "runctl.toml").write_text("[profiles.lab]\nread_only = true\n")
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "RUNCTL_CONFIG": str(tmp_path / "runctl.toml"),
        "RUNCTL_JOBS_BUCKET": BUCKET,
        "RUNCTL_OWNER": "zoe",
    }


@pytest.fixture
def record(cloud: DemoCloud, tmp_path: Path) -> JobRecord:
    """The record of a job that runs."""
    record = launched(BUCKET, tmp_path, "zoe")
    now = SystemClock().now().timestamp()
    Writer(record).put("state.json", **state("RUNNING", 12_000, at=now, metrics={HOSTILE: 0.5}, detail=HOSTILE))
    return record


@pytest.mark.parametrize("named", ["AWS_PROFILE", "RUNCTL_PROFILE"])
def test_what_a_profile_may_not_do_holds_whoever_names_it(
    lab: dict[str, str], record: JobRecord, tmp_path: Path, named: str
) -> None:
    (tmp_path / "file").write_text("x")
    env = lab | {named: "lab"}
    sent = runctl("s3", "cp", str(tmp_path / "file"), f"s3://{BUCKET}/file", env=env)
    assert (sent.code, "read-only" in sent.err) == (1, True)
    stopped = runctl("jobs", "stop", record.job, "--yes", env=env)
    assert (stopped.code, "read-only" in stopped.err) == (1, True)
    assert record.control() == {}
    planned = runctl("jobs", "stop", record.job, "--dry-run", env=env)
    assert (planned.code, planned.out.split()[0]) == (0, "planned")


def test_no_record_steers_a_terminal(lab: dict[str, str], record: JobRecord) -> None:
    shown = runctl("jobs", "show", record.job, env=lab)
    record.say(1, HOSTILE, HOSTILE)
    points = b'{"t": 1.0, "step": 1, "%s": 0.5}\n' % HOSTILE.encode("unicode_escape").replace(b"\\x", b"\\u00")
    record.store.put(f"runctl/jobs/{record.job}/attempts/0001/metrics/000000000-000000001.jsonl", points)
    told = [runctl("jobs", "metrics", record.job, "-o", o, env=lab) for o in ("csv", "table")]
    for ended in (shown, *told):
        assert "\x1b" not in ended.out + ended.err
    assert ["loss", "0.5"] in [line.split() for line in shown.out.splitlines()]
    assert told[0].out.splitlines()[1].startswith("loss,")
