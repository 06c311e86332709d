"""What jobs need in an account: the least that works, made once, journalled, refused by name."""

from __future__ import annotations

import json

import botocore.session
import pytest

from runctl import paths
from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Outcome
from runctl.services.jobs.foundation import Wanted, policy, template
from tests.e2e.binary import runctl

WANTED = Wanted("records", "us-east-1", "runctl-job", "123456789012")


def test_a_machine_of_a_job_may_reach_its_records_and_nothing_of_ec2_or_iam() -> None:
    allowed = [
        a
        for s in policy(WANTED)["Statement"]
        for a in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])
    ]
    assert not [a for a in allowed if a.startswith(("ec2:", "iam:", "sts:")) or "*" in a]
    s3 = [s for s in policy(WANTED)["Statement"] if "s3:GetObject" in s["Action"]]
    assert [s["Resource"] for s in s3] == ["arn:aws:s3:::records/runctl/*"]
    assert "{" not in json.dumps([s["Resource"] for s in policy(WANTED)["Statement"]])


def test_the_template_says_the_same() -> None:
    made = template(WANTED, with_bucket=True)["Resources"]
    assert made["JobMachineRole"]["Properties"]["Policies"][0]["PolicyDocument"] == policy(WANTED)
    assert made["RecordBucket"]["DeletionPolicy"] == "Retain"
    assert all(made["RecordBucket"]["Properties"]["PublicAccessBlockConfiguration"].values())
    assert "RecordBucket" not in template(WANTED, with_bucket=False)["Resources"]


def test_init_makes_what_is_missing_once_and_journals_it_first(cloud: DemoCloud) -> None:
    planned = runctl("init", "--bucket", "records-x", "--dry-run", "-o", "json").json()
    assert {r["outcome"] for r in planned} == {Outcome.PLANNED.value}
    cloud.forget_calls()
    assert runctl("init", "--bucket", "records-x").code == 1  # nobody said yes
    assert cloud.mutating_calls() == {}
    made = runctl("init", "--bucket", "records-x", "--name", "runctl-first", "--yes", "-o", "json")
    assert [r["id"] for r in made.json()] == ["records-x", "role/runctl-first", "instance-profile/runctl-first"]
    assert {r["outcome"] for r in made.json()} == {"done"}
    assert 'bucket = "records-x"' in made.err
    assert runctl("init", "--bucket", "records-x", "--name", "runctl-first", "--yes", "-o", "json").json() == []
    session = botocore.session.Session()
    iam, s3 = (session.create_client(name, "us-east-1") for name in ("iam", "s3"))
    role = iam.get_role_policy(RoleName="runctl-first", PolicyName="runctl-first")["PolicyDocument"]
    assert role == policy(Wanted("records-x", "us-east-1", "runctl-first", "123456789012"))
    profile = iam.get_instance_profile(InstanceProfileName="runctl-first")["InstanceProfile"]
    assert [r["RoleName"] for r in profile["Roles"]] == ["runctl-first"]
    assert s3.get_public_access_block(Bucket="records-x")["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
    assert s3.get_bucket_tagging(Bucket="records-x")["TagSet"] == [{"Key": "runctl:managed", "Value": "1"}]
    written = [json.loads(line) for line in paths.journal_file().read_text().splitlines()]
    assert [w["operation"] for w in written if w.get("operation")] == [
        "s3:CreateBucket", "s3:PutPublicAccessBlock", "s3:PutBucketLifecycleConfiguration", "s3:PutBucketTagging",
        "iam:CreateRole",
        "iam:PutRolePolicy", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile",
    ]  # fmt: skip


def test_init_is_refused_in_read_only_mode_and_says_what_is_not_allowed(cloud: DemoCloud) -> None:
    cloud.forget_calls()
    refused = runctl("init", "--bucket", "records-y", "--yes", "--read-only", "-o", "json")
    assert (refused.code, refused.json()[0]["rule"]) == (1, "read-only")
    assert cloud.mutating_calls() == {}
    with cloud.faults.active("denied", service="iam", operation="CreateRole"):
        denied = runctl("init", "--bucket", "records-z", "--name", "runctl-second", "--yes", "-o", "json")
    assert [r["outcome"] for r in denied.json()] == ["done", "failed"]
    assert "iam:CreateRole" in denied.json()[1]["reason"]
    assert denied.code == 4


def test_an_init_that_was_cut_off_is_finished_by_the_next(cloud: DemoCloud) -> None:
    """The bucket was made, and not yet rid of what nobody finishes: that would bill for ever."""
    begun = ("init", "--bucket", "records-w", "--name", "runctl-third", "--yes", "-o", "json")
    with cloud.faults.active("denied", service="s3", operation="PutBucketLifecycleConfiguration"):
        assert runctl(*begun).json()[0]["outcome"] == "failed"
    again = runctl(*begun).json()
    assert [r["outcome"] for r in again] == ["done", "done", "done"]
    assert again[0]["reason"] == "the bucket, which an earlier init has begun"
    s3 = botocore.session.Session().create_client("s3", "us-east-1")
    assert s3.get_bucket_lifecycle_configuration(Bucket="records-w")["Rules"]
    assert s3.get_bucket_tagging(Bucket="records-w")["TagSet"]
    assert runctl(*begun).json() == [], "and then nothing is missing"


def test_a_template_can_be_printed_by_somebody_who_may_make_nothing(cloud: DemoCloud) -> None:
    cloud.forget_calls()
    printed = runctl("init", "--cloudformation", "--bucket", "records-w")
    assert printed.json()["Resources"]["RecordBucket"]["Properties"]["BucketName"] == "records-w"
    assert cloud.mutating_calls() == {}


@pytest.mark.parametrize("name", ["x", "a..b", "UPPER/x"])
def test_a_bucket_that_cannot_be_is_named(cloud: DemoCloud, name: str) -> None:
    refused = runctl("init", "--bucket", name, "--yes")
    assert refused.code == 1
    assert "is not a bucket" in refused.err
