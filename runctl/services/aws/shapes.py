"""What of AWS's XML answers becomes data on the quick lane: the elements that `parse` reads, and nothing else.

Names on both sides are those of the EC2, STS and S3 API references (2016-11-15, 2011-06-15, 2006-03-01); the result has
the form botocore gives, so `parse` does not know which lane an answer came by. Tests compare the two on equal answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

#: Reads one XML element; elements iterate over their children and have `tag` and `text`.
Reader = Callable[[Any], Any]


class Answer(NamedTuple):
    """How one operation is asked and read.

    Args:
        version: the API version that is asked for.
        read: reads the root element of the answer.
    """

    version: str
    read: Reader


def _text(element: Any) -> str:
    return element.text or ""


def _number(element: Any) -> int | None:
    """A whole number; None, as if it were absent, when it is none."""
    try:
        return int(element.text)
    except (TypeError, ValueError):
        return None


def _flag(element: Any) -> bool:
    return bool(element.text == "true")


def _struct(**members: tuple[str, Reader] | str) -> Reader:
    """A reader of named children; `name="Name"` reads text."""
    table = {tag: (m, _text) if isinstance(m, str) else m for tag, m in members.items()}
    known = table.get

    def read(element: Iterable[Any]) -> dict[str, Any]:
        found = {}
        for child in element:
            if (member := known(child.tag)) is not None:
                found[member[0]] = member[1](child)
        return found

    return read


def _items(read: Reader) -> Reader:
    """A reader of a list. What is read is let go: thousands of elements freed at the end are a stall of their own."""

    def read_all(element: Iterable[Any]) -> list[Any]:
        found = []
        for child in element:
            found.append(read(child))
            child.clear()
        return found

    return read_all


_TAGS = ("Tags", _items(_struct(key="Key", value="Value")))
_GROUP = _struct(groupId="GroupId", groupName="GroupName")
_EBS = _struct(volumeId="VolumeId", deleteOnTermination=("DeleteOnTermination", _flag))
_INSTANCE = _struct(
    instanceId="InstanceId",
    instanceType="InstanceType",
    instanceLifecycle="InstanceLifecycle",
    instanceState=("State", _struct(name="Name")),
    placement=("Placement", _struct(availabilityZone="AvailabilityZone", tenancy="Tenancy")),
    launchTime="LaunchTime",
    privateIpAddress="PrivateIpAddress",
    ipAddress="PublicIpAddress",
    imageId="ImageId",
    keyName="KeyName",
    iamInstanceProfile=("IamInstanceProfile", _struct(arn="Arn")),
    vpcId="VpcId",
    subnetId="SubnetId",
    groupSet=("SecurityGroups", _items(_GROUP)),
    rootDeviceName="RootDeviceName",
    blockDeviceMapping=("BlockDeviceMappings", _items(_struct(deviceName="DeviceName", ebs=("Ebs", _EBS)))),
    networkInterfaceSet=(
        "NetworkInterfaces",
        _items(_struct(association=("Association", _struct(publicIp="PublicIp", ipOwnerId="IpOwnerId")))),
    ),
    stateReason=("StateReason", _struct(code="Code", message="Message")),
    reason="StateTransitionReason",
    spotInstanceRequestId="SpotInstanceRequestId",
    platform="Platform",
    platformDetails="PlatformDetails",
    architecture="Architecture",
    tagSet=_TAGS,
)
_VOLUME = _struct(
    volumeId="VolumeId",
    size=("Size", _number),
    volumeType="VolumeType",
    iops=("Iops", _number),
    throughput=("Throughput", _number),
    status="State",
    availabilityZone="AvailabilityZone",
    createTime="CreateTime",
    encrypted=("Encrypted", _flag),
    snapshotId="SnapshotId",
    attachmentSet=(
        "Attachments",
        _items(
            _struct(
                instanceId="InstanceId",
                device="Device",
                status="State",
                deleteOnTermination=("DeleteOnTermination", _flag),
            )
        ),
    ),
    tagSet=_TAGS,
)
_SNAPSHOT = _struct(
    snapshotId="SnapshotId",
    volumeId="VolumeId",
    volumeSize=("VolumeSize", _number),
    status="State",
    progress="Progress",
    startTime="StartTime",
    description="Description",
    storageTier="StorageTier",
    tagSet=_TAGS,
)
_ADDRESS = _struct(
    allocationId="AllocationId",
    publicIp="PublicIp",
    instanceId="InstanceId",
    networkInterfaceId="NetworkInterfaceId",
    tagSet=_TAGS,
)
_BUCKET = _struct(Name="Name", CreationDate="CreationDate", BucketRegion="BucketRegion")
_REGION = _struct(regionName="RegionName")
_CALLER = _struct(Account="Account", Arn="Arn", UserId="UserId")
_MORE: tuple[str, Reader] = ("NextToken", _text)
_EC2, _STS, _S3 = "2016-11-15", "2011-06-15", "2006-03-01"


def _result(name: str, read: Reader) -> Reader:
    """STS wraps its result once more."""

    def unwrap(root: Iterable[Any]) -> dict[str, Any]:
        return next((dict(read(child)) for child in root if child.tag == name), {})

    return unwrap


ANSWERS: dict[tuple[str, str], Answer] = {
    ("ec2", "DescribeInstances"): Answer(
        _EC2,
        _struct(
            reservationSet=("Reservations", _items(_struct(instancesSet=("Instances", _items(_INSTANCE))))),
            nextToken=_MORE,
        ),
    ),
    ("ec2", "DescribeVolumes"): Answer(_EC2, _struct(volumeSet=("Volumes", _items(_VOLUME)), nextToken=_MORE)),
    ("ec2", "DescribeSnapshots"): Answer(_EC2, _struct(snapshotSet=("Snapshots", _items(_SNAPSHOT)), nextToken=_MORE)),
    ("ec2", "DescribeAddresses"): Answer(_EC2, _struct(addressesSet=("Addresses", _items(_ADDRESS)))),
    ("ec2", "DescribeRegions"): Answer(_EC2, _struct(regionInfo=("Regions", _items(_REGION)))),
    ("sts", "GetCallerIdentity"): Answer(_STS, _result("GetCallerIdentityResult", _CALLER)),
    ("s3", "ListBuckets"): Answer(
        _S3, _struct(Buckets=("Buckets", _items(_BUCKET)), ContinuationToken="ContinuationToken")
    ),
}
