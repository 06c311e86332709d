"""The dashboard's doors: what they know of jobs, and whose rules they follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runctl.cli.dashboard import _open_door
from runctl.cli.invocation import Invocation
from runctl.cli.jobs_connect import open_jobs_door
from runctl.clock import SystemClock
from runctl.config import DEFAULTS, Resolved
from runctl.config.settings import JobSettings, ProfileRules, Settings
from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import Rule, Verb
from runctl.models.record import job_id
from runctl.services.aws.backend import open_backend
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import BucketStore
from runctl.services.transfer.client import Request
from runctl.services.transfer.opening import open_client as client_for
from tests.cli import fleets
from tests.services.doors import EAST, OURS, ZOE, fleet_of, machine

JOB = job_id(1_700_000_000_000, b"0123456789")
WITH_RECORDS: Settings = replace(ZOE, jobs=JobSettings(bucket="records-of-doors"))


def call_with(settings: Settings) -> Invocation:
    return replace(fleets.call(), resolved=Resolved(settings, {}), clock=SystemClock())


def test_a_job_that_has_ended_keeps_no_machine_from_being_stopped(cloud: DemoCloud, tmp_path: Path) -> None:
    (works,) = fleet_of(cloud, machine("works", OURS | {"runctl:job": JOB, "runctl:attempt": "1"}))
    client = client_for(DEFAULTS, None, region=EAST)
    client.call(Request("CreateBucket", "PUT", "records-of-doors"))
    door = _open_door(call_with(WITH_RECORDS), lambda *_: None, open_backend(WITH_RECORDS), (EAST,))
    (before,) = door.draft(Verb.STOP, [works]).items
    assert Rule.RUNNING_JOB in {r.rule for r in before.refusals}, "without a record nobody has seen it ending"
    record = JobRecord(BucketStore(client, "records-of-doors", tmp_path / "state"), JOB, door.ground.clock, "zoe")
    record.create({"v": 1, "id": JOB, "name": "vit", "provider": "ec2", "region": EAST})
    record.take_lease(fence=1)
    record.write_launch({"v": 1, "job": JOB, "attempt": 1, "at": record.now(), "spent_usd": 0.0})
    record.store.put(
        f"runctl/jobs/{JOB}/attempts/0001/exit.json", b'{"v": 1, "rc": 0, "verified": true, "missing": []}'
    )
    (after,) = door.draft(Verb.STOP, [works]).items
    assert after.refusals == ()


def test_jobs_follow_the_rules_of_the_profile_that_is_looked_at(
    cloud: DemoCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`P` changes the profile of the session, not the one that the settings name."""
    (tmp_path / "config").write_text("[profile lab]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    settings = replace(WITH_RECORDS, profiles={"lab": ProfileRules(read_only=True)})
    open_jobs_door(call_with(settings), open_backend(settings), (EAST,)).may_change("ec2")
    looked_at = open_jobs_door(call_with(settings), open_backend(settings, "lab"), (EAST,))
    with pytest.raises(InputError, match="read-only"):
        looked_at.may_change("ec2")
    looked_at.may_change("local")
