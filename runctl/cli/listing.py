"""One listing of a noun: which rows, which columns, in which order, and in which format they are written."""

from __future__ import annotations

import csv
import io
import json
import re
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.cli.arguments import nearest
from runctl.cli.cells import cell_of, column_of, csv_value
from runctl.cli.style import Style
from runctl.cli.table import table_lines
from runctl.errors import InputError
from runctl.models.cost import CostItem
from runctl.store.fields import (
    BUCKET_FIELDS,
    COST_FIELDS,
    INSTANCE_FIELDS,
    JOB_FIELDS,
    VOLUME_FIELDS,
    Context,
    Field,
    Fields,
    Kind,
)
from runctl.store.filter import parse_filter
from runctl.store.select import sort_items

FIELDS: dict[str, Fields[Any]] = {
    "instances": INSTANCE_FIELDS,
    "jobs": JOB_FIELDS,
    "s3": BUCKET_FIELDS,
    "volumes": VOLUME_FIELDS,
    "cost": COST_FIELDS,
}
#: What one item of a noun is called in `ndjson` and `-o name`.
SINGULAR = {
    "instances": "instance",
    "jobs": "job",
    "s3": "s3",
    "volumes": "volume",
    "cost": "cost",
    "snapshots": "snapshot",
    "ledger": "interval",
    "totals": "total",
    "waste": "waste",
    "budgets": "budget",
    "forecast": "forecast",
    "billed": "billed",
}
_FALLING = frozenset({Kind.NUMBER, Kind.MONEY, Kind.SECONDS, Kind.BYTES, Kind.PERCENT})
#: Control characters above ASCII, marks that reverse the reading direction, and halves of surrogate pairs: a terminal
#: may obey the first, a reader is fooled by the second, and UTF-8 cannot carry the third.
_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Shape:
    """How the user asked a listing to look.

    Args:
        filter: filter text, "" for all.
        sort: field name with an optional `:asc` or `:desc`, or a leading `-`; "" for the noun's own order.
        columns: field names, () for the usual ones.
        limit: most rows, None for all.
        headers: with headings.
        wide: more columns.
    """

    filter: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    limit: int | None = None
    headers: bool = True
    wide: bool = False


def shape_of(args: Namespace) -> Shape:
    """The shape the arguments ask for."""
    return Shape(
        args.filter or "", args.sort or "", args.columns or (), args.limit, not args.no_headers, args.output == "wide"
    )


def check_shape(shape: Shape, nouns: Sequence[str | Fields[Any]]) -> None:
    """Refuse a filter, sort or column that no asked noun knows, before AWS is asked anything.

    Raises:
        InputError: the first problem, with the nearest valid name.
    """
    asked = [FIELDS[n] if isinstance(n, str) else n for n in nouns]
    checks: list[Callable[[Fields[Any]], object]] = [
        lambda fields: parse_filter(shape.filter, fields),
        lambda fields: _sorting(shape.sort, fields),
        *((lambda fields, name=name: _field(name, fields, "--columns")) for name in shape.columns),
    ]
    for check in checks:
        problems = [p for fields in asked if (p := _problem(check, fields))]
        if len(problems) == len(asked):
            raise problems[0]


def _problem(check: Callable[[Fields[Any]], object], fields: Fields[Any]) -> InputError | None:
    try:
        check(fields)
    except InputError as error:
        return error
    return None


def understands(shape: Shape, fields: Fields[Any]) -> bool:
    """Whether a noun has the fields the filter names and at least one of the columns."""
    if shape.columns and not known_columns(shape, fields):
        return False
    return _problem(lambda fields: parse_filter(shape.filter, fields), fields) is None


def shaped(items: Iterable[Any], fields: Fields[Any], shape: Shape, context: Context) -> list[Any]:
    """Filtered, sorted, limited rows.

    `check_shape` made sure that some asked noun knows each name; here an unknown filter field selects nothing, and an
    unknown sort field keeps the order.
    """
    if not understands(shape, fields):
        return []
    wanted = parse_filter(shape.filter, fields)
    rows = [i for i in items if wanted.matches(i, context)] if shape.filter else list(items)
    try:
        column, falling = _sorting(shape.sort, fields)
    except InputError:
        column = None
    if column is not None:
        rows = sort_items(rows, fields, column.name, context, descending=falling)
    return rows[: shape.limit]


