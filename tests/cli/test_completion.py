"""Completion scripts, run by the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from runctl.cli.completion import bash, fish, options_of, parsers, zsh
from runctl.cli.registry import FAIL_ON, NOUNS


def complete(*words: str) -> set[str]:
    """What bash offers for the last word."""
    script = bash() + 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _runctl; printf "%s\\n" "${COMPREPLY[@]}"'
    argv = ["bash", "-c", script, "bash", "runctl", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("inst",), {"instances"}),
        (("prices", ""), {"show", "refresh"}),
        (("instances", "li"), {"list"}),
        (("config", "v"), {"validate"}),
        (("-o", ""), {"table", "wide", "json", "ndjson", "csv", "name"}),
        (("-1", "--fail-on", "i"), {"idle", "interrupted"}),
        (("instances", "list", "--no"), {"--no-headers"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
        (("prices", "show", "--re"), {"--region", "--read-only"}),
    ],
)
def test_bash_offers_what_may_follow(words: tuple[str, ...], expected: set[str]) -> None:
    assert complete(*words) == expected


@pytest.mark.parametrize(("shell", "script"), [("bash", bash), ("zsh", zsh), ("fish", fish)])
def test_scripts_name_every_command_and_parse(shell: str, script: object) -> None:
    text = script()  # type: ignore[operator]  # one of three functions
    for noun in NOUNS:
        assert noun in text
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True, capture_output=True)


def test_every_command_has_a_parser_with_the_common_options() -> None:
    names = dict(parsers())
    assert set(names) == {"", *(f"{n} {v}".strip() for n, noun in NOUNS.items() for v in noun.verbs)}
    for parser in names.values():
        assert {"--profile", "--region", "--timeout", "--color", "-q", "-v"} <= set(options_of(parser))
    assert options_of(names[""])["--fail-on"] == FAIL_ON
