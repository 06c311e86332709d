"""What a check of `runctl doctor` says."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(NamedTuple):
    """One finding.

    Args:
        name: what was looked at.
        level: how bad it is.
        detail: what was found.
        advice: what to do, "" when nothing needs doing.
        exit_code: what the process ends with when this failed (the codes of `runctl --once`).
    """

    name: str
    level: Level
    detail: str
    advice: str = ""
    exit_code: int = 0


def ok(name: str, detail: str) -> Check:
    """All well."""
    return Check(name, Level.OK, detail)


def warn(name: str, detail: str, advice: str) -> Check:
    """Something will be missing or look worse; everything else works."""
    return Check(name, Level.WARN, detail, advice)


def fail(name: str, detail: str, advice: str, exit_code: int) -> Check:
    """Something that is needed does not work."""
    return Check(name, Level.FAIL, detail, advice, exit_code)
