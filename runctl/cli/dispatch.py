"""From words to a command: find noun and verb, import that one module, run it, turn what went wrong into one line.

Exit codes: 0 complete, 1 usage or user error, 2 AWS or system failure, 3 configuration or credentials, 4 partial data,
5 a --fail-on condition holds, 130 interrupted, 141 closed pipe, 143 terminated.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from runctl.cli.arguments import Parser, add_scope, nearest
from runctl.cli.registry import NOUNS, VALUE_OPTIONS, Noun

if TYPE_CHECKING:  # at run time where it is needed: `--help` should not pay for it
    from runctl.errors import InputError, RunctlError

EXIT_FAILED = 2
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
EXIT_TERMINATED = 143
_ONCE = frozenset({"--once", "-1"})
#: With one of these it is never the dashboard; without one it nearly always is.
_PRINTING = _ONCE | {"-h", "--help", "-V", "--version", "-o", "--output"}


class Verb(NamedTuple):
    """What a command module offers under one verb.

    Args:
        configure: adds the verb's own options and arguments.
        run: does it; returns the exit code.
        examples: command lines for the help text.
        takes_rest: what stands behind `--` belongs to somebody else and arrives as `args.rest`.
    """

    configure: Callable[[Parser], None]
    run: Callable[[Namespace], int]
    examples: tuple[str, ...] = ()
    takes_rest: bool = False


class Command(NamedTuple):
    """A command line, resolved: the name for messages, the verb, and the arguments without the command's words."""

    name: str
    verb: Verb
    args: list[str]


class _Terminated(BaseException):
    """SIGTERM arrived; not an Exception, so that no handler for errors keeps it."""


def run(argv: list[str]) -> int:
    """Run a command line; returns its exit code. Nothing but `SystemExit` from --help leaves this function."""
    _catch_terminate()
    debug = "--debug" in _own(argv) or bool(os.environ.get("RUNCTL_DEBUG"))
    try:
        command = resolve(argv)
        if command.name == "runctl" and not _PRINTING & set(argv) and sys.stdout.isatty() and sys.stdin.isatty():
            _start_ahead()
        code = command.verb.run(_parsed(command))
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except _Terminated:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        _silence_stdout()
        code = EXIT_CLOSED_PIPE
    except Exception as error:  # noqa: BLE001  # the last handler: one line and a file instead of a traceback
        code = _failed(error, debug=debug)
    return code


def _start_ahead() -> None:
    """The dashboard is wanted: what the parser imports is made with its head start already."""
    from runctl.cli.headstart import headstart

    headstart().begin()


def _parsed(command: Command) -> Namespace:
    """The arguments; behind `--` nothing is looked at where the verb takes the rest."""
    args, rest = command.args, list[str]()
    if command.verb.takes_rest and "--" in args:
        at = args.index("--")
        args, rest = args[:at], args[at + 1 :]
    found = parser_of(command).parse(args)
    found.rest = rest
    return found


def _failed(error: Exception, *, debug: bool) -> int:
    from runctl.errors import RunctlError

    if isinstance(error, RunctlError):
        complain(error)
        return error.exit_code
    if debug:
        raise error
    return _crashed(error)


def resolve(argv: list[str]) -> Command:
    """Find the command that a command line means.

    Raises:
        InputError: there is no such command; the nearest is named.
    """
    if argv[:1] == ["help"]:  # what git, kubectl and aws users type first
        argv = [*argv[1:], "--help"]
    places = _word_places(argv)
    if _ONCE & set(_own(argv)) or not places:
        module = import_module("runctl.cli.once")
        return Command("runctl", module.VERB, argv)
    noun_name = argv[places[0]]
    noun = NOUNS.get(noun_name)
    if noun is None:
        raise _unknown(noun_name, "command", "runctl", NOUNS)
    if "" in noun.verbs:
        return Command(f"runctl {noun_name}", _verbs(noun)[""], _without(argv, places[:1]))
    return _with_verb(argv, places, noun_name, noun)


