"""What a headless command writes into the ledger, and what it reads from it. SQLite is loaded only here."""

from __future__ import annotations

from collections.abc import Iterable

from runctl import paths
from runctl.cli.invocation import Invocation
from runctl.events import Event, SpentCounted
from runctl.models.snapshot import Snapshot
from runctl.services.recorder import Recorder

#: Seconds a command waits for another process that writes; the next command fills what this one leaves out.
PATIENCE_S = 0.25


def record(call: Invocation, events: Iterable[Event]) -> SpentCounted | None:
    """Write what was seen, and count what has been spent; None where that is not known."""
    recorder = Recorder(paths.ledger_file(), call.clock, PATIENCE_S)
    try:
        for event in events:
            recorder.take(event)
        return _counted(call, recorder)
    finally:
        recorder.close()


def recall(call: Invocation, snapshot: Snapshot) -> SpentCounted | None:
    """Count what has been spent as far as earlier looks know; nothing is written."""
    if snapshot.identity is None or not paths.ledger_file().exists():
        return None
    recorder = Recorder(paths.ledger_file(), call.clock, PATIENCE_S)
    recorder.scope, recorder.account, recorder.regions = snapshot.scope, snapshot.identity.account, snapshot.regions
    try:
        return _counted(call, recorder)
    finally:
        recorder.close()


def _counted(call: Invocation, recorder: Recorder) -> SpentCounted | None:
    spent = recorder.spent(call.clock.now(), curves=False)
    if recorder.notice:
        call.hint(f"warning: {recorder.notice}")
    if spent is None or recorder.scope is None:
        return None
    return SpentCounted(recorder.scope, recorder.account, spent)
