"""Where S3 is and who asks: region, endpoint, proxy, certificates and credentials, by AWS's own rules.

Static keys in the environment or the credentials file are read here directly, 1 ms. Everything else (SSO, roles,
processes, the machine's role) is botocore's work: it is imported only then, and refreshes what expires.
Sources: AWS SDKs and Tools Reference Guide, "Service-specific endpoints", "Shared config and credentials files".
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runctl.clock import Clock
from runctl.errors import CallSite, ConfigurationError, CredentialsError, RunctlError
from runctl.services.transfer.sigv4 import Keys

#: Where an account's buckets answer when nothing names a region; a redirect tells the right one.
HOME_REGION = "us-east-1"
# A profile with one of these gets its keys from somewhere else: botocore knows how.
_INDIRECT = (
    "role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "credential_process",
    "login_session", "credential_source", "source_profile",
)  # fmt: skip


class Credentials(Protocol):
    """Answers with keys that are valid now."""

    def keys(self) -> Keys:
        """The keys; may refresh them first.

        Raises:
            CredentialsError: there are none, or they cannot be refreshed.
        """
        ...

    def renew(self) -> bool:
        """Ask for others after a refusal; False when there are no others."""
        ...


@dataclass(frozen=True)
class StaticCredentials:
    """Keys that do not change."""

    given: Keys

    def keys(self) -> Keys:
        """The keys."""
        return self.given

    def renew(self) -> bool:
        """There are no others."""
        return False


class SessionCredentials:
    """Whatever botocore finds for a profile, refreshed in time; loaded at the first question.

    Args:
        profile: AWS profile, None for AWS's own rules.
        clock: decides when to look again (botocore itself looks at expiry only when asked).
    """

    def __init__(self, profile: str | None, clock: Clock) -> None:
        self._profile = profile
        self._clock = clock
        self._lock = threading.Lock()
        self._source: Any = None
        self._known: tuple[float, Keys] | None = None

    def prefetch(self) -> None:
        """Look meanwhile: a login or the machine's role may take half a second."""
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        with contextlib.suppress(RunctlError):  # the first request says it, where somebody listens
            self.keys()

    def keys(self) -> Keys:
        """Frozen keys, at most five seconds old."""
        known = self._known
        if known is not None and self._clock.monotonic() - known[0] < 5:
            return known[1]
        with self._lock:
            return self._fetch()

    def renew(self) -> bool:
        """Drop what is known and load anew, for example after `aws sso login` in another window."""
        with self._lock:
            before = self._known
            self._source = self._known = None
            with contextlib.suppress(CredentialsError):
                return before is None or self._fetch() != before[1]
        return False

    def _fetch(self) -> Keys:
        from runctl.services.aws.errors import aws_call

        site = CallSite("s3", "credentials", "", "NoCredentials")
        with aws_call("s3", "credentials", "", self._profile or ""):
            if self._source is None:
                import botocore.session

                self._source = botocore.session.Session(profile=self._profile).get_credentials()
            if self._source is None:
                hint = "set AWS_ACCESS_KEY_ID, choose a profile, or log in with aws sso login"
                raise CredentialsError("no credentials found", site, hint=hint)
            frozen = self._source.get_frozen_credentials()
        keys = Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
        self._known = (self._clock.monotonic(), keys)
        return keys


class Profile:
    """The merged words of one profile of the config and credentials files."""

    def __init__(self, env: Mapping[str, str], name: str | None) -> None:
        self.named = name
        self.name = name or env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or "default"
        home = Path(env.get("HOME") or Path.home())
        config = _read(Path(env.get("AWS_CONFIG_FILE") or home / ".aws/config"))
        secrets = _read(Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials"))
        section = "default" if self.name == "default" else f"profile {self.name}"
        self.words = {**config.get(section, {}), **secrets.get(self.name, {})}
        self.services = config.get(f"services {self.words.get('services', '')}", {})
        self.exists = self.name == "default" or section in config or self.name in secrets

    def nested(self, name: str, *, service: bool = False) -> dict[str, str]:
        """An indented block such as `s3 =`, its lines as words."""
        text = (self.services if service else self.words).get(name, "")
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {k.strip(): v.strip() for k, _, v in pairs}


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Sections and words of an AWS ini file; {} when there is none."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return {}
    import configparser

    parser = configparser.RawConfigParser(default_section="\0none", strict=False)
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}", hint="see aws configure list") from error
    return {" ".join(name.split()): dict(parser.items(name)) for name in parser.sections()}


