"""`make bench`: every comparison, one table; exits 1 when a bar is missed."""

from __future__ import annotations

from benchmarks import bench_once


def main() -> int:
    """Run and print."""
    print(f"{'what / against what':<44} {'ours s':>7} {'theirs':>7} {'ratio':>6} {'bar':>5}")
    missed = 0
    for result in bench_once.results():
        print(result.line(), flush=True)
        missed += result.ratio > result.bar
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
