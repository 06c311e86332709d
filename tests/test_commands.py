"""The command line: every example works, every mistake says what is allowed, nothing typed is evaluated."""

from __future__ import annotations

import pytest

from runctl.commands import ALIASES, VERBS, Invocation, complete, parse_command
from runctl.errors import InputError

CHOICES = {"regions": ["eu-west-1", "us-east-1", "us-west-2"], "profiles": ["work", "home"], "fields": ["name", "az"]}


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.name)
def test_every_verb_and_its_example_are_understood(verb: object) -> None:
    name, example = getattr(verb, "name", ""), getattr(verb, "example", "")
    assert parse_command(example or f":{name}").method


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_leads_to_a_verb(alias: str) -> None:
    verb = next(v for v in VERBS if v.name == ALIASES[alias])
    assert parse_command(f"{alias} {verb.example.partition(' ')[2]}") == parse_command(verb.example or verb.name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "nothing to do"),
        (":intances", "nearest: instances"),
        (":region", "NAME"),
        (":sort name sideways", "asc, desc"),
        (":export xml", "csv, json"),
        (":quit now", "takes nothing"),
    ],
)
def test_a_mistake_says_what_is_allowed(line: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_command(line)
    assert words in f"{caught.value.message}; {caught.value.hint}"
    assert caught.value.example


def test_arguments_stay_text() -> None:
    assert parse_command(":filter __import__('os') [b]") == Invocation("screen", "filter_by", ("__import__('os') [b]",))
    assert parse_command(":region us-east-1, eu-west-1 us-east-1").args == (("us-east-1", "eu-west-1"),)
    assert parse_command(":filter").args == ("",)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("re", ["region", "refresh"]),
        (":region us", ["region us-east-1", "region us-west-2"]),
        ("region eu-west-1,us-e", ["region eu-west-1,us-east-1"]),
        ("profile o", ["profile work", "profile home"]),
        ("sort a", ["sort az", "sort name"]),
        ("nonsense x", []),
    ],
)
def test_completion(typed: str, wanted: list[str]) -> None:
    assert complete(typed, CHOICES) == wanted
