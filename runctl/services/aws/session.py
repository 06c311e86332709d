"""One session: credentials, regions and endpoints as AWS's own tools resolve them, and two lanes to ask by.

`read` is for listings: the quick lane (`wire`) where the case is plain, so that botocore need not even be imported.
`call` is for everything else: botocore's clients, built without boto3 and with pruned models (`slim`). Sessions of
botocore are not thread-safe and its clients are (boto3 guide, "Multithreading with clients"), so each client is made
here, once, under a lock. Both lanes go through one retry layer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runctl import __version__, paths
from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.errors import CallSite, CredentialsError, RequestError
from runctl.services.aws import wire
from runctl.services.aws.errors import aws_call, no_credentials
from runctl.services.aws.paid import check_paid
from runctl.services.aws.places import find_place, looks_like_region, own_endpoint, trust
from runctl.services.aws.retry import Retrier
from runctl.services.transfer.sigv4 import Keys
from runctl.services.transfer.site import Profile, StaticCredentials, find_credentials

if TYPE_CHECKING:  # listings change nothing, and `--once` counts milliseconds
    from runctl.services.permit import Permit, Request

#: Where calls without a region go; STS and S3 answer for the whole account there.
HOME_REGION = "us-east-1"
#: After finding no credentials, nobody looks again for this long: asking a machine's metadata takes seconds.
_LOOK_AGAIN_S = 5.0
#: Names of operations that change nothing begin so; an allowlist, so that a new one is a change until proven otherwise.
READS = ("Describe", "Get", "List", "Head", "Search", "Lookup")
#: Changes that may be sent twice: the second finds done what the first did.
_REPEATABLE = frozenset({
    "TerminateInstances", "StartInstances", "StopInstances", "CreateTags", "DeleteTags", "DeleteVolume",
    "DeleteSnapshot", "ReleaseAddress", "CancelSpotInstanceRequests", "ModifyInstanceAttribute", "DeleteObject",
    "DeleteObjects", "PutObject", "AbortMultipartUpload",
})  # fmt: skip
T = TypeVar("T")


class AwsSession:
    """Calls by service and region that go through the retry layer.

    Args:
        settings: timeouts and the rate of calls.
        profile: AWS profile, None for AWS's own rules.
        cache: where pruned service models are kept.
        quick: whether listings may take the quick lane.

    Raises:
        CredentialsError: the profile does not exist.
        ConfigurationError: an AWS file that cannot be read.
    """

    def __init__(
        self, settings: Settings, profile: str | None = None, cache: Path | None = None, *, quick: bool = True
    ) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.retrier = Retrier(settings.aws.calls_per_second, stop=self.stop)
        self._env: Mapping[str, str] = os.environ
        self._asked, self._cache, self._quick = profile, cache, quick
        self._clock = SystemClock()  # signatures need the true time, also where the screen's stands still
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lanes: dict[tuple[str, str], wire.QuickLane | None] = {}
        self._botocore: Any = None
        self._none_at: float | None = None
        self._words = Profile(self._env, profile)
        if not self._words.exists:
            raise CredentialsError(
                f"the profile {self._words.name!r} is in neither the config nor the credentials file",
                CallSite("runctl", "open profile", "", "ProfileNotFound"),
                hint="see: aws configure list-profiles",
            )
        self._given = find_credentials(self._clock, self._env, profile)
        self.profile = "" if profile is None and self._words.name == "default" else self._words.name

    def default_region(self) -> str | None:
        """AWS_REGION, AWS_DEFAULT_REGION, then the profile's own."""
        env = self._env
        return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or self._words.words.get("region") or None

    def client(self, service: str, region: str) -> Any:
        """The botocore client of a service in a region.

        Raises:
            CloudError: no such region, or there are no credentials.
        """
        with self._lock:
            made = self._clients.get((service, region))
            return made if made is not None else self._make(service, region)

    def _session(self) -> Any:
        """The session of botocore, made when it is first needed; call with the lock held."""
        if self._botocore is None:
            import botocore.session

            from runctl.services.aws.slim import ensure_models

            made = botocore.session.Session(profile=self._asked)
            if models := ensure_models(self._cache or paths.cache_dir()):
                made.get_component("data_loader").search_paths.insert(0, models)
            # Times stay text until `parse_time`: dateutil, botocore's default, costs a third of reading a page.
            made.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
            self._botocore = made
        return self._botocore

    def _credentials(self, site: CallSite) -> Any:
        """Credentials as botocore finds them; they refresh themselves. Call with the lock held.

        Raises:
            CredentialsError: no source has any.
        """
        now = self._clock.monotonic()
        found = None
        if self._none_at is None or now - self._none_at > _LOOK_AGAIN_S:
            found = self._session().get_credentials()
            self._none_at = None if found else now
        if found is None:
            raise no_credentials(site)
        return found

    def _keys(self) -> Keys:
        """Keys that are valid now."""
        if isinstance(self._given, StaticCredentials):
            return self._given.keys()
        with aws_call("runctl", "credentials", "", self.profile):
            with self._lock:
                source = self._credentials(CallSite("runctl", "credentials", "", ""))
            frozen = source.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _make(self, service: str, region: str) -> Any:
        _check_region(service, region)
        with aws_call(service, "connect", region, self.profile):
            from botocore.config import Config

            self._credentials(CallSite(service, "connect", region, ""))
            aws = self.settings.aws
            config = Config(
                connect_timeout=aws.connect_timeout_s,
                read_timeout=aws.read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=16,
                user_agent_extra=f"runctl/{__version__}",
                # A path keeps the bucket out of the host name, which is what an endpoint of one's own can serve.
                s3={"addressing_style": "path"} if own_endpoint("s3", self._env, self._words) else None,
            )
            made = self._session().create_client(service, region_name=region, config=config)
        self._clients[service, region] = made
        return made

    def _lane(self, service: str, region: str) -> wire.QuickLane | None:
        """The quick lane to a service, None where botocore's rules are needed."""
        with self._lock:
            if (service, region) not in self._lanes:
                place = find_place(service, region, self._env, self._words) if self._quick else None
                self._lanes[service, region] = place and wire.QuickLane(
                    service,
                    region,
                    place,
                    settings=self.settings.aws,
                    keys=self._keys,
                    clock=self._clock,
                    trust=lambda: trust(self._env, self._words),
                )
            return self._lanes[service, region]

    def read(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """One call of a listing; the answer has at least the members that `parse` reads.

        Raises:
            CloudError: what went wrong, classified.
        """
        return self._read(lambda answer: answer, service, operation, region, parameters)

    def _read(
        self,
        made: Callable[[dict[str, Any]], T],
        service: str,
        operation: str,
        region: str,
        parameters: Mapping[str, Any],
    ) -> T:
        _check_region(service, region)
        lane = self._lane(service, region) if wire.speaks(service, operation, parameters) else None
        if lane is None:
            return made(self.call(service, operation, region, **parameters))
        return self.retrier.call(service, region, lambda: lane.call(operation, parameters, self.profile, made))

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """One reading call by its API name ("DescribeInstances"), retried as its error allows.

        Raises:
            CloudError: what went wrong, classified;
            ForbiddenError: it is not a reading call: changes go through `change`.
        """
        if not operation.startswith(READS):
            from runctl.services.permit import ForbiddenError

            raise ForbiddenError(f"{service}:{operation} changes something; it needs a permit")
        return self._sent(service, operation, region, parameters, repeatable=True)

    def change(self, request: Request, permit: Permit) -> dict[str, Any]:
        """One permitted change, made again only where a second time does no harm.

        Raises:
            CloudError: what went wrong, classified;
            ForbiddenError: the permit does not cover it, or the settings forbid it under this profile.
        """
        from runctl.services.permit import check

        rules = self.settings.rules(self.profile)
        read_only = self.settings.is_read_only(self.profile)
        check(permit, request, read_only=read_only, protected=rules.protected)
        repeatable = request.operation in _REPEATABLE or "ClientToken" in request.parameters
        return self._sent(request.service, request.operation, request.region, request.parameters, repeatable=repeatable)

    def _sent(
        self, service: str, operation: str, region: str, parameters: Mapping[str, Any], *, repeatable: bool
    ) -> dict[str, Any]:
        check_paid(service, operation, self.settings)
        client = self.client(service, region)
        method = getattr(client, _python_name(operation))

        def once() -> dict[str, Any]:
            with aws_call(service, operation, region, self.profile):
                return dict(method(**parameters))

        return self.retrier.call(service, region, once, repeatable=repeatable)

    def pages(
        self, service: str, operation: str, region: str, *, first: int = 0, rest: int = 0, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Pages of a listing with NextToken, the first one small so that it is on screen soon."""
        return self.pages_of(lambda page: page, service, operation, region, first=first, rest=rest, **parameters)

    def pages_of(
        self,
        made: Callable[[dict[str, Any]], T],
        service: str,
        operation: str,
        region: str,
        *,
        first: int = 0,
        rest: int = 0,
        **parameters: Any,
    ) -> Iterator[T]:
        """What is made of each page; nobody holds on to the page itself."""
        size, token = first, ""
        while True:
            more = {"MaxResults": size} if size else {}
            asked = {**parameters, **more, **({"NextToken": token} if token else {})}
            rows, following = self._read(
                lambda page: (made(page), str(page.get("NextToken") or "")), service, operation, region, asked
            )
            yield rows
            before, token, size = token, following, rest
            if not token or token == before:  # a token that leads nowhere would never end
                return

    def close(self) -> None:
        """End every wait; calls under way run out unseen."""
        self.stop.set()
        with self._lock:
            lanes = [lane for lane in self._lanes.values() if lane]
        for lane in lanes:
            lane.close()


def _check_region(service: str, region: str) -> None:
    if not looks_like_region(region):
        raise RequestError(
            f"{region!r} is not a region",
            CallSite(service, "connect", region, "InvalidRegion"),
            hint="example: us-east-1; `runctl doctor` lists the account's regions",
        )


def _python_name(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
