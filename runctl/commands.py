"""The command line (`:`) as a parser with completion, and the palette, both made from tables.

Pure except for `ActionProvider`: a line becomes an `Invocation`, which names a method and carries plain arguments, so
that nothing typed is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from runctl.errors import InputError

MAX_COMPLETIONS = 12


@dataclass(frozen=True, slots=True)
class Invocation:
    """A method to call: `target` is "app" or "screen", `method` the part after `action_`."""

    target: str
    method: str
    args: tuple[str | bool | tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Verb:
    """One word of the command line.

    Args:
        name: the word.
        help: one sentence.
        build: makes the invocation of the rest of the line; raises InputError.
        argument: what follows, as shown in help; "" when nothing may follow.
        choices: which list of `Choices` completes the argument, "" for none.
        example: a line that works.
    """

    name: str
    help: str
    build: Callable[[str], Invocation]
    argument: str = ""
    choices: str = ""
    example: str = ""


#: What is known at the moment, for completion: profile names, regions, fields, themes.
Choices = Mapping[str, Sequence[str]]


def _plain(target: str, method: str, *args: str) -> Callable[[str], Invocation]:
    return lambda _rest: Invocation(target, method, args)


def _with_rest(target: str, method: str) -> Callable[[str], Invocation]:
    return lambda rest: Invocation(target, method, (rest,))


def _one_of(name: str, rest: str, allowed: Sequence[str]) -> str:
    if rest not in allowed:
        near = get_close_matches(rest, allowed, n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise InputError(
            f":{name} {rest!r} is not known{hint}", allowed=", ".join(allowed), example=f":{name} {allowed[0]}"
        )
    return rest


def _regions(rest: str) -> Invocation:
    wanted = tuple(dict.fromkeys(part for part in rest.replace(",", " ").split() if part))
    return Invocation("app", "use_regions", (wanted,))


def _sort(rest: str) -> Invocation:
    name, _, order = rest.partition(" ")
    order = order.strip().lower()
    if order not in ("", "asc", "desc"):
        raise InputError(f":sort {order!r} is no order", allowed="asc, desc", example=f":sort {name} desc")
    return Invocation("screen", "sort_by", (name.lower(), order))


def _export(rest: str) -> Invocation:
    form, _, path = rest.partition(" ")
    return Invocation("screen", "export_to", (_one_of("export", form or "csv", ("csv", "json")), path.strip()))


def _screen_verb(name: str, help_text: str) -> Verb:
    return Verb(name, help_text, _plain("app", "switch_mode", name), example=f":{name}")


# fmt: off
VERBS: tuple[Verb, ...] = (
    _screen_verb("instances", "Machines."),
    _screen_verb("jobs", "Training jobs."),
    _screen_verb("s3", "Buckets."),
    _screen_verb("volumes", "Disks."),
    _screen_verb("cost", "What bills now."),
    Verb("region", "Look at other regions.", _regions, "NAME[,NAME]|all", "regions", ":region us-east-1,eu-west-1"),
    Verb("profile", "Look through another AWS profile.", _with_rest("app", "use_profile"), "NAME", "profiles",
         ":profile work"),
    Verb("filter", "Show only matching rows.", _with_rest("screen", "filter_by"), "EXPRESSION", "filters",
         ":filter type:g5* cost>1"),
    Verb("sort", "Sort by a column.", _sort, "COLUMN [asc|desc]", "fields", ":sort usd_per_hour desc"),
    Verb("theme", "Change the colours.", _with_rest("app", "use_theme"), "NAME", "themes", ":theme light"),
    Verb("export", "Write the rows shown to a file.", _export, "csv|json [PATH]", "formats", ":export json"),
    Verb("refresh", "Ask AWS again now.", _plain("app", "refresh")),
    Verb("pause", "Stop asking AWS, or go on.", _plain("app", "pause")),
    Verb("errors", "Every error seen.", _plain("app", "errors")),
    Verb("login", "Log in again in this terminal.", _plain("app", "login")),
    Verb("help", "Keys and commands.", _plain("app", "help")),
    Verb("quit", "Quit. Jobs are not affected.", _plain("app", "quit")),
)
# fmt: on
#: Short words people type without thinking.
ALIASES = {
    "q": "quit",
    "q!": "quit",
    "exit": "quit",
    "h": "help",
    "?": "help",
    "ec2": "instances",
    "i": "instances",
    "machines": "instances",
    "j": "jobs",
    "ebs": "volumes",
    "disks": "volumes",
    "v": "volumes",
    "buckets": "s3",
    "costs": "cost",
    "regions": "region",
    "profiles": "profile",
    "ctx": "profile",
    "r": "refresh",
    "f": "filter",
}  # fmt: skip
_BY_NAME = {verb.name: verb for verb in VERBS}
_MAY_BE_EMPTY = {"export", "filter"}


def parse_command(text: str) -> Invocation:
    """Understand a line.

    Raises:
        InputError: no such command, or its argument is missing or wrong; the nearest command is named.
    """
    line = text.strip().removeprefix(":").strip()
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if not word:
        raise InputError("nothing to do", allowed=", ".join(_BY_NAME), example=":jobs")
    verb = _BY_NAME.get(ALIASES.get(word.lower(), word.lower()))
    if verb is None:
        near = get_close_matches(word.lower(), (*_BY_NAME, *ALIASES), n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise InputError(
            f":{word} is not a command{hint}", allowed=", ".join(_BY_NAME), example=f":{near[0] if near else 'help'}"
        )
    if verb.argument and not rest and verb.name not in _MAY_BE_EMPTY:
        raise InputError(f":{verb.name} needs {verb.argument}", allowed=verb.argument, example=verb.example)
    if rest and not verb.argument:
        raise InputError(
            f":{verb.name} takes nothing after it, got {rest!r}", allowed=f":{verb.name}", example=f":{verb.name}"
        )
    return verb.build(rest)


def complete(text: str, choices: Choices) -> list[str]:
    """Whole lines that begin with what was typed, at most a dozen, best first."""
    line = text.lstrip(": ")
    word, space, rest = line.partition(" ")
    if not space:
        return [v.name for v in VERBS if v.name.startswith(word.lower())][:MAX_COMPLETIONS]
    verb = _BY_NAME.get(ALIASES.get(word.lower(), word.lower()))
    if verb is None or not verb.choices:
        return []
    head, comma, last = rest.rpartition(",") if verb.choices == "regions" else ("", "", rest)
    found = _starting(last.strip(), choices.get(verb.choices, ()))
    return [f"{word} {head}{comma}{name}" for name in found if name != last][:MAX_COMPLETIONS]


def _starting(text: str, names: Iterable[str]) -> list[str]:
    known = list(names)
    first = [n for n in known if n.lower().startswith(text.lower())]
    return first + [n for n in known if text and text.lower() in n.lower() and n not in first]