def _sorting(text: str, fields: Fields[Any]) -> tuple[Field[Any] | None, bool]:
    if not text:
        return None, False
    name, _, direction = text.partition(":")
    if name.startswith("-"):
        name, direction = name[1:], direction or "desc"
    if direction not in ("", "asc", "desc"):
        raise InputError(
            f"--sort {text}: {direction!r} is no direction", allowed="asc or desc", example=f"--sort {name}:desc"
        )
    column = _field(name, fields, "--sort")
    if column.kind is Kind.OBJECT:
        plain = ", ".join(f.name for f in fields.columns if f.kind is not Kind.OBJECT)
        raise InputError(f"--sort {text}: {column.name} has no order", allowed=plain)
    return column, column.kind in _FALLING if not direction else direction == "desc"


def _field(name: str, fields: Fields[Any], option: str) -> Field[Any]:
    found = fields.by_name.get(name.lower())
    if found is None:
        near = nearest(name, fields.by_name)
        raise InputError(
            f"{option} {name}: {fields.noun} have no such field" + (f"; did you mean {near}?" if near else ""),
            allowed=", ".join(f.name for f in fields.columns),
        )
    return found


def _columns(shape: Shape, fields: Fields[Any]) -> list[Field[Any]]:
    if shape.columns:
        return [_field(name, fields, "--columns") for name in shape.columns]
    return [f for f in fields.columns if f.shown or (shape.wide and f.wide)]


def known_columns(shape: Shape, fields: Fields[Any]) -> list[Field[Any]]:
    """The columns to show: those asked for that this noun has, else its usual ones."""
    if shape.columns:
        return [fields.by_name[n.lower()] for n in shape.columns if n.lower() in fields.by_name]
    return _columns(shape, fields)


def table(rows: Sequence[Any], fields: Fields[Any], shape: Shape, context: Context, style: Style) -> Iterator[str]:
    """Lines of a table."""
    columns = known_columns(shape, fields)
    cells = [[cell_of(f, item, context, style) for f in columns] for item in rows]
    return table_lines([column_of(f) for f in columns], cells, style, headers=shape.headers)


def csv_text(rows: Sequence[Any], fields: Fields[Any], shape: Shape, context: Context) -> str:
    """RFC 4180 with LF line ends; by default all plain fields of the JSON item."""
    columns = known_columns(shape, fields) if shape.columns else [
        f for f in fields.columns if f.in_json and f.kind is not Kind.OBJECT
    ]  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if shape.headers:
        writer.writerow([f.name for f in columns])
    writer.writerows([csv_value(f, item, context) for f in columns] for item in rows)
    return out.getvalue()


def json_items(rows: Sequence[Any], fields: Fields[Any], shape: Shape, context: Context) -> list[dict[str, Any]]:
    """Items as JSON objects: every field, or the ones asked for."""
    if not shape.columns:
        return [_rounded(fields, fields.to_json(item, context)) for item in rows]
    chosen = known_columns(shape, fields)
    from runctl.store.fields import json_value

    return [_rounded(fields, {f.name: json_value(f.get(item, context)) for f in chosen}) for item in rows]


def _rounded(fields: Fields[Any], item: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the millisecond. Money stays as it is: rounded rows would no longer add up to the total."""
    for name, value in item.items():
        if isinstance(value, float) and fields.by_name[name].kind is Kind.SECONDS:
            item[name] = round(value, 3)
    return item


def name_of(noun: str, item: Any) -> str:
    """`instance/i-0abc`; for what bills, the kind of the thing itself."""
    if isinstance(item, CostItem):
        return f"{item.kind}/{item.id}"
    return f"{SINGULAR[noun]}/{item.name if noun == 's3' else item.id}"


def dump(value: Any, *, indent: bool = False) -> str:
    """JSON of a value with text as it is, or escaped where a terminal or UTF-8 could not bear it."""
    text = json.dumps(value, ensure_ascii=False, indent=2 if indent else None, allow_nan=False)
    if _UNSAFE.search(text):
        return json.dumps(value, indent=2 if indent else None, allow_nan=False)
    return text
