"""What jobs need in an account, once: a bucket, a role that may do no more than a job's machine needs, its profile.

The role has no `ec2:*`, no `iam:*` and sees `runctl/` of one bucket only (IAM User Guide, "Security best practices";
Systems Manager User Guide, "Create a custom IAM role for Session Manager" for the agent's actions). The documents
are in `runctl/data/`; the same ones become a CloudFormation template for whoever may not create roles.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from runctl.errors import CloudError, DeniedError, InputError, RequestError
from runctl.models.plan import ItemResult, Kind, Outcome, Plan, PlanItem, Verb
from runctl.models.tags import MANAGED, OWNER
from runctl.services.case import Case
from runctl.services.permit import Permit, grant
from runctl.services.verbs.row import Ground, Live, Task

_HOME_REGION = "us-east-1"
#: Unfinished uploads of a killed machine bill silently; after this many days S3 drops their parts.
_ABORT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be there.

    Args:
        bucket: the bucket of records.
        region: where it is made.
        name: of role, policy and instance profile.
        account, partition: for the resources in the policy.
    """

    bucket: str
    region: str
    name: str
    account: str
    partition: str = "aws"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is missing: what it is called, why it is needed, and the calls that make it."""

    id: str
    what: str
    calls: tuple[tuple[str, str, Mapping[str, Any]], ...]


def policy(wanted: Wanted) -> dict[str, Any]:
    """What a machine may do."""
    return _document("job_machine_policy.json", wanted)


def trust() -> dict[str, Any]:
    """Who may take the role: EC2."""
    return _document("job_machine_trust.json", None)


def _document(name: str, wanted: Wanted | None) -> dict[str, Any]:
    text = (resources.files("runctl") / "data" / name).read_text("utf-8")
    if wanted is not None:
        for word in ("bucket", "account", "partition"):
            text = text.replace("{" + word + "}", str(getattr(wanted, word)))
    found: dict[str, Any] = json.loads(text)
    return found


def template(wanted: Wanted, *, with_bucket: bool) -> dict[str, Any]:
    """The same as a CloudFormation template."""
    bucket = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "Properties": {
            "BucketName": wanted.bucket,
            "Tags": [{"Key": MANAGED, "Value": "1"}],
            "PublicAccessBlockConfiguration": _private(),
            "LifecycleConfiguration": {
                "Rules": [{"Id": "runctl-unfinished-uploads", "Status": "Enabled",
                           "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_DAYS}}]
            },
        },
    }  # fmt: skip
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": wanted.name,
            "AssumeRolePolicyDocument": trust(),
            "Policies": [{"PolicyName": wanted.name, "PolicyDocument": policy(wanted)}],
            "Tags": [{"Key": MANAGED, "Value": "1"}],
        },
    }
    profile = {
        "Type": "AWS::IAM::InstanceProfile",
        "Properties": {"InstanceProfileName": wanted.name, "Roles": [{"Ref": "JobMachineRole"}]},
    }
    made = {"JobMachineRole": role, "JobMachineProfile": profile}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What runctl's jobs need: a bucket for their records and a role for their machines",
        "Resources": {"RecordBucket": bucket, **made} if with_bucket else made,
    }


def _private() -> dict[str, bool]:
    return dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def missing_steps(ground: Ground, wanted: Wanted) -> list[Step]:
    """What is not there yet; nothing is changed.

    Raises:
        InputError: the bucket belongs to somebody else.
        CloudError: AWS cannot be asked.
    """
    return [*_bucket_steps(ground, wanted), *_role_steps(ground, wanted), *_profile_steps(ground, wanted)]


def _bucket_steps(ground: Ground, wanted: Wanted) -> Iterator[Step]:
    try:
        # Its answer has a body with a code, in whatever region the bucket is; HeadBucket's has none.
        ground.cloud.ask("s3", "GetBucketLocation", wanted.region, Bucket=wanted.bucket)
    except DeniedError as error:
        raise InputError(
            f"the bucket {wanted.bucket} is not ours to use", allowed="another name; names are shared by all of AWS"
        ) from error
    except RequestError as error:
        if error.site.code != "NoSuchBucket":
            raise
    else:
        if left := _left_undone(ground, wanted):
            yield Step(wanted.bucket, "the bucket, which an earlier init has begun", left)
        return
    yield Step(wanted.bucket, "a private bucket for records, code and checkpoints", _bucket_calls(wanted))


def _left_undone(ground: Ground, wanted: Wanted) -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    """What is not done of a bucket that the journal says we have made; nothing of one that somebody else has."""
    ours = [
        e
        for e in ground.journal.entries()
        if e.verb == Verb.SET_UP and e.stamp.account == wanted.account and e.request.get("Bucket") == wanted.bucket
    ]
    done = {e.operation for e in ours if e.outcome == "done"}
    if not any(e.operation == "s3:CreateBucket" for e in ours):
        return ()
    return tuple(c for c in _bucket_calls(wanted)[1:] if f"{c[0]}:{c[1]}" not in done)


def _bucket_calls(wanted: Wanted) -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    """Made, closed to the public, rid of what nobody finished, and ours: nobody's in particular, for many share it."""
    home = wanted.region == _HOME_REGION
    where = {} if home else {"CreateBucketConfiguration": {"LocationConstraint": wanted.region}}
    rule = {
        "ID": "runctl-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_DAYS},
    }
    more: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("CreateBucket", where),
        ("PutPublicAccessBlock", {"PublicAccessBlockConfiguration": _private()}),
        ("PutBucketLifecycleConfiguration", {"LifecycleConfiguration": {"Rules": [rule]}}),
        ("PutBucketTagging", {"Tagging": {"TagSet": [{"Key": MANAGED, "Value": "1"}]}}),
    )
    return tuple(("s3", operation, {"Bucket": wanted.bucket, **parameters}) for operation, parameters in more)


