"""Writing: data on stdout in the chosen format, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runctl.cli.envelope import ERROR, OK, SKIPPED, Section, billed_kinds, envelope, failures, summary_of
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation
from runctl.cli.listing import FIELDS, SINGULAR, Shape, csv_text, dump, json_items, name_of, table
from runctl.cli.style import Tone
from runctl.format import format_duration, format_time, format_usd
from runctl.models.cost import CostKind
from runctl.models.snapshot import ErrorRecord

PLURAL = {"instances": "instances", "jobs": "jobs", "s3": "buckets", "volumes": "volumes", "cost": "costs"}

_KINDS = {
    CostKind.INSTANCE: "instances",
    CostKind.VOLUME: "volumes",
    CostKind.SNAPSHOT: "snapshots",
    CostKind.ADDRESS: "addresses",
    CostKind.S3: "s3",
}


def write(text: str) -> None:
    """Text to stdout, with the characters that it cannot carry replaced."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def write_lines(lines: Iterable[str]) -> None:
    """Lines to stdout."""
    write("".join(f"{line}\n" for line in lines))


def write_json(value: Any) -> None:
    """One JSON document: indented for a person on a terminal, compact for a program."""
    write(dump(value, indent=sys.stdout.isatty()) + "\n")


def write_once(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    """The answer of `--once`."""
    writers = {"json": _once_json, "ndjson": _once_ndjson, "csv": _once_csv, "name": _once_names}
    writers.get(call.output, _once_table)(call, sections, fleet, shape)


def _once_json(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    write_json(envelope(sections, fleet, shape, duration_ms=call.duration_ms()))


def _once_ndjson(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    del call
    for section in sections:
        write_lines(ndjson_lines(section.noun, json_items(section.items, FIELDS[section.noun], shape, fleet.context)))


def ndjson_lines(noun: str, items: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One object a line, `kind` first. A cost item's own `kind` becomes `resource`, since `kind` says it is a cost."""
    for item in items:
        own = {"resource": item.pop("kind")} if "kind" in item else {}
        yield dump({"kind": SINGULAR[noun], **own, **item})


def _once_csv(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    """One table a section; several are parted by an empty line, since their columns differ."""
    del call
    shown = [s for s in sections if s.status != SKIPPED]
    write("\n".join(csv_text(s.items, FIELDS[s.noun], shape, fleet.context) for s in shown))


def _once_names(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    del call, fleet, shape
    write_lines(name_of(s.noun, item) for s in sections for item in s.items)


def _once_table(call: Invocation, sections: Sequence[Section], fleet: Fleet, shape: Shape) -> None:
    if all(s.status == ERROR for s in sections):
        return  # nothing is known: stderr says why, and a heading over nothing would look like an empty account
    if shape.headers:
        write_lines(headline(call, fleet))
    for section in sections:
        if section.status == SKIPPED and len(sections) > 1:
            continue
        if shape.headers:
            write_lines(("", _title(call, section)))
        if section.items:
            write_lines(table(section.items, FIELDS[section.noun], shape, fleet.context, call.style))


def headline(call: Invocation, fleet: Fleet) -> Iterator[str]:
    """When, who, where; then the money and the counts; then what needs a person."""
    style, identity = call.style, fleet.snapshot.identity
    who = f"account {style.clean(f'{identity.alias} {identity.account}'.strip())}" if identity else "account ?"
    profile = f"profile {style.clean(fleet.snapshot.profile)}" if fleet.snapshot.profile else ""
    asked = fleet.snapshot.regions
    regions = f"{len(asked)} regions" if len(asked) > 4 else ",".join(asked) or "no region"
    age = f"from an earlier run, {_age(fleet)} old" if fleet.cached else ""
    yield "  ".join(part for part in (format_time(fleet.context.now), who, profile, regions, age) if part)
    yield "  ".join(_figures(call, fleet))
    for alert in summary_of(fleet)["alerts"]:
        yield style.paint(f"! {style.clean(alert)}", Tone.WARN)


def _age(fleet: Fleet) -> str:
    dates = [s.as_of for s in fleet.snapshot.status.values() if s.as_of]
    return format_duration((fleet.context.now - min(dates)).total_seconds() if dates else None)


def _figures(call: Invocation, fleet: Fleet) -> Iterator[str]:
    total = summary_of(fleet)
    if total["burn_usd_per_hour"] is None:
        yield call.style.paint("$?/h", Tone.HEAD)
    else:
        yield call.style.paint(f"${format_usd(total['burn_usd_per_hour'])}/h", Tone.HEAD)
    if total["burn_unpriced"]:
        yield call.style.paint(f"+{total['burn_unpriced']} unpriced", Tone.WARN)
    missing = [k for k in _KINDS if k not in billed_kinds(fleet)]
    if missing:
        yield f"(without {', '.join(_KINDS[k] for k in missing)})"
    counts = (
        ("instances_running", "running"), ("instances_stopped", "stopped"), ("jobs_running", "job"),
        ("volumes_unattached", "unattached"),
    )  # fmt: skip
    yield from (
        f"{n} {word}{'s' * (word == 'job' and n != 1)}" for name, word in counts if (n := total[name]) is not None
    )
    if total["storage_usd_per_month"] is not None:
        yield f"storage ${format_usd(total['storage_usd_per_month'])}/month"


def _title(call: Invocation, section: Section) -> str:
    shown, total = len(section.items), section.total
    count = f"{shown}" if shown == total else f"{shown} of {total}"
    state = "" if section.status == OK or section.panel is None else f"  {section.panel.text}"
    if section.status == ERROR and not total:
        count = "?"  # nothing answered: "0" would say that there are none
    title = call.style.paint(f"{PLURAL[section.noun].upper()} {count}", Tone.HEAD)
    return title + call.style.paint(call.style.clean(state), Tone.BAD)


def report_failures(call: Invocation, fleet: Fleet) -> None:
    """Each failure on stderr, with what to do unless -q."""
    said: set[str] = set()
    for error in failures(fleet):
        line = failure_line(error)
        if line not in said:
            print(f"runctl: {call.style.clean(line, 600)}", file=sys.stderr)
            said.add(line)
        if error.hint and error.hint not in said:
            call.hint(f"  {call.style.clean(error.hint, 600)}")
            said.add(error.hint)


def failure_line(error: ErrorRecord) -> str:
    """One failure in one line; not allowed is said as such."""
    where = f" in {error.region}" if error.region else ""
    if error.error_class == "DeniedError":
        return f"not allowed: {error.service}:{error.operation}{where}"
    return f"{error.service}:{error.operation}{where}: {error.message} ({error.code})"
