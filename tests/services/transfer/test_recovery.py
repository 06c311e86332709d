"""Killed at random points and run again: complete, verified, nothing stray here, no unfinished upload there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.services.transfer import operations
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.context import MIB, Tuning
from runctl.services.transfer.journal import Ends, Journal
from runctl.services.transfer.listing import list_local
from runctl.services.transfer.single import Single
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.unfinished import find
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer import servers, trees
from tests.services.transfer.faults import FaultProxy

_TUNING = Tuning(part=trees.PART, workers=4)
_FILES = {"big": 4 * trees.PART + 11, "medium": trees.PART + 1, **{f"d{n % 4}/small{n}": n * 37 for n in range(60)}}
#: How often to kill; `make fuzz` sets 50.
KILLS = int(os.environ.get("KILLS", "2"))
_RUN = """
import sys
from pathlib import Path
from runctl.services.transfer.context import Tuning
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import parse_location
from tests.services.transfer.servers import client_of
url, source, target, state, part = sys.argv[1:]
options = Options(Path(state), Path(state) / "cache", bandwidth=60_000_000, tuning=Tuning(part=int(part), workers=4))
Sync(client_of(url), parse_location(source), parse_location(target), options).run()
"""


def _kill_midway(url: str, ends: tuple[str, str], state: Path, part: int, after_s: float) -> None:
    argv = [sys.executable, "-c", _RUN, url, *ends, str(state), str(part)]
    process = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + after_s
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(60 * KILLS)
@pytest.mark.parametrize("direction", ["up", "down"])
def test_killed_and_run_again(seaweed_url: str, client: S3Client, bucket: str, tmp_path: Path, direction: str) -> None:
    trees.write(tmp_path / "src", _FILES)
    chance = random.Random(direction)
    state = tmp_path / "state"
    # Ranges of a mebibyte come two in one request, and a kill falls between them.
    tuning = _TUNING if direction == "up" else Tuning(part=MIB, workers=4)
    options = Options(state, state / "cache", tuning=tuning)
    if direction == "down":
        Sync(client, tmp_path / "src", S3Uri(bucket, "src"), Options(tmp_path / "s", tuning=_TUNING)).run()
    for number in range(KILLS):
        up = direction == "up"
        remote = f"s3://{bucket}/{number}" if up else f"s3://{bucket}/src"
        ends = (str(tmp_path / "src"), remote) if up else (remote, str(tmp_path / f"dst{number}"))
        for _ in range(2):  # a run killed while it makes good for a killed one
            _kill_midway(seaweed_url, ends, state, tuning.part, chance.uniform(0.15, 1.2))
        source, target = (tmp_path / "src", S3Uri(bucket, str(number))) if up else (S3Uri(bucket, "src"), Path(ends[1]))
        outcome = Sync(client, source, target, options).run()
        assert outcome.exit_code == 0, outcome.failed
        assert list(operations.list_uploads(client, bucket, "")) == []
        assert list(state.glob("*.jsonl")) == []
        if up:
            Sync(client, S3Uri(bucket, str(number)), tmp_path / f"dst{number}", Options(tmp_path / "s2")).run()
        assert trees.read(tmp_path / f"dst{number}") == trees.expected(_FILES)


def test_parts_that_are_there_are_not_sent_again(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path, {"big": 4 * trees.PART})
    options = Options(tmp_path / "state", tuning=Tuning(part=trees.PART, workers=1))
    for _ in range(30):
        proxy.next("reset", lambda seen: "partNumber=3" in seen.target)
    broken = Single(servers.client_of(proxy.url, attempts=2), tmp_path / "big", S3Uri(bucket, "big"), options)
    assert broken.run().exit_code == 4
    assert [u.parts for u in find(client, S3Uri(bucket), Journal(tmp_path / "state"))] == [2]
    proxy.plan.clear()
    sent: list[str] = []
    proxy.on_request = lambda seen: sent.append(seen.target) if seen.method == "PUT" else None
    whole = Single(servers.client_of(proxy.url), tmp_path / "big", S3Uri(bucket, "big"), options).run()
    assert whole.exit_code == 0
    assert len(sent) == 2
    assert servers.get(client, bucket, "big") == trees.content("big", 4 * trees.PART)


class _Slow(FrozenClock):
    """Ten seconds pass from one look to the next: parts come one by one."""

    def monotonic(self) -> float:
        """Later each time."""
        self.advance(10)
        return super().monotonic()


def test_ranges_that_are_there_are_not_fetched_again(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    servers.put(client, bucket, "big", trees.content("big", 4 * trees.PART))
    options = Options(tmp_path / "state", tuning=Tuning(part=trees.PART, workers=1))
    for _ in range(30):
        proxy.next("reset", lambda seen: seen.headers.get("range", "").startswith(f"bytes={2 * trees.PART}-"))
    by = servers.client_of(proxy.url, attempts=2)
    by.clock = _Slow(datetime.now(UTC))
    assert Single(by, S3Uri(bucket, "big"), tmp_path / "big", options).run().exit_code == 4
    assert not (tmp_path / "big").exists()
    proxy.plan.clear()
    asked: list[str] = []
    proxy.on_request = lambda seen: asked.append(seen.headers["range"]) if "range" in seen.headers else None
    by = servers.client_of(proxy.url)
    by.clock = _Slow(datetime.now(UTC))
    assert Single(by, S3Uri(bucket, "big"), tmp_path / "big", options).run().exit_code == 0
    assert len(asked) == 2
    assert (tmp_path / "big").read_bytes() == trees.content("big", 4 * trees.PART)
    assert [f.name for f in list_local(tmp_path)] == ["big"]


def test_parts_that_come_fast_come_several_in_one_request_and_a_retry_goes_on_where_it_broke(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    data = trees.content("big", 12 * MIB + 7)
    servers.put(client, bucket, "big", data)
    asked: list[str] = []
    proxy.on_request = lambda seen: asked.append(seen.headers["range"]) if "range" in seen.headers else None
    proxy.next("truncate", lambda seen: seen.headers.get("range", "").startswith(f"bytes={MIB}-"))
    by = servers.client_of(proxy.url)
    by.clock = FrozenClock(datetime.now(UTC))  # every part is fast
    options = Options(tmp_path / "state", tuning=Tuning(part=MIB, workers=1))
    assert Single(by, S3Uri(bucket, "big"), tmp_path / "big", options).run().exit_code == 0
    assert (tmp_path / "big").read_bytes() == data
    spans = [tuple(int(at) for at in a.removeprefix("bytes=").split("-")) for a in asked]
    first, broken, again = spans[:3]
    assert first == (0, MIB - 1), "how fast they come is not known yet"
    assert broken == (MIB, len(data) - 1), "one worker, all that is left"
    assert again == (6 * MIB, len(data) - 1), "five were through when it broke in the middle"
    assert len(spans) == 3


def test_damaged_ranges_of_an_earlier_run_are_noticed(client: S3Client, bucket: str, tmp_path: Path) -> None:
    """Bytes lost after they were journalled (a power cut) fail the whole file's checksum: it is fetched again."""
    data = trees.content("big", 3 * trees.PART)
    put_in_parts(client, bucket, tmp_path, data)
    info = operations.head(client, bucket, "big")
    assert info.checksum is not None
    path = str(tmp_path / "dst" / "big")
    ends = Ends("download", _endpoint(client), bucket, "big", path, info.size, f"{info.etag} {trees.PART}", trees.PART)
    record = Journal(tmp_path / "state").open(ends)
    assert record is not None
    record.part_done(1, "", b"\0" * 8)
    record.close(done=False)
    from runctl.services.transfer.destination import Destination

    incoming = Destination(tmp_path / "dst").create("big")
    os.truncate(incoming.fd, info.size)
    incoming.close()
    options = Options(tmp_path / "state", tuning=_TUNING)
    outcome = Single(client, S3Uri(bucket, "big"), tmp_path / "dst" / "big", options).run()
    assert outcome.exit_code == 0, outcome.failed
    assert (tmp_path / "dst" / "big").read_bytes() == data


