"""What is remembered between two letters of a filter must show what would be shown without remembering."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.models.instance import Instance
from runctl.models.snapshot import EMPTY, Snapshot
from runctl.screens.instances import INSTANCES
from runctl.screens.view import Arranger, Choice, arrange
from runctl.store.fields import INSTANCE_FIELDS, Context, Kind, still_folded
from runctl.store.filter import narrows, parse_filter
from tests.screens.fleet import NOW, machine

NAMES = ("train-a", "Train-B", "eval", "evaluation", "web", "traineval", "ÄRGER", "")
TEXTS = (
    "", "t", "tr", "train", "TRAIN", "train eval", "eval", "e v", "trainee", "!train", "train|web", "cost>1",
    "train cost>1", "type:g5*", '"cost>1"', "re:^t", "ä", "ärger", "running", "running train",
    "train !owner:ana", "train !owner:a", "train cost>1 running", "train cost>1 !run", "uptime>1h train",
)  # fmt: skip


def fleet(names: list[str], kind: str) -> tuple[Instance, ...]:
    return tuple(machine(n, name, kind, "running" if n % 3 else "stopped") for n, name in enumerate(names))


fleets = st.builds(fleet, st.lists(st.sampled_from(NAMES), max_size=12), st.sampled_from(["g5.xlarge", "c5.large"]))
steps = st.lists(
    st.tuples(
        st.sampled_from(TEXTS), st.sampled_from(["", "name", "usd_per_hour", "uptime_s"]), st.booleans(), st.booleans(),
        st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip


@settings(max_examples=120)
@given(st.tuples(fleets, fleets), steps)
def test_remembering_changes_nothing(
    two: tuple[tuple[Instance, ...], tuple[Instance, ...]], typed: list[tuple[str, str, bool, bool, int]]
) -> None:
    snapshots: list[Snapshot] = [replace(EMPTY, instances=rows) for rows in two]
    arranger: Arranger[Instance] = Arranger()
    contexts = [Context(NOW, s) for s in snapshots]
    for text, sort, descending, waste_only, which in typed:
        context = Context(NOW, snapshots[which], folded=contexts[which].folded)
        choice = Choice(sort, descending, parse_filter(text, INSTANCE_FIELDS), waste_only)
        shown = arranger.arrange(INSTANCES, snapshots[which].instances, choice, context)
        plain = arrange(INSTANCES, snapshots[which].instances, choice, Context(NOW, snapshots[which]))
        assert list(shown.rows) == list(plain.rows)
        assert shown.total == plain.total


@settings(max_examples=60)
@given(fleets, st.sampled_from(TEXTS))
def test_rows_are_kept_as_each_is_matched_and_words_may_be_kept_for_the_next_look(
    rows: tuple[Instance, ...], text: str
) -> None:
    compiled, context = parse_filter(text, INSTANCE_FIELDS), Context(NOW, replace(EMPTY, instances=rows))
    matched = [r for r in rows if compiled.matches(r, context)]
    assert compiled.kept(rows, context) == matched
    kept, other = rows[::2], tuple(replace(r, name="train") for r in rows[1::2])
    again = Context(NOW, replace(EMPTY, instances=(*kept, *other)))
    again.folded.update(still_folded(context, INSTANCE_FIELDS, (*kept, *other)))
    assert set(again.folded) == {id(r) for r in kept} & set(context.folded)
    plain = Context(NOW, again.snapshot)
    assert compiled.kept(again.snapshot.instances, again) == compiled.kept(again.snapshot.instances, plain)


@given(fleets)
def test_texts_of_fields_that_stand_alone_depend_on_the_item_only(rows: tuple[Instance, ...]) -> None:
    """What words were looked for in is kept from one snapshot to the next for these."""
    whole, later = Context(NOW, replace(EMPTY, instances=rows)), Context(NOW + timedelta(days=400))
    assert INSTANCE_FIELDS.alone
    for field in INSTANCE_FIELDS.columns:
        read = field.get if field.kind is Kind.TEXT else field.text
        assert read is None or [read(r, whole) for r in rows] == [read(r, later) for r in rows]


def test_while_the_last_term_is_typed_the_others_are_not_asked_again_for_a_moment() -> None:
    rows = fleet(["train-a", "web", "train-b"] * 4, "g5.xlarge")
    snapshot, arranger, asked = replace(EMPTY, instances=rows), Arranger[Instance](), 0

    def count(item: Instance, _context: Context) -> bool:
        nonlocal asked
        asked += 1
        return item.name.startswith("train")

    def typed(text: str, seconds: float) -> int:
        nonlocal asked
        asked = 0
        compiled = parse_filter(text, INSTANCE_FIELDS)
        tests = (count, *compiled.alternatives[0][1:])
        choice = Choice("name", False, replace(compiled, alternatives=(tests,)))
        shown = arranger.arrange(INSTANCES, rows, choice, Context(NOW + timedelta(seconds=seconds), snapshot))
        assert len(shown.rows) == 8
        return asked

    assert [typed("train type:g*", 0), typed("train type:g5*", 1), typed("train type:g5.*", 2)] == [12, 0, 0]
    assert typed("train type:g5.*", 2.5) == 12, "some terms ask for the time"
    assert typed("trai type:g5.*", 2.6) == 12


def test_only_plain_words_are_known_to_narrow() -> None:
    def said(before: str, after: str) -> bool:
        return narrows(parse_filter(before, INSTANCE_FIELDS), parse_filter(after, INSTANCE_FIELDS))

    assert said("tr", "TRAIN")
    assert said("train", "train eval")
    assert not said("train", "tr")
    assert not said("!tr", "!train")
    assert not said("a|b", "ab")
    assert not said("uptime>1h", "uptime>1h train")
    assert not said("", "train|web")
