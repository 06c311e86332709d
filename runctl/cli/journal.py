"""`runctl journal`: every change that was made from this machine, and how to undo it."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.journal import Entry


def _since(text: str) -> float | datetime:
    """Seconds ago ("24h"), or a time ("2026-01-31" or with hours and an offset; UTC without one).

    Raises:
        ArgumentTypeError: neither.
    """
    try:
        return arguments.duration(text)
    except ArgumentTypeError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is neither a duration nor a time; write 24h or 2026-01-31") from error
    from datetime import UTC

    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _configure(parser: Parser) -> None:
    parser.add_argument("--since", type=_since, metavar="24h", help="only changes since then: a duration, or a time")
    parser.add_argument("--limit", type=arguments.limit, metavar="N", help="the newest N")
    arguments.add_format(parser, ("table", "json", "ndjson"))


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import start

    return show(start(args))


def show(call: Invocation) -> int:
    """List what the journal holds, oldest first; returns the exit code."""
    from runctl import paths
    from runctl.cli import output
    from runctl.services.journal import Journal

    since = call.args.since
    if isinstance(since, float):
        since = call.clock.now() - timedelta(seconds=since)
    entries = Journal(paths.journal_file(), call.clock).entries(since)
    entries = entries[-call.args.limit :] if call.args.limit else entries
    if call.output == "json":
        output.write_json([entry_json(e) for e in entries])
    elif call.output == "ndjson":
        from runctl.cli.listing import dump

        output.write_lines(dump(entry_json(e)) for e in entries)
    elif entries:
        _write_table(call, entries)
    if not entries:
        call.hint(f"nothing was changed{' since then' if since else ''}: {paths.journal_file()}")
    return 0


def entry_json(entry: Entry) -> Mapping[str, Any]:
    """One change as an object."""
    return {
        "at": entry.at.isoformat(), "action": entry.verb, "kind": entry.kind, "id": entry.resource,
        "region": entry.region, "outcome": entry.outcome,
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None, "operation": entry.operation,
        "request": dict(entry.request), "code": entry.code or None, "message": entry.message or None,
        "made": list(entry.made), "inverse": entry.inverse or None, "plan": entry.plan or None,
        "account": entry.stamp.account, "arn": entry.stamp.arn, "profile": entry.stamp.profile,
    }  # fmt: skip


def _write_table(call: Invocation, entries: list[Entry]) -> None:
    from runctl.cli import output
    from runctl.cli.style import Tone
    from runctl.cli.table import Cell, Column, table_lines
    from runctl.format import format_time

    heads = ("AT", "ACTION", "ID", "REGION", "OUTCOME", "ACCOUNT", "WHAT ELSE")
    columns = [Column(h, whole=h in ("AT", "ID"), keep=h in ("AT", "ACTION", "ID", "OUTCOME")) for h in heads]
    tones = {"done": Tone.GOOD, "failed": Tone.BAD, "open": Tone.WARN, "unknown": Tone.WARN}
    clean = call.style.clean
    rows = [
        [
            Cell(format_time(e.at)), Cell(clean(e.verb)), Cell(clean(e.resource)), Cell(clean(e.region)),
            Cell(clean(e.outcome), tones.get(e.outcome, Tone.PLAIN)), Cell(clean(e.stamp.account)),
            Cell(clean(_else(e), 300)),
        ]
        for e in entries
    ]  # fmt: skip
    output.write_lines(table_lines(columns, rows, call.style))


def _else(entry: Entry) -> str:
    if entry.outcome == "done":
        made = f"made {', '.join(entry.made)}" if entry.made else ""
        undo = f"undo: {entry.inverse}" if entry.inverse else ""
        return "; ".join(p for p in (made, undo) if p)
    return f"{entry.code} {entry.message}".strip()


VERBS = {"": Verb(_configure, _run, ("runctl journal --since 24h", "runctl journal --since 2026-01-31 -o json"))}