def put_in_parts(client: S3Client, bucket: str, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "big").write_bytes(data)
    options = Options(tmp_path / "s", tuning=_TUNING)
    assert Single(client, tmp_path / "up" / "big", S3Uri(bucket, "big"), options).run().exit_code == 0


def _endpoint(client: S3Client) -> str:
    assert client.site.endpoint is not None
    return f"{client.site.endpoint[1]}:{client.site.endpoint[2]}"


def test_a_file_replaced_after_a_kill_leaves_no_upload(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"big": 3 * trees.PART})
    options = Options(tmp_path / "state", tuning=Tuning(part=trees.PART, workers=1))
    for _ in range(30):
        proxy.next("reset", lambda seen: "partNumber=2" in seen.target)
    by = servers.client_of(proxy.url, attempts=2)
    assert Sync(by, tmp_path / "src", S3Uri(bucket), options).run().exit_code == 4
    assert len(list(operations.list_uploads(client, bucket, ""))) == 1
    (tmp_path / "src" / "big").unlink()
    trees.write(tmp_path / "src", {"other": 5})
    proxy.plan.clear()
    again = servers.client_of(proxy.url)  # records belong to an endpoint, here the proxy's
    assert Sync(again, tmp_path / "src", S3Uri(bucket), options).run().exit_code == 0
    assert list(operations.list_uploads(client, bucket, "")) == []
    assert list((tmp_path / "state").glob("*.jsonl")) == []


