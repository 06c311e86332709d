"""Sums that SQLite makes in one pass equal the plain ones, made interval by interval, on random ledgers."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.models.ledger import Basis, LedgerTotal
from runctl.models.spent import BurnPoint
from runctl.services.ledger import Ledger
from runctl.services.ledger_curve import burn_curve
from runctl.services.ledger_file import ms_of, time_of
from runctl.services.ledger_read import job_totals
from runctl.services.ledger_sums import BY, window_sums

START = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 24 * 10
ACCOUNT = "123456789012"
EXAMPLES = int(os.environ.get("LEDGER_FLEETS", "40"))


def made(rng: random.Random) -> Ledger:
    """A ledger of anything that may be in one: no owner, no price, no length, other accounts, ends on a step."""
    ledger, db = (it := Ledger(":memory:")), it._db
    for resource in range(1, rng.randrange(2, 14)):
        names = (rng.choice((None, "", "p1", "p2")), rng.choice((None, "ana", "bo")), rng.choice((None, "", "j1")))
        account, kind = rng.choice((ACCOUNT,) * 5 + ("other",)), rng.choice(("instance", "instance", "volume", "s3"))
        db.execute(
            "INSERT INTO resource (id, account, region, kind, aws_id, name, project, owner, job)"
            " VALUES (?, ?, 'us-east-1', ?, ?, '', ?, ?, ?)",
            (resource, account, kind, f"r-{resource}", *names),
        )
        for _ in range(rng.randrange(8)):
            begun, ended = _stretch(rng)
            db.execute(
                "INSERT INTO interval (resource, started, until, rate, basis, source, market, type, run, extra_s, open)"
                " VALUES (?, ?, ?, ?, ?, '', ?, 't', NULL, ?, 0)",
                (resource, begun, ended, rng.choice((None, 0.0, 0.001, 1.006, 32.77)), rng.choice([*map(str, Basis)]),
                 rng.choice(("spot", "on-demand")), rng.choice((0.0, 0.0, 59.5))),
            )  # fmt: skip
        for _ in range(rng.randrange(3)):
            db.execute("INSERT INTO gap VALUES (?, ?, ?, '')", (resource, *_stretch(rng)))
    return ledger


def _stretch(rng: random.Random) -> tuple[int, int]:
    minute = 60_000 if rng.random() < 0.5 else 1
    begun = ms_of(START) + rng.randrange(-24 * 60, HOURS * 60) * 60_000 + rng.choice((0, 1, 899_999, 17))
    return begun, begun + rng.choice(
        (0, 1, 15 * 60_000, 2 * 3_600_000, rng.randrange(60 * 72 * 60_000))
    ) // minute * minute


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_one_pass_gives_every_window_and_group_as_totals_does(seed: int) -> None:
    rng = random.Random(seed)
    ledger = made(rng)
    until = START + timedelta(hours=rng.randrange(1, HOURS), milliseconds=rng.choice((0, 1000)))
    starts = [until - timedelta(hours=rng.choice((0, 1, 5, 24, 168, 400))) for _ in range(4)]
    sums, groups = window_sums(ledger, ACCOUNT, starts, until)
    for start, found in zip(starts, sums, strict=True):
        plain = ledger.totals(ACCOUNT, start, until)
        assert _figures([found]) == pytest.approx(_figures(plain), rel=1e-9, abs=1e-9)
    for by in BY:
        _same(groups[by], ledger.totals(ACCOUNT, starts[0], until, by))
    _same(job_totals(ledger, ACCOUNT, until), ledger.totals(ACCOUNT, time_of(0), until, "job"))


def _figures(totals: Iterable[LedgerTotal]) -> list[float]:
    every = list(totals)
    by_basis = [sum(t.usd_by_basis.get(basis, 0.0) for t in every) for basis in Basis]
    return [sum(t.usd for t in every), sum(t.priced_s for t in every), sum(t.unpriced_s for t in every),
            sum(t.gap_s for t in every), *by_basis]  # fmt: skip


def _same(found: dict[str, LedgerTotal], plain: list[LedgerTotal]) -> None:
    expected = {t.group: t for t in plain if t.group}
    assert found.keys() == expected.keys()
    for group, total in found.items():
        assert total.group == group
        assert total.resources == expected[group].resources
        assert total.usd_by_basis.keys() == expected[group].usd_by_basis.keys()
        assert _figures([total]) == pytest.approx(_figures([expected[group]]), rel=1e-9, abs=1e-9)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_the_curve_is_the_one_made_interval_by_interval(seed: int) -> None:
    rng = random.Random(seed)
    ledger, until = made(rng), START + timedelta(hours=rng.randrange(1, HOURS), milliseconds=rng.choice((0, 337)))
    hours, steps = rng.choice(((24, 96), (168, 84), (24, 7), (1, 13)))
    since = until - timedelta(hours=hours)
    for found, plain in zip(
        burn_curve(ledger, ACCOUNT, since, until, steps), _plain_curve(ledger, since, until, steps), strict=True
    ):
        assert (found.at, found.unpriced, found.spot is None) == (plain.at, plain.unpriced, plain.spot is None)
        for name in ("on_demand", "spot", "storage"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9, abs=1e-9)


def _plain_curve(ledger: Ledger, since: datetime, until: datetime, steps: int) -> list[BurnPoint]:
    """Every step by itself: what overlaps it, and how much of it."""
    a, width = ms_of(since), (ms_of(until) - ms_of(since)) / steps
    intervals = ledger.query(
        "SELECT r.kind, i.market, i.started, i.until, i.rate FROM interval i JOIN resource r ON r.id = i.resource"
        " WHERE r.account = :account", {"account": ACCOUNT},
    )  # fmt: skip
    gaps = ledger.query(
        "SELECT g.started, g.until FROM gap g JOIN resource r ON r.id = g.resource WHERE r.account = :account",
        {"account": ACCOUNT},
    )
    points = []
    for n in range(steps):
        low, high = a + n * width, a + (n + 1) * width
        sums, seen, unpriced = {"": 0.0, "spot": 0.0, "on-demand": 0.0}, False, False
        for kind, market, begun, ended, rate in intervals:
            share = max(0.0, min(high, ended) - max(low, begun)) / width
            seen, unpriced = seen or share > 0, unpriced or (share > 0 and rate is None)
            sums["" if kind != "instance" else market] += share * (rate or 0.0)
        blind = max((max(0.0, min(high, e) - max(low, s)) / width for s, e in gaps), default=0.0)
        known = seen and blind <= 0.1
        on_demand, spot, storage = (sums[k] if known else None for k in ("on-demand", "spot", ""))
        points.append(BurnPoint(time_of(round(low)), on_demand, spot, storage, unpriced))
    return points
