"""Bad days, through botocore: right codes in every protocol, by place, rate and count; nothing left hanging."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from runctl.demo.cloud import DemoCloud
from runctl.demo.faults import Fault, FaultRules, fault_from
from runctl.demo.requests import Target
from tests.demo.conftest import Aws, instances, refused

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "ec2": ("describe_volumes", {}),
    "s3": ("list_buckets", {}),
    "sts": ("get_caller_identity", {}),
    "ssm": ("describe_instance_information", {}),
    "iam": ("list_account_aliases", {}),
    "cloudwatch": ("list_metrics", {}),
    "logs": ("describe_log_groups", {}),
    "service-quotas": ("list_service_quotas", {"ServiceCode": "ec2"}),
    "pricing": ("get_products", {"ServiceCode": "AmazonEC2"}),
}
EXPECTED = {
    "throttle": {"ec2": "RequestLimitExceeded", "s3": "SlowDown", "sts": "Throttling", "ssm": "ThrottlingException"},
    "expired": {"ec2": "RequestExpired", "s3": "ExpiredToken", "sts": "ExpiredToken", "logs": "ExpiredTokenException"},
    "denied": {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "iam": "AccessDenied",
               "ssm": "AccessDeniedException"},
    "unavailable": {"ec2": "Unavailable", "s3": "ServiceUnavailable", "pricing": "InternalServerError"},
}  # fmt: skip


def _call(aws: Aws, service: str) -> Any:
    operation, parameters = CALLS[service]
    return getattr(aws(service), operation)(**parameters)


@pytest.mark.parametrize("service", CALLS)
def test_every_service_speaks_its_protocol_on_a_bad_day(aws: Aws, cloud: DemoCloud, service: str) -> None:
    for kind, codes in EXPECTED.items():
        with cloud.faults.active(kind) as number:
            with pytest.raises(ClientError) as caught:
                _call(aws, service)
            assert cloud.faults.hits(number) == 1
        code = caught.value.response["Error"]["Code"]
        assert code == codes.get(service, code)
        assert not code.isdecimal(), "botocore fell back to the HTTP status: the body was not understood"
        assert caught.value.response["Error"]["Message"]
    _call(aws, service)


def test_a_denial_names_the_action(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("denied", service="ec2", operation="DescribeVolumes")
    with refused("UnauthorizedOperation", 403) as caught:
        aws("ec2").describe_volumes()
    assert "ec2:DescribeVolumes" in str(caught.value)
    aws("ec2").describe_addresses()


def test_a_rule_can_be_limited_to_a_region_and_a_number(aws: Aws, cloud: DemoCloud) -> None:
    number = cloud.faults.add("throttle", operation="Describe.*", region="eu-west-1", times=2)
    aws("ec2", "us-east-1").describe_volumes()
    for _ in range(2):
        with refused("RequestLimitExceeded", 503):
            aws("ec2", "eu-west-1").describe_volumes()
    aws("ec2", "eu-west-1").describe_volumes()
    assert cloud.faults.hits(number) == 2


def test_a_rate_is_about_kept_and_repeats_with_the_seed(aws: Aws, cloud: DemoCloud) -> None:
    def struck() -> list[bool]:
        cloud.reset(fleet="empty", seed=3)
        cloud.faults.add("throttle", rate=0.5)
        found = []
        for _ in range(40):
            try:
                aws("sts").get_caller_identity()
                found.append(False)
            except ClientError:
                found.append(True)
        return found

    first = struck()
    assert 10 < sum(first) < 30
    assert struck() == first


def test_any_code_can_be_answered(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("error", code="RequestTimeTooSkewed", status=403, message="clock", service="s3")
    with refused("RequestTimeTooSkewed", 403):
        aws("s3").list_buckets()


def test_a_page_of_html_is_no_answer(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("html", service="ec2")
    with pytest.raises(ResponseParserError):
        aws("ec2").describe_volumes()


def test_a_head_request_has_no_body_even_when_it_fails(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("denied", operation="HeadObject")
    with refused("403", 403):
        aws("s3").head_object(Bucket="runctl-demo-datasets", Key="x")
    aws("s3").list_buckets()


def test_a_failing_upload_leaves_the_connection_usable(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("throttle", service="s3", operation="PutObject", times=1)
    with refused("SlowDown", 503):
        aws("s3").put_object(Bucket="runctl-demo-empty", Key="k", Body=b"x" * 200_000)
    aws("s3").put_object(Bucket="runctl-demo-empty", Key="k", Body=b"x" * 200_000)


def test_a_reset_breaks_the_connection(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("reset", service="ec2", times=1)
    with pytest.raises((ConnectionClosedError, EndpointConnectionError, HTTPClientError)):
        aws("ec2").describe_volumes()
    aws("ec2").describe_volumes()


def test_half_an_answer_is_noticed(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("truncate", service="ec2", times=1)
    with pytest.raises((IncompleteReadError, ConnectionClosedError, HTTPClientError, ResponseParserError)):
        aws("ec2").describe_instances()
    aws("ec2").describe_instances()


def test_a_hang_hangs_until_it_is_lifted_and_stops_nobody_else(aws: Aws, cloud: DemoCloud) -> None:
    cloud.faults.add("hang", service="ec2", region="us-west-2")
    errors: list[Exception] = []

    def ask() -> None:
        try:
            aws("ec2", "us-west-2").describe_volumes()
        except Exception as error:  # noqa: BLE001  # looked at below
            errors.append(error)

    aws("ec2", "us-west-2")
    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 5
    while ("ec2", "DescribeVolumes", "us-west-2") not in cloud.calls() and time.monotonic() < deadline:
        pass
    assert aws("ec2", "us-east-1").describe_volumes()["Volumes"], "another region answers meanwhile"
    assert thread.is_alive()
    cloud.faults.clear()
    thread.join(5)
    assert isinstance(errors[0], ConnectionClosedError | HTTPClientError)


def test_a_client_gives_up_on_a_hang(cloud: DemoCloud) -> None:
    import botocore.session
    from botocore.config import Config

    cloud.faults.add("hang", service="sts")
    config = Config(read_timeout=0.2, retries={"total_max_attempts": 1})
    client = botocore.session.Session().create_client("sts", endpoint_url=cloud.endpoint_url, config=config)
    with pytest.raises(ReadTimeoutError):
        client.get_caller_identity()


def test_latency_delays_and_then_answers(aws: Aws, cloud: DemoCloud) -> None:
    aws("ec2").describe_addresses()
    cloud.faults.add("latency", seconds=0.3, service="ec2")
    begun = time.monotonic()
    assert aws("ec2").describe_addresses()["Addresses"]
    assert time.monotonic() - begun >= 0.3


def test_calls_are_counted_and_told_apart(aws: Aws, cloud: DemoCloud) -> None:
    ec2 = aws("ec2")
    cloud.forget_calls()
    one = instances(ec2)[0]["InstanceId"]
    ec2.create_tags(Resources=[one], Tags=[{"Key": "a", "Value": "b"}])
    aws("s3").list_objects_v2(Bucket="runctl-demo-datasets")
    aws("ce").get_cost_and_usage(
        TimePeriod={"Start": "2026-01-01", "End": "2026-01-02"}, Granularity="DAILY", Metrics=["UnblendedCost"]
    )
    assert cloud.calls()["ec2", "DescribeInstances", "us-east-1"] == 1
    assert cloud.calls()["s3", "ListObjectsV2", "us-east-1"] == 1
    assert set(cloud.mutating_calls()) == {("ec2", "CreateTags", "us-east-1")}
    assert {t[1] for t in cloud.paid_calls()} == {"GetCostAndUsage"}


def test_the_cloud_tells_its_own_time(aws: Aws, cloud: DemoCloud) -> None:
    from email.utils import parsedate_to_datetime

    cloud.skew(3600)
    headers = aws("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]
    ahead = parsedate_to_datetime(headers["date"]).timestamp() - time.time()
    assert 3500 < ahead < 3700


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"kind": "meteor"}, "unknown fault"),
        ({"kind": "error"}, "needs its code"),
        ({"kind": "hang", "rate": 2}, "not between 0 and 1"),
        ({"kind": "hang", "colour": "red"}, "has no colour"),
    ],
)
def test_bad_rules_are_refused_with_a_reason(cloud: DemoCloud, rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        fault_from(rule)
    with pytest.raises(ValueError, match=complaint):
        cloud.faults.add(**rule)


def test_the_first_rule_that_applies_decides_and_delays_add_up() -> None:
    rules = FaultRules()
    for fault in (
        Fault("latency", seconds=1), Fault("latency", seconds=2, service="s3"), Fault("denied", times=1), Fault("html"),
    ):  # fmt: skip
        rules.add(fault)
    target = Target("ec2", "DescribeVolumes", "us-east-1")
    kinds = [(delay, fault.kind if fault else None) for delay, fault in (rules.for_request(target) for _ in range(2))]
    assert kinds == [(1.0, "denied"), (1.0, "html")]
