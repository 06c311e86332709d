"""What is deleted in S3 is journalled first, and the rules of the profile are asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.services.case import Actor
from runctl.services.journal import JournalError
from runctl.services.transfer import operations
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer import servers, trees
from tests.services.transfer.conftest import recorded


def _deleting(client: S3Client, bucket: str, tmp_path: Path, options: Options, actor: Actor) -> Sync:
    trees.write(tmp_path / "src", {"keep": 10})
    servers.put(client, bucket, "p/old", b"x")
    return Sync(
        client, tmp_path / "src", S3Uri(bucket, "p"), replace(options, delete=True, record=recorded(tmp_path, actor))
    )


def test_a_sync_writes_down_what_it_deletes(client: S3Client, bucket: str, tmp_path: Path, options: Options) -> None:
    job = _deleting(client, bucket, tmp_path, options, Actor("ana"))
    assert job.run(job.plan()).deleted == 1
    (entry,) = recorded(tmp_path).journal.entries()
    assert (entry.verb, entry.kind, entry.outcome) == ("delete", "objects", "done")
    assert entry.request == {"Bucket": bucket, "Keys": ["p/old"]}


@pytest.mark.parametrize("actor", [Actor("ana", read_only=True), Actor("ana", protected=True, profile="prod")])
def test_read_only_and_protected_profiles_delete_nothing(
    client: S3Client, bucket: str, tmp_path: Path, options: Options, actor: Actor
) -> None:
    job = _deleting(client, bucket, tmp_path, options, actor)
    with pytest.raises(InputError, match=r"read-only|protected"):
        job.run(job.plan())
    assert "p/old" in servers.keys(client, bucket)
    assert list(recorded(tmp_path).journal.entries()) == []


def test_without_a_journal_nothing_is_deleted(client: S3Client, bucket: str, tmp_path: Path, options: Options) -> None:
    job = _deleting(client, bucket, tmp_path, options, Actor("ana"))
    plan = job.plan()
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(JournalError):
        job.run(plan)
    assert "p/old" in servers.keys(client, bucket)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"runctl:owner": "mallory"}, "mallory's"),
        ({"runctl:protected": "true"}, "protected"),
        ({"runctl:managed": "1", "runctl:owner": "ana"}, ""),
        ({"team": "vision"}, ""),
    ],
)
def test_nothing_is_deleted_in_a_bucket_of_others_or_in_a_protected_one(
    moto_client: S3Client, tmp_path: Path, options: Options, tags: dict[str, str], said: str
) -> None:
    operations.put_bucket_tags(moto_client, "test-moto", tags)
    job = _deleting(moto_client, "test-moto", tmp_path, options, Actor("ana"))
    plan = job.plan()
    if said:
        with pytest.raises(InputError, match=f"nothing is deleted: .*{said}"):
            job.run(plan)
    else:
        job.run(plan)
    assert ("p/old" in servers.keys(moto_client, "test-moto")) == bool(said)
