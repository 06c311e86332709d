"""`make bench`: every comparison, one table; exits 1 when a bar is missed.

Each `bench_*.py` beside this file has `main() -> list[Result]`. Names given as arguments choose some of them:
`python -m benchmarks once first_data`. With `--json FILE` the figures are written as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
from pathlib import Path

from benchmarks.harness import HEADING, Result

HERE = Path(__file__).parent
#: Takes minutes, and other people's programs: only when asked for (`make bench-s3`).
APART = {"s3"}


def names() -> list[str]:
    """What can be measured."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names(), []], help="which (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    given = parser.parse_args()
    print(HEADING)
    found: list[Result] = []
    for name in given.names or [n for n in names() if n not in APART]:
        for result in importlib.import_module(f"benchmarks.bench_{name}").main():
            print(result.line(), flush=True)
            found.append(result)
    if given.json:
        given.json.write_text(json.dumps([dataclasses.asdict(r) for r in found], indent=1) + "\n")
    return int(any(not r.holds for r in found))


if __name__ == "__main__":
    raise SystemExit(main())
