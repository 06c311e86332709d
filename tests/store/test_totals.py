"""Rows, groups and header are one sum, whatever the fleet."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.models.instance import InstanceState, Market
from runctl.models.snapshot import Snapshot
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.store.costs import burn, cost_items
from runctl.store.fields import COST_FIELDS, Context
from runctl.store.select import summary
from runctl.store.totals import GROUPINGS, totals
from tests.screens.fleet import NOW, idle, machine, price


def fleet(rng: random.Random) -> Snapshot:
    def own() -> dict[str, str]:
        return {k: rng.choice(("ana", "bob", "")) for k in ("owner", "project") if rng.random() < 0.7}

    def usd() -> float | None:
        return rng.choice((None, 0.0, 0.1, 1.006, 32.77, rng.random()))

    machines = []
    for n in range(rng.randrange(12)):
        rate = usd()
        made = machine(
            n, f"m{n}", state=rng.choice([str(s) for s in InstanceState]), market=rng.choice(list(Market)),
            rate=None if rate is None else price(rate), tags=own(),
        )  # fmt: skip
        machines.append(replace(made, activity=idle(1)) if rng.random() < 0.3 else made)
    disks = tuple(
        Volume(f"vol-{n}", "us-east-1", "", 1, "gp3", rng.choice(("available", "in-use")), "a", NOW,
               usd_per_month=usd(), ownership=parse_ownership(own()))
        for n in range(rng.randrange(8))
    )  # fmt: skip
    snaps = tuple(
        VolumeSnapshot(f"snap-{n}", "eu-west-1", "", "vol-1", 1, "completed", "", NOW, usd_per_month=usd())
        for n in range(rng.randrange(5))
    )
    addresses = tuple(Address(f"eip-{n}", "eu-west-1", "1.2.3.4", usd_per_hour=usd()) for n in range(rng.randrange(3)))
    return Snapshot(instances=tuple(machines), volumes=disks, snapshots=snaps, addresses=addresses)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_rows_groups_header_and_json_are_the_same_money(seed: int) -> None:
    context = Context(NOW, fleet(random.Random(seed)))
    items, header = cost_items(context), summary(context)
    rows = burn(items)
    assert (rows.usd, rows.unpriced) == (header.burn_usd_per_hour, header.burn_unpriced)
    json = [COST_FIELDS.to_json(i, context) for i in items]
    assert sum(j["usd_per_hour"] or 0.0 for j in json) == pytest.approx(rows.usd)
    assert sum(j["usd_per_hour"] is None for j in json) == rows.unpriced
    for by in GROUPINGS:
        groups = totals(items, by, context)
        assert sum(g.usd_per_hour for g in groups) == pytest.approx(rows.usd)
        assert sum(g.unpriced for g in groups) == rows.unpriced
        assert sum(g.items for g in groups) == len(items)
        assert len({g.name for g in groups}) == len(groups)
