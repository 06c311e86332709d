"""Ask before something is changed. Without a terminal nobody can be asked, and then only --yes will do."""

from __future__ import annotations

import sys

from runctl.cli.invocation import Invocation
from runctl.errors import InputError


def confirm(call: Invocation, question: str, *, word: str = "") -> None:
    """Return when somebody says yes: --yes, or an answer on the terminal.

    Args:
        call: the command under way; its `yes` is the flag.
        question: what is going to happen.
        word: what has to be typed where nothing brings it back; "" where a plain yes will do.

    Raises:
        InputError: nobody said yes, or there is no terminal to ask on.
    """
    if call.args.yes:
        return
    question = call.style.clean(question, 1000)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(f"{question}: needs --yes without a terminal", allowed="--dry-run shows what would happen")
    asked = f"Type {word!r} to go on: " if word else "Go on? [y/N] "
    print(f"{question}. {asked}", end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline().strip()
    if said != word if word else said.lower() not in ("y", "yes"):
        raise InputError("not confirmed: nothing was done")
