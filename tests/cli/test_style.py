"""What stdout can show is decided from the stream, the environment, the flag and the settings, in that order."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.cli.style import Style, Tone, cell_width, cut, style_of, to_ascii


class Stream(io.StringIO):
    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._tty, self._encoding = tty, encoding

    def isatty(self) -> bool:
        return self._tty

    @property
    def encoding(self) -> str:  # type: ignore[override]  # StringIO has none
        return self._encoding


def decide(env: Mapping[str, str], *, tty: bool = True, flag: str | None = None, setting: str = "auto") -> bool:
    return style_of(Stream(tty=tty), env, flag=flag, setting=setting, ascii_only=None).color


@pytest.mark.parametrize(
    ("env", "tty", "flag", "setting", "colored"),
    [
        ({}, True, None, "auto", True),
        ({}, False, None, "auto", False),
        ({"TERM": "dumb"}, True, None, "auto", False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, None, "auto", True),
        ({"CLICOLOR_FORCE": "1"}, False, None, "auto", True),
        ({"FORCE_COLOR": "0"}, False, None, "auto", False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, None, "auto", False),
        ({"NO_COLOR": ""}, True, None, "auto", True),
        ({"NO_COLOR": "1"}, True, None, "always", True),
        ({"NO_COLOR": "1"}, True, "always", "never", True),
        ({"FORCE_COLOR": "1"}, True, "never", "always", False),
        ({"NO_COLOR": "1"}, True, "auto", "always", False),
    ],
)
def test_color_flag_then_config_then_no_color_then_force_then_dumb_then_tty(
    env: dict[str, str], tty: bool, flag: str | None, setting: str, colored: bool
) -> None:
    assert decide(env, tty=tty, flag=flag, setting=setting) is colored


@pytest.mark.parametrize(
    ("encoding", "asked", "ascii_only"),
    [
        ("utf-8", None, False),
        ("UTF8", None, False),
        ("latin-1", None, True),
        ("ascii", False, False),
        ("utf-8", True, True),
    ],
)
def test_letters_follow_the_encoding_unless_said(encoding: str, asked: bool | None, ascii_only: bool) -> None:
    style = style_of(Stream(encoding=encoding), {}, flag=None, setting="auto", ascii_only=asked)
    assert style.ascii is ascii_only


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("0", None), ("x", None), ("", None)])
def test_width_is_columns_else_no_limit_in_a_pipe(columns: str, width: int | None) -> None:
    assert style_of(Stream(), {"COLUMNS": columns}, flag=None, setting="auto", ascii_only=None).width == width


def test_paint_adds_escapes_only_in_colour() -> None:
    assert Style(color=True).paint("x", Tone.BAD) == "\x1b[31mx\x1b[0m"
    assert Style().paint("x", Tone.BAD) == "x"
    assert Style(color=True).paint("x", Tone.PLAIN) == "x"


def test_ascii_keeps_what_can_be_kept() -> None:
    assert to_ascii("café … \U0001f999 東") == "cafe ... ? ?"


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("東京", 4), ("e\u0301", 1), ("\U0001f999", 2), ("", 0)])
def test_cells_of_wide_and_combining_letters(text: str, width: int) -> None:
    assert cell_width(text) == width


@given(st.text(st.sampled_from("ab東\U0001f999e\u0301"), max_size=20), st.integers(1, 12))
def test_a_cut_text_fits_and_begins_as_it_did(text: str, width: int) -> None:
    short = cut(text, width)
    assert cell_width(short) <= width
    assert text.startswith(short.removesuffix("…"))
    assert (short == text) is (cell_width(text) <= width)
