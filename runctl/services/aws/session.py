"""One botocore session and its clients: credentials, regions and endpoints as AWS's own tools resolve them.

Sessions are not thread-safe and clients are (boto3 guide, "Multithreading with clients"), so every client is made here,
once, under a lock. botocore is used without boto3 on this path: the same clients, 60 ms earlier.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runctl import __version__, paths
from runctl.config import Settings
from runctl.errors import CallSite, CredentialsError, RequestError
from runctl.services.aws.errors import aws_call
from runctl.services.aws.retry import Retrier
from runctl.services.aws.slim import ensure_models

#: Where calls without a region go; STS and S3 answer for the whole account there.
HOME_REGION = "us-east-1"


class AwsSession:
    """Clients by service and region, and calls that go through the retry layer.

    Args:
        settings: timeouts and the rate of calls.
        profile: AWS profile, None for AWS's own rules.
        cache: where pruned service models are kept.
    """

    def __init__(self, settings: Settings, profile: str | None = None, cache: Path | None = None) -> None:
        import botocore.session

        self.settings = settings
        self.stop = threading.Event()
        self.retrier = Retrier(settings.aws.calls_per_second, stop=self.stop)
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._session = botocore.session.Session(profile=profile)
        if models := ensure_models(cache or paths.cache_dir()):
            self._session.get_component("data_loader").search_paths.insert(0, models)
        # Times stay text until `parse_time`: dateutil, botocore's default, costs a third of reading a page.
        self._session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        self.profile = profile or self._session.get_config_variable("profile") or ""

    def default_region(self) -> str | None:
        """AWS_REGION first, as the aws command has it and botocore has not; then what botocore finds."""
        if given := os.environ.get("AWS_REGION"):
            return given
        with aws_call("runctl", "resolve region", "", self.profile):
            region: str | None = self._session.get_config_variable("region")
        return region

    def profiles(self) -> tuple[str, ...]:
        """Profiles written in the AWS config and credentials files."""
        return tuple(sorted(self._session.available_profiles))

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region.

        Raises:
            CloudError: the profile does not exist, or there are no credentials.
        """
        with self._lock:
            made = self._clients.get((service, region))
            return made if made is not None else self._make(service, region)

    def _make(self, service: str, region: str) -> Any:
        from botocore.config import Config

        aws = self.settings.aws
        with aws_call(service, "connect", region, self.profile):
            if self._session.get_credentials() is None:
                raise CredentialsError(
                    "no credentials found",
                    CallSite(service, "connect", region, "NoCredentials"),
                    hint="looked at AWS_ACCESS_KEY_ID, AWS_PROFILE, the config files and the machine's role; "
                    "log in (aws sso login), or look round with runctl --demo",
                )
            config = Config(
                connect_timeout=aws.connect_timeout_s,
                read_timeout=aws.read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=16,
                user_agent_extra=f"runctl/{__version__}",
                # A path keeps the bucket out of the host name, which is what an endpoint of one's own can serve.
                s3={"addressing_style": "path"} if _own_endpoint() else None,
            )
            if not _looks_like_region(region):
                raise RequestError(
                    f"{region!r} is not a region",
                    CallSite(service, "connect", region, "InvalidRegion"),
                    hint="example: us-east-1; `runctl doctor` lists the account's regions",
                )
            made = self._session.create_client(service, region_name=region, config=config)
        self._clients[service, region] = made
        return made

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """One call by its API name ("DescribeInstances"), retried as its error deserves.

        Raises:
            CloudError: what went wrong, classified.
        """
        client = self.client(service, region)
        method = getattr(client, _python_name(operation))

        def once() -> dict[str, Any]:
            with aws_call(service, operation, region, self.profile):
                return dict(method(**parameters))

        return self.retrier.call(service, region, once)

    def pages(
        self, service: str, operation: str, region: str, *, first: int = 0, rest: int = 0, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Pages of a listing with NextToken, the first one small so that it is on screen soon."""
        size, token = first, ""
        while True:
            more = {"MaxResults": size} if size else {}
            page = self.call(
                service, operation, region, **parameters, **more, **({"NextToken": token} if token else {})
            )
            yield page
            token, size = page.get("NextToken") or "", rest
            if not token:
                return

    def close(self) -> None:
        """End every wait; calls under way run out unseen."""
        self.stop.set()


def _own_endpoint() -> bool:
    return bool(os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3"))


def _looks_like_region(region: str) -> bool:
    import re

    return re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d+", region) is not None


def _python_name(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
