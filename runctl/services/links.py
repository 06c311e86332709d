"""Addresses and command lines for one resource: console URL, ARN, ssh and Session Manager lines. Pure functions.

Sources: AWS Management Console deep links as the console itself builds them; ARN formats: "Amazon EC2 resource types"
and "Amazon S3 resource types" of the Service Authorization Reference.
"""

from __future__ import annotations

import shlex
from urllib.parse import quote

_CONSOLE_PLACES = {
    "instance": "#InstanceDetails:instanceId={id}",
    "volume": "#VolumeDetails:volumeId={id}",
    "snapshot": "#SnapshotDetails:snapshotId={id}",
    "address": "#ElasticIpDetails:AllocationId={id}",
}
_ARN_NOUNS = {"instance": "instance", "volume": "volume", "snapshot": "snapshot", "address": "elastic-ip"}


def partition(region: str) -> str:
    """The AWS partition a region belongs to: "aws", "aws-cn" or "aws-us-gov"."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def console_url(kind: str, region: str, resource_id: str) -> str:
    """Page of a resource in the AWS console; `kind` as in `Backend.fetch_raw`, or "bucket/prefix" for a place in S3."""
    host = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}.get(
        partition(region), "console.aws.amazon.com"
    )
    where = quote(region or "us-east-1", safe="")
    if kind in ("bucket", "s3"):
        bucket, _, prefix = resource_id.partition("/")
        path = f"s3/buckets/{quote(bucket, safe='')}?region={where}"
        return f"https://{where}.{host}/{path}" + (f"&prefix={quote(prefix, safe='')}" if prefix else "")
    place = _CONSOLE_PLACES[kind].format(id=quote(resource_id, safe=""))
    return f"https://{where}.{host}/ec2/home?region={where}{place}"


def arn(kind: str, region: str, account: str, resource_id: str) -> str:
    """The resource's ARN; `account` may be "" while it is not known, which leaves the field empty."""
    if kind in ("bucket", "s3"):
        return f"arn:{partition(region)}:s3:::{resource_id}"
    return f"arn:{partition(region)}:ec2:{region}:{account}:{_ARN_NOUNS[kind]}/{resource_id}"


def ssm_line(region: str, instance_id: str, profile: str = "") -> str:
    """The Session Manager line for a shell on a machine."""
    argv = ["aws", "ssm", "start-session", "--target", instance_id, "--region", region]
    return shlex.join([*argv, "--profile", profile] if profile else argv)


def ssh_line(address: str, key_name: str | None = None) -> str:
    """An ssh line; the user name depends on the image, `ec2-user` is Amazon Linux's."""
    key = f"-i ~/.ssh/{shlex.quote(key_name + '.pem')} " if key_name else ""
    return f"ssh {key}ec2-user@{shlex.quote(address)}"


def login_argv(profile: str = "") -> list[str]:
    """The command that renews credentials of an SSO profile."""
    return ["aws", "sso", "login", *(["--profile", profile] if profile else [])]
