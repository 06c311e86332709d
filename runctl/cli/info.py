"""`runctl info`: what a bug report needs, with nothing in it that is secret."""

from __future__ import annotations

import os
import platform
import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from runctl import __version__, paths
from runctl.cli import arguments, config, nouns, output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.invocation import start
from runctl.cli.style import Tone
from runctl.cli.table import table_lines
from runctl.config import masked

_PACKAGES = ("botocore", "boto3", "textual", "rich", "pydantic", "tenacity", "moto")
_TERMINAL = (
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "TMUX",
    "STY",
    "SSH_TTY",
    "LANG",
    "LC_ALL",
)
#: Variables whose value is nobody's business, whatever it looks like.
_SECRET = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"})


def versions() -> Mapping[str, str]:
    """Versions of runctl, Python, the system and the packages that matter."""
    found = {"runctl": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def places() -> Mapping[str, str]:
    """Where things are kept."""
    return {
        "config": str(paths.user_config_file()),
        "cache": str(paths.cache_dir()),
        "state": str(paths.state_dir()),
        "journal": str(paths.journal_file()),
        "ledger": str(paths.ledger_file()),
        "executable": sys.argv[0],
    }


def environment(env: Mapping[str, str]) -> Mapping[str, str]:
    """Variables that change what runctl does; secrets and keys masked."""
    names = [n for n in env if n.startswith(("AWS_", "RUNCTL_")) or n in _TERMINAL]
    return {name: _shown(name, env[name]) for name in sorted(names)}


def _shown(name: str, value: str) -> str:
    if name in _SECRET:
        return "****" if value else ""
    if name == "AWS_ACCESS_KEY_ID":
        return f"****{value[-4:]}" if len(value) > 8 else "****"
    return str(masked(name, value))


def _configure(parser: Parser) -> None:
    arguments.add_format(parser, ("table", "json"))


def _run(args: Namespace) -> int:
    call = start(args)
    parts: dict[str, Mapping[str, str]] = {
        "versions": versions(),
        "paths": places(),
        "environment": environment(os.environ),
    }
    if call.output == "json":
        document: dict[str, Any] = {**parts, "settings": config.settings_json(call.resolved)}
        document["files"] = [str(p) for p in call.resolved.files]
        output.write_json(document)
        return 0
    for title, facts in parts.items():
        output.write_lines((call.style.paint(title.upper(), Tone.HEAD),))
        nouns.write_facts(call, [(name, call.style.clean(value)) for name, value in facts.items()])
        output.write_lines(("",))
    output.write_lines((call.style.paint("SETTINGS", Tone.HEAD),))
    output.write_lines(table_lines(config.COLUMNS, config.setting_rows(call.resolved), call.style, headers=False))
    return 0


VERBS = {"": Verb(_configure, _run)}
