"""The sightings of a listing that only move the end of what is open: nearly all of them, told apart by one question.

What is steady here is what `ledger_fold.fold` answers with the same interval and a later end, and nothing else; a test
holds the two against each other. Everything that is not plainly so goes through the fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from runctl.models.ledger import Basis, Sighting
from runctl.services.ledger_file import ms_of
from runctl.services.ledger_fold import WATCHED, believable

#: Everything open of one kind in one region.
OPEN = """
    SELECT r.aws_id, i.id, r.name, r.owner, r.project, r.job, i.until, i.rate, i.basis, i.market, i.run
    FROM resource r JOIN interval i ON i.resource = r.id AND i.open
    WHERE r.account = ? AND r.region = ? AND r.kind = ?
"""
#: One statement for thousands of rows, so that other threads go on meanwhile.
MOVE_ON = "UPDATE interval SET until = ? WHERE id IN (SELECT value FROM json_each(?))"


class Opened(NamedTuple):
    """An open interval and whose it is, as the file has them: milliseconds and words."""

    row: int
    name: str
    owner: str | None
    project: str | None
    job: str | None
    until: int
    rate: float | None
    basis: str
    market: str
    run: int | None


def opened_of(rows: Iterable[tuple[object, ...]]) -> dict[str, Opened]:
    """The answer to `OPEN`, by the id of the resource."""
    return {str(row[0]): Opened._make(row[1:]) for row in rows}


def steady_rows(
    opened: Mapping[str, Opened], seen: Sequence[Sighting], at: datetime
) -> tuple[list[int], list[Sighting]]:
    """The rows whose end moves to `at`, and the sightings that say anything else."""
    now, rows, rest = ms_of(at), [], []
    least = now - round(WATCHED.total_seconds() * 1000)
    for sighting in seen:
        known = opened.get(sighting.key.id)
        if known is not None and least <= known.until <= now and _is_steady(known, sighting):
            rows.append(known.row)
        else:
            rest.append(sighting)
    return rows, rest


def _is_steady(known: Opened, seen: Sighting) -> bool:
    """Whether nothing is said of it that was not known."""
    return (
        seen.bills
        and known.basis == Basis.OBSERVED
        and known.market == seen.market
        and known.rate == believable(seen.rate)
        and known.run == _run_of(seen)
        and _as_said(known, seen)
    )


def _run_of(seen: Sighting) -> int | None:
    """Its run in milliseconds; a time that these cannot tell exactly is no run of the file."""
    started = seen.run_started
    if started is None:
        return None
    return -1 if started.microsecond % 1000 else ms_of(started)


def _as_said(known: Opened, seen: Sighting) -> bool:
    """Whether its words are the known ones; who says none changes none."""
    said = (seen.name, seen.owner, seen.project, seen.job)
    return said == known[1:5] or not any(said)
