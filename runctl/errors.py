"""Everything that can go wrong, as one tree; each error says what, where, what to do, and which exit code it means.

RunctlError                     exit
├── InputError                  1    a bad value from the user: flag, filter, id, spec
├── ConfigurationError          3    a bad value in a file or variable
└── CloudError                  2    an AWS call did not give data
    ├── CredentialsError        3    missing, expired or rejected: polling stops, `L` logs in
    ├── DeniedError                  one IAM action is missing: one panel is lost
    ├── ThrottledError               asked too often: back off, rows stay
    ├── CapacityError                AWS has no such machine now: another zone or type
    ├── QuotaError                   the account's limit: ask for more
    ├── RequestError            1    AWS says the request itself is wrong
    ├── ClockError                   this machine's clock is off
    ├── NetworkError                 nothing answered
    └── ServiceError                 AWS answered with a fault of its own
"""

from __future__ import annotations

from dataclasses import dataclass


class RunctlError(Exception):
    """An error meant to be read by a person: one sentence, and one hint on what to do."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(RunctlError):
    """The user gave a bad value.

    Args:
        message: what was wrong and where ("--disk 12x: not a size").
        allowed: what is allowed ("a size such as 100, 100GiB or 1TiB").
        example: something that works, ready to copy.
    """

    exit_code = 1

    def __init__(self, message: str, *, allowed: str = "", example: str = "") -> None:
        hint = "; ".join(
            p for p in (f"allowed: {allowed}" if allowed else "", f"example: {example}" if example else "") if p
        )
        super().__init__(message, hint=hint)
        self.allowed = allowed
        self.example = example


class ConfigurationError(RunctlError):
    """A configuration file or variable holds a bad value; the message names file and line."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class CallSite:
    """Which call failed: AWS service ("ec2"), operation ("DescribeInstances"), region, code and HTTP request id."""

    service: str
    operation: str
    region: str
    code: str
    request_id: str = ""


class CloudError(RunctlError):
    """An AWS call failed. `site` says which; `retryable` says whether the same call may work later."""

    exit_code = 2
    retryable = False

    def __init__(self, message: str, site: CallSite, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.site = site

    def __str__(self) -> str:
        where = f" in {self.site.region}" if self.site.region else ""
        return f"{self.site.service}:{self.site.operation}{where}: {self.message}"


class CredentialsError(CloudError):
    """No credentials, or AWS does not accept them (any longer)."""

    exit_code = 3


class DeniedError(CloudError):
    """The identity may not do this; the IAM action is `action`."""

    @property
    def action(self) -> str:
        """The IAM action that is missing, for example `ec2:DescribeVolumes`."""
        return f"{self.site.service}:{self.site.operation}"


class ThrottledError(CloudError):
    """Too many requests; the same call works later."""

    retryable = True


class CapacityError(CloudError):
    """AWS has no capacity of that type in that zone now."""


class QuotaError(CloudError):
    """The account's own limit is reached."""


class RequestError(CloudError):
    """The request itself is wrong: unknown id, bad parameter, wrong state."""

    exit_code = 1


class ClockError(CloudError):
    """This machine's clock is too far from AWS's."""


class NetworkError(CloudError):
    """Nothing answered: no route, no name, connect or read timeout, reset."""

    retryable = True


class ServiceError(CloudError):
    """AWS (or something between) answered with a fault: 5xx, or a body that is not AWS's."""

    retryable = True
