"""What tags say about ownership; in doubt they speak against the act."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runctl.models.tags import PROTECTION, ends_at, parse_ownership


@pytest.mark.parametrize("name", PROTECTION)
@pytest.mark.parametrize(
    ("value", "protected"),
    [
        ("true", True), ("TRUE ", True), ("1", True), ("yes", True), ("on", True), ("", True), ("until friday", True),
        ("false", False), ("No", False), ("0", False), (" off", False),
    ],
)  # fmt: skip
def test_a_guard_that_does_not_say_no_guards(name: str, value: str, protected: bool) -> None:
    assert parse_ownership({name: value}).protected is protected
    assert not parse_ownership({}).protected


@pytest.mark.parametrize(("value", "managed"), [("1", True), ("true", True), ("", False), ("0", False), ("no", False)])
def test_managed_is_what_says_so(value: str, managed: bool) -> None:
    assert parse_ownership({"runctl:managed": value}).managed is managed


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31T12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("8h", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_an_end_is_a_time_or_nothing(text: str | None, at: datetime | None) -> None:
    assert ends_at(text) == at