def test_an_upload_whose_creation_was_lost_is_found(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    trees.write(tmp_path, {"big": 2 * trees.PART})
    proxy.next("lost", lambda seen: seen.method == "POST" and "uploads" in seen.target)
    options = Options(tmp_path / "state", tuning=_TUNING)
    by = servers.client_of(proxy.url)
    assert Single(by, tmp_path / "big", S3Uri(bucket, "big"), options).run().exit_code == 0
    assert proxy.hits["lost"] == 1
    assert list(operations.list_uploads(client, bucket, "")) == []


def test_a_file_that_changes_while_it_is_read_is_sent_again(
    proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path
) -> None:
    source = tmp_path / "log"
    source.write_bytes(b"a" * (2 * trees.PART))
    changes = iter([b"b"])

    def append(seen: object) -> None:
        if "partNumber=2" in getattr(seen, "target", "") and (more := next(changes, b"")):
            with source.open("ab") as file:
                file.write(more)

    proxy.on_request = append
    options = Options(tmp_path / "state", tuning=Tuning(part=trees.PART, workers=1))
    outcome = Single(servers.client_of(proxy.url), source, S3Uri(bucket, "log"), options).run()
    assert outcome.exit_code == 0, outcome.failed
    assert servers.get(client, bucket, "log") == source.read_bytes()
    assert list(operations.list_uploads(client, bucket, "")) == []


def test_a_file_that_never_rests_is_named(proxy: FaultProxy, client: S3Client, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "log"
    source.write_bytes(b"a" * (2 * trees.PART))

    def append(seen: object) -> None:
        if "partNumber=2" in getattr(seen, "target", ""):
            with source.open("ab") as file:
                file.write(b"x")

    proxy.on_request = append
    options = Options(tmp_path / "state", tuning=Tuning(part=trees.PART, workers=1))
    outcome = Single(servers.client_of(proxy.url), source, S3Uri(bucket, "log"), options).run()
    assert [(f.code, f.reason) for f in outcome.failed] == [("Changed", "it changed while it was read")]
    assert list(operations.list_uploads(client, bucket, "")) == []
    assert servers.keys(client, bucket) == {}


def test_uploads_of_others_are_found(client: S3Client, bucket: str, tmp_path: Path) -> None:
    upload_id = operations.create_upload(client, bucket, "theirs", {})
    (found,) = find(client, S3Uri(bucket), Journal(tmp_path))
    assert (found.key, found.path, found.total, found.parts) == ("theirs", "", None, 0)
    assert found.id == f"s3://{bucket}/theirs?uploadId={upload_id}"
    assert operations.bucket_tags(client, bucket) == {}, "a server that knows no tags of buckets has none"
    assert operations.abort_upload(client, bucket, "theirs", upload_id)
    assert list(find(client, S3Uri(bucket), Journal(tmp_path))) == []


def test_a_full_disk_is_one_clean_error(client: S3Client, bucket: str, tmp_path: Path) -> None:
    """A file-size limit makes the kernel answer as a full disk does; the rest of the run stops, nothing is left."""
    for n in range(20):
        servers.put(client, bucket, f"f{n}", b"x" * 50_000)
    argv = [sys.executable, "-c", _FULL, _url(client), bucket, str(tmp_path)]
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": os.getcwd()}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["4", "True", "ENOSPC"], done.stderr
    assert trees.read(tmp_path / "in").keys() <= {f"f{n}" for n in range(20)}


_FULL = """
import errno, os, sys
from pathlib import Path
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer.servers import client_of
url, bucket, work = sys.argv[1:]
room, write = [300_000], os.write
def limited(fd, data):
    if len(data) > 1000:
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(fd, data)
os.write = limited
outcome = Sync(client_of(url), S3Uri(bucket), Path(work, "in"), Options(Path(work, "s"))).run()
print(outcome.exit_code or 4, outcome.fatal is not None, outcome.failed[0].code)
"""


def _url(client: S3Client) -> str:
    assert client.site.endpoint is not None
    return f"http://{client.site.endpoint[1]}:{client.site.endpoint[2]}"
