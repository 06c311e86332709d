"""`list` and `show` as verbs. What they do is in `nouns`, imported when they run: their help should not wait for it."""

from __future__ import annotations

from argparse import Namespace

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb


def list_verb(noun: str, *examples: str) -> Verb:
    """The verb that lists a noun as `--once NOUN` does, without the summary; JSON is an array."""

    def run(args: Namespace) -> int:
        from runctl.cli import invocation, nouns

        with invocation.cloud(args):
            return nouns.list_items(invocation.start(args), noun)

    return Verb(_configure_list, run, examples)


def _configure_list(parser: Parser) -> None:
    arguments.add_output(parser)
    arguments.add_fetch(parser)


def show_verb(noun: str, metavar: str, *examples: str, kind: str = "") -> Verb:
    """The verb that shows one item in full, by id or by an unambiguous name; JSON is one object.

    Args:
        noun: the noun.
        metavar: what the argument is called in the help.
        examples: command lines for the help.
        kind: what AWS's own description is called (`Backend.fetch_raw`); "" where AWS has none.
    """

    def configure(parser: Parser) -> None:
        parser.add_argument("id", metavar=metavar, help="id, or a name that only one has")
        arguments.add_format(parser, ("table", "json"))
        parser.add_argument("--cached", action="store_true", help="show what the last run saw; ask AWS nothing")
        if kind:
            parser.add_argument("--raw", action="store_true", help="as AWS describes it, in JSON")

    def run(args: Namespace) -> int:
        from runctl.cli import invocation, nouns

        _check_id(noun, args.id)
        with invocation.cloud(args):
            return nouns.show_item(invocation.start(args), noun, kind)

    return Verb(configure, run, examples)


_PREFIX = {"instances": "i-", "volumes": "vol-"}


def _check_id(noun: str, text: str) -> None:
    """Refuse what looks like an id and is none, before AWS is asked."""
    prefix = _PREFIX.get(noun, "")
    digits = text.removeprefix(prefix)
    looks = bool(prefix) and text.startswith(prefix) and len(digits) >= 8 and all(c.isalnum() for c in digits)
    if not text.strip() or (looks and not all(c in "0123456789abcdef" for c in digits)):
        from runctl.errors import InputError

        raise InputError(
            f"{text!r} is not an id of {noun}",
            allowed=f"{prefix or ''}… as `runctl {noun} list` shows it, or a name",
            example=f"runctl {noun} show {prefix}0123456789abcdef0",
        )