def _with_verb(argv: list[str], places: list[int], noun_name: str, noun: Noun) -> Command:
    word = argv[places[1]] if len(places) > 1 else ""
    if word in noun.verbs:
        return Command(f"runctl {noun_name} {word}", _verbs(noun)[word], _without(argv, places[:2]))
    if word:
        raise _unknown(word, "verb", f"runctl {noun_name}", noun.verbs)
    if {"-h", "--help"} & set(argv):
        return Command(f"runctl {noun_name}", Verb(lambda _: None, lambda _: 0), _without(argv, places[:1]))
    if not noun.default:
        from runctl.errors import InputError

        raise InputError(f"runctl {noun_name}: a verb is missing", allowed=", ".join(noun.verbs))
    return Command(f"runctl {noun_name} {noun.default}", _verbs(noun)[noun.default], _without(argv, places[:1]))


def _own(argv: list[str]) -> list[str]:
    """The words before `--`: those behind it may be another program's."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _verbs(noun: Noun) -> Mapping[str, Verb]:
    verbs: Mapping[str, Verb] = import_module(f"runctl.cli.{noun.module}").VERBS
    return verbs


def _word_places(argv: list[str]) -> list[int]:
    """Indexes of the first two words that are neither options nor values of a common option."""
    places: list[int] = []
    skip = False
    for index, text in enumerate(argv):
        if text == "--" or len(places) == 2:
            break
        if skip:
            skip = False
        elif text in VALUE_OPTIONS:
            skip = True
        elif not text.startswith("-"):
            places.append(index)
    return places


def _without(argv: list[str], places: list[int]) -> list[str]:
    return [text for index, text in enumerate(argv) if index not in places]


def _unknown(word: str, what: str, before: str, valid: Mapping[str, object]) -> InputError:
    from runctl.errors import InputError

    near = nearest(word, valid)
    return InputError(
        f"{before}: {word!r} is not a {what}" + (f"; did you mean {before} {near}?" if near else ""),
        allowed=", ".join(valid),
        example=f"{before} {near}" if near else "",
    )


def parser_of(command: Command) -> Parser:
    """The parser of a resolved command: its own options and the common ones."""
    words = command.name.split()[1:]
    noun = NOUNS[words[0]] if words else None
    verb = words[1] if len(words) > 1 else ""
    if noun is None:
        summary = ""
    elif verb or "" in noun.verbs:
        summary = noun.verbs[verb]
    else:
        width = max(map(len, noun.verbs))
        summary = noun.summary + "\n\nverbs:\n" + "\n".join(f"  {v:<{width}}  {s}" for v, s in noun.verbs.items())
    parser = Parser(command.name, description=summary or None)
    command.verb.configure(parser)
    add_scope(parser)
    if command.verb.examples:
        parser.epilog = "examples:\n" + "\n".join(f"  {line}" for line in command.verb.examples)
    return parser


def complain(error: RunctlError) -> None:
    """One line on stderr, and one with what to do."""
    from runctl.format import clean_text

    said = clean_text(str(error), 2000)
    print(said if said.startswith(("runctl:", "runctl ")) else f"runctl: {said}", file=sys.stderr)
    if error.hint:
        print(f"  {clean_text(error.hint, 2000)}", file=sys.stderr)


def _crashed(error: Exception) -> int:
    """One line and the path of a private log instead of a traceback."""
    from runctl import paths
    from runctl.clock import SystemClock
    from runctl.terminal.crash import write_crash_log

    log = write_crash_log(error, paths.state_dir(), SystemClock().now())
    print(f"runctl: unexpected {type(error).__name__}, which is a bug in runctl", file=sys.stderr)
    print(f"  {f'details in {log}' if log else 'no log could be written'}; --debug shows them here", file=sys.stderr)
    return EXIT_FAILED


def _catch_terminate() -> None:
    import signal

    def terminate(*_: object) -> None:
        raise _Terminated

    try:
        signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: whoever runs us there keeps its own handler
        return


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere instead of complaining about the closed pipe again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
