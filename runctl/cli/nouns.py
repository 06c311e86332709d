"""What `list` and `show` do, the same for every noun: what differs is its table of fields."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from runctl.cli import envelope, fleet, listing, output
from runctl.cli.arguments import nearest
from runctl.cli.cells import cell_of
from runctl.cli.connect import connect
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation
from runctl.cli.listing import FIELDS, SINGULAR, Shape
from runctl.cli.style import Tone
from runctl.errors import InputError
from runctl.store.fields import Fields
from runctl.store.select import rows_of

Rows = Callable[[Fleet], Sequence[Any]]


def list_items(call: Invocation, noun: str) -> int:
    """List one noun; returns the exit code."""
    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (noun,))
    wanted = (noun, *envelope.condition_sources(call.args.fail_on))
    seen = fleet.read_fleet(call, fleet.sources_of(wanted))
    section = envelope.section_of(noun, seen, shape)
    if section.status != envelope.ERROR or call.output == "json":
        write_rows(call, noun, section.items, FIELDS[noun], shape, seen=seen)
    if not section.items and section.status == envelope.OK:
        call.hint(_why_empty(noun, section.total, seen))
    output.report_failures(call, seen)
    return envelope.exit_code([section], seen, call.args.fail_on)


def _why_empty(noun: str, total: int, seen: Fleet) -> str:
    if total:
        return f"none of {total} {output.PLURAL[noun]} match the filter"
    where = ", ".join(seen.snapshot.regions) or "this account"
    return f"no {output.PLURAL[noun]} in {where}"


def write_rows(
    call: Invocation, noun: str, rows: Sequence[Any], fields: Fields[Any], shape: Shape, *, seen: Fleet
) -> None:
    """Rows in the chosen format."""
    context = seen.context
    match call.output:
        case "json":
            output.write_json(listing.json_items(rows, fields, shape, context))
        case "ndjson":
            output.write_lines(output.ndjson_lines(noun, listing.json_items(rows, fields, shape, context)))
        case "csv":
            output.write(listing.csv_text(rows, fields, shape, context))
        case "name":
            output.write_lines(listing.name_of(noun, item) for item in rows)
        case _ if rows:
            output.write_lines(listing.table(rows, fields, shape, context, call.style))


def show_item(call: Invocation, noun: str, kind: str) -> int:
    """Show one item; returns the exit code."""
    seen = fleet.read_fleet(call, fleet.sources_of((noun, "volumes") if noun == "instances" else (noun,)))
    rows = rows_of(seen.context, noun)
    item = find(noun, call.args.id, rows)
    if item is None:
        return missing(call, noun, rows, seen)
    if kind and call.args.raw:
        raw = connect(call.settings).fetch_raw(kind, item.region, item.id)
        output.write_json(_plain(raw))
        return 0
    fields = FIELDS[noun]
    if call.output == "json":
        output.write_json(listing.json_items([item], fields, Shape(), seen.context)[0])
    else:
        write_facts(call, [(f.label, cell_of(f, item, seen.context, call.style).text) for f in fields.columns])
    return 0


def find(noun: str, text: str, rows: Sequence[Any]) -> Any | None:
    """The item with an id, or the only one with a name.

    Raises:
        InputError: several have that name.
    """
    by_id = [r for r in rows if getattr(r, "id", r.name) == text]
    found = by_id or [r for r in rows if r.name == text]
    if len(found) > 1:
        raise InputError(f"{len(found)} {noun} are called {text!r}", allowed=", ".join(sorted(r.id for r in found)))
    return found[0] if found else None


def missing(call: Invocation, noun: str, rows: Sequence[Any], seen: Fleet) -> int:
    """Not found: an answer when all was seen, a failure when something did not answer."""
    output.report_failures(call, seen)
    if not any(seen.answered(source) for source in envelope.main_sources(noun)):
        return envelope.exit_code([envelope.Section(noun, envelope.ERROR, None)], seen, ())
    where = ", ".join(seen.snapshot.regions)
    near = nearest(call.args.id, [str(getattr(r, "id", "")) for r in rows] + [r.name for r in rows if r.name])
    raise InputError(
        f"no {SINGULAR[noun]} {call.args.id!r} in {where}" + (f"; did you mean {near}?" if near else ""),
        allowed=f"what `runctl {noun} list` shows; other regions with --region",
    )


def _plain(value: Any) -> Any:
    """AWS's description with times as text."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def write_facts(call: Invocation, facts: Sequence[tuple[str, str]]) -> None:
    """Name and value, one a line; a name may come from outside too (a tag, a metric), values are clean already."""
    named = [(call.style.clean(label, 80), value) for label, value in facts]
    width = max((len(label) for label, _ in named), default=0)
    output.write_lines(call.style.paint(f"{label:<{width}}", Tone.DIM) + f"  {value}" for label, value in named)
    sys.stdout.flush()
