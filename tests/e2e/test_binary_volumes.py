"""Disks and cleanup through the real binary: planned, asked, done, resumed, and bad input named before anything."""

from __future__ import annotations

import json

import pytest

from runctl import paths
from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl
from tests.services.buckets import begin_upload, make_bucket, uploads
from tests.services.doors import EAST, OURS, disk, fleet_of, machine

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _zoe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    monkeypatch.setenv("AWS_REGION", EAST)


def test_a_disk_from_its_making_to_its_end(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer", agent=True))
    made = runctl("volumes", "create", "--size", "20", "--instance", "trainer", "--name", "data", "--yes", "-o", "json")
    assert made.code == 0, made.err
    (volume,) = made.json()[0]["made"]
    cloud.advance(60)
    for words in (
        ("attach", "data", "--instance", "trainer"),
        ("modify", "data", "--size", "30GiB", "--no-grow"),
        ("detach", "data"),
        ("snapshot", "data"),
    ):
        done = runctl("volumes", *words, "--yes", "-o", "json")
        assert (done.code, done.json()[0]["outcome"]) == (0, "done"), (words, done.err, done.out)
        cloud.advance(3600)
    (snapshot,) = done.json()[0]["made"]
    assert runctl("volumes", "delete", volume, "--yes", "--override", "younger-than").code == 0
    back = runctl("volumes", "restore", snapshot, "--az", f"{EAST}b", "--yes", "-o", "json")
    assert back.code == 0, back.err
    rows = runctl("volumes", "list", "-o", "json", "--filter", "name:data").json()
    assert [(r["size_gib"], r["az"]) for r in rows] == [(30, f"{EAST}b")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--size", "20"), "say where"),
        (("create", "--size", "twenty", "--az", "us-east-1a"), "'twenty' is not a size"),
        (("create", "--az", "us-east-1a"), "--size is missing"),
        (("create", "--size", "100", "--az", "us-east-1a", "--iops", "60000"), "3,000 to 50,000 IOPS"),
        (("create", "--size", "100", "--az", "eu-west-1a"), "not a zone of us-east-1"),
        (("attach", "vol-0123456789abcdefg", "--instance", "trainer"), "malformed"),
        (("delete", "i-0123456789abcdef0"), "is the id of a"),
        (("modify", "nobody", "--size", "9"), "nobody"),
        (("attach", "data", "--instance", "trainer", "--mount", "/etc"), "not a directory to mount a disk on"),
        (("detach", "data", "--override", "everything"), "there is no such rule"),
    ],
)
def test_bad_input_is_named_with_what_is_allowed_and_nothing_is_sent(
    cloud: DemoCloud, words: tuple[str, ...], said: str
) -> None:
    fleet_of(cloud, machine("trainer", agent=True), disks=(disk(name="data"),))
    ended = runctl("volumes", *words, "--yes")
    assert ended.code == 1, ended.err
    assert said in ended.err
    assert cloud.changes() == []


def test_a_cleanup_is_planned_kept_and_applied_by_its_id(cloud: DemoCloud) -> None:
    fleet_of(
        cloud, machine("old", state="stopped", age_s=90 * 86_400.0),
        disks=(disk(name="free", age_s=41 * 86_400.0), disk(name="foreign", tags={}, age_s=41 * 86_400.0)),
    )  # fmt: skip
    shown = runctl("cleanup", "plan", "--no-snapshot", "-o", "json")
    assert shown.code == 0, shown.err
    assert [(i["action"], i["name"], i["outcome"]) for i in shown.json()] == [
        ("terminate", "old", "planned"),
        ("delete", "free", "planned"),
    ]
    assert cloud.changes() == []
    plan = shown.json()[0]["plan"]
    assert f"runctl cleanup apply {plan}" in shown.err
    assert runctl("cleanup", "apply", plan).code == 1  # nobody said yes
    done = runctl("cleanup", "apply", plan, "--yes", "-o", "json")
    assert (done.code, [i["outcome"] for i in done.json()]) == (0, ["done", "done"])
    again = runctl("cleanup", "apply", plan, "--yes")
    assert "nothing of it is left" in again.err
    assert len([c for c in cloud.changes() if "DeleteVolume" in c or "TerminateInstances" in c]) == 2
    (paths.plans_dir() / "plan-20200101-000000-abcd.json").write_text("{")
    told = runctl("cleanup", "list", "-o", "json")
    listed = told.json()
    assert "plan-20200101-000000-abcd cannot be read" in told.err
    assert [(p["id"], p["open"]) for p in listed] == [(plan, 0)]
    assert json.dumps(listed)


