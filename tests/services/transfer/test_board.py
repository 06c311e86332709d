"""The dashboard's transfers: whose rules hold, and what a comparison may start."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.models.transfer import TransferState
from runctl.services.case import Actor
from runctl.services.transfer.board import Board
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.record import Record
from runctl.services.transfer.sync import Options
from tests.services.transfer import servers, trees
from tests.services.transfer.conftest import recorded
from tests.services.transfer.test_watch import _until


def test_the_rules_and_the_journal_are_those_of_the_profile_in_use(
    client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"a": 10})
    servers.put(client, bucket, "old", b"x")
    opened: list[str | None] = []

    def open_client(profile: str | None) -> S3Client:
        opened.append(profile)
        return client

    def rules(profile: str | None) -> tuple[bool, Record | None]:
        return profile == "audit", recorded(tmp_path / str(profile), Actor("ana"))

    board = Board(open_client, Options(tmp_path / "state"), rules)
    ends = (str(tmp_path / "src"), f"s3://{bucket}/")
    with pytest.raises(InputError, match="read-only"):
        board.preview("audit", *ends, delete=False)
    assert opened == []
    preview = board.preview("work", *ends, delete=True)
    assert (preview.files, preview.deletes, opened) == (1, 1, ["work"])
    board.start(preview.ticket)
    _until(lambda: not board.transfers()[0].moving)
    assert board.transfers()[0].state is TransferState.DONE
    assert [e.request["Keys"] for e in recorded(tmp_path / "work").journal.entries()] == [["old"]]
    assert list(recorded(tmp_path / "audit").journal.entries()) == []


def test_only_the_last_comparison_can_be_started(client: S3Client, bucket: str, tmp_path: Path) -> None:
    trees.write(tmp_path / "src", {"a": 10})
    board = Board(lambda _: client, Options(tmp_path / "state"), lambda _: (False, None))
    first = board.preview(None, str(tmp_path / "src"), f"s3://{bucket}/", delete=False)
    board.preview(None, str(tmp_path / "src"), f"s3://{bucket}/p/", delete=False)
    with pytest.raises(InputError, match="comparison is gone"):
        board.start(first.ticket)
    assert servers.keys(client, bucket) == {}


def test_a_failure_ends_as_words(client: S3Client, bucket: str, tmp_path: Path) -> None:
    board = Board(lambda _: client, Options(tmp_path / "state"), lambda _: (False, None))
    servers.put(client, bucket, "a", b"x")
    preview = board.preview(None, f"s3://{bucket}/", str(tmp_path / "dst"), delete=False)
    (tmp_path / "dst").write_text("a file in the way")
    board.start(preview.ticket)
    _until(lambda: not board.transfers()[0].moving)
    shown = board.transfers()[0]
    assert (shown.state, "dst" in shown.message) == (TransferState.FAILED, True)
