"""The last snapshot on disk: the same when it comes back, never trusted when it is not whole."""

from __future__ import annotations

import dataclasses
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from runctl.models.cost import Confidence, Price
from runctl.models.identity import Identity
from runctl.models.instance import Activity, ActivityState, BlockDevice, Hardware, Instance, InstanceState, Market
from runctl.models.s3 import Bucket
from runctl.models.snapshot import Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot
from runctl.store.cache import cache_file, load_snapshot, save_snapshot

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
TAGS = {"runctl:managed": "1", "owner": "ana", "Name": "[/x]\n\x1b"}
SNAPSHOT = Snapshot(
    identity=Identity("123456789012", "arn:aws:iam::123456789012:user/ana"),
    profile="research",
    regions=("us-east-1",),
    instances=(
        Instance(
            "i-1", "us-east-1", "[/x]", "g5.xlarge", InstanceState.RUNNING, Market.SPOT, "us-east-1a", NOW,
            rate=Price(0.41, "hour", "kp2607", Confidence.LISTED, date(2026, 7, 20)),
            hardware=Hardware(4, 16, "A10G", 1),
            ownership=parse_ownership(TAGS), activity=Activity(ActivityState.IDLE, "GPU 0 %", NOW),
            devices=(BlockDevice("/dev/sda1", "vol-1", delete_on_termination=True),), tags=TAGS,
        ),
    ),
    volumes=(
        Volume(
            "vol-1", "us-east-1", "", 8, "gp3", "in-use", "us-east-1a", NOW,
            attachments=(Attachment("i-1", "/dev/sda1", "attached"),),
        ),
    ),
    snapshots=(VolumeSnapshot("snap-1", "us-east-1", "", "vol-1", 8, "completed", "100%", NOW),),
    addresses=(Address("eipalloc-1", "us-east-1", "1.2.3.4"),),
    buckets=(Bucket("data", "us-east-1"),),
    status={SourceKey(Source.INSTANCES, "us-east-1"): SourceStatus(Health.LIVE, NOW, complete=True)},
)  # fmt: skip


REGIONS = ("us-east-1",)


def saved(directory: Path) -> Path:
    assert save_snapshot(directory, SNAPSHOT)
    return cache_file(directory, "research", REGIONS)


def loaded(directory: Path) -> Snapshot | None:
    return load_snapshot(directory, "research", REGIONS)


def test_what_comes_back_is_what_went_in_marked_as_cached(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for back in (load_snapshot(tmp_path, "research", REGIONS, scope=3), load_snapshot(tmp_path, "research", scope=3)):
        assert back is not None
        for slot in ("identity", "profile", "regions", "instances", "volumes", "snapshots", "addresses", "buckets"):
            assert getattr(back, slot) == getattr(SNAPSHOT, slot)
        (status,) = back.status.values()
        assert (status.cached, status.health, status.as_of, back.scope) == (True, Health.STALE, NOW, 3)
        assert not save_snapshot(tmp_path, back)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_profile_or_choice_of_regions_is_another_cache(tmp_path: Path) -> None:
    saved(tmp_path)
    assert load_snapshot(tmp_path, "prod") is None
    assert load_snapshot(tmp_path, "research", ("eu-west-1",)) is None


def test_a_partial_inventory_never_replaces_a_whole_one(tmp_path: Path) -> None:
    saved(tmp_path)
    key = SourceKey(Source.VOLUMES, "us-east-1")
    partial = dataclasses.replace(SNAPSHOT, instances=(), status={key: SourceStatus(Health.PARTIAL, complete=False)})
    assert not save_snapshot(tmp_path, partial)
    back = loaded(tmp_path)
    assert back is not None
    assert len(back.instances) == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"version": 99}', '{"version": 1}', "\xff\xfe"])
def test_a_file_that_cannot_be_trusted_is_no_cache(tmp_path: Path, damage: str) -> None:
    saved(tmp_path).write_text(damage, encoding="latin-1")
    assert loaded(tmp_path) is None


def test_a_truncated_file_is_no_cache(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_text()
    for cut in range(0, len(whole) - 1, 37):
        path.write_text(whole[:cut])
        assert loaded(tmp_path) is None


def test_a_wrong_type_is_no_cache(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(path.read_text().replace('"type":"g5.xlarge"', '"type":5'))
    assert loaded(tmp_path) is None


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not save_snapshot(tmp_path / "file" / "below", SNAPSHOT)
    assert load_snapshot(tmp_path / "none", "research") is None
