"""Rows, sums and sentences: unknown prices stay unknown, and what failed says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runctl.models.cost import Confidence, Price
from runctl.models.instance import Hardware, Market
from runctl.models.launch import Attempt, AttemptClass, Candidate, LaunchRequest, LaunchResult, Offer, Quota
from runctl.models.plan import Refusal, Rule
from runctl.services.launch.grid import advice, offer_rows, outcome_line, summary_lines, totals

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
REQUEST = LaunchRequest("r", "us-east-1", ("g5.xlarge",), count=2, expires_at=NOW + timedelta(hours=8))


def place(zone: str = "us-east-1a", usd: float | None = 1.0, extra: float | None = 0.1, **more: object) -> Candidate:
    price = None if usd is None else Price(usd, "hour", "spot-history", Confidence.LIVE)
    made = Candidate("g5.xlarge", zone, Market.SPOT, price, extra, Hardware(4), None, Quota("L-1", 16.0, 10))
    return replace(made, **more)  # type: ignore[arg-type]


def test_money_is_for_all_machines_and_adds_up() -> None:
    (row,) = offer_rows(Offer(REQUEST, (place(),)), NOW)
    assert row.machine_usd_per_hour == pytest.approx(2.0)
    assert row.usd_per_hour == pytest.approx(2.2)
    assert row.usd_per_day == pytest.approx(2.2 * 24)
    assert row.usd_total == pytest.approx(2.2 * 8)
    assert (row.vcpus_left, row.vcpus_needed, row.tight) == (6.0, 8, True)


def test_unknown_stays_unknown() -> None:
    offer = Offer(replace(REQUEST, expires_at=None), (place(usd=None), place(extra=None), place()))
    unpriced, half, whole = offer_rows(offer, NOW)
    assert (unpriced.machine_usd_per_hour, unpriced.usd_per_hour, unpriced.price_source) == (None, None, "")
    assert (half.machine_usd_per_hour, half.usd_per_hour) == (2.0, None)
    assert (whole.usd_total, whole.ends) == (None, False)
    total = totals((unpriced, half, whole))
    assert (total.first, total.unpriced) == (None, 2)
    assert total.dearest == pytest.approx(2.2)
    assert "(+2 unpriced)" in "\n".join(summary_lines(offer, NOW))
    alone = Offer(REQUEST, (place(usd=None, quota=None),))
    assert "its price is unknown" in list(summary_lines(alone, NOW))
    assert not offer_rows(alone, NOW)[0].tight


def test_what_is_left_out_is_shown_and_not_counted() -> None:
    offer = Offer(REQUEST, (place("a", 9.0).without("no subnet"), place("b", 1.0), place("c", 2.0)))
    rows = offer_rows(offer, NOW)
    assert [r.candidate.excluded for r in rows] == ["no subnet", "", ""]
    assert totals(rows).dearest == pytest.approx(4.2)
    told = list(summary_lines(offer, NOW))
    assert told[0] == "2 × g5.xlarge, on-demand, in us-east-1"
    assert "$2.2000 to $4.2000/h" in told[1]
    assert "(8h00 from now)" in told[2]


def test_each_failure_says_what_to_do() -> None:
    tried = [Attempt(place(), c, "t", "code", "said") for c in AttemptClass if c is not AttemptClass.LAUNCHED]
    told = advice(LaunchResult(REQUEST, attempts=tuple(tried)))
    assert len(told) == len(AttemptClass) - 1
    assert len({line.partition(":")[0] for line in told}) == len(told)
    assert any("servicequotas/home/services/ec2/quotas/L-1" in line for line in told)


def test_each_outcome_has_its_sentence() -> None:
    done = LaunchResult(REQUEST, ("i-1", "i-2"), candidate=place())
    assert outcome_line(done) == "launched: i-1, i-2 in us-east-1a, g5.xlarge spot"
    assert outcome_line(replace(done, adopted=True)).startswith("found again")
    refused = LaunchResult(REQUEST, refusals=(Refusal(Rule.READ_ONLY, "read-only mode"),))
    assert outcome_line(refused) == "not launched: read-only mode [read-only]"
    assert "10 minutes" in outcome_line(LaunchResult(REQUEST, pending=True))
    assert "left out" in outcome_line(LaunchResult(REQUEST))
    failed = LaunchResult(REQUEST, attempts=(Attempt(place(), AttemptClass.CAPACITY, "t", "c"),))
    assert outcome_line(failed) == "not launched: 1 place refused it"
