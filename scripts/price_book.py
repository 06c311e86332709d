"""Build the shipped price book from the facts in `scripts/price_facts/`. Deterministic: same facts, same bytes.

`book.json` has what every start needs; the prices of machines are a file for each region, read when it is asked for.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FACTS = ROOT / "scripts" / "price_facts"
BOOK = ROOT / "runctl" / "data" / "price_book"

SOURCES: dict[str, dict[str, str | None]] = {
    "kp2607": {
        "confidence": "listed",
        "as_of": "2026-07-20",
        "what": "AWS Price List through the Karpenter AWS provider",
    },
    "sky9": {"confidence": "dated", "as_of": None, "what": "SkyPilot catalogue v9"},
    "parity": {"confidence": "inferred", "as_of": "2026-07-20", "what": "us-east-1 price of the same type"},
    "sc2402": {"confidence": "dated", "as_of": "2024-02-21", "what": "Spare Cores 0.1.0"},
    "adv2506": {"confidence": "typical", "as_of": "2025-06-28", "what": "AWS Spot Advisor's usual saving"},
    "storage": {"confidence": "dated", "as_of": "2026-07-19", "what": "AWS storage price pages and lists that agree"},
}
#: trn2's accelerator memory contradicts AWS's own pages.
_DOUBTFUL_GPU_MEMORY = ("trn2.",)


def _number(text: str) -> float | int | None:
    if not text:
        return None
    value = float(text)
    return int(value) if value.is_integer() else value


def _machines() -> tuple[dict[str, list[Any]], dict[str, dict[str, list[Any]]]]:
    hardware: dict[str, list[Any]] = {}
    regions: dict[str, dict[str, list[Any]]] = {}
    with (FACTS / "ec2_prices.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            kind = row["instance_type"]
            memory = None if kind.startswith(_DOUBTFUL_GPU_MEMORY) else _number(row["gpu_memory_gib"])
            count = _number(row["gpu_count"])
            if count is None and not kind.startswith("dl1."):
                count = 0
            hardware[kind] = [
                _number(row["vcpus"]), _number(row["memory_gib"]), row["gpu_model"] or None, count, memory, row["arch"],
            ]  # fmt: skip
            regions.setdefault(row["region"], {})[kind] = [
                _number(row["on_demand_usd_per_hour"]), row["od_src"] or None,
                _number(row["spot_usd_per_hour"]), row["spot_src"] or None,
            ]  # fmt: skip
    return hardware, regions


def _storage() -> dict[str, dict[str, float | int | None]]:
    regions: dict[str, dict[str, float | int | None]] = {}
    with (FACTS / "aws_storage_prices.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            item = f"{row['service']}.{row['item']}"
            usd = None if "CONFLICT" in row["source"] else _number(row["usd"])
            regions.setdefault(row["region"], {})[item] = usd
    return regions


def build() -> dict[str, str]:
    """The texts of the book's files by name."""
    hardware, regions = _machines()
    book = {
        "version": 2, "sources": SOURCES, "hardware": hardware, "regions": sorted(regions), "storage": _storage(),
    }  # fmt: skip
    return {"book.json": _text(book)} | {f"{region}.json": _text(types) for region, types in regions.items()}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    BOOK.mkdir(exist_ok=True)
    texts = build()
    for old in BOOK.glob("*.json"):
        old.unlink()
    for name, text in texts.items():
        (BOOK / name).write_text(text)
    print(f"{BOOK.relative_to(ROOT)}: {len(texts)} files, {sum(map(len, texts.values())):,} bytes")
