"""AWS's answers as models. Pure; a field that is missing or odd costs that field, never the row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from runctl.models.instance import BlockDevice, Hardware, Instance, InstanceState, Market
from runctl.models.s3 import Bucket, S3Entry
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot
from runctl.services.prices import PriceBook

_GMT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")
#: The only system whose price the book has: every other pays for a licence as well, which the list price lacks
#: (EC2 User Guide, "AMI billing information fields").
_LINUX = "Linux/UNIX"
_LISTED_MARKETS = (Market.ON_DEMAND, Market.SPOT)


def parse_tags(raw: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """[{Key, Value}] as a mapping."""
    return {str(t.get("Key", "")): str(t.get("Value", "")) for t in raw or ()}


def parse_time(value: Any) -> datetime | None:
    """A time as botocore gives it, aware; None when there is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def parse_instances(page: Mapping[str, Any], region: str, book: PriceBook) -> tuple[Instance, ...]:
    """The machines of one DescribeInstances page."""
    return tuple(
        parse_instance(raw, region, book)
        for reservation in page.get("Reservations", ())
        for raw in reservation.get("Instances", ())
    )


def parse_instance(raw: Mapping[str, Any], region: str, book: PriceBook) -> Instance:
    """One machine, priced."""
    tags, kind = parse_tags(raw.get("Tags")), str(raw.get("InstanceType", ""))
    placement = raw.get("Placement") or {}
    az = str(placement.get("AvailabilityZone", ""))
    # EC2 says nothing of the lifecycle of an on-demand machine, and "windows" or nothing of the platform.
    market = Market(str(raw.get("InstanceLifecycle") or Market.ON_DEMAND))
    platform = str(raw.get("PlatformDetails") or raw.get("Platform") or _LINUX)
    # Dedicated machines and hosts have lists of their own.
    listed = platform == _LINUX and placement.get("Tenancy", "default") == "default"
    return Instance(
        id=str(raw.get("InstanceId", "")),
        region=region,
        name=tags.get("Name", ""),
        type=kind,
        state=InstanceState(str((raw.get("State") or {}).get("Name") or "")),
        market=market,
        az=az,
        launched_at=parse_time(raw.get("LaunchTime")),
        rate=book.instance_rate(region, kind, market, az) if listed and market in _LISTED_MARKETS else None,
        list_usd=_list_usd(book, region, kind) if listed else None,
        hardware=book.hardware(kind) or Hardware(),
        ownership=parse_ownership(tags),
        image_id=str(raw.get("ImageId", "")),
        key_name=raw.get("KeyName"),
        profile_arn=(raw.get("IamInstanceProfile") or {}).get("Arn"),
        root_device=str(raw.get("RootDeviceName", "")),
        devices=_devices(raw),
        state_reason=str((raw.get("StateReason") or {}).get("Message", "")),
        state_code=str((raw.get("StateReason") or {}).get("Code", "")),
        stopped_at=_stopped_at(raw),
        spot_request_id=raw.get("SpotInstanceRequestId"),
        platform=platform,
        architecture=str(raw.get("Architecture", "")),
        tags=tags,
        **_network(raw, region, book),
    )


def _network(raw: Mapping[str, Any], region: str, book: PriceBook) -> dict[str, Any]:
    """Its addresses and where it is connected."""
    lent = _lent(raw)
    return {
        "private_ip": raw.get("PrivateIpAddress"),
        "public_ip": raw.get("PublicIpAddress"),
        "has_lent_address": lent,
        "lent_address_usd_per_hour": book.address_usd_per_hour(region) if lent else None,
        "vpc_id": raw.get("VpcId"),
        "subnet_id": raw.get("SubnetId"),
        "security_groups": tuple(str(g.get("GroupId", "")) for g in raw.get("SecurityGroups") or ()),
    }


def _list_usd(book: PriceBook, region: str, kind: str) -> float | None:
    price = book.instance_rate(region, kind, Market.ON_DEMAND)
    return None if price is None else price.usd


def _lent(raw: Mapping[str, Any]) -> bool:
    """Whether EC2 lent it a public address, which bills like an Elastic one but is in no list of addresses.

    Owner "amazon" is what says so (EC2 API reference, "InstanceNetworkInterfaceAssociation").
    """
    owners = [(n.get("Association") or {}).get("IpOwnerId") for n in raw.get("NetworkInterfaces") or ()]
    return "amazon" in owners


def _stopped_at(raw: Mapping[str, Any]) -> datetime | None:
    """Since when it is off: EC2 writes "User initiated (2026-01-31 12:00:00 GMT)", and nothing for a start."""
    found = _GMT.search(str(raw.get("StateTransitionReason") or ""))
    if found is None or str((raw.get("State") or {}).get("Name")) not in ("stopping", "stopped", "terminated"):
        return None
    return parse_time(found[1])


def _devices(raw: Mapping[str, Any]) -> tuple[BlockDevice, ...]:
    found = []
    for mapping in raw.get("BlockDeviceMappings") or ():
        ebs = mapping.get("Ebs") or {}
        device = str(mapping.get("DeviceName", ""))
        found.append(BlockDevice(device, str(ebs.get("VolumeId", "")), ebs.get("DeleteOnTermination")))
    return tuple(found)


