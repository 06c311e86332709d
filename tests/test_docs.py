"""Generated pages are those of the code, and what the others show can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runctl.cli.dispatch import parser_of, resolve
from runctl.errors import RunctlError

ROOT = Path(__file__).parents[1]


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def commands() -> list[tuple[str, str]]:
    """Command lines of the README and the hand-written pages: page and line as they stand there."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = []
    for page in (p for p in pages if p.name != "cli.md"):  # that one is made from the parsers
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("runctl "):
                found += [
                    (page.name, part) for part in re.split(r"\s{2,}(?=runctl |#)", line.strip()) if part[0] != "#"
                ]
    return [(page, text.partition(" #")[0].partition("   ")[0]) for page, text in found]


def test_every_command_that_a_page_shows_is_one() -> None:
    assert len(commands()) > 40
    for page, text in commands():
        words = shlex.split(text)[1:]
        command = resolve(words)
        own = command.args[: command.args.index("--")] if "--" in command.args else command.args
        try:
            parser_of(command).parse(own)
        except RunctlError as error:
            pytest.fail(f"{page}: {text}: {error}")
