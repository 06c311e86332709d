"""What stdout can show: colours, other letters than ASCII, and how many columns. Pure functions."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from runctl.format import clean_text


class Tone(StrEnum):
    """What a cell means; the value is its SGR parameter (ECMA-48), "" for the terminal's own colour."""

    PLAIN = ""
    HEAD = "1"
    DIM = "2"
    GOOD = "32"
    WAIT = "33"
    BAD = "31"
    WARN = "33;1"


@dataclass(frozen=True, slots=True)
class Style:
    """How to write: with escapes or not, with ASCII only or not, and the width in cells (None: no limit)."""

    color: bool = False
    ascii: bool = False
    width: int | None = None

    def paint(self, text: str, tone: Tone) -> str:
        """The text in a tone, as it is when there are no colours."""
        return f"\x1b[{tone}m{text}\x1b[0m" if self.color and tone and text else text

    def clean(self, text: str, limit: int = 512) -> str:
        """Outside text as one harmless line, in ASCII where nothing else can be shown."""
        safe = clean_text(text, limit)
        return to_ascii(safe) if self.ascii else safe


_TWINS = str.maketrans(
    {"…": "...", "·": "|", "→": "->", "▲": "^", "≥": ">=", "\u2013": "-", "\u2014": "-", "\u2019": "'", "\u00d7": "x"}
)


def to_ascii(text: str) -> str:
    """The nearest ASCII: accents dropped, the rest as `?`."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text.translate(_TWINS))
    kept = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if c.isascii() else "?" for c in kept)


def style_of(
    stream: TextIO, env: Mapping[str, str], *, flag: str | None, setting: str, ascii_only: bool | None
) -> Style:
    """Decide for one stream.

    Args:
        stream: where it will be written.
        env: environment.
        flag: `--color`, None when not given.
        setting: `ui.color` of the settings.
        ascii_only: `--ascii` or `ui.ascii`; None: by the stream's encoding.
    """
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "")
    return Style(
        color=_color(stream, env, flag, setting),
        ascii=not encoding.startswith("utf8") if ascii_only is None else ascii_only,
        width=_width(stream, env),
    )


def _color(stream: TextIO, env: Mapping[str, str], flag: str | None, setting: str) -> bool:
    chosen = flag if flag and flag != "auto" else setting if flag is None else "auto"
    if chosen != "auto":
        return chosen == "always"
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "0") not in ("", "0") or env.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return env.get("TERM") != "dumb" and _is_terminal(stream)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _width(stream: TextIO, env: Mapping[str, str]) -> int | None:
    given = env.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if not _is_terminal(stream):
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def cell_width(text: str) -> int:
    """Terminal cells of a cleaned text: East Asian wide letters and emoji take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text
    )


def cut(text: str, width: int, *, ascii_only: bool = False) -> str:
    """The text in at most `width` cells, with a mark where something was cut off."""
    if cell_width(text) <= width:
        return text
    mark = "~" if ascii_only else "…"
    kept, used = "", 0
    for char in text:
        step = cell_width(char)
        if used + step > width - 1:
            break
        kept, used = kept + char, used + step
    return kept + mark
