"""Disks, their snapshots, and public addresses: what bills while nobody looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runctl.models.tags import Ownership


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a volume is attached, with EC2's attachment state and the device name.

    `delete_on_termination` is None where EC2 does not say.
    """

    instance_id: str
    device: str
    state: str
    delete_on_termination: bool | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """One EBS volume. `iops` and `throughput` (MiB/s) are None where the type has none or EC2 does not say.

    Whatever else may be None is what EC2 did not say.
    """

    id: str
    region: str
    name: str
    size_gib: int | None
    type: str
    state: str
    az: str
    created_at: datetime | None
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool | None = None
    snapshot_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    usd_per_month: float | None = None
    price_source: str = ""
    ownership: Ownership = Ownership()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def attached_to(self) -> str | None:
        """Id of the instance it is attached to, None when free."""
        return self.attachments[0].instance_id if self.attachments else None

    @property
    def unattached(self) -> bool:
        """Whether it is known to lie about: EC2 calls it available, so it is neither in use, being made nor going."""
        return not self.attachments and self.state == "available"


@dataclass(frozen=True, slots=True)
class VolumeSnapshot:
    """One EBS snapshot of ours. `size_gib` is the volume's size: the most it can bill, since blocks are shared."""

    id: str
    region: str
    name: str
    volume_id: str
    size_gib: int | None
    state: str
    progress: str
    created_at: datetime | None
    description: str = ""
    tier: str = "standard"
    usd_per_month: float | None = None
    ownership: Ownership = Ownership()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """One Elastic IP address; every public IPv4 address bills, used or not."""

    id: str
    region: str
    public_ip: str
    name: str = ""
    instance_id: str | None = None
    network_interface_id: str | None = None
    usd_per_hour: float | None = None
    ownership: Ownership = Ownership()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def associated(self) -> bool:
        """Whether something uses it."""
        return bool(self.instance_id or self.network_interface_id)
