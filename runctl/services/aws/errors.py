"""AWS failures as `runctl.errors`, decided by error code and exception class, never by searching a message.

Codes: the "Common errors" pages of the EC2, STS, S3 and SSM API references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC

from runctl import errors
from runctl.clock import SystemClock
from runctl.errors import CallSite, CloudError, ConfigurationError

_CREDENTIALS = {
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure", "InvalidClientTokenId",
    "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId", "TokenRefreshRequired",
    "InvalidToken", "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "InvalidSignatureException", "UnauthorizedException", "NotAuthorized",
}  # fmt: skip
_DENIED = {
    "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OptInRequired", "AllAccessDisabled",
    "ForbiddenException", "SubscriptionRequiredException",
}  # fmt: skip
_THROTTLED = {
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
    "SlowDown", "RequestThrottled", "RequestThrottledException", "EC2ThrottledException", "BandwidthLimitExceeded",
}  # fmt: skip
_CAPACITY = {
    "InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientReservedInstanceCapacity",
    "InsufficientCapacityOnHost", "InsufficientVolumeCapacity", "InsufficientCapacity", "SpotMaxPriceTooLow",
    "UnfulfillableCapacity", "capacity-not-available", "capacity-oversubscribed", "price-too-low",
}  # fmt: skip
_QUOTA = {
    "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded", "InstanceLimitExceeded", "VolumeLimitExceeded",
    "SnapshotLimitExceeded", "AddressLimitExceeded", "MaxIOPSLimitExceeded", "LimitExceededException",
    "ServiceQuotaExceededException",
}  # fmt: skip
_CLOCK = {"RequestTimeTooSkewed", "RequestInTheFuture"}
#: What services say of a signature that is right but for its time; the Date of the answer tells the two apart.
_PERHAPS_CLOCK = _CLOCK | {"RequestExpired", "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"}
_SKEW_S = 240.0
_FAULT = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "Unavailable",
    "RequestTimeout",
}

_CLASSES: tuple[tuple[set[str], type[CloudError]], ...] = (
    (_CREDENTIALS, errors.CredentialsError),
    (_DENIED, errors.DeniedError),
    (_THROTTLED, errors.ThrottledError),
    (_CAPACITY, errors.CapacityError),
    (_QUOTA, errors.QuotaError),
    (_CLOCK, errors.ClockError),
    (_FAULT, errors.ServiceError),
)


def classify(code: str, status: int) -> type[CloudError]:
    """The class of an AWS error code; an unknown code goes by its HTTP status."""
    code = code.removeprefix("Client.").removeprefix("Server.")  # as state reasons have it
    for codes, kind in _CLASSES:
        if code in codes:
            return kind
    if status >= 500 or code.isdecimal():
        return errors.ServiceError
    by_status = {401: errors.CredentialsError, 403: errors.DeniedError, 429: errors.ThrottledError}
    return by_status.get(status, errors.RequestError)


def hint_for(kind: type[CloudError], site: CallSite, profile: str = "") -> str:
    """What to do about it, in one phrase."""
    login = f"aws sso login --profile {profile}" if profile else "aws sso login, or fresh keys in the environment"
    return {
        errors.CredentialsError: f"log in again: {login}",
        errors.DeniedError: f"ask for the IAM action {site.service}:{site.operation}",
        errors.ThrottledError: "asked too often; it is tried again by itself",
        errors.CapacityError: "try another zone or instance type, or wait",
        errors.QuotaError: "raise the quota in Service Quotas, or stop something",
        errors.ClockError: "set this machine's clock (for example with timedatectl)",
        errors.NetworkError: "check the network, the region's name and AWS_ENDPOINT_URL",
        errors.ServiceError: "not your fault; it is tried again by itself",
    }.get(kind, "check the request")


def from_response(response: dict[str, object], site: CallSite, profile: str = "") -> CloudError:
    """The error of a parsed AWS error response (`Error` and `ResponseMetadata`)."""
    error = response.get("Error")
    meta = response.get("ResponseMetadata")
    details = error if isinstance(error, dict) else {}
    metadata = meta if isinstance(meta, dict) else {}
    code = str(details.get("Code") or "Unknown")
    status = int(metadata.get("HTTPStatusCode") or 0)
    if code.isdecimal() and status >= 500:  # botocore's stand-in where an answer had no code: a page of HTML
        return not_from_aws(site, profile)
    kind = classify(code, status)
    site = CallSite(site.service, site.operation, site.region, code, str(metadata.get("RequestId") or ""))
    message = str(details.get("Message") or code)
    headers = metadata.get("HTTPHeaders")
    if code in _PERHAPS_CLOCK and (skew := _skew(headers if isinstance(headers, Mapping) else {})):
        side = "ahead of" if skew > 0 else "behind"
        kind, message = errors.ClockError, f"this machine's clock is {abs(skew):.0f} s {side} AWS's"
    return kind(_shortened(message), site, hint=hint_for(kind, site, profile))


def _skew(headers: Mapping[str, object]) -> float:
    """Seconds by which this machine is ahead of the answer's Date; 0.0 when it is less than counts, or unknown."""
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(str(headers["date"]))
    except (KeyError, ValueError):
        return 0.0
    ahead = (SystemClock().now() - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()
    return ahead if abs(ahead) >= _SKEW_S else 0.0


def not_from_aws(site: CallSite, profile: str = "") -> CloudError:
    """The error of an answer that is no AWS document: a page of HTML from a proxy, a broken body."""
    site = CallSite(site.service, site.operation, site.region, "ResponseParserError")
    hint = hint_for(errors.ServiceError, site, profile)
    return errors.ServiceError("the answer was not AWS's", site, hint=hint)


def no_credentials(site: CallSite) -> CloudError:
    """The error when no source has credentials."""
    return errors.CredentialsError(
        "no credentials found",
        CallSite(site.service, site.operation, site.region, "NoCredentials"),
        hint="looked at AWS_ACCESS_KEY_ID, AWS_PROFILE, the config files and the machine's role; "
        "log in (aws sso login), or look round with runctl --demo",
    )


def unreachable(code: str, message: str, site: CallSite) -> CloudError:
    """The error when nothing answered; codes are botocore's names of the same failures."""
    site = CallSite(site.service, site.operation, site.region, code)
    return errors.NetworkError(_shortened(message), site, hint=hint_for(errors.NetworkError, site))


def _shortened(message: str, limit: int = 300) -> str:
    """One line; an encoded authorization message is long and says nothing to a person."""
    line = " ".join(message.partition("Encoded authorization failure message")[0].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


@contextmanager
def aws_call(service: str, operation: str, region: str, profile: str = "") -> Iterator[None]:
    """Turn whatever botocore raises inside into a `CloudError`, most specific first, keeping the cause.

    Raises:
        CloudError: always instead of a botocore exception;
        ConfigurationError: an AWS file that cannot be read.
    """
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    site = CallSite(service, operation, region, "")
    try:
        yield
    except aws.ClientError as error:
        raise from_response(error.response, site, profile) from error
    except (
        aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError, aws.ProfileNotFound,
        aws.TokenRetrievalError, aws.SSOError, aws.NoAuthTokenError, aws.RefreshWithMFAUnsupportedError,
        aws.MetadataRetrievalError, aws.UnknownCredentialError, getattr(aws, "LoginError", aws.SSOError),
    ) as error:  # fmt: skip
        raise _other(errors.CredentialsError, error, site, profile) from error
    except (aws.ConfigParseError, aws.ConfigNotFound, aws.InvalidConfigError) as error:
        raise ConfigurationError(_shortened(str(error)), hint="see: aws configure list") from error
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        raise _other(errors.NetworkError, error, site, profile) from error
    except aws.NoRegionError as error:
        hint = "name one with --region, AWS_REGION or the profile; example: --region us-east-1"
        raise errors.RequestError("no region", site, hint=hint) from error
    except (aws.ParamValidationError, aws.InvalidRegionError) as error:
        raise _other(errors.RequestError, error, site, profile) from error
    except ResponseParserError as error:  # a page of HTML where XML was due
        raise not_from_aws(site, profile) from error
    except aws.BotoCoreError as error:
        raise _other(errors.ServiceError, error, site, profile) from error


def _other(kind: type[CloudError], error: Exception, site: CallSite, profile: str) -> CloudError:
    site = CallSite(site.service, site.operation, site.region, type(error).__name__)
    return kind(_shortened(str(error)), site, hint=hint_for(kind, site, profile))