def parse_volume(raw: Mapping[str, Any], region: str, book: PriceBook) -> Volume:
    """One disk, priced."""
    tags = parse_tags(raw.get("Tags"))
    size, kind = _number(raw.get("Size")), str(raw.get("VolumeType", ""))
    iops, throughput = raw.get("Iops"), raw.get("Throughput")
    month, source = book.volume_usd_per_month(region, kind, size, iops, throughput)
    if kind == "gp3" and None in (iops, throughput):  # what is not said may be more than what gp3 includes
        month, source = None, ""
    return Volume(
        id=str(raw.get("VolumeId", "")),
        region=region,
        name=tags.get("Name", ""),
        size_gib=size,
        type=kind,
        state=str(raw.get("State", "")),
        az=str(raw.get("AvailabilityZone", "")),
        created_at=parse_time(raw.get("CreateTime")),
        iops=iops,
        throughput=throughput,
        encrypted=raw.get("Encrypted"),
        snapshot_id=raw.get("SnapshotId") or None,
        attachments=tuple(
            Attachment(
                str(a.get("InstanceId", "")), str(a.get("Device", "")), str(a.get("State", "")),
                a.get("DeleteOnTermination"),
            )
            for a in raw.get("Attachments") or ()
        ),
        usd_per_month=month,
        price_source=source,
        ownership=parse_ownership(tags),
        tags=tags,
    )  # fmt: skip


def parse_snapshot(raw: Mapping[str, Any], region: str, book: PriceBook) -> VolumeSnapshot:
    """One snapshot, priced at the most it can bill."""
    tags = parse_tags(raw.get("Tags"))
    size, tier = _number(raw.get("VolumeSize")), str(raw.get("StorageTier") or "standard")
    return VolumeSnapshot(
        id=str(raw.get("SnapshotId", "")),
        region=region,
        name=tags.get("Name", ""),
        volume_id=str(raw.get("VolumeId", "")),
        size_gib=size,
        state=str(raw.get("State", "")),
        progress=str(raw.get("Progress", "")),
        created_at=parse_time(raw.get("StartTime")),
        description=str(raw.get("Description", "")),
        tier=tier,
        usd_per_month=book.snapshot_usd_per_month(region, size, tier),
        ownership=parse_ownership(tags),
        tags=tags,
    )


def parse_address(raw: Mapping[str, Any], region: str, book: PriceBook) -> Address:
    """One Elastic IP address."""
    tags = parse_tags(raw.get("Tags"))
    public_ip = str(raw.get("PublicIp", ""))
    return Address(
        id=str(raw.get("AllocationId") or public_ip),
        region=region,
        public_ip=public_ip,
        name=tags.get("Name", ""),
        instance_id=raw.get("InstanceId") or None,
        network_interface_id=raw.get("NetworkInterfaceId") or None,
        usd_per_hour=book.address_usd_per_hour(region),
        ownership=parse_ownership(tags),
        tags=tags,
    )


def parse_bucket(raw: Mapping[str, Any]) -> Bucket:
    """One bucket of ListBuckets."""
    return Bucket(
        name=str(raw.get("Name", "")),
        region=str(raw.get("BucketRegion") or ""),
        created_at=parse_time(raw.get("CreationDate")),
    )


def parse_entries(page: Mapping[str, Any]) -> tuple[S3Entry, ...]:
    """One page of ListObjectsV2 with a delimiter: prefixes first, then keys."""
    prefixes = tuple(S3Entry(str(p.get("Prefix", "")), is_prefix=True) for p in page.get("CommonPrefixes") or ())
    keys = tuple(
        S3Entry(
            key=str(o.get("Key", "")),
            is_prefix=False,
            bytes=o.get("Size"),
            modified_at=parse_time(o.get("LastModified")),
            storage_class=str(o.get("StorageClass", "")),
            etag=str(o.get("ETag", "")).strip('"'),
        )
        for o in page.get("Contents") or ()
    )
    return prefixes + keys


def parse_hardware(raw: Mapping[str, Any]) -> Hardware:
    """One type of DescribeInstanceTypes; what it does not say is unknown."""
    gpus = (raw.get("GpuInfo") or {}).get("Gpus") or ()
    memory = (raw.get("MemoryInfo") or {}).get("SizeInMiB")
    counts = [g.get("Count") for g in gpus]
    gpu_mib = (gpus[0].get("MemoryInfo") or {}).get("SizeInMiB") if gpus else None
    return Hardware(
        vcpus=(raw.get("VCpuInfo") or {}).get("DefaultVCpus"),
        memory_gib=None if memory is None else memory / 1024,
        gpu_model=str(gpus[0].get("Name", "")) or None if gpus else None,
        gpu_count=None if None in counts else sum(counts),
        gpu_memory_gib=None if gpu_mib is None else round(gpu_mib / 1024, 1),
        arch=next(iter((raw.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()), None),
    )
