"""The journal: on disk before the call, private, readable after a kill, without a secret in it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.clock import FrozenClock
from runctl.services.journal import OPEN, Journal, JournalError, Stamp, redacted
from tests.services.acting import EAST, NOW

STAMP = Stamp("123456789012", "arn:aws:iam::123456789012:user/zoe", "lab")


def begin(journal: Journal, resource: str = "i-1", **request: Any) -> str:
    return journal.begin(
        STAMP, "ec2:StopInstances", request or {"InstanceIds": [resource]}, verb="stop", kind="instance",
        resource=resource, region=EAST, inverse=f"runctl instances start {resource}",
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal.jsonl", FrozenClock(NOW))


def test_intent_and_outcome_become_one_entry(journal: Journal) -> None:
    number = begin(journal)
    (entry,) = journal.entries()
    assert (entry.outcome, entry.verb, entry.resource, entry.stamp) == (OPEN, "stop", "i-1", STAMP)
    assert entry.inverse == "runctl instances start i-1"
    assert [e.id for e in journal.open_entries()] == [number]
    journal.finish(number, "done", made=["snap-1"])
    (entry,) = journal.entries()
    assert (entry.outcome, entry.made, entry.finished_at) == ("done", ("snap-1",), NOW)
    assert journal.open_entries() == []


def test_it_is_private_also_when_it_was_not(journal: Journal) -> None:
    begin(journal)
    assert stat.S_IMODE(os.stat(journal.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(journal.path.parent).st_mode) == 0o700
    os.chmod(journal.path, 0o644)
    begin(journal)
    assert stat.S_IMODE(os.stat(journal.path).st_mode) == 0o600


def test_the_intent_is_synced_before_begin_returns(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    real = os.fsync

    def spy(fd: int) -> None:
        real(fd)
        synced.append(journal.path.read_bytes())

    monkeypatch.setattr(os, "fsync", spy)
    number = begin(journal)
    assert len(synced) == 1
    assert number.encode() in synced[0]


@given(st.integers(min_value=1, max_value=400))
def test_a_torn_last_line_costs_that_line_only(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    journal = Journal(tmp_path_factory.mktemp("torn") / "j.jsonl", FrozenClock(NOW))
    first = begin(journal, "i-1")
    begin(journal, "i-2")
    whole = journal.path.read_bytes()
    last = whole.index(b"\n") + 1
    journal.path.write_bytes(whole[: max(last, len(whole) - cut)])
    third = begin(journal, "i-3")
    assert {first, third} <= {e.id for e in journal.entries()}
    assert [json.loads(line)["id"] for line in journal.path.read_bytes().splitlines()[-1:]] == [third]


def test_rubbish_lines_are_stepped_over(journal: Journal) -> None:
    begin(journal, "i-1")
    with journal.path.open("ab") as file:
        file.write(b'[1]\n{"event":"intent"}\n\xff\xfe\nnull\n{"event":"outcome","id":"nobody"}\n')
    begin(journal, "i-2")
    assert [e.resource for e in journal.entries()] == ["i-1", "i-2"]


def test_no_file_is_an_empty_journal(journal: Journal) -> None:
    assert journal.entries() == []


def test_since(journal: Journal, tmp_path: Path) -> None:
    begin(journal, "i-1")
    late = Journal(journal.path, FrozenClock(NOW + timedelta(hours=2)))
    begin(late, "i-2")
    assert [e.resource for e in journal.entries(since=NOW + timedelta(hours=1))] == ["i-2"]


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        begin(Journal(blocked / "journal.jsonl", FrozenClock(NOW)))


def test_a_full_disk_is_an_error_and_not_half_a_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _, data: len(data) - 1)
    with pytest.raises(JournalError, match="No space left"):
        begin(journal)


SECRETS = ("AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "hf_" + "b" * 30, "sk-" + "c" * 40, "hunter2hunter2")


def test_secrets_are_never_written(journal: Journal) -> None:
    begin(
        journal,
        UserData=f"#!/bin/sh\nexport TOKEN={SECRETS[1]}",
        Parameters={"commands": [f"echo {SECRETS[2]}"]},
        TagSpecifications=[{"Tags": [{"Key": "note", "Value": f"x {SECRETS[3]}"}]}],
        Tags=[{"Key": "db_password", "Value": SECRETS[4]}],
        Note=SECRETS[0],
        ClientToken="kept-0123",
    )
    text = journal.path.read_text()
    assert not [s for s in SECRETS if s in text]
    assert "kept-0123" in text
    assert '"sha256"' in text


def test_redaction_keeps_what_is_no_secret() -> None:
    plain = {"InstanceIds": ["i-1"], "Tags": [{"Key": "Name", "Value": "x"}], "Size": 3, "Force": False, "None": None}
    assert redacted(plain) == plain


def test_many_processes_write_whole_lines(journal: Journal) -> None:
    code = (
        "import sys; from pathlib import Path; from runctl.clock import SystemClock\n"
        "from runctl.services.journal import Journal, Stamp\n"
        "j = Journal(Path(sys.argv[1]), SystemClock())\n"
        "for n in range(40):\n"
        "    i = j.begin(Stamp('1', 'a'), 'ec2:X', {'pad': 'x' * 3000}, verb='stop', kind='instance',"
        " resource=f'{sys.argv[2]}-{n}', region='us-east-1')\n"
        "    j.finish(i, 'done')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(journal.path), str(n)]) for n in range(3)]
    assert [p.wait(60) for p in running] == [0, 0, 0]
    entries = journal.entries()
    assert len(entries) == 120
    assert {e.outcome for e in entries} == {"done"}
