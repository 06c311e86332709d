"""Both places where records lie, empty, and a clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from runctl.clock import SystemClock
from runctl.models import record
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import BucketStore, LocalStore, Store
from tests.services.transfer import servers

JOB = record.job_id(1_700_000_000_000, b"0123456789")
_NUMBERS = itertools.count(1)
Open = Callable[[str], JobRecord]


@pytest.fixture(params=["bucket", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store: moto's S3, which keeps conditions, and a directory."""
    if request.param == "directory":
        return LocalStore(tmp_path / "records")
    client = servers.client_of(request.getfixturevalue("plain_moto"))
    return BucketStore(client, servers.make_bucket(client, f"records-{next(_NUMBERS)}"), tmp_path / "state")


@pytest.fixture
def client_of(store: Store) -> Open:
    """Another client of the same record, by the owner's name."""
    return lambda owner: JobRecord(store, JOB, SystemClock(), owner)