def test_a_cleanup_aborts_old_uploads_of_our_buckets_and_says_which_did_not_tell(cloud: DemoCloud) -> None:
    fleet_of(cloud)
    for name, tags in (("half-ours", OURS | {"runctl:project": "vision"}), ("half-nobodys", {})):
        make_bucket(cloud, name, tags)
        begin_upload(cloud, name, "runs/7/model.pt", b"x" * 2**20)
    cloud.forget_calls()
    shown = runctl("cleanup", "plan", "-o", "json")
    assert shown.code == 0, shown.err
    assert [(i["action"], i["kind"], i["name"], i["outcome"]) for i in shown.json()] == [
        ("abort", "upload", "runs/7/model.pt", "planned")
    ]
    for words, said in (
        (("s3://half-nobodys/x",), "the bucket alone"),
        (("s3://half-nobodys", "--ttl", "8h"), "no end"),
    ):
        ended = runctl("adopt", *words, "--yes")
        assert (ended.code, said in ended.err) == (1, True)
    waste = runctl("cost", "waste", "--by", "project", "-o", "json").json()
    assert {w["name"] for w in waste} == {"vision", "?"}
    assert runctl("cleanup", "plan", "--uploads-older", "36500d", "-o", "json").json() == []
    with cloud.faults.active("denied", operation="ListMultipartUploads"):
        mute = runctl("cleanup", "plan")
    assert mute.code == 4
    assert "not seen: unfinished uploads of half-ours: not allowed: s3:ListBucketMultipartUploads" in mute.err
    assert runctl("cleanup", "apply", shown.json()[0]["plan"], "--yes").code == 0
    assert (uploads(cloud, "half-ours"), uploads(cloud, "half-nobodys")) == (set(), {"runs/7/model.pt"})
    adopted = runctl("adopt", "s3://half-nobodys", "--yes", "-o", "json")
    assert (adopted.code, adopted.json()[0]["outcome"]) == (0, "done")
    assert [i["outcome"] for i in runctl("cleanup", "plan", "-o", "json").json()] == ["planned"]


def test_nothing_to_clean_up_is_an_answer(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("busy"))
    ended = runctl("cleanup", "plan")
    assert (ended.code, ended.out) == (0, "")
    assert "nothing to clean up" in ended.err
    assert runctl("cleanup", "plan", "-o", "json").json() == []


def test_a_region_that_does_not_answer_costs_its_candidates_only(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="free", age_s=41 * 86_400.0),))
    cloud.faults.add("denied", service="ec2", operation="DescribeSnapshots")
    shown = runctl("cleanup", "plan", "--no-snapshot", "-o", "json")
    assert shown.code == 4
    assert [i["name"] for i in shown.json()] == ["free"]
    assert "ec2:DescribeSnapshots" in shown.err


def test_read_only_and_a_missing_plan(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="free"),))
    refused = runctl("volumes", "delete", "free", "--read-only", "--yes", "-o", "json")
    assert (refused.code, refused.json()[0]["rule"]) == (1, "read-only")
    missing = runctl("cleanup", "apply", "plan-20260131-120000-3fa9", "--yes")
    assert missing.code == 1
    assert "no plan" in missing.err
    assert cloud.changes() == []
