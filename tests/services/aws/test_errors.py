"""Every AWS failure has one class, decided by its code; the message is never searched."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws

from runctl import errors
from runctl.services.aws.errors import aws_call, classify


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ExpiredToken", 400, errors.CredentialsError),
        ("RequestExpired", 400, errors.CredentialsError),
        ("AuthFailure", 401, errors.CredentialsError),
        ("UnauthorizedOperation", 403, errors.DeniedError),
        ("AccessDenied", 403, errors.DeniedError),
        ("OptInRequired", 403, errors.DeniedError),
        ("RequestLimitExceeded", 503, errors.ThrottledError),
        ("SlowDown", 503, errors.ThrottledError),
        ("ThrottlingException", 400, errors.ThrottledError),
        ("InsufficientInstanceCapacity", 500, errors.CapacityError),
        ("SpotMaxPriceTooLow", 400, errors.CapacityError),
        ("VcpuLimitExceeded", 400, errors.QuotaError),
        ("MaxSpotInstanceCountExceeded", 400, errors.QuotaError),
        ("RequestTimeTooSkewed", 403, errors.ClockError),
        ("InternalError", 500, errors.ServiceError),
        ("500", 500, errors.ServiceError),
        ("InvalidInstanceID.NotFound", 400, errors.RequestError),
        ("SomethingNew", 503, errors.ServiceError),
    ],
)
def test_a_code_has_a_class(code: str, status: int, kind: type[errors.CloudError]) -> None:
    assert classify(code, status) is kind


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (aws.NoCredentialsError(), errors.CredentialsError),
        (aws.ProfileNotFound(profile="x"), errors.CredentialsError),
        (aws.UnauthorizedSSOTokenError(), errors.CredentialsError),
        (aws.EndpointConnectionError(endpoint_url="http://x"), errors.NetworkError),
        (aws.ReadTimeoutError(endpoint_url="http://x"), errors.NetworkError),
        (aws.NoRegionError(), errors.RequestError),
        (aws.ParamValidationError(report="bad"), errors.RequestError),
    ],
)
def test_an_exception_has_a_class_and_a_hint(raised: Exception, kind: type[errors.CloudError]) -> None:
    with pytest.raises(kind) as caught, aws_call("ec2", "DescribeVolumes", "us-east-1", "prod"):
        raise raised
    assert caught.value.hint
    assert caught.value.__cause__ is raised
    assert str(caught.value).startswith("ec2:DescribeVolumes in us-east-1: ")


def test_an_html_page_is_a_fault_of_the_service() -> None:
    from botocore.parsers import ResponseParserError

    with pytest.raises(errors.ServiceError, match="not AWS's"), aws_call("ec2", "DescribeInstances", "us-east-1"):
        raise ResponseParserError("<html>")


def test_expired_credentials_name_the_login_line() -> None:
    answer = {"Error": {"Code": "ExpiredToken", "Message": "expired"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    with pytest.raises(errors.CredentialsError) as caught, aws_call("ec2", "DescribeInstances", "us-east-1", "prod"):
        raise aws.ClientError(answer, "DescribeInstances")
    assert "aws sso login --profile prod" in caught.value.hint


def test_a_denial_names_the_action_and_hides_the_encoded_message() -> None:
    message = "You are not authorized. Encoded authorization failure message: " + "x" * 2000
    answer = {
        "Error": {"Code": "UnauthorizedOperation", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    with pytest.raises(errors.DeniedError) as caught, aws_call("ec2", "DescribeVolumes", "us-east-1"):
        raise aws.ClientError(answer, "DescribeVolumes")
    assert caught.value.action == "ec2:DescribeVolumes"
    assert "xxx" not in caught.value.message
