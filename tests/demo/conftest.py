"""Clients for the embedded cloud, made once: building one costs 0.2 s, more than most tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from runctl.demo.cloud import DemoCloud

Aws = Callable[..., Any]


@pytest.fixture(scope="session")
def clients(cloud_process: DemoCloud) -> Aws:
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)

    @cache
    def client(service: str, region: str = "us-east-1") -> Any:
        return session.create_client(service, region, endpoint_url=cloud_process.endpoint_url, config=config)

    return client


@pytest.fixture
def aws(clients: Aws, cloud: DemoCloud) -> Aws:
    """Clients by service and region, on the lively fleet, just reset."""
    return clients


@pytest.fixture
def empty(clients: Aws, cloud_process: DemoCloud) -> Aws:
    """Clients on an empty cloud."""
    cloud_process.reset(fleet="empty")
    return clients


@contextmanager
def refused(code: str, status: int = 400) -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """The block must end in AWS's error `code`."""
    with pytest.raises(ClientError) as caught:
        yield caught
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def instances(ec2: Any, **parameters: Any) -> list[dict[str, Any]]:
    """All instances of a listing, through the paginator."""
    pages = ec2.get_paginator("describe_instances").paginate(**parameters)
    return [i for page in pages for r in page["Reservations"] for i in r["Instances"]]


AMI = "ami-0" + "0" * 16


def launch(ec2: Any, **parameters: Any) -> dict[str, Any]:
    """RunInstances of one small GPU machine on Amazon Linux, with changes."""
    plain = {
        "ImageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "InstanceType": "g5.xlarge",
        "MinCount": 1,
        "MaxCount": 1,
    }
    reply: dict[str, Any] = ec2.run_instances(**plain | parameters)
    return reply


def state_of(ec2: Any, instance_id: str) -> str:
    return str(instances(ec2, InstanceIds=[instance_id])[0]["State"]["Name"])
