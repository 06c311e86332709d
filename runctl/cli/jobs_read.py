"""`runctl jobs show|logs|metrics`: the same while a job runs and after its machine is gone."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.record import Exit
    from runctl.services.jobs.follow import Curves, LogPart
    from runctl.services.jobs.look import Look
    from runctl.services.jobs.service import Found, Jobs

_POLL_S = 1.0
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=+*#@"


def add_job(parser: Parser) -> None:
    """The argument that names a job, and the attempt."""
    parser.add_argument("id", metavar="JOB", help="id, the beginning of one, or a name")


def _add_attempt(parser: Parser) -> None:
    parser.add_argument("--attempt", type=arguments.limit, metavar="N", help="which attempt (default: the newest)")


def _attempt(call: Invocation, found: Found) -> int:
    if call.args.attempt:
        return int(call.args.attempt)
    return max(found.record.attempts(), default=1)


# --- show ---


def _configure_show(parser: Parser) -> None:
    add_job(parser)
    arguments.add_format(parser, ("table", "json"))
    parser.add_argument("--cached", action="store_true", help="for a job known from tags: what the last run saw")


def _run_show(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _show(start(args))


def _show(call: Invocation) -> int:
    from runctl.cli import nouns
    from runctl.cli.jobs_connect import open_jobs

    jobs = open_jobs(call)
    try:
        found = jobs.find(call.args.id)
    except InputError:
        return nouns.show_item(call, "jobs", "")  # known from the tags of its machine only, or not at all
    seen = jobs.look(found)
    events = found.record.events()
    checkpoints = found.record.index().get("checkpoints") or []
    if call.output == "json":
        _show_json(found, seen, events, checkpoints)
    else:
        _show_facts(call, found, seen, events, checkpoints)
    return 4 if not seen.seen.readable else 0


def _show_json(found: Found, seen: Look, events: Iterable[Any], checkpoints: Iterable[Any]) -> None:
    from runctl.cli.listing import FIELDS, Shape, json_items
    from runctl.cli.output import write_json
    from runctl.models.snapshot import EMPTY
    from runctl.services.jobs.look import row_of
    from runctl.store.fields import Context

    item = json_items([row_of(seen)], FIELDS["jobs"], Shape(), Context(seen.at, EMPTY))[0]
    write_json(
        {
            **item,
            "attempts": list(found.record.attempts()),
            "action": seen.verdict.action.value,
            "spec": dict(found.spec),
            "exit": seen.seen.exit,
            "checkpoints": list(checkpoints),
            "events": list(events),
        }
    )


def _show_facts(
    call: Invocation, found: Found, seen: Look, events: Iterable[Any], checkpoints: Iterable[Mapping[str, Any]]
) -> None:
    from runctl.cli.nouns import write_facts
    from runctl.cli.output import write_lines
    from runctl.format import format_count, format_duration, format_usd
    from runctl.services.jobs.follow import timeline
    from runctl.services.jobs.look import row_of

    row, clean = row_of(seen), call.style.clean
    risk = "?" if row.at_risk_s is None else f"loses {format_duration(row.at_risk_s)} if it were interrupted now"
    step = format_count(row.step) + (f" of {format_count(row.total_steps)}" if row.total_steps else "")
    facts = [
        ("job", f"{row.id}  {clean(row.name)}"),
        ("state", f"{row.state}  {clean(row.reason, 400)}".rstrip()),
        ("machine", f"{row.resource_state}  {clean(row.instance_id or '')}".rstrip()),
        ("known", row.knowledge),
        ("attempt", format_count(row.attempt)),
        ("command", clean(" ".join(found.spec.get("command") or ()), 400)),
        ("step", step),
        *((name, f"{value:g}") for name, value in sorted(row.metrics.items())),
        ("ETA", format_duration(row.eta_s)),
        ("cost", f"${format_usd(row.usd_so_far)} so far, ${format_usd(row.usd_to_finish)} to the end"),
        ("budget", f"${format_usd(row.budget_usd)}" if row.budget_usd is not None else "none"),
        ("checkpoint", f"{format_duration(row.checkpoint_age_s)} old" if row.checkpoint_age_s is not None else "none"),
        ("at risk", risk if not seen.verdict.outcome.over else "nothing: it is over"),
    ]
    write_facts(call, [*facts, *_saved(seen.seen.exit)])
    write_lines(_not_saved(call, seen.seen.exit))
    usable = [c for c in checkpoints if c.get("deleted_at") is None]
    if usable:
        write_lines(["", "checkpoints"])
        write_lines(f"  {_checkpoint_line(call, c)}" for c in usable[-8:])
    write_lines(["", "events"])
    for moment in timeline(events)[-20:]:
        at = time.strftime("%m-%d %H:%M:%S", time.gmtime(moment.at))
        write_lines([f"  {at}Z  {moment.attempt:>2}  {clean(moment.kind):<17} {clean(moment.message, 300)}"])


def _saved(end: Exit | None) -> list[tuple[str, str]]:
    """Whether what the job made is in the record, once it is over."""
    if end is None or end.get("verified") is None:
        return []
    missing = end.get("missing") or ()
    return [("saved", "everything" if end.get("verified") else f"NOT {len(missing) or 'everything'}: see below")]


def _not_saved(call: Invocation, end: Exit | None) -> list[str]:
    clean, missing = call.style.clean, (end or {}).get("missing") or ()
    lines = [f"  {clean(str(m.get('path')), 200)}: {clean(str(m.get('why')), 300)}" for m in missing]
    return ["", "NOT SAVED", *lines] if lines else []


def _checkpoint_line(call: Invocation, checkpoint: Mapping[str, Any]) -> str:
    from runctl.format import format_bytes, format_count

    metric = checkpoint.get("metric")
    said = "complete" if checkpoint.get("complete") else "being uploaded"
    shown = f"  {metric:g}" if isinstance(metric, int | float) else ""
    return (
        f"{call.style.clean(str(checkpoint.get('id')), 200):<32} step {format_count(checkpoint.get('step')):>9}"
        f"  {format_bytes(checkpoint.get('bytes')):>10}  {said}{shown}"
    )


# --- logs ---


def _configure_logs(parser: Parser) -> None:
    add_job(parser)
    _add_attempt(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job is over")
    parser.add_argument("--tail", type=arguments.limit, metavar="N", help="begin at the last N lines")
    parser.add_argument("--offset", type=_offset, default=0, metavar="BYTE", help="begin at this byte")
    parser.add_argument("--timestamps", action="store_true", help="when each line was written, UTC")


def _offset(text: str) -> int:
    import argparse

    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes; write for example 0")
    return int(text)


def _run_logs(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _logs(start(args))


def _logs(call: Invocation) -> int:
    from runctl.cli.jobs_connect import open_jobs
    from runctl.services.jobs.follow import tail_start

    jobs = open_jobs(call)
    found = jobs.find(call.args.id)
    attempt = _attempt(call, found)
    offset = tail_start(found.record, attempt, call.args.tail) if call.args.tail else call.args.offset
    offset, began = _write(call, found, attempt, offset), offset
    while call.args.follow:
        seen = jobs.look(found)
        over = seen.verdict.outcome.over or seen.seen.attempt > attempt
        offset = _write(call, found, attempt, offset)
        if seen.seen.attempt > attempt and not call.args.attempt:
            attempt, offset = seen.seen.attempt, 0
            call.hint(f"attempt {attempt} goes on from {(seen.seen.launch or {}).get('resume_from') or 'the start'}")
        elif over:
            call.hint(f"{seen.verdict.outcome}: {seen.verdict.reason}".rstrip(": "))
            break
        else:
            time.sleep(_POLL_S)
    if offset == began and not call.args.follow:
        call.hint(f"attempt {attempt} has written nothing" + (f" behind byte {began}" if began else " yet"))
    return 0


def _write(call: Invocation, found: Found, attempt: int, offset: int) -> int:
    """Print what there is behind an offset; the new offset. Bytes go through untouched unless a terminal shows them."""
    from runctl.services.jobs.follow import lines_of, read_log

    parts: Iterable[LogPart] = read_log(found.record, attempt, offset)
    if not call.args.timestamps and not sys.stdout.isatty():
        for part in parts:
            sys.stdout.buffer.write(part.data)
            offset = part.end
        sys.stdout.buffer.flush()
        return offset
    held = list(parts)
    for line in lines_of(held):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(line.at)) if call.args.timestamps else ""
        print(at + call.style.clean(line.text, 20_000), flush=True)
    return held[-1].end if held else offset


# --- metrics ---


def _configure_metrics(parser: Parser) -> None:
    add_job(parser)
    _add_attempt(parser)
    parser.add_argument("--name", action="append", metavar="METRIC", help="only this one; may be repeated")
    parser.add_argument("--last", type=arguments.limit, metavar="N", help="only the last N points")
    arguments.add_format(parser, ("table", "json", "csv"))


def _run_metrics(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _metrics(start(args))


def _metrics(call: Invocation) -> int:
    from runctl.cli.jobs_connect import open_jobs
    from runctl.services.jobs.follow import curves_of, read_curves, read_points

    jobs = open_jobs(call)
    found = jobs.find(call.args.id)
    attempt = _attempt(call, found)
    exact = call.output in ("json", "csv")
    curves = (
        curves_of(p for _, p in read_points(found.record, attempt)) if exact else read_curves(found.record, attempt)
    )
    wanted = call.args.name or sorted(curves.series)
    unknown = [n for n in wanted if n not in curves.series]
    if unknown:
        raise InputError(f"no metric {unknown[0]!r}", allowed=", ".join(sorted(curves.series)) or "none was reported")
    if not wanted:
        call.hint(f"attempt {attempt} has reported no metrics")
    _write_metrics(call, curves, wanted)
    return 0


def _write_metrics(call: Invocation, curves: Curves, wanted: list[str]) -> None:
    from runctl.cli.output import write_json, write_lines

    last = call.args.last or 0
    series = {name: curves.series[name][-last:] for name in wanted}
    if call.output == "json":
        write_json({n: [{"step": p.step, "at": p.at, "value": p.value} for p in s] for n, s in series.items()})
    elif call.output == "csv":
        write_lines(["name,step,at,value"])
        for name, points in series.items():
            write_lines(f"{_csv(name)},{_or_empty(p.step)},{p.at:.3f},{_or_empty(p.value)}" for p in points)
    else:
        width = max((len(n) for n in series), default=0)
        for name, points in series.items():
            known = [p.value for p in points if p.value is not None]
            ends = f"{known[0]:g} -> {known[-1]:g}  (least {min(known):g}, most {max(known):g})" if known else "?"
            write_lines([f"{call.style.clean(name):<{width}}  {_spark(known, ascii_only=call.style.ascii)}  {ends}"])


def _csv(text: str) -> str:
    from runctl.cli.cells import csv_word

    text = csv_word(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _or_empty(value: float | int | None) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _spark(values: list[float], *, ascii_only: bool, width: int = 40) -> str:
    """A row of blocks from the least to the most; each block is the mean of its share of points."""
    if not values:
        return ""
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    width = min(width, len(values))
    parts = [values[len(values) * i // width : len(values) * (i + 1) // width] for i in range(width)]
    means = [sum(p) / len(p) for p in parts]
    low, high = min(means), max(means)
    return "".join(blocks[round((m - low) / (high - low) * 7) if high > low else 3] for m in means)


SHOW = Verb(_configure_show, _run_show, ("runctl jobs show vit-small", "runctl jobs show 01JDQ5V7N8 -o json"))
LOGS = Verb(_configure_logs, _run_logs, ("runctl jobs logs -f vit-small", "runctl jobs logs vit-small > train.log"))
METRICS = Verb(_configure_metrics, _run_metrics, ("runctl jobs metrics vit-small --name loss -o csv",))


def open_found(call: Invocation) -> tuple[Jobs, Found]:
    """The job that a command names.

    Raises:
        InputError: there is none.
    """
    from runctl.cli.jobs_connect import open_jobs

    jobs = open_jobs(call)
    return jobs, jobs.find(call.args.id)
