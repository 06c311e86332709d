"""Both lanes tell the same: equal data on equal answers, equal errors on equal failures, and plain cases only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.canned import Canned, serving
from runctl import errors
from runctl.config import DEFAULTS
from runctl.config.settings import AwsSettings
from runctl.demo.cloud import DemoCloud, client_environment
from runctl.services.aws.backend import AwsBackend
from runctl.services.aws.places import find_place
from runctl.services.aws.session import AwsSession
from runctl.services.aws.wire import QuickLane
from runctl.services.prices import PriceBook
from runctl.services.transfer.site import Profile

HASTY = replace(DEFAULTS, aws=AwsSettings(connect_timeout_s=0.5, read_timeout_s=0.5))
LISTINGS: dict[str, Callable[[AwsBackend], object]] = {
    "identity": lambda b: b.fetch_identity(),
    "regions": lambda b: b.fetch_regions(),
    "instances": lambda b: [i for page in b.list_instances("us-east-1") for i in page],
    "volumes": lambda b: [i for page in b.list_volumes("us-east-1") for i in page],
    "snapshots": lambda b: [i for page in b.list_snapshots("us-east-1") for i in page],
    "addresses": lambda b: [i for page in b.list_addresses("us-east-1") for i in page],
    "buckets": lambda b: [i for page in b.list_buckets() for i in page],
}


def backend(*, quick: bool, settings: Any = DEFAULTS) -> AwsBackend:
    return AwsBackend(AwsSession(settings, quick=quick), PriceBook())


def used_botocore(made: AwsBackend) -> bool:
    return bool(made.session._clients)


def everything(made: AwsBackend) -> dict[str, object]:
    return {name: listing(made) for name, listing in LISTINGS.items()}


def test_both_lanes_read_the_same_from_the_demo_fleet(cloud: DemoCloud) -> None:
    slow, quick = backend(quick=False), backend(quick=True)
    one, other = everything(slow), everything(quick)
    assert one == other
    assert all(one.values())
    assert (used_botocore(slow), used_botocore(quick)) == (True, False)


def test_both_lanes_read_the_same_from_a_plain_moto_server(plain_moto: str) -> None:
    assert everything(backend(quick=False)) == everything(backend(quick=True))


def test_both_lanes_turn_the_same_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    with at_canned(monkeypatch, Canned(machines=1450)) as canned:
        pages = [list(backend(quick=quick).list_instances("us-east-1")) for quick in (False, True)]
    assert pages[0] == pages[1]
    assert [len(p) for p in pages[1]] == [200, 1000, 250]
    assert canned.calls["DescribeInstances", "us-east-1"] == 6


@contextmanager
def at_canned(monkeypatch: pytest.MonkeyPatch, canned: Canned) -> Iterator[Canned]:
    with serving(canned) as url:
        for name, value in client_environment(url).items():
            monkeypatch.setenv(name, value)
        yield canned


def failure(ask: Callable[[], object]) -> tuple[object, ...]:
    with pytest.raises(errors.CloudError) as caught:
        ask()
    error = caught.value
    return type(error), error.site.code, error.site.operation, error.message, error.hint


@pytest.mark.parametrize("kind", ["denied", "expired", "throttle", "unavailable", "html", "quota"])
def test_both_lanes_fail_the_same(cloud: DemoCloud, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule: dict[str, Any] = {"kind": "error", "code": "VcpuLimitExceeded"} if kind == "quota" else {"kind": kind}
    cloud.faults.add(**rule)
    seen = []
    for quick in (False, True):
        made = backend(quick=quick)
        monkeypatch.setattr(made.session.retrier, "_pause", lambda failures: failures * 0.0)
        asked = ("instances", "identity", "buckets")
        seen.append({name: failure(partial(LISTINGS[name], made)) for name in asked})
    assert seen[0] == seen[1]


def test_a_closed_port_is_the_same_network_error_on_both_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, value in client_environment(f"http://127.0.0.1:{port}").items():
        monkeypatch.setenv(name, value)
    for quick in (False, True):
        made = backend(quick=quick)
        monkeypatch.setattr(made.session.retrier, "_pause", lambda failures: failures * 0.0)
        kind, code, *_ = failure(made.fetch_regions)
        assert (kind, code) == (errors.NetworkError, "EndpointConnectionError")


class Scripted:
    """A server that sends, for each request on any connection, the next of its answers; None closes instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(peer,), daemon=True).start()

    def _speak(self, peer: socket.socket) -> None:
        with peer:
            while peer.recv(65536):
                self.requests += 1
                answer = self.answers.pop(0) if self.answers else None
                if answer is None:
                    return
                peer.sendall(answer)

    def close(self) -> None:
        self._listener.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


REGIONS_XML = (
    b'<?xml version="1.0"?><DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<regionInfo><item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>"
)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def script(*answers: bytes | None) -> Scripted:
        server = Scripted(*answers)
        made.append(server)
        for name, value in client_environment(server.url).items():
            monkeypatch.setenv(name, value)
        return server

    yield script
    for server in made:
        server.close()


