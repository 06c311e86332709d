"""One SeaweedFS a worker, a fresh bucket a test, a proxy in between where wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runctl.clock import SystemClock
from runctl.services.case import Actor
from runctl.services.journal import Journal, Stamp
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.record import Record
from runctl.services.transfer.sides import Location
from runctl.services.transfer.sync import Options, Sync
from tests.services.transfer import servers
from tests.services.transfer.faults import FaultProxy

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker: one server instead of one for each."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.xdist_group("seaweedfs"))


@pytest.fixture(scope="session")
def seaweed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.seaweedfs(tmp_path_factory.mktemp("seaweed")) as url:
        yield url


@pytest.fixture
def client(seaweed_url: str) -> S3Client:
    return servers.client_of(seaweed_url)


@pytest.fixture
def bucket(client: S3Client) -> str:
    return servers.make_bucket(client, f"test-{next(_NUMBERS)}")


@pytest.fixture
def moto_client(plain_moto: str) -> S3Client:
    made = servers.client_of(plain_moto)
    servers.make_bucket(made, "test-moto")
    return made


@pytest.fixture
def proxy(seaweed_url: str) -> Iterator[FaultProxy]:
    made = FaultProxy(seaweed_url)
    yield made
    made.close()


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(state=tmp_path / ".state", cache=tmp_path / ".cache")


SyncMaker = Callable[..., Sync]


@pytest.fixture
def sync(client: S3Client, options: Options) -> SyncMaker:
    """Make a Sync with this test's client and options, some replaced."""
    from dataclasses import replace

    def make(source: Location, target: Location, *, by: S3Client | None = None, **changes: Any) -> Sync:
        return Sync(by or client, source, target, replace(options, **changes))

    return make


def recorded(directory: Path, actor: Actor | None = None) -> Record:
    """A journal of changes below `directory`, for somebody."""
    stamp = Stamp("123456789012", "arn:aws:iam::123456789012:user/ana")
    who = actor or Actor("ana")
    return Record(Journal(directory / "journal.jsonl", SystemClock()), lambda: (stamp, who))
