"""Rows and columns of one noun: filter, sort, limit, and each format's values."""

from __future__ import annotations

import csv
import io
import json

import pytest

from runctl.cli.listing import (
    Shape,
    check_shape,
    csv_text,
    dump,
    json_items,
    name_of,
    shaped,
    table,
)
from runctl.cli.style import Style
from runctl.errors import InputError
from runctl.store.costs import cost_items
from runctl.store.fields import BUCKET_FIELDS, COST_FIELDS, INSTANCE_FIELDS, JOB_FIELDS, VOLUME_FIELDS, Context
from tests.cli.fleets import BUCKETS, MACHINES, NOW, SNAPSHOT, VOLUMES

CONTEXT = Context(NOW, SNAPSHOT)


def names(shape: Shape) -> list[str]:
    return [m.name for m in shaped(MACHINES, INSTANCE_FIELDS, shape, CONTEXT)]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("usd_per_hour", ["train", "lazy", "old", None]),
        ("cost:asc", ["old", "lazy", "train", None]),
        ("-name", ["train", "old", "lazy", None]),
        ("name", [None, "lazy", "old", "train"]),
    ],
)
def test_numbers_fall_texts_rise_unless_said_and_unknown_is_last(sort: str, order: list[str | None]) -> None:
    got = names(Shape(sort=sort))
    expected = [n or MACHINES[1].name for n in order]
    assert got == expected


def test_filter_and_limit() -> None:
    assert names(Shape(filter="state:running type:g5*", limit=1)) == ["train"]
    assert names(Shape(filter="name:nobody")) == []


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape(filter="typ:g5"), "typ"),
        (Shape(sort="usd"), "--sort usd: instances have no such field"),
        (Shape(sort="name:up"), "'up' is no direction"),
        (Shape(columns=("id", "nmae")), "did you mean name?"),
    ],
)
def test_a_name_nobody_knows_is_refused_before_anything_is_asked(shape: Shape, words: str) -> None:
    with pytest.raises(InputError) as raised:
        check_shape(shape, ("instances",))
    assert words in raised.value.message + raised.value.hint


def test_a_name_one_asked_noun_knows_is_enough() -> None:
    check_shape(Shape(filter="type:g5*", columns=("id", "bucket")), ("instances", "s3"))
    with pytest.raises(InputError):
        check_shape(Shape(filter="bucket:x"), ("instances", "volumes"))


def test_json_has_every_field_with_unknown_as_null_and_true_text() -> None:
    items = json_items(MACHINES, INSTANCE_FIELDS, Shape(), CONTEXT)
    weird = items[1]
    assert weird["name"] == MACHINES[1].name
    assert weird["usd_per_hour"] is None
    assert weird["usd_since_launch"] is None
    assert weird["gpu_count"] is None
    assert items[0]["uptime_s"] == 7200
    assert items[0]["usd_since_launch"] == pytest.approx(2.012)
    assert items[2]["usd_per_hour"] == 0.0
    assert items[0]["launched_at"] == "2026-01-31T10:00:00Z"
    assert list(json_items(MACHINES[:1], INSTANCE_FIELDS, Shape(columns=("type", "id")), CONTEXT)[0]) == ["type", "id"]


def test_dump_escapes_what_a_terminal_might_obey_and_keeps_the_rest() -> None:
    assert dump({"n": "東京"}) == '{"n": "東京"}'
    for text in ("a\x9bb", "a\u202eb", "a\ud800b", "a\x1b[31mb", "a\nb"):
        written = dump({"n": text})
        assert written.isascii()
        assert not any(ord(c) < 32 for c in written)
        assert json.loads(written) == {"n": text}


def test_csv_is_exact_for_numbers_empty_for_unknown_and_no_formula() -> None:
    text = csv_text(
        MACHINES, INSTANCE_FIELDS, Shape(columns=("id", "name", "usd_per_hour", "managed", "launched_at")), CONTEXT
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["usd_per_hour"] == "1.006"
    assert rows[1]["usd_per_hour"] == ""
    assert rows[2]["usd_per_hour"] == "0.0"
    assert (rows[0]["managed"], rows[1]["managed"]) == ("true", "false")
    assert rows[0]["launched_at"] == "2026-01-31T10:00:00Z"
    assert "\x1b" not in text
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize("text", ["=1+1", "+1", "@x", "-rm"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    from tests.cli.fleets import machine

    line = csv_text([machine(9, text)], INSTANCE_FIELDS, Shape(columns=("name",), headers=False), CONTEXT)
    assert line == f"'{text}\n"


def test_the_table_shows_unknown_absent_and_harmless_text() -> None:
    shape = Shape(columns=("id", "name", "usd_per_hour", "uptime_s", "owner", "gpu_model"))
    assert list(table(MACHINES, INSTANCE_FIELDS, shape, CONTEXT, Style())) == [
        "ID                   NAME                 $/H    UP  OWNER  GPU",
        "i-00000000000000001  train             1.0060  2h00  zoe    A10G",
        "i-00000000000000002  [/x]re d =1+1 \U0001f999       ?  2h00  -      ?",
        "i-00000000000000003  old               0.0000     -  -      -",
        "i-00000000000000004  lazy              0.5000  2h00  -      A10G",
    ]


def test_names_are_kind_and_id() -> None:
    assert name_of("instances", MACHINES[0]) == "instance/i-00000000000000001"
    assert name_of("volumes", VOLUMES[0]) == "volume/vol-01"
    assert name_of("s3", BUCKETS[0]) == "s3/ckpt-lab"
    assert {name_of("cost", i).partition("/")[0] for i in cost_items(CONTEXT)} == {
        "instance", "volume", "snapshot", "address",
    }  # fmt: skip


@pytest.mark.parametrize("fields", [INSTANCE_FIELDS, VOLUME_FIELDS, BUCKET_FIELDS, JOB_FIELDS, COST_FIELDS])
def test_every_noun_has_an_id_or_bucket_that_is_never_cut(fields: object) -> None:
    from runctl.cli.cells import column_of

    columns = {f.name: column_of(f) for f in fields.columns}  # type: ignore[attr-defined]  # Fields of any noun
    identity = columns.get("id") or columns["bucket"]
    assert identity.whole
    assert identity.keep