def test_a_connection_the_server_closed_meanwhile_is_replaced_unseen(scripted: Callable[..., Scripted]) -> None:
    server = scripted(ok(REGIONS_XML), None, ok(REGIONS_XML))
    made = backend(quick=True)
    assert made.fetch_regions() == ("eu-west-1",)
    assert made.fetch_regions() == ("eu-west-1",)
    assert server.requests == 3


def test_silence_is_a_network_error_after_one_timeout(scripted: Callable[..., Scripted]) -> None:
    server = scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<")
    with pytest.raises(errors.NetworkError) as caught:
        backend(quick=True, settings=HASTY).fetch_regions()
    assert (caught.value.site.code, server.requests) == ("ReadTimeoutError", 1)


@pytest.mark.parametrize("body", [b"", b"<html><br></html>", b"{}", b"\xff\xfe", REGIONS_XML[:-9]])
def test_what_is_no_answer_of_aws_is_a_fault_never_a_crash(
    scripted: Callable[..., Scripted], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(*[ok(body)] * 8)
    made = backend(quick=True)
    monkeypatch.setattr(made.session.retrier, "_pause", lambda failures: failures * 0.0)
    with pytest.raises(errors.ServiceError, match="not AWS's"):
        made.fetch_regions()


def test_a_clock_that_is_off_is_named_with_its_seconds(scripted: Callable[..., Scripted]) -> None:
    body = b"<Response><Errors><Error><Code>RequestExpired</Code><Message>m</Message></Error></Errors></Response>"
    head = b"HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n" % len(body)
    scripted(head + body)
    with pytest.raises(errors.ClockError, match="ahead of AWS"):
        backend(quick=True).fetch_regions()


def signature_of(lane: QuickLane, monkeypatch: pytest.MonkeyPatch) -> bytes:
    sent: list[bytes] = []

    def exchange(request: bytes, site: object) -> Any:
        sent.append(request)
        raise errors.NetworkError("caught", errors.CallSite("", "", "", ""))

    monkeypatch.setattr(lane, "_exchange", exchange)
    with pytest.raises(errors.NetworkError):
        lane.call("DescribeSnapshots", {"OwnerIds": ["self"], "MaxResults": 7, "NextToken": "a/+= é"}, "", dict)
    return sent[0]


def test_the_signature_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.parse import parse_qsl

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for name, value in client_environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the/token+=")
    lane = AwsSession(DEFAULTS)._lane("ec2", "eu-west-1")
    assert lane is not None
    head, _, body = signature_of(lane, monkeypatch).decode().partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert dict(parse_qsl(body))["Owner.1"] == "self"
    assert dict(parse_qsl(body))["NextToken"] == "a/+= é"
    signed = {k: v for k, v in headers.items() if k in ("host", "x-amz-content-sha256")}
    request = AWSRequest("POST", "http://127.0.0.1:1/", headers=signed, data=body)
    keys = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "the/token+=")
    signer = SigV4Auth(keys, "ec2", "eu-west-1")
    then = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: then)  # noqa: ARG005  # botocore names it
    signer.add_auth(request)
    assert request.headers["Authorization"] == headers["authorization"]


PLAIN = ("https", "ec2.eu-west-1.amazonaws.com", 443, "")


@pytest.mark.parametrize(
    ("env", "config", "region", "place"),
    [
        ({}, "", "eu-west-1", PLAIN),
        ({}, "", "us-gov-west-1", None),
        ({}, "", "cn-north-1", None),
        ({}, "", "eu-isoe-west-1", None),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "", "eu-west-1", None),
        ({}, "use_dualstack_endpoint = true", "eu-west-1", None),
        ({}, "sts_regional_endpoints = legacy", "eu-west-1", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "", "eu-west-1", None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "amazonaws.com"}, "", "eu-west-1", PLAIN),
        ({"AWS_ENDPOINT_URL": "http://localhost:5000"}, "", "cn-north-1", ("http", "localhost", 5000, "")),
        ({"AWS_ENDPOINT_URL_EC2": "https://[::1]/ec2/", "AWS_ENDPOINT_URL": "http://x"}, "", "eu-west-1",
         ("https", "::1", 443, "/ec2")),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://x"}, "", "eu-west-1", PLAIN),
        ({}, "endpoint_url = http://y:1", "eu-west-1", ("http", "y", 1, "")),
        ({}, "services = s\n[services s]\nec2 =\n  endpoint_url = http://z:2", "eu-west-1", ("http", "z", 2, "")),
    ],
)  # fmt: skip
def test_only_plain_places_take_the_quick_lane(
    tmp_path: Path, env: dict[str, str], config: str, region: str, place: object
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{config}\n")
    env = {**env, "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    assert find_place("ec2", region, env, Profile(env, None)) == place
