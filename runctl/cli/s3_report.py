"""A transfer's plan and outcome, as lines for people or one JSON object, and its progress on stderr meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from runctl.cli.invocation import Invocation
from runctl.format import clean_text, format_bytes, format_duration

if TYPE_CHECKING:
    import threading

    from runctl.services.transfer.changes import Change
    from runctl.services.transfer.plan import Outcome, Plan
    from runctl.services.transfer.progress import Progress

_WORDS = {
    "new": "copy",
    "changed": "replace",
    "unsure": "compare",
    "extra": "delete",
    "refused": "refuse",
    "note": "note",
}


class Watched(Protocol):
    """What can say how far it is."""

    def progress(self) -> Progress:
        """How far it is."""
        ...


def plan_json(plan: Plan, *, delete: bool) -> dict[str, Any]:
    """A plan as one object."""
    listed = [c for c in plan.changes if delete or c.kind.value != "extra"]
    return {
        "dry_run": True,
        "files": plan.moves.files,
        "bytes": plan.moves.bytes,
        "same": plan.groups[_kind("same")].files,
        "delete": plan.deletions.count if delete else 0,
        "delete_forbidden": (plan.forbidden or None) if delete else None,
        "refused": plan.groups[_kind("refused")].files,
        "changes": [_change_json(c) for c in listed],
        "complete": plan.whole,
    }


def _kind(word: str) -> Any:
    from runctl.services.transfer.changes import Kind

    return Kind(word)


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "action": _WORDS[change.kind.value],
        "name": change.name,
        "bytes": change.size,
        "reason": change.reason,
    }


def plan_lines(plan: Plan, *, delete: bool, limit: int = 1000) -> Iterator[str]:
    """A plan for people: names first, the sum last."""
    shown = [c for c in plan.changes if delete or c.kind.value != "extra"]
    for change in shown[:limit]:
        size = f"{format_bytes(change.size):>10}"
        yield f"{_WORDS[change.kind.value]:<8}{size}  {clean_text(change.name, 2048)}  ({clean_text(change.reason)})"
    if len(shown) > limit:
        yield f"... and {len(shown) - limit} more (-o json lists them)"
    yield plan_sum(plan, delete=delete)


def plan_sum(plan: Plan, *, delete: bool) -> str:
    """One line."""
    parts = [
        f"{plan.moves.files} to copy ({format_bytes(plan.moves.bytes)})",
        f"{plan.groups[_kind('same')].files} same",
    ]
    if delete:
        parts.append(f"{plan.deletions.count} to delete ({format_bytes(plan.deletions.bytes)})")
    if refused := plan.groups[_kind("refused")].files:
        parts.append(f"{refused} refused")
    return ", ".join(parts)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as one object."""
    fatal = outcome.fatal
    return {
        "dry_run": False,
        "files": outcome.files,
        "bytes": outcome.bytes,
        "same": outcome.same,
        "deleted": outcome.deleted,
        "failed": [
            {"name": f.name, "code": f.code or None, "reason": f.reason, "refused": f.refused} for f in outcome.failed
        ],
        "failed_count": outcome.failed_count,
        "notes": [{"name": n.name, "reason": n.reason} for n in outcome.notes],
        "not_deleted": outcome.undeleted or None,
        "cancelled": outcome.cancelled,
        "fatal": clean_text(str(fatal)) if fatal is not None else None,
        "seconds": round(outcome.elapsed_s, 3),
        "retries": outcome.retries,
    }


def outcome_line(outcome: Outcome, verb: str) -> str:
    """One line."""
    rate = f", {format_bytes(outcome.bytes / outcome.elapsed_s)}/s" if outcome.bytes and outcome.elapsed_s > 0.2 else ""
    parts = [f"{verb} {outcome.files} ({format_bytes(outcome.bytes)}) in {outcome.elapsed_s:.1f} s{rate}"]
    if outcome.same:
        parts.append(f"{outcome.same} same")
    if outcome.deleted:
        parts.append(f"{outcome.deleted} deleted")
    if outcome.failed_count:
        parts.append(f"{outcome.failed_count} FAILED")
    return "; ".join(parts)


def tell_failures(call: Invocation, outcome: Outcome) -> None:
    """What went wrong, by name, on stderr: said even with -q."""
    for failure in outcome.failed[:1000]:
        word = "refused" if failure.refused else "failed"
        code = f" [{failure.code}]" if failure.code and not failure.refused else ""
        print(f"{word}: {clean_text(failure.name, 2048)}: {clean_text(failure.reason)}{code}", file=sys.stderr)
    if outcome.failed_count > 1000:
        print(f"... and {outcome.failed_count - 1000} more (-o json lists 10,000)", file=sys.stderr)
    for note in outcome.notes[:100]:
        call.hint(f"note: {clean_text(note.name, 2048)}: {clean_text(note.reason)}")
    if outcome.undeleted:
        print(f"nothing was deleted: {clean_text(outcome.undeleted)}", file=sys.stderr)
    if outcome.cancelled:
        print("interrupted: run the same command again to go on where it stopped", file=sys.stderr)
    elif outcome.fatal is not None:
        print(f"stopped: {clean_text(str(outcome.fatal))}", file=sys.stderr)


def progress_line(progress: Progress) -> str:
    """One line a second for logs."""
    more = "" if progress.planned else "+"
    rate = f"{format_bytes(progress.rate)}/s" if progress.rate is not None else "?"
    eta = f", ETA {format_duration(progress.eta_s)}" if progress.eta_s is not None else ""
    failed = f", {progress.files_failed} failed" if progress.files_failed else ""
    return (
        f"{progress.files_done}/{progress.files_total}{more} files, "
        f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}{more}, {rate}{eta}{failed}"
    )


@contextmanager
def shown(call: Invocation, watched: Watched) -> Iterator[None]:
    """Show progress on stderr: a bar on a terminal, a line a second with -v, nothing otherwise or with -q."""
    bar = sys.stderr.isatty() and not call.args.quiet
    if not bar and not call.args.verbose:
        yield
        return
    from runctl.services.transfer.ticker import ticking

    with ticking(partial(_bar if bar else _lines, watched)):
        yield


def _lines(watched: Watched, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        print(progress_line(watched.progress()), file=sys.stderr, flush=True)


def _bar(watched: Watched, stop: threading.Event) -> None:
    if stop.wait(0.4):  # what is over by now needs no bar, and never pays for rich
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(None), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=8) as bars:
        task = bars.add_task("", total=None)
        while not stop.wait(0.12):
            now = watched.progress()
            text = progress_line(now)
            if now.active:
                text += f"  {clean_text(now.active[0], 40)}"
            bars.update(task, total=now.bytes_total or None, completed=now.bytes_done, description=text)
