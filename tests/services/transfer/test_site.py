"""Region, endpoint and keys are found as AWS's own tools find them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runctl.clock import SystemClock
from runctl.errors import ConfigurationError, CredentialsError
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.context import Tuning
from runctl.services.transfer.sigv4 import Keys
from runctl.services.transfer.site import (
    SessionCredentials,
    Site,
    StaticCredentials,
    find_proxy,
    find_site,
    parse_endpoint,
)
from runctl.services.transfer.site import find_credentials as credentials
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer import servers, trees
from tests.services.transfer.faults import FaultProxy

CONFIG = """
[default]
region = eu-west-1
[profile local]
region = us-west-2
services = here
s3 =
    addressing_style = virtual
[services here]
s3 =
    endpoint_url = http://127.0.0.1:9000/base
[profile sso]
sso_session = corp
sso_account_id = 111122223333
[profile assumed]
role_arn = arn:aws:iam::111122223333:role/x
source_profile = default
[profile china]
region = cn-north-1
"""
SECRETS = """
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key = s1
[local]
aws_access_key_id = AKIDLOCAL
aws_secret_access_key = s2
aws_session_token = t2
[assumed]
aws_access_key_id = AKIDWRONG
aws_secret_access_key = s3
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(CONFIG)
    (tmp_path / ".aws/credentials").write_text(SECRETS)
    return {"HOME": str(tmp_path)}


def test_endpoints_and_regions(home: Mapping[str, str]) -> None:
    assert find_site(home) == Site("eu-west-1")
    assert find_site({**home, "AWS_REGION": "ap-south-1"}).region == "ap-south-1"
    assert find_site({**home, "AWS_REGION": "ap-south-1"}, region="us-east-2").region == "us-east-2"
    local = find_site(home, "local")
    assert (local.region, local.endpoint, local.path_style) == (
        "us-west-2",
        ("http", "127.0.0.1", 9000, "/base"),
        False,
    )
    general = find_site({**home, "AWS_ENDPOINT_URL": "http://h:1"})
    assert (general.endpoint, general.path_style) == (("http", "h", 1, ""), True)
    # botocore's order: both variables come before anything a profile says.
    assert find_site({**home, "AWS_ENDPOINT_URL": "http://h:1"}, "local").endpoint == ("http", "h", 1, "")
    special = find_site({**home, "AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "https://s"})
    assert special.endpoint == ("https", "s", 443, "")
    ignored = {**home, "AWS_ENDPOINT_URL": "http://h:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert find_site(ignored).endpoint is None
    with pytest.raises(ConfigurationError, match="nosuch"):
        find_site(home, "nosuch")
    with pytest.raises(ConfigurationError, match="not a URL"):
        parse_endpoint("localhost:9000")


def test_places_of_buckets() -> None:
    site = Site("eu-west-1")
    assert site.place("my-bucket", "eu-west-1") == ("https", "my-bucket.s3.eu-west-1.amazonaws.com", 443, "")
    assert site.place("my.bucket", "us-east-1") == ("https", "s3.us-east-1.amazonaws.com", 443, "/my.bucket")
    assert Site("cn-north-1", suffix="amazonaws.com.cn").place("bkt", "cn-north-1")[1].endswith(".amazonaws.com.cn")
    own = Site("x", endpoint=("http", "127.0.0.1", 9000, "/base"), path_style=True)
    assert own.place("my-bucket", "x") == ("http", "127.0.0.1", 9000, "/base/my-bucket")
    fips = Site("us-east-1", fips=True, dualstack=True).place("", "us-east-1")
    assert fips[1] == "s3-fips.dualstack.us-east-1.amazonaws.com"


def test_static_keys_need_no_session(home: Mapping[str, str]) -> None:
    clock = SystemClock()
    env = {**home, "AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s0"}
    assert credentials(clock, env) == StaticCredentials(Keys("AKIDENV", "s0"))
    assert credentials(clock, {**env, "AWS_PROFILE": "local"}) == StaticCredentials(Keys("AKIDENV", "s0"))
    assert credentials(clock, env, "local") == StaticCredentials(Keys("AKIDLOCAL", "s2", "t2"))
    assert credentials(clock, home) == StaticCredentials(Keys("AKIDDEFAULT", "s1"))
    for name in ("sso", "assumed"):
        assert isinstance(credentials(clock, home, name), SessionCredentials)
    assert isinstance(credentials(clock, {"HOME": "/nonexistent"}), SessionCredentials)


def test_a_process_gives_keys_through_botocore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '{"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": "sp", "SessionToken": "tp"}'
    script = tmp_path / "keys.sh"
    script.write_text(f"#!/bin/sh\necho '{answer}'\n")
    script.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[profile p]\ncredential_process = {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    found = credentials(SystemClock(), profile="p")
    assert isinstance(found, SessionCredentials)
    assert found.keys() == Keys("AKIDPROC", "sp", "tp")
    script.write_text(script.read_text().replace("AKIDPROC", "AKIDNEXT"))
    assert found.renew()
    assert found.keys().access_key == "AKIDNEXT"
    assert not found.renew()


def test_proxies() -> None:
    env = {"HTTPS_PROXY": "http://me:pw@proxy:3128", "no_proxy": "localhost,.internal"}
    assert find_proxy("https", "s3.amazonaws.com", env) == ("proxy", 3128, "Basic bWU6cHc=")
    assert find_proxy("https", "s3.internal", env) is None
    assert find_proxy("http", "s3.amazonaws.com", env) is None
    with pytest.raises(ConfigurationError):
        find_proxy("https", "x", {"https_proxy": "socks5://h:1"})


class _Renewed:
    """Keys that a new login replaces each time they are refused."""

    def __init__(self) -> None:
        self.renewals = 0

    def keys(self) -> Keys:
        return servers.KEYS

    def renew(self) -> bool:
        self.renewals += 1
        return True


def _expiring(proxy: FaultProxy, times: int) -> S3Client:
    for _ in range(times):
        proxy.next("expired", lambda seen: seen.method == "PUT" and seen.target.endswith("/f03"))
    assert proxy.url.startswith("http://127.0.0.1:")
    site = Site("us-east-1", endpoint=parse_endpoint(proxy.url), path_style=True)
    return S3Client(site, _Renewed())


def test_keys_that_expire_in_the_middle_are_renewed_and_nothing_is_lost(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {f"f{n:02}": 100 for n in range(12)})
    by = _expiring(proxy, 1)
    options = Options(tmp_path / "state", tuning=Tuning(workers=1))
    outcome = Sync(by, tmp_path / "src", S3Uri(bucket), options).run()
    assert (outcome.exit_code, outcome.files) == (0, 12), outcome
    assert proxy.hits["expired"] == 1
    assert len(servers.keys(client, bucket)) == 12


def test_keys_that_stay_expired_stop_everything_with_their_own_exit_code(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"f03": 100})
    by = _expiring(proxy, 50)
    outcome = Sync(by, tmp_path / "src", S3Uri(bucket), Options(tmp_path / "state")).run()
    assert (outcome.exit_code, outcome.files) == (3, 0)
    assert [f.code for f in outcome.failed] == ["ExpiredToken"]
    assert isinstance(outcome.fatal, CredentialsError)
