"""The grammar: precedence, quotes, positions, and that what is written out is read back as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import InputError
from runctl.store.fields import BUCKET_FIELDS, COST_FIELDS, INSTANCE_FIELDS, JOB_FIELDS, VOLUME_FIELDS
from runctl.store.syntax import (
    MAX_LENGTH,
    Compare,
    Expression,
    Match,
    Not,
    Regex,
    Tag,
    Term,
    Word,
    format_expression,
    parse_expression,
)

texts = st.text(min_size=1, max_size=8) | st.text(alphabet='ab*?:=!<>|" re', min_size=1, max_size=8)
names = st.sampled_from(sorted(INSTANCE_FIELDS.by_name))
positive = st.one_of(
    st.builds(Word, texts),
    st.builds(Regex, texts),
    st.builds(Match, names, texts | st.just("")),
    st.builds(Tag, texts, st.none() | texts | st.just("")),
    st.builds(Compare, names, st.sampled_from([">", "<", ">=", "<=", "=", "!="]), texts),
)
terms = st.one_of(positive, st.builds(Not, positive))
expressions = st.lists(st.lists(terms, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)


@given(expressions)
def test_what_is_written_out_is_read_back_as_the_same(expression: Expression) -> None:
    assert parse_expression(format_expression(expression)) == expression


@given(st.text(max_size=60) | st.text(alphabet='ab:*!|"<>=re 1tag', max_size=40))
def test_reading_and_writing_settles_whatever_is_typed(text: str) -> None:
    try:
        read = parse_expression(text)
    except InputError:
        return
    written = format_expression(read)
    if len(written) <= MAX_LENGTH:
        assert parse_expression(written) == read
        assert format_expression(parse_expression(written)) == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("   ", ()),
        ("a b | c", ((Word("a"), Word("b")), (Word("c"),))),
        ("a|b", ((Word("a"),), (Word("b"),))),
        ("!a !!a !!!a", ((Not(Word("a")), Word("a"), Not(Word("a"))),)),
        ("Type:g5*", ((Match("type", "g5*"),),)),
        ("cost>=1", ((Compare("cost", ">=", "1"),),)),
        ("cost=>1", ((Compare("cost", "=", ">1"),),)),
        ("age != 1h", ((Word("age"), Not(Word("=")), Word("1h")),)),
        ("tag:a=b=c", ((Tag("a", "b=c"),),)),
        ('tag:"a=b"=c', ((Tag("a=b", "c"),),)),
        ('name:"my box"', ((Match("name", "my box"),),)),
        ('name:""', ((Match("name", ""),),)),
        ('"cost>1"', ((Word("cost>1"),),)),
        ('!"!x"', ((Not(Word("!x")),),)),
        ('"a|b"|c', ((Word("a|b"),), (Word("c"),))),
        ('"|"', ((Word("|"),),)),
        ('"say ""hi"""', ((Word('say "hi"'),),)),
        ("re:a|b", ((Regex("a"),), (Word("b"),))),
        ('re:"a|b c"', ((Regex("a|b c"),),)),
        ("10.0.0.1/16 i-0abc g5.xlarge", ((Word("10.0.0.1/16"), Word("i-0abc"), Word("g5.xlarge")),)),
    ],
)
def test_the_grammar(text: str, expected: tuple[tuple[Term, ...], ...]) -> None:
    assert parse_expression(text) == expected


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("| a", 1),
        ("a |", 4),
        ("a || b", 4),
        ("a !", 3),
        ('a name:"x', 8),
        ("a cost>", 8),
        ("type:", 6),
        ("a tag:=x", 3),
        ("tag:x=", 7),
        ("re:", 4),
        ('a ""', 3),
    ],
)
def test_an_error_names_the_character(text: str, character: int) -> None:
    with pytest.raises(InputError, match=f"character {character}:") as caught:
        parse_expression(text)
    assert caught.value.example


def test_a_term_knows_where_it_stood() -> None:
    ((first, second),) = parse_expression('"a b" cost>9')
    assert isinstance(first, Word)
    assert isinstance(second, Compare)
    assert (second.at, second.value_at) == (6, 11)


def test_no_field_is_called_like_a_prefix() -> None:
    for fields in (INSTANCE_FIELDS, VOLUME_FIELDS, BUCKET_FIELDS, JOB_FIELDS, COST_FIELDS):
        assert not {"re", "tag"} & set(fields.by_name)
