"""Fifty machines and their disks, watched for ninety days: how large the ledger is, how soon the Cost screen is there.

python -m benchmarks.bench_ledger --days 90
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.bench_table import machines
from benchmarks.harness import Result
from runctl.app import RunctlApp
from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.models.cost import CostKind
from runctl.models.identity import Identity
from runctl.models.instance import Instance, Market
from runctl.models.ledger import ResourceKey, Sighting
from runctl.services import ledger as ledger_module
from runctl.services import ledger_fold
from runctl.services.ledger import Ledger
from runctl.services.recorder import read_spent

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
MACHINES, DISKS, SNAPSHOTS = 50, 120, 200
OPEN_BAR_S, SIZE_BAR_MB = 0.2, 50.0
ROUNDS = 15


def build(path: Path, days: int) -> None:
    """Ninety days of looking: machines stop and start, spot prices step six times a day, disks grow.

    Looked at once an hour with pauses of two hours counting as watched: the rows are those of a poll every ten seconds,
    since a poll that changes nothing only moves the end of a row.
    """
    rng, ledger = random.Random(7), Ledger(path)  # noqa: S311  # the same fleet each time, nothing secret
    ledger._db.execute("PRAGMA synchronous = OFF")
    spot = {n: n % 5 < 3 for n in range(MACHINES)}
    rates = {n: rng.uniform(0.3, 5.0) for n in range(MACHINES)}
    started: dict[int, datetime | None] = dict.fromkeys(range(MACHINES), NOW - timedelta(days=days))
    sizes = {n: rng.uniform(0.01, 0.5) for n in range(DISKS)}
    with patch.object(ledger_fold, "WATCHED", timedelta(hours=2)), patch.object(ledger_module, "WATCHED", timedelta(2)):
        for hour in range(days * 24):
            at = NOW - timedelta(days=days) + timedelta(hours=hour)
            for n in range(MACHINES):
                if rng.random() < 1 / 12:
                    started[n] = None if started[n] else at
                if spot[n] and rng.random() < 1 / 4:
                    rates[n] = round(rates[n] * rng.uniform(0.97, 1.03), 6)
            if rng.random() < 0.05:
                sizes[rng.randrange(DISKS)] *= 1.5
            ledger.observe(
                ACCOUNT, REGION, CostKind.INSTANCE, [_seen(n, started[n], rates[n], spot[n]) for n in spot], at
            )
            if hour % 6 == 0:
                born = NOW - timedelta(days=days + 5)
                for kind, count, prefix in ((CostKind.VOLUME, DISKS, "vol"), (CostKind.SNAPSHOT, SNAPSHOTS, "snap")):
                    seen = [
                        Sighting(ResourceKey(ACCOUNT, REGION, kind, f"{prefix}-{n}"), True, sizes.get(n, 0.001),
                                 run_started=born, type="gp3", owner=f"o{n % 7}", project=f"p{n % 9}")
                        for n in range(count)
                    ]  # fmt: skip
                    ledger.observe(ACCOUNT, REGION, kind, seen, at)
    ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()


def _seen(n: int, started: datetime | None, rate: float, spot: bool) -> Sighting:
    return Sighting(
        ResourceKey(ACCOUNT, REGION, CostKind.INSTANCE, f"i-{n:017x}"), started is not None, rate, "spot-history",
        started, market="spot" if spot else "on-demand", type="g5.xlarge", name=f"m{n}", owner=f"o{n % 7}",
        project=f"p{n % 9}", job=f"j{n}",
    )  # fmt: skip


class Fleet:
    """Fifty machines in memory; a backend that answers at once."""

    profile = ""

    def __init__(self) -> None:
        made = machines(MACHINES, 0)
        self.machines = tuple(replace(m, market=Market.SPOT if n % 5 < 3 else m.market) for n, m in enumerate(made))

    def fetch_identity(self) -> Identity:
        """A made-up account."""
        return Identity(ACCOUNT, "arn:aws:iam::123456789012:user/bench", "")

    def default_region(self) -> str:
        """The only one."""
        return REGION

    def list_instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """One page."""
        del region
        yield self.machines

    def __getattr__(self, name: str) -> Any:
        """Every other listing is one empty page, everything else nothing."""
        if name.startswith("list_"):
            return lambda *_: iter(((),))
        return lambda *_: None


async def _open_screen() -> list[float]:
    """Seconds from the key to the drawn Cost screen, again and again."""
    app = RunctlApp(Settings(regions=(REGION,)), lambda _: Fleet(), clock=FrozenClock(NOW))  # type: ignore[arg-type,return-value]  # answers what is asked here
    taken = []
    async with app.run_test(size=(120, 40)) as pilot:
        while app.snapshot.spent is None or len(app.snapshot.instances) < MACHINES:
            await pilot.pause(0.05)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            await app.action_switch_mode("cost")
            await pilot.pause()
            taken.append(time.perf_counter() - begun)
            await app.action_switch_mode("instances")
            await pilot.pause()
    return taken


def main(days: int = 90) -> list[Result]:
    """Build it, weigh it, open it."""
    with tempfile.TemporaryDirectory() as home, patch.dict(os.environ, {"RUNCTL_HOME": home}):
        path = Path(home) / "state" / "ledger.sqlite3"
        path.parent.mkdir(parents=True)
        build(path, days)
        size = path.stat().st_size / 1e6
        ledger, sums = Ledger(path), []
        (rows,) = ledger.query("SELECT COUNT(*) FROM interval", {})[0]
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            read_spent(ledger, ACCOUNT, (REGION,), NOW)
            sums.append(time.perf_counter() - begun)
        ledger.close()
        opened = asyncio.run(_open_screen())
    read, screen = statistics.median(sums), statistics.median(opened[1:])
    what = f"{MACHINES} machines, {days} days, {rows:,} rows"
    return [
        Result(f"ledger, MB / {SIZE_BAR_MB:g} ({what})", size, SIZE_BAR_MB, size / SIZE_BAR_MB, 1.0),
        Result("all sums and both curves out of it / 0.2 s", read, OPEN_BAR_S, read / OPEN_BAR_S, 1.0),
        Result("Cost screen opened / 0.2 s (median)", screen, OPEN_BAR_S, screen / OPEN_BAR_S, 1.0),
        Result("Cost screen opened for the first time / 0.2 s", opened[0], OPEN_BAR_S, opened[0] / OPEN_BAR_S, 1.0),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    for found in main(parser.parse_args().days):
        print(found.line())
