"""A crash log: private, complete, and without a single value of a local variable."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

from runctl.terminal.crash import write_crash_log

NOW = datetime(2026, 3, 14, tzinfo=UTC)


def crashed() -> Exception:
    password = "hunter2"
    try:
        raise ValueError(f"a problem of length {len(password)}")
    except ValueError as error:
        return error


def test_the_log_names_the_way_and_no_values(tmp_path: Path) -> None:
    path = write_crash_log(crashed(), tmp_path / "state", NOW)
    assert path
    text = path.read_text()
    assert "ValueError: a problem of length 7" in text
    assert "test_crash.py" in text
    assert "hunter2" not in text.replace('password = "hunter2"', "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_written_is_replaced_by_the_temporary_one(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    path = write_crash_log(crashed(), blocked / "below", NOW)
    assert path
    assert path.is_file()
    path.unlink()
