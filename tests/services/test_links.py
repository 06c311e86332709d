"""Addresses and command lines of one resource."""

from __future__ import annotations

import shlex

import pytest

from runctl.services.links import arn, console_url, login_argv, ssh_line, ssm_line


@pytest.mark.parametrize(
    ("kind", "region", "identifier", "wanted"),
    [
        ("instance", "us-east-1", "i-1",
         "https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1#InstanceDetails:instanceId=i-1"),
        ("volume", "cn-north-1", "vol-1",
         "https://cn-north-1.console.amazonaws.cn/ec2/home?region=cn-north-1#VolumeDetails:volumeId=vol-1"),
        ("bucket", "eu-west-1", "b/a b/&x=1/",
         "https://eu-west-1.console.aws.amazon.com/s3/buckets/b?region=eu-west-1&prefix=a%20b%2F%26x%3D1%2F"),
    ],
)  # fmt: skip
def test_console_pages(kind: str, region: str, identifier: str, wanted: str) -> None:
    assert console_url(kind, region, identifier) == wanted


def test_arns() -> None:
    assert arn("instance", "us-east-1", "123456789012", "i-1") == "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
    assert arn("bucket", "us-gov-west-1", "123456789012", "b") == "arn:aws-us-gov:s3:::b"


def test_command_lines_are_one_argument_each_whatever_is_in_them() -> None:
    assert shlex.split(ssm_line("us-east-1", "i-1", "my profile"))[-1] == "my profile"
    assert ssh_line("10.0.0.1") == "ssh ec2-user@10.0.0.1"
    assert shlex.split(ssh_line("10.0.0.1", "a; rm -rf ~"))[2] == "~/.ssh/a; rm -rf ~.pem"
    assert login_argv("p") == ["aws", "sso", "login", "--profile", "p"]
    assert login_argv() == ["aws", "sso", "login"]
