"""`runctl completion SHELL`: a script that completes commands, verbs, options and the values of closed lists."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator, Mapping
from importlib import import_module

from runctl.cli import output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Command, Verb, parser_of
from runctl.cli.registry import FAIL_ON, NOUNS, SECTIONS

SHELLS = ("bash", "zsh", "fish")


def _configure(parser: Parser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="which shell")


def _run(args: Namespace) -> int:
    output.write({"bash": bash, "zsh": zsh, "fish": fish}[args.shell]())
    return 0


def parsers() -> Iterator[tuple[str, Parser]]:
    """Each command's name ("", "instances list", "doctor") with its parser."""
    from runctl.cli import once

    yield "", parser_of(Command("runctl", once.VERB, []))
    for name, noun in NOUNS.items():
        verbs: Mapping[str, Verb] = import_module(f"runctl.cli.{noun.module}").VERBS
        for verb in noun.verbs:
            words = f"{name} {verb}".strip()
            yield words, parser_of(Command(f"runctl {words}", verbs[verb], []))


def options_of(parser: Parser) -> dict[str, tuple[str, ...]]:
    """Options of a parser with the values they choose from; () for a flag or a free value."""
    found: dict[str, tuple[str, ...]] = {}
    for action in parser.actions:
        choices = tuple(map(str, action.choices or ()))
        if action.dest == "fail_on":
            choices = FAIL_ON
        for option in action.option_strings:
            found[option] = choices
    return dict(sorted(found.items()))


def _words_after() -> dict[str, list[str]]:
    """What may follow the words written so far."""
    after: dict[str, list[str]] = {"": [*NOUNS, *SECTIONS]}
    for name, noun in NOUNS.items():
        after[name] = [v for v in noun.verbs if v]
    after["completion"] = list(SHELLS)
    after[""] = list(dict.fromkeys(after[""]))
    return after


def bash() -> str:
    """For bash 3.2 and later; needs no bash-completion."""
    cases = []
    for words, parser in parsers():
        choices = " ".join(options_of(parser))
        cases.append(f'    "{words}") options="{choices}" ;;')
    values = _value_cases('    {names}) COMPREPLY=($(compgen -W "{choices}" -- "$current")); return ;;', "|")
    nouns = "\n".join(f'    "{k}") words="{" ".join(v)}" ;;' for k, v in _words_after().items())
    return f"""# bash completion of runctl: eval "$(runctl completion bash)"
_runctl() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" path="" word options="" words=""
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    case "$word" in {"|".join(_all_words())}) path="${{path:+$path }}$word" ;; esac
  done
  case "$previous" in
{values}
  esac
  case "$path" in
{chr(10).join(cases)}
  esac
  case "$path" in
{nouns}
  esac
  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current"))
  else COMPREPLY=($(compgen -W "$words" -- "$current")); fi
}}
complete -o default -F _runctl runctl
"""


def _all_words() -> list[str]:
    return list(dict.fromkeys(w for k, v in _words_after().items() for w in (k, *v) if w))


def _value_cases(template: str, separator: str) -> str:
    """One case for each option with a closed list of values."""
    by_choices: dict[tuple[str, ...], list[str]] = {}
    for _, parser in parsers():
        for option, choices in options_of(parser).items():
            if choices and option not in by_choices.setdefault(choices, []):
                by_choices[choices].append(option)
    widest: dict[str, tuple[str, ...]] = {}
    for choices, options in by_choices.items():  # -o offers more for a listing than for one item: offer the most
        for option in options:
            if len(choices) > len(widest.get(option, ())):
                widest[option] = choices
    grouped: dict[tuple[str, ...], list[str]] = {}
    for option, choices in widest.items():
        grouped.setdefault(choices, []).append(option)
    return "\n".join(
        template.format(names=separator.join(options), choices=" ".join(choices))
        for choices, options in grouped.items()
    )


def zsh() -> str:
    """Through zsh's own reading of bash completions."""
    return f"""#compdef runctl
# zsh completion of runctl: eval "$(runctl completion zsh)"
autoload -U +X bashcompinit && bashcompinit
{bash()}"""


def fish() -> str:
    """For fish 3."""
    lines = ["# fish completion of runctl: runctl completion fish | source", "complete -c runctl -f"]
    known = " ".join(NOUNS)
    for name, noun in NOUNS.items():
        lines.append(
            f"complete -c runctl -n 'not __fish_seen_subcommand_from {known}' -a {name} -d '{_quoted(noun.summary)}'"
        )
        verbs = [v for v in noun.verbs if v] or (list(SHELLS) if name == "completion" else [])
        seen = f"__fish_seen_subcommand_from {name}"
        if verbs:
            seen += f"; and not __fish_seen_subcommand_from {' '.join(verbs)}"
        lines += [f"complete -c runctl -n '{seen}' -a {v} -d '{_quoted(noun.verbs.get(v, ''))}'" for v in verbs]
    offered: set[str] = set()
    for _, parser in parsers():
        for action in parser.actions:
            lines += _fish_option(action, offered)
    return "\n".join(lines) + "\n"


def _fish_option(action: argparse.Action, offered: set[str]) -> Iterator[str]:
    long = next((o[2:] for o in action.option_strings if o.startswith("--")), "")
    if not long or long in offered:
        return
    offered.add(long)
    short = next((f" -s {o[1:]}" for o in action.option_strings if len(o) == 2), "")
    choices = FAIL_ON if action.dest == "fail_on" else tuple(map(str, action.choices or ()))
    takes = f" -x -a '{' '.join(choices)}'" if choices else " -x" if action.nargs != 0 else ""
    yield f"complete -c runctl -l {long}{short}{takes} -d '{_quoted(action.help or '')}'"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


VERBS = {"": Verb(_configure, _run, ('eval "$(runctl completion bash)"', "runctl completion fish | source"))}