@dataclass(frozen=True, slots=True)
class Site:
    """Where requests go.

    Args:
        region: region to sign for unless a bucket says otherwise.
        endpoint: (scheme, host, port, path prefix) of one's own endpoint, None for AWS.
        path_style: whether the bucket goes in the path.
        suffix: AWS's host after `s3[-fips][.dualstack].REGION.`.
        fips: use FIPS endpoints.
        dualstack: use dual-stack endpoints.
        ca_bundle: file of certificates to trust, "" for the system's.
    """

    region: str
    endpoint: tuple[str, str, int, str] | None = None
    path_style: bool = False
    suffix: str = "amazonaws.com"
    fips: bool = False
    dualstack: bool = False
    ca_bundle: str = ""

    def place(self, bucket: str, region: str) -> tuple[str, str, int, str]:
        """(scheme, host, port, path before the key) of a bucket; "" means the service itself."""
        if self.endpoint is not None:
            scheme, host, port, prefix = self.endpoint
        else:
            flavour = ("-fips" if self.fips else "") + (".dualstack" if self.dualstack else "")
            scheme, host, port, prefix = "https", f"s3{flavour}.{region}.{self.suffix}", 443, ""
        if not bucket:
            return scheme, host, port, prefix
        # A dot in the name would not match AWS's wildcard certificate, capitals are no host name: path style then.
        if self.path_style or not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket):
            return scheme, host, port, f"{prefix}/{bucket}"
        return scheme, f"{bucket}.{host}", port, prefix


def find_site(env: Mapping[str, str] | None = None, profile: str | None = None, region: str | None = None) -> Site:
    """Region and endpoint for a profile.

    Raises:
        ConfigurationError: an endpoint that is no URL, an unreadable config file, or a profile that does not exist.
    """
    env = os.environ if env is None else env
    words = Profile(env, profile)
    if not words.exists:
        raise ConfigurationError(
            f"the profile {words.name!r} is in neither ~/.aws/config nor ~/.aws/credentials", hint="aws configure list"
        )
    found = region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or words.words.get("region")
    region = found or HOME_REGION
    url = ""
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        url = (
            env.get("AWS_ENDPOINT_URL_S3")
            or env.get("AWS_ENDPOINT_URL")
            or words.nested("s3", service=True).get("endpoint_url")
            or words.words.get("endpoint_url")
            or ""
        )
    style = words.nested("s3").get("addressing_style", "auto")
    return Site(
        region=region,
        endpoint=parse_endpoint(url) if url else None,
        path_style=style == "path" or (bool(url) and style != "virtual"),
        suffix="amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
        fips=_flag(env, words, "AWS_USE_FIPS_ENDPOINT"),
        dualstack=_flag(env, words, "AWS_USE_DUALSTACK_ENDPOINT"),
        ca_bundle=env.get("AWS_CA_BUNDLE") or words.words.get("ca_bundle", ""),
    )


def _flag(env: Mapping[str, str], words: Profile, name: str) -> bool:
    given = env.get(name) or words.words.get(name.removeprefix("AWS_").lower(), "")
    return given.lower() == "true"


def parse_endpoint(url: str) -> tuple[str, str, int, str]:
    """An endpoint URL taken apart.

    Raises:
        ConfigurationError: not http(s)://HOST[:PORT][/PATH].
    """
    found = re.fullmatch(r"(https?)://(\[[0-9a-fA-F:]+\]|[^/:@\s]+)(?::(\d{1,5}))?(/[^?#\s]*)?", url)
    if not found:
        raise ConfigurationError(
            f"the endpoint {url!r} is not a URL", hint="AWS_ENDPOINT_URL_S3, for example http://127.0.0.1:9000"
        )
    scheme, host, port, path = found.groups()
    return scheme, host.strip("[]"), int(port or (443 if scheme == "https" else 80)), (path or "").rstrip("/")


def find_credentials(clock: Clock, env: Mapping[str, str] | None = None, profile: str | None = None) -> Credentials:
    """Keys by AWS's order of precedence, without botocore where they are simply written down."""
    env = os.environ if env is None else env
    # As botocore has it: a profile asked for by flag beats keys in the environment, AWS_PROFILE does not.
    if profile is None and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        token = env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN") or ""
        return StaticCredentials(Keys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token))
    words = Profile(env, profile).words
    if not any(words.get(name) for name in _INDIRECT) and not env.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        key, secret = words.get("aws_access_key_id"), words.get("aws_secret_access_key")
        if key and secret:
            return StaticCredentials(Keys(key, secret, words.get("aws_session_token", "")))
    return SessionCredentials(profile, clock)


def find_proxy(scheme: str, host: str, env: Mapping[str, str] | None = None) -> tuple[str, int, str] | None:
    """(host, port, authorization) of the proxy the environment names for a host, None for none."""
    from runctl.services.transfer.http import proxy_authorization

    env = os.environ if env is None else env
    url = env.get(f"{scheme}_proxy") or env.get(f"{scheme.upper()}_PROXY") or ""
    without = env.get("no_proxy") or env.get("NO_PROXY") or ""
    for name in (n.strip().lstrip(".").lower() for n in without.split(",")):
        if name == "*" or (name and (host.lower() == name or host.lower().endswith("." + name))):
            return None
    found = re.fullmatch(r"(?:http://)?(?:([^:@/]*):([^@/]*)@)?(\[[^\]]+\]|[^:/@]+)(?::(\d+))?/?", url)
    if not url:
        return None
    if not found:
        raise ConfigurationError(f"{scheme}_proxy {url!r} is not an HTTP proxy", hint="http://HOST:PORT")
    user, password, proxy, port = found.groups()
    return proxy.strip("[]"), int(port or 80), proxy_authorization(user, password) if user else ""
