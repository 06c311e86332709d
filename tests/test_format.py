"""Numbers, times and outside text as people read them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl import format as fmt


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0, "0s"),
        (8.9, "8s"),
        (60, "1m"),
        (3599, "59m"),
        (4 * 3600 + 300, "4h05"),
        (3 * 86400 + 4 * 3600, "3d04h"),
        (41 * 86400, "41d"),
    ],
)
def test_durations_take_two_units_at_most(seconds: float | None, text: str) -> None:
    assert fmt.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1d12h", 129600), ("1.5h", 5400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert fmt.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5y", "h", "3h!", "-5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        fmt.parse_duration(text)


def test_money_never_turns_unknown_into_zero() -> None:
    assert (fmt.format_usd(None), fmt.format_usd_short(None)) == ("?", "$?")
    assert fmt.format_usd(1669.4) == "1,669.40"
    assert [fmt.format_usd_short(v) for v in (0.41, 61.2, 99.996, 402, 999.4)] == [
        "$0.41",
        "$61.20",
        "$100",
        "$402",
        "$999",
    ]
    assert [fmt.format_usd_short(v) for v in (999.6, 1_234, 12_345, 999_960, 3.4e6)] == [
        "$1.0k",
        "$1.2k",
        "$12.3k",
        "$1.0M",
        "$3.4M",
    ]
    assert fmt.format_usd_short(float("nan")) == "$?"


def test_sizes_and_shares() -> None:
    assert [fmt.format_bytes(v) for v in (None, 512, 1536, 80 * 2**30)] == ["?", "512 B", "1.5 KiB", "80.0 GiB"]
    assert fmt.format_bytes(2**20 - 1) == "1.0 MiB"
    assert (fmt.format_percent(82.6), fmt.format_count(0.5), fmt.format_count(41200)) == ("83%", "0.5", "41,200")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("[/x]", "[/x]"),
        ("a\nb\tc", "a b c"),
        ("\x1b[2Jboo\x1b]0;t\x07!", "boo!"),
        ("ok\u202egnp.exe", "okgnp.exe"),
        ("x\x00y", "xy"),
    ],
)
def test_outside_text_becomes_one_harmless_line(raw: str, shown: str) -> None:
    assert fmt.clean_text(raw) == shown


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    shown = fmt.clean_text(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in shown)
    assert len(shown) <= 512
