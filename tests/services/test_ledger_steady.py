"""The short way of what only moves on writes the very rows that folding each sighting writes."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.models.cost import CostKind
from runctl.models.ledger import ResourceKey, Sighting
from runctl.services import ledger as ledger_module
from runctl.services.ledger import Ledger

START = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
EXAMPLES = int(os.environ.get("LEDGER_FLEETS", "20"))
_TABLES = ("resource", "interval", "gap", "watch", "watched")


def _listing(rng: random.Random, kind: CostKind, at: datetime) -> list[Sighting]:
    """Mostly what was said before; now and then another run, price, market, name, an end, a silence, the same twice."""
    seen = []
    for n in range(6):
        if rng.random() < 0.05:
            continue
        run = None if n == 5 else START - timedelta(hours=n, microseconds=rng.choice((0, 0, 0, 0, 300)) * (n == 4))
        other = rng.random() < 0.05
        name = rng.choice(("a", "", "b")) if rng.random() < 0.1 else "a"
        seen.append(
            Sighting(
                ResourceKey(ACCOUNT, REGION, kind, f"r-{n}"),
                bills=rng.random() > 0.05,
                rate=rng.choice((None, -1.0, float("nan"), 2.0)) if rng.random() < 0.08 else 1.0,
                run_started=at - timedelta(seconds=rng.randrange(300)) if other else run,
                ended_at=at - timedelta(seconds=rng.randrange(300)) if rng.random() < 0.02 else None,
                rate_since=START if rng.random() < 0.5 else None,
                market="on-demand" if n < 4 or rng.random() < 0.05 else "spot",
                name=name,
                owner="ana" if name else None,
            )
        )
    if seen and rng.random() < 0.05:
        seen.append(rng.choice(seen))
    return seen


def _everything(ledger: Ledger) -> list[list[tuple[object, ...]]]:
    return [ledger.query(f"SELECT * FROM {table} ORDER BY rowid", {}) for table in _TABLES]  # noqa: S608  # of constants


def _none_steady(_opened: object, seen: Sequence[Sighting], _at: object) -> tuple[list[int], Sequence[Sighting]]:
    return [], seen


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_the_short_way_writes_the_same_rows(seed: int) -> None:
    rng = random.Random(seed)
    short, whole = Ledger(":memory:"), Ledger(":memory:")
    at = START
    for _ in range(40):
        # Pauses, clocks that run backwards, and moments right at what still counts as watched.
        at += timedelta(seconds=rng.choice((10, 10, 10, 10, 10, 60, 180, 181, 7000, -5, -400)))
        kind, complete = rng.choice((CostKind.INSTANCE, CostKind.INSTANCE, CostKind.VOLUME)), rng.random() < 0.8
        listing = _listing(rng, kind, at)
        short.observe(ACCOUNT, REGION, kind, listing, at, complete=complete)
        with patch.object(ledger_module, "steady_rows", _none_steady):
            whole.observe(ACCOUNT, REGION, kind, listing, at, complete=complete)
        assert _everything(short) == _everything(whole)


def test_a_listing_that_says_nothing_new_is_a_handful_of_statements() -> None:
    ledger, said = Ledger(":memory:"), list[str]()
    for poll in range(3):
        at = START + timedelta(seconds=10 * poll)
        seen = [
            Sighting(ResourceKey(ACCOUNT, REGION, CostKind.INSTANCE, f"i-{n}"), True, 1.0, run_started=START, name="m")
            for n in range(300)
        ]
        said.clear()
        ledger._db.set_trace_callback(said.append)
        ledger.observe(ACCOUNT, REGION, CostKind.INSTANCE, seen, at)
    assert len(said) <= 8, "in place of four for each machine"
    ((least, count),) = ledger.query("SELECT MIN(until - started), COUNT(*) FROM interval", {})
    assert (least, count) == (20_000, 300)