def _role_steps(ground: Ground, wanted: Wanted) -> Iterator[Step]:
    name = wanted.name
    there = _exists(lambda: ground.cloud.ask("iam", "GetRole", _HOME_REGION, RoleName=name))
    owner = ground.actor.owner
    tags = [{"Key": MANAGED, "Value": "1"}, *([{"Key": OWNER, "Value": owner}] if owner else [])]
    make = (
        "iam",
        "CreateRole",
        {
            "RoleName": name,
            "AssumeRolePolicyDocument": json.dumps(trust()),
            "Description": "machines of runctl's jobs",
            "Tags": tags,
        },
    )
    rights = (
        "iam",
        "PutRolePolicy",
        {"RoleName": name, "PolicyName": name, "PolicyDocument": json.dumps(policy(wanted))},
    )
    if not there:
        yield Step(f"role/{name}", "the role of a job's machine, with its policy", (make, rights))
    elif not _policy_is(ground, wanted):
        yield Step(f"role/{name}", "the policy of the role, which differs from the one for this bucket", (rights,))


def _policy_is(ground: Ground, wanted: Wanted) -> bool:
    try:
        said = ground.cloud.ask("iam", "GetRolePolicy", _HOME_REGION, RoleName=wanted.name, PolicyName=wanted.name)
    except RequestError:
        return False
    document = said.get("PolicyDocument")
    return (json.loads(document) if isinstance(document, str) else document) == policy(wanted)


def _profile_steps(ground: Ground, wanted: Wanted) -> Iterator[Step]:
    name = wanted.name
    make = ("iam", "CreateInstanceProfile", {"InstanceProfileName": name})
    join = ("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": name, "RoleName": name})
    found: dict[str, Any] = {}

    def read() -> None:
        found.update(ground.cloud.ask("iam", "GetInstanceProfile", _HOME_REGION, InstanceProfileName=name))

    if not _exists(read):
        yield Step(f"instance-profile/{name}", "what gives the role to a machine", (make, join))
    elif not (found.get("InstanceProfile") or {}).get("Roles"):
        yield Step(f"instance-profile/{name}", "its role", (join,))


def _exists(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except RequestError as error:
        if error.site.code in ("NoSuchEntity", "NoSuchEntityException"):
            return False
        raise
    return True


def lay(ground: Ground, wanted: Wanted, step: Step) -> ItemResult:
    """Make one missing thing: permitted, journalled, sent."""
    item = PlanItem(Verb.SET_UP, Kind.ACCOUNT, step.id, wanted.region, reason=step.what)
    case = Case(Verb.SET_UP, None, ground.actor, ground.clock.now())
    plan = Plan(f"init-{wanted.name}", ground.clock.now(), "init", ground.stamp.account, ground.stamp.profile, (item,))
    for service, operation, parameters in step.calls:
        region = _HOME_REGION if service == "iam" else wanted.region
        permit = grant(case, region)
        if not isinstance(permit, Permit):
            return ItemResult(item, Outcome.REFUSED, permit[0].rule, permit[0].reason, exit_class=1)
        placed = PlanItem(Verb.SET_UP, Kind.ACCOUNT, step.id, region, reason=step.what)
        try:
            Task(placed, plan, Live(None), permit, ground).send(service, operation, **parameters)
        except CloudError as error:
            return ItemResult(
                item, Outcome.FAILED, reason=f"{service}:{operation}: {error.message}", code=error.site.code,
                exit_class=error.exit_code,
            )  # fmt: skip
    return ItemResult(item, Outcome.DONE, reason=step.what)
