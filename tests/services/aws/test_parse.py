"""AWS's answers become models; what is missing or odd costs that field, never the row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.models.instance import InstanceState, Market
from runctl.models.snapshot import Snapshot
from runctl.services.aws import parse
from runctl.services.prices import PriceBook
from runctl.store.fields import INSTANCE_FIELDS, Context
from runctl.store.select import summary

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BOOK = PriceBook()
RAW = {
    "InstanceId": "i-0abc", "InstanceType": "g5.xlarge", "State": {"Name": "running"}, "InstanceLifecycle": "spot",
    "LaunchTime": "2026-01-01T00:00:00.000Z", "Placement": {"AvailabilityZone": "us-east-1a"},
    "Tags": [{"Key": k, "Value": v} for k, v in (("Name", "[/x]"), ("runctl:managed", "1"), ("owner", "ana"))],
    "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": True}}],
}  # fmt: skip


def test_an_instance_keeps_what_aws_said_and_gets_its_price() -> None:
    machine = parse.parse_instance(RAW, "us-east-1", BOOK)
    assert (machine.id, machine.name, machine.state) == ("i-0abc", "[/x]", InstanceState.RUNNING)
    assert (machine.market, machine.launched_at) == (Market.SPOT, datetime(2026, 1, 1, tzinfo=UTC))
    assert machine.rate == BOOK.instance_rate("us-east-1", "g5.xlarge", "spot")
    assert (machine.ownership.managed, machine.ownership.owner) == (True, "ana")
    assert machine.devices[0].volume_id == "vol-1"


def test_a_windows_machine_is_not_priced_as_linux() -> None:
    assert parse.parse_instance({**RAW, "PlatformDetails": "Windows"}, "us-east-1", BOOK).rate is None


@pytest.mark.parametrize(
    "other",
    [
        {"PlatformDetails": "Linux with SQL Server Standard"},
        {"Platform": "windows"},
        {"Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "host"}},
        {"InstanceLifecycle": "capacity-block"},
        {"InstanceLifecycle": "something-new"},
    ],
)
def test_what_the_list_does_not_price_has_no_price(other: dict[str, object]) -> None:
    assert parse.parse_instance(RAW, "us-east-1", BOOK).rate is not None
    assert parse.parse_instance({**RAW, **other}, "us-east-1", BOOK).rate is None


@pytest.mark.parametrize(("said", "shown"), [("hibernating", "hibernating"), (None, None)])
def test_a_state_nobody_here_knows_is_shown_as_aws_said_it_and_not_billed_as_known(
    said: str | None, shown: str | None
) -> None:
    machine = parse.parse_instance({**RAW, "State": {"Name": said}}, "us-east-1", BOOK)
    assert (machine.bills, machine.usd_per_hour, machine.uptime_s(NOW)) == (False, None, None)
    context = Context(NOW, Snapshot(instances=(machine,)))
    assert INSTANCE_FIELDS.to_json(machine, context)["state"] == shown
    figures = summary(context)
    assert (figures.burn_usd_per_hour, figures.burn_unpriced, figures.instances_running) == (0, 1, 0)


def test_what_aws_does_not_say_is_unknown_never_nought_and_never_1970() -> None:
    disk = parse.parse_volume({"VolumeId": "vol-1", "VolumeType": "gp3", "State": "creating"}, "us-east-1", BOOK)
    copy = parse.parse_snapshot({"SnapshotId": "snap-1"}, "us-east-1", BOOK)
    machine = parse.parse_instance({**RAW, "LaunchTime": "soon"}, "us-east-1", BOOK)
    assert (disk.size_gib, disk.usd_per_month, disk.created_at, disk.encrypted) == (None, None, None, None)
    assert (copy.size_gib, copy.usd_per_month, copy.created_at) == (None, None, None)
    assert (machine.launched_at, machine.usd_since_launch(NOW), machine.usd_per_hour is None) == (None, None, False)
    figures = summary(Context(NOW, Snapshot(volumes=(disk,), snapshots=(copy,))))
    assert (figures.burn_unpriced, figures.storage_unpriced, figures.volumes_unattached) == (2, 2, 0)


@pytest.mark.parametrize("missing", RAW)
def test_a_missing_field_costs_that_field_only(missing: str) -> None:
    machine = parse.parse_instance({k: v for k, v in RAW.items() if k != missing}, "us-east-1", BOOK)
    assert (machine.id == "i-0abc") is (missing != "InstanceId")


@given(
    st.recursive(st.none() | st.text(max_size=5), lambda x: st.dictionaries(st.sampled_from(list(RAW)), x, max_size=3))
)
def test_odd_tags_and_states_do_not_lose_the_row(odd: object) -> None:
    raw = {**RAW, "State": {"Name": str(odd)}, "Tags": [{"Key": "k", "Value": str(odd)}]}
    assert parse.parse_instance(raw, "us-east-1", BOOK).id == "i-0abc"


@pytest.mark.parametrize(
    ("said", "state", "at"),
    [
        ("User initiated (2026-01-02 03:04:05 GMT)", "stopped", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("Server.SpotInstanceTermination", "terminated", None),
        ("User initiated (2026-01-02 03:04:05 GMT)", "running", None),
        ("User initiated (2026-99-02 03:04:05 GMT)", "stopped", None),
        (None, "stopped", None),
    ],
)
def test_since_when_a_machine_is_off_is_what_ec2_wrote_or_unknown(
    said: str | None, state: str, at: datetime | None
) -> None:
    raw = {**RAW, "State": {"Name": state}, "StateTransitionReason": said}
    assert parse.parse_instance(raw, "us-east-1", BOOK).stopped_at == at


def test_disks_snapshots_addresses_and_buckets() -> None:
    raw = {"VolumeId": "vol-1", "Size": 100, "VolumeType": "gp3", "Iops": 3000, "Throughput": 125, "State": "available"}
    disk = parse.parse_volume(raw, "us-east-1", BOOK)
    assert disk.attached_to is None
    assert disk.usd_per_month == pytest.approx(8.0)
    for unsaid in ("Iops", "Throughput"):  # may be more than what gp3 includes
        assert parse.parse_volume({**raw, unsaid: None}, "us-east-1", BOOK).usd_per_month is None
    snap = parse.parse_snapshot({"SnapshotId": "snap-1", "VolumeSize": 10}, "us-east-1", BOOK)
    assert snap.usd_per_month == pytest.approx(0.5)
    address = parse.parse_address({"AllocationId": "eipalloc-1", "PublicIp": "1.2.3.4"}, "us-east-1", BOOK)
    assert (address.associated, address.usd_per_hour) == (False, 0.005)
    bucket = parse.parse_bucket({"Name": "b"})
    assert (bucket.objects, bucket.bytes, bucket.usd_per_month) == (None, None, None)


def test_whether_a_disk_goes_with_its_machine_is_unknown_where_ec2_does_not_say() -> None:
    for said in (True, False, None):
        ebs = {"VolumeId": "vol-1"} | ({} if said is None else {"DeleteOnTermination": said})
        raw = {**RAW, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}]}
        (device,) = parse.parse_instance(raw, "us-east-1", BOOK).devices
        assert (device.delete_on_termination, device.may_go) == (said, said is not False)
        (held,) = parse.parse_volume({"Attachments": [{"InstanceId": "i-1", **ebs}]}, "us-east-1", BOOK).attachments
        assert held.delete_on_termination is said


def test_a_type_aws_describes_is_hardware() -> None:
    raw = {
        "InstanceType": "g9.xlarge", "VCpuInfo": {"DefaultVCpus": 4}, "MemoryInfo": {"SizeInMiB": 16384},
        "GpuInfo": {"Gpus": [{"Name": "X1", "Count": 2, "MemoryInfo": {"SizeInMiB": 24576}}]},
    }  # fmt: skip
    hardware = parse.parse_hardware(raw)
    assert (hardware.vcpus, hardware.memory_gib, hardware.gpu_model, hardware.gpu_count) == (4, 16, "X1", 2)
    assert parse.parse_hardware({}).vcpus is None
    assert parse.parse_hardware({"GpuInfo": {"Gpus": [{"Name": "X1"}]}}).gpu_count is None


@pytest.mark.parametrize(("owner", "lent"), [("amazon", True), ("123456789012", False), (None, False)])
def test_a_public_address_bills_whether_it_is_lent_or_elastic_and_never_twice(owner: str | None, lent: bool) -> None:
    raw = {**RAW, "PublicIpAddress": "192.0.2.9", "NetworkInterfaces": [{"Association": {"IpOwnerId": owner}}]}
    machine = parse.parse_instance(raw, "us-east-1", BOOK)
    assert machine.has_lent_address is lent
    assert machine.lent_address_usd_per_hour == (0.005 if lent else None)
