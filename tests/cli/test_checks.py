"""What `runctl doctor` finds, and what it says to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from runctl.cli import checks_local
from runctl.cli.checks import Check, Level, fail, ok, warn
from runctl.cli.checks_aws import clock_check, in_parallel
from runctl.cli.connect import KNOWN_REGIONS, region_doubt
from runctl.cli.doctor import exit_code, worst
from runctl.config import DEFAULTS, Resolved
from runctl.errors import ConfigurationError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (0, Level.OK, "in step"),
        (40, Level.WARN, "40 s ahead of AWS"),
        (-40, Level.WARN, "40 s behind AWS"),
        (900, Level.FAIL, "900 s ahead of AWS"),
    ],
)
def test_clock_skew_by_the_date_header(ahead: int, level: Level, words: str) -> None:
    header = format_datetime(NOW - timedelta(seconds=ahead), usegmt=True)
    found = clock_check(header, NOW)
    assert (found.level, words in found.detail) == (level, True)
    assert clock_check(header.replace("GMT", "-0000"), NOW).level is level


def test_no_date_is_said() -> None:
    assert clock_check("", NOW).level is Level.WARN


def test_a_directory_that_cannot_be_written_costs_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks_local.directory("cache", tmp_path / "not/yet").level is Level.OK
    (tmp_path / "file").write_text("")
    assert checks_local.directory("state", tmp_path / "file/below").level is Level.WARN
    monkeypatch.setattr("os.access", lambda *_: False)
    found = checks_local.directory("state", tmp_path)
    assert found.level is Level.WARN
    assert "no journal" in found.detail


@pytest.mark.parametrize(
    ("env", "level"),
    [
        ({"TERM": "dumb"}, Level.WARN),
        ({}, Level.WARN),
        ({"TERM": "vt100"}, Level.WARN),
        ({"TERM": "xterm-256color"}, Level.OK),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Level.OK),
        ({"TERM": "xterm", "NO_COLOR": "1"}, Level.OK),
    ],
)
def test_colours(env: dict[str, str], level: Level) -> None:
    assert checks_local.colours(env).level is level


def test_letters() -> None:
    assert checks_local.letters("UTF-8", {}).level is Level.OK
    found = checks_local.letters("ANSI_X3.4-1968", {"LANG": "C"})
    assert found.level is Level.WARN
    assert "locale C" in found.detail


def test_programs_are_looked_for_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks_local.program("ssh", "shells", "somewhere").level is Level.WARN
    (tmp_path / "ssh").write_text("#!/bin/sh\n")
    (tmp_path / "ssh").chmod(0o755)
    assert checks_local.program("ssh", "shells", "somewhere") == ok("ssh", str(tmp_path / "ssh"))


def test_configuration_good_odd_and_broken() -> None:
    assert checks_local.configuration(Resolved(DEFAULTS, {}), None).level is Level.OK
    assert checks_local.configuration(Resolved(DEFAULTS, {}, warnings=("odd",)), None).level is Level.WARN
    found = checks_local.configuration(Resolved(DEFAULTS, {}), ConfigurationError("x:3: bad", hint="mend"))
    assert found == fail("configuration", "x:3: bad", "mend", 3)


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    found = [ok("a", ""), warn("b", "", ""), fail("c", "", "", 4), fail("d", "", "", 2)]
    assert (exit_code(found), worst(found)) == (4, Level.FAIL)
    assert (exit_code(found[:2]), worst(found[:2])) == (0, Level.WARN)
    assert worst(list[Check]()) is Level.OK


def test_calls_at_the_same_time_give_results_errors_and_silence() -> None:
    import threading

    never = threading.Event()
    error = ValueError("x")

    def fails() -> object:
        raise error

    got = in_parallel({"a": lambda: 1, "b": fails, "c": never.wait}, 0.2)
    never.set()
    assert got == {"a": 1, "b": error}


def test_regions_nobody_knows_are_doubted_with_the_nearest() -> None:
    assert region_doubt("us-east-1") == region_doubt("all") == ""
    assert "did you mean us-west-2?" in region_doubt("us-west-9")
    assert len(set(KNOWN_REGIONS)) == len(KNOWN_REGIONS) > 30
