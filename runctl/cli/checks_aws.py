"""Checks of the cloud: identity, region, clock, and one small read for each permission a screen needs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from runctl.cli.checks import Check, fail, ok, warn
from runctl.cli.connect import NO_REGION_HINT, connect, region_doubt
from runctl.clock import Clock
from runctl.config import Settings
from runctl.errors import ClockError, CloudError, CredentialsError, DeniedError, RunctlError

if TYPE_CHECKING:
    from runctl.services.aws.backend import AwsBackend

#: AWS refuses a signature more than 5 minutes off (15 for some services); a warning comes long before.
_SKEW_WARN_S = 30.0
_SKEW_FAIL_S = 300.0


class Permission(NamedTuple):
    """One right and what it is for.

    Args:
        action: the IAM action.
        screens: what is lost without it.
        service, operation, parameters: the smallest read that needs it.
    """

    action: str
    screens: str
    service: str
    operation: str
    parameters: Mapping[str, Any]


_FEW = {"MaxResults": 5}
PERMISSIONS = (
    Permission("ec2:DescribeInstances", "Instances, Jobs, Cost", "ec2", "DescribeInstances", _FEW),
    Permission("ec2:DescribeVolumes", "Volumes, Cost", "ec2", "DescribeVolumes", _FEW),
    Permission("ec2:DescribeSnapshots", "Volumes, Cost", "ec2", "DescribeSnapshots", {**_FEW, "OwnerIds": ["self"]}),
    Permission("ec2:DescribeAddresses", "Cost", "ec2", "DescribeAddresses", {}),
    Permission("s3:ListAllMyBuckets", "S3", "s3", "ListBuckets", {}),
    Permission("ec2:DescribeRegions", "--region all", "ec2", "DescribeRegions", {}),
    Permission("ec2:DescribeInstanceTypes", "hardware of types the book lacks", "ec2", "DescribeInstanceTypes", _FEW),
    Permission("ec2:DescribeSpotPriceHistory", "today's spot prices", "ec2", "DescribeSpotPriceHistory", _FEW),
)


def run(settings: Settings, clock: Clock, regions: Sequence[str], timeout_s: float) -> list[Check]:
    """All checks of the cloud; later ones are left out where an earlier one makes them pointless."""
    try:
        backend = connect(settings)
    except RunctlError as error:
        return [_failed("credentials", error)]
    asked = tuple(r for r in regions if r != "all") or tuple(
        r for r in settings.regions_for(backend.profile) if r != "all"
    )
    region = asked[0] if asked else backend.default_region()
    found = list(_identity(backend, clock, region or "us-east-1", timeout_s))
    if region is None:
        found.append(fail("region", "none is set", NO_REGION_HINT, 3))
    elif found[0].level == "ok":
        doubt = region_doubt(region)
        found.append(warn("region", region, doubt) if doubt else ok("region", region))
        found += permissions(backend, region, timeout_s)
    backend.close()
    return found


def _identity(backend: AwsBackend, clock: Clock, region: str, timeout_s: float) -> Iterator[Check]:
    answers = in_parallel({"identity": lambda: backend.session.call("sts", "GetCallerIdentity", region)}, timeout_s)
    answer = answers.get("identity")
    if not isinstance(answer, dict):
        yield _failed("credentials", answer) if answer else _silent("credentials", timeout_s)
        return
    who = f"account {answer.get('Account')}, {answer.get('Arn')}"
    yield ok("credentials", f"{who}, profile {backend.profile}" if backend.profile else who)
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    yield clock_check(str(headers.get("date", "")), clock.now())


def clock_check(date_header: str, now: datetime) -> Check:
    """How far this machine's clock is from AWS's, by the Date header of an answer (whole seconds)."""
    try:
        theirs = parsedate_to_datetime(date_header)
    except ValueError:
        return warn("clock", "AWS's answer had no date", "compare this machine's clock by hand")
    # RFC 5322's "-0000" (UTC, of a machine that does not say where it is) is parsed without a zone.
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    skew = (now - theirs).total_seconds()
    said = "in step with AWS" if abs(skew) < 2 else f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS"
    advice = "set the clock, for example with timedatectl set-ntp true"
    if abs(skew) >= _SKEW_FAIL_S:
        return fail("clock", said, advice, 2)
    return warn("clock", said, advice) if abs(skew) >= _SKEW_WARN_S else ok("clock", said)


def permissions(backend: AwsBackend, region: str, timeout_s: float) -> Iterator[Check]:
    """One line for each permission, asked at the same time."""
    calls: dict[str, Callable[[], object]] = {
        p.action: (lambda p=p: backend.session.call(p.service, p.operation, region, **p.parameters))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        for p in PERMISSIONS
    }
    answers = in_parallel(calls, timeout_s)
    for permission in PERMISSIONS:
        answer = answers.get(permission.action)
        if isinstance(answer, dict):
            yield ok(permission.action, f"allowed: {permission.screens}")
        elif isinstance(answer, DeniedError):
            yield fail(
                permission.action,
                f"not allowed in {region}: {permission.screens} will lack it",
                f"ask for the IAM action {permission.action}",
                4,
            )
        else:
            yield _failed(permission.action, answer) if answer else _silent(permission.action, timeout_s)


def in_parallel(calls: Mapping[str, Callable[[], object]], timeout_s: float) -> dict[str, object]:
    """Results or errors by name; what did not answer within the time is not there. Threads are daemons."""
    inbox: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()

    def work(name: str, body: Callable[[], object]) -> None:
        try:
            inbox.put((name, body()))
        except Exception as error:  # noqa: BLE001  # the finding of this check, not an accident
            inbox.put((name, error))

    for name, body in calls.items():
        threading.Thread(target=work, args=(name, body), daemon=True).start()
    found: dict[str, object] = {}
    timer = threading.Timer(timeout_s, lambda: inbox.put(("", None)))
    timer.daemon = True
    timer.start()
    while len(found) < len(calls):
        name, answer = inbox.get()
        if not name:
            break
        found[name] = answer
    timer.cancel()
    return found


def _silent(name: str, timeout_s: float) -> Check:
    return fail(name, f"no answer within {timeout_s:g} s", "check the network, the region and AWS_ENDPOINT_URL", 2)


def _failed(name: str, error: object) -> Check:
    code = 3 if isinstance(error, CredentialsError) else 2
    if isinstance(error, RunctlError):
        shown = error.message if isinstance(error, CloudError) and not isinstance(error, ClockError) else str(error)
        if isinstance(error, CloudError) and error.site.code:
            shown += f" ({error.site.code})"
        return fail(name, shown, error.hint, code)
    return fail(name, f"{type(error).__name__}: {error}", "this is a bug in runctl; please report it", code)
