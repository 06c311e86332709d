"""The price book: what it says, how sure it is, and that it never guesses."""

from __future__ import annotations

import ast
import csv
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from runctl.models.cost import Confidence, Price
from runctl.services.prices import PriceBook, source_name

ROOT = Path(__file__).parents[2]
BOOK = PriceBook()
FACTS = list(csv.DictReader((ROOT / "scripts/price_facts/ec2_prices.csv").open(newline="")))


def test_the_shipped_book_is_what_the_script_makes_of_the_facts() -> None:
    script = runpy.run_path(str(ROOT / "scripts/price_book.py"))
    book = ROOT / "runctl/data/price_book"
    assert script["build"]() == {file.name: file.read_text() for file in book.iterdir()}


READS = """
import sys
opened = []
sys.addaudithook(lambda name, args: name == "open" and opened.append(str(args[0])))
from runctl.services.prices import PriceBook
for region in ("us-east-1", "../price_book/us-east-2", "us-east-1"):
    PriceBook().instance_rate(region, "g5.xlarge", "spot")
print([name for name in opened if name.endswith(".json")])
"""


def test_a_region_s_prices_are_read_when_they_are_asked_for_and_a_name_is_never_a_path() -> None:
    done = subprocess.run([sys.executable, "-c", READS], capture_output=True, text=True, check=True)
    read = [Path(name).name for name in ast.literal_eval(done.stdout)]
    assert read == ["book.json", "us-east-1.json"]


def test_every_fact_is_in_the_book_to_the_digit() -> None:
    for row in FACTS:
        for market, column in (("on-demand", "on_demand_usd_per_hour"), ("spot", "spot_usd_per_hour")):
            price = BOOK.instance_rate(row["region"], row["instance_type"], market)
            assert (price.usd if price else None) == (float(row[column]) if row[column] else None)


@pytest.mark.parametrize(
    ("region", "kind", "market", "confidence"),
    [
        ("us-east-1", "g5.xlarge", "on-demand", Confidence.LISTED),
        ("us-east-1", "g5.xlarge", "spot", Confidence.TYPICAL),
        ("us-east-2", "c7i-flex.12xlarge", "on-demand", Confidence.INFERRED),
        ("eu-west-1", "c5.4xlarge", "on-demand", Confidence.DATED),
    ],
)
def test_a_price_says_how_sure_it_is(region: str, kind: str, market: str, confidence: Confidence) -> None:
    price = BOOK.instance_rate(region, kind, market)
    assert price is not None
    assert price.confidence is confidence
    assert source_name(price.source) != price.source


@pytest.mark.parametrize(
    ("region", "kind"), [("us-east-1", "p5e.48xlarge"), ("us-east-1", "z9.huge"), ("mars-1", "g5.xlarge")]
)
def test_what_nobody_knows_has_no_price(region: str, kind: str) -> None:
    assert BOOK.instance_rate(region, kind, "on-demand") is None


def test_a_live_spot_price_of_the_zone_comes_first_then_the_cache_then_the_book() -> None:
    def priced(usd: float) -> Price:
        return Price(usd, "hour", "spot-history", Confidence.LIVE)

    where = ("us-east-1", "us-east-1a", "g5.xlarge")
    book = PriceBook(spot={where: priced(0.3)}, cached={("us-east-1", "g5.xlarge", "spot"): priced(0.35)})
    rates = [book.instance_rate("us-east-1", "g5.xlarge", "spot", az) for az in ("us-east-1a", "us-east-1b")]
    assert [r.usd for r in rates if r] == [0.3, 0.35]
    absurd = PriceBook(spot={where: priced(1e9)}, cached={("us-east-1", "g5.xlarge", "spot"): priced(-1)})
    booked = BOOK.instance_rate("us-east-1", "g5.xlarge", "spot")
    assert booked is not None
    assert absurd.instance_rate("us-east-1", "g5.xlarge", "spot", "us-east-1a") == booked


@pytest.mark.parametrize(
    ("kind", "size", "iops", "throughput", "usd"),
    [
        ("gp3", 100, None, None, 8.0),
        ("gp3", 500, 6000, 250, 500 * 0.08 + 3000 * 0.005 + 125 * 0.04),
        ("gp2", 100, 300, None, 10.0),
        ("io1", 100, 1000, None, 12.5 + 65.0),
        ("io2", 100, 70_000, None, 12.5 + 32_000 * 0.065 + 32_000 * 0.046 + 6_000 * 0.032),
        ("io1", 100, None, None, None),
        ("standard", 100, None, None, None),
        ("gp9", 100, None, None, None),
    ],
)
def test_volumes_bill_size_and_what_is_provisioned_beyond_the_baseline(
    kind: str, size: int, iops: int | None, throughput: int | None, usd: float | None
) -> None:
    found, _ = BOOK.volume_usd_per_month("us-east-1", kind, size, iops, throughput)
    assert found == (None if usd is None else pytest.approx(usd))


def test_a_part_nobody_priced_makes_the_whole_unknown() -> None:
    assert BOOK.volume_usd_per_month("sa-east-1", "gp3", 100) == (None, "")
    assert BOOK.volume_usd_per_month("us-west-2", "gp3", 100, 3000, 500)[0] is None
    assert BOOK.snapshot_usd_per_month("us-east-1", 100) == pytest.approx(5.0)


def test_hardware_keeps_holes_as_holes() -> None:
    gpu, cpu = BOOK.hardware("p4d.24xlarge"), BOOK.hardware("c5.4xlarge")
    assert gpu is not None
    assert (gpu.gpu_model, gpu.gpu_count) == ("A100", 8)
    assert cpu is not None
    assert cpu.gpu_count == 0
    assert BOOK.hardware("z9.huge") is None


@pytest.mark.parametrize(
    ("region", "usd"),
    [
        ("us-east-1", 0.005),
        ("us-west-2", 0.005),
        ("eu-west-1", 0.005),
        ("cn-north-1", None),
        ("us-gov-west-1", None),
        ("", None),
    ],
)
def test_a_public_address_costs_the_same_in_all_commercial_regions_and_is_unknown_elsewhere(
    region: str, usd: float | None
) -> None:
    assert PriceBook().address_usd_per_hour(region) == usd
