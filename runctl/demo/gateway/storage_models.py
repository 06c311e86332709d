"""Volumes and snapshots whose states take time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from moto.ec2.models.elastic_block_store import Snapshot, Volume

from runctl.demo.world import World


class TimedVolume(Volume):
    """moto's volume: creating for a moment, and modified step by step."""

    world: ClassVar[World]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.create_time = self.world.now().replace(tzinfo=None, microsecond=0)
        if self.volume_type == "gp3" and not self.throughput:
            self.throughput = 125
        self.ready_at = 0.0
        self.changes: list[dict[str, Any]] = []

    @property
    def state(self) -> str:
        """EC2's word for it."""
        if self.attachment:
            return "in-use"
        return "creating" if self.world.elapsed < self.ready_at else "available"

    def become(self, size: int, kind: str, iops: Any, throughput: Any) -> None:
        """Take on new properties; what is not named falls to the new type's baseline when the type changes."""
        changed = kind != self.volume_type
        self.size, self.volume_type = size, kind
        default_iops = {"gp3": 3000, "io1": self.iops or 100, "io2": self.iops or 100}.get(kind)
        self.iops = int(iops) if iops else default_iops if changed else self.iops
        default_throughput = 125 if kind == "gp3" else None
        self.throughput = int(throughput) if throughput else default_throughput if changed else self.throughput


class TimedSnapshot(Snapshot):
    """moto's snapshot with a progress: `begin` starts it, else it is complete."""

    world: ClassVar[World]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start_time: datetime = self.world.now().replace(tzinfo=None, microsecond=0)
        self._begun: tuple[float, float] | None = None
        self.size_gib: int = self.volume.size

    def begin(self, percent: float = 0.0) -> None:
        """Start copying now, `percent` of it done."""
        self._begun = (self.world.elapsed, percent)

    @property
    def percent(self) -> int:
        """How much of it is copied."""
        if self._begun is None:
            return 100
        at, percent = self._begun
        seconds = max(1.0, self.size_gib * self.world.timings.snapshot_per_gib)
        return int(min(100.0, percent + (self.world.elapsed - at) / seconds * 100))


def install(world: World) -> None:
    """Make moto create timed volumes and snapshots."""
    import moto.ec2.models.elastic_block_store as home

    TimedVolume.world = TimedSnapshot.world = world
    vars(home).update(Volume=TimedVolume, Snapshot=TimedSnapshot)
