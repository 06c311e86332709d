"""What the lines round a table say. Pure functions from data to pieces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runctl.format import clean_text, format_duration
from runctl.models.snapshot import Health, Snapshot, Source
from runctl.screens.desk import Desk
from runctl.screens.noun import Noun
from runctl.screens.view import Choice, is_signed_out
from runctl.store.costs import is_waste, waste
from runctl.store.fields import Context
from runctl.store.select import PanelStatus, jobs
from runctl.theme import Glyphs
from runctl.widgets.line import Piece
from runctl.widgets.money_strip import Whereabouts

_TROUBLED = (Health.STALE, Health.PARTIAL, Health.ERROR, Health.DENIED)


def tabs(context: Context) -> Sequence[tuple[str, str, str, int | None]]:
    """Key, mode, title and count of the five screens; a count is None until something is known."""
    snapshot = context.snapshot
    known = {key.source for key, status in snapshot.status.items() if status.as_of is not None}

    def count(rows: Sequence[object], source: Source) -> int | None:
        return len(rows) if rows or source in known else None

    return (
        ("1", "instances", "Instances", count(snapshot.instances, Source.INSTANCES)),
        ("2", "jobs", "Jobs", count(jobs(snapshot, context), Source.INSTANCES)),
        ("3", "s3", "S3", count(snapshot.buckets, Source.BUCKETS)),
        ("4", "volumes", "Volumes", count(snapshot.volumes, Source.VOLUMES)),
        ("5", "cost", "Cost", None),
    )


def whereabouts(snapshot: Snapshot, desk: Desk, panel: PanelStatus, now: datetime) -> Whereabouts:
    """Whose account, which regions, how fresh."""
    identity = snapshot.identity
    return Whereabouts(
        account=(identity.alias or identity.account) if identity else "",
        profile=snapshot.profile,
        regions=snapshot.regions,
        freshness=format_duration((now - panel.as_of).total_seconds()) if panel.as_of else "…",
        stale=panel.health in _TROUBLED,
        demo=desk.demo,
        read_only=desk.settings.is_read_only(snapshot.profile or None),
        paused=desk.paused,
    )


def status_pieces(
    noun: Noun[Any], choice: Choice, counts: tuple[int, int, int, int], panel: PanelStatus, signs: Glyphs
) -> list[Piece]:
    """Rows, marks, order, freshness and troubles; `counts` are rows shown, rows known, marks, and those not shown."""
    shown, total, marked, unseen = counts
    name = choice.sort or noun.sort
    order = noun.sortable().get(name, name)
    listed = total or panel.as_of is not None  # nothing of what was never listed is not known to be none
    pieces = [Piece(f"{shown} of {total}") if listed else Piece("? of ?")]
    if marked:
        told = f"{marked} marked" + (f", {unseen} not shown" if unseen else "")
        pieces.append(Piece(told, "accent", bold=True, rank=2))
    if name:
        pieces.append(Piece(f"sort {order} {signs.down if choice.descending else signs.up}", "muted", rank=5))
    if choice.waste_only:
        pieces.append(Piece("idle or wasted only", "warn", rank=1))
    age, *troubles = panel.text.split(" · ")
    calm = panel.health is Health.LIVE
    pieces.append(Piece(clean_text(age, 100), "muted" if calm else "stale", rank=6 if troubles else 3))
    # The first trouble never leaves: better cut at the edge than not said.
    pieces += [Piece(clean_text(t, 100), "warn", rank=4 if number else 0) for number, t in enumerate(troubles)]
    return pieces


def headline(context: Context, rows: Sequence[object], *, newcomer: bool) -> list[Piece]:
    """What comes before the counts: that AWS no longer accepts us (the rows stay), or the hint for the demo."""
    if is_signed_out(context.snapshot):
        return [Piece("credentials are missing or expired: L logs in", "state-bad", bold=True)]
    return [Piece(newcomer_hint(context, rows), "accent", bold=True)] if newcomer and rows else []


def newcomer_hint(context: Context, rows: Sequence[object]) -> str:
    """For the demo, until the first key: what is wrong in this fleet, and the keys that show it."""
    items, total = waste(context)
    if not items:
        return "1-5 change the screen, ? shows all keys"
    keys = "i" if any(is_waste(row, context) for row in rows) else "5, then i"
    things = "1 thing wastes" if len(items) == 1 else f"{len(items)} things waste"
    return f"{things} ${total.usd:,.2f}/h: press {keys}"
