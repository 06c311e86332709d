"""The lines of a new job, judged while they are written: what runs, where, and what ends it. Pure but for one stat."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runctl.screens.modals.fields import Field
from runctl.screens.modals.form import Verdict
from runctl.screens.modals.pick import Option
from runctl.services.jobs.fields import parse_ttl

_WHERE = (Option("ec2", "a machine of its own", "on EC2"), Option("local", "this computer", "costs nothing"))
_MARKETS = (
    Option("on-demand", "on-demand"), Option("spot", "spot", "may be interrupted, goes on by itself"),
    Option("spot-or-on-demand", "spot, else on-demand"),
)  # fmt: skip


def submit_fields(*, bucket: bool) -> tuple[Field, ...]:
    """The lines; without a bucket a job can only run here."""
    where = _WHERE if bucket else tuple(reversed(_WHERE))
    return (
        Field("script", "script", hint="train.py, from the present directory"),
        Field("args", "arguments", hint="--epochs 10, as on a command line"),
        Field("provider", "where", where[0].value, options=where),
        Field("type", "type", hint="g5.xlarge, or several: g5.xlarge,g6.xlarge"),
        Field("market", "market", "on-demand", options=_MARKETS),
        Field("budget", "budget $", hint="20; empty for none"),
        Field("ttl", "ends after", "24h", hint="8h"),
    )


def judge_submit(values: Mapping[str, str], directory: Path) -> Verdict:
    """What the lines come to: the job as job.toml would say it, or what is wrong with which."""
    problems: dict[str, str] = {}
    given: dict[str, Any] = {"script": values["script"], "provider": values["provider"], "limits": {}}
    _script(values["script"], directory, problems)
    try:
        given["args"] = tuple(shlex.split(values["args"]))
    except ValueError as error:
        problems["args"] = f"{error}; write quotes in pairs"
    try:
        parse_ttl(values["ttl"])
        given["limits"]["ttl"] = values["ttl"]
    except ValueError as error:
        problems["ttl"] = str(error)
    _budget(values["budget"], given["limits"], problems)
    if values["provider"] == "ec2":
        types = tuple(t.strip() for t in values["type"].split(",") if t.strip())
        if not types:
            problems["type"] = "name at least one, for example g5.xlarge"
        given["resources"] = {"types": types, "market": values["market"]}
    note = "enter looks at what would be sent, where it would run and at what price; nothing is sent before you say so"
    return Verdict(None if problems else given, problems, note)


def _script(name: str, directory: Path, problems: dict[str, str]) -> None:
    if not name:
        problems["script"] = "what is to run, for example train.py"
    elif not (directory / name).is_file():
        problems["script"] = f"no such file in {directory}"


def _budget(text: str, limits: dict[str, Any], problems: dict[str, str]) -> None:
    if not text:
        return
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if 0 < value <= 1e6:
        limits["budget"] = value
    else:
        problems["budget"] = f"{text} is not an amount of dollars; write for example 20"
