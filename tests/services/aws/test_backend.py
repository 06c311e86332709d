"""The backend against the embedded cloud and a plain moto server: complete, exact, and counted call by call."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from runctl import errors
from runctl.clock import SystemClock
from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud
from runctl.models.snapshot import Snapshot, Source
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.aws.slim import OPERATIONS, ensure_models
from runctl.services.pollers import FLEET, collect
from runctl.services.prices import PriceBook
from runctl.store.costs import cost_items
from runctl.store.fields import Context
from runctl.store.select import summary
from runctl.store.store import Store

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


def everything(backend: AwsBackend, regions: tuple[str, ...] = REGIONS) -> Snapshot:
    store = Store()
    assert collect(backend, FLEET, regions, store.apply, clock=SystemClock(), timeout_s=60)
    return store.snapshot


def test_the_whole_demo_fleet_arrives(cloud: DemoCloud) -> None:
    snapshot = everything(open_backend(DEFAULTS))
    assert snapshot.errors == ()
    assert len(snapshot.instances) >= 55
    assert len(snapshot.volumes) >= 40
    assert {i.region for i in snapshot.instances} == set(REGIONS)
    assert snapshot.identity is not None
    assert len(snapshot.identity.account) == 12
    assert snapshot.buckets


def test_every_price_is_the_books_to_the_digit(cloud: DemoCloud) -> None:
    book = PriceBook()
    for machine in everything(open_backend(DEFAULTS)).instances:
        assert machine.rate == book.instance_rate(machine.region, machine.type, machine.market, machine.az)


def test_all_regions_are_found_when_asked_for(cloud: DemoCloud) -> None:
    store = Store()
    backend = open_backend(DEFAULTS)
    collect(backend, (Source.ADDRESSES,), ("all",), store.apply, clock=SystemClock(), timeout_s=60)
    assert set(REGIONS) <= set(store.snapshot.regions)


def test_a_plain_moto_server_gives_exact_data(plain_moto: str) -> None:
    import boto3

    ec2 = boto3.client("ec2", region_name="us-west-2")
    image = ec2.register_image(Name="linux", RootDeviceName="/dev/sda1", Architecture="x86_64")["ImageId"]
    for kind, count in (("g5.xlarge", 3), ("p4d.24xlarge", 2)):
        ec2.run_instances(ImageId=image, InstanceType=kind, MinCount=count, MaxCount=count)
    ec2.create_volume(AvailabilityZone="us-west-2a", Size=100, VolumeType="gp3")
    snapshot = everything(open_backend(DEFAULTS), ("us-west-2",))
    shown = summary(Context(SystemClock().now(), snapshot))
    book = PriceBook()
    rates = [book.instance_rate("us-west-2", k, "on-demand") for k in ("g5.xlarge", "p4d.24xlarge")]
    expected = 3 * rates[0].usd + 2 * rates[1].usd if rates[0] and rates[1] else math.nan
    assert shown.instances_running == 5
    assert shown.on_demand_usd_per_hour == pytest.approx(expected)
    assert sum(v.size_gib == 100 for v in snapshot.volumes) == 1
    assert len(cost_items(Context(SystemClock().now(), snapshot))) >= 6


def test_raw_views_and_unknown_kinds(cloud: DemoCloud) -> None:
    backend = open_backend(DEFAULTS)
    (first, *_) = next(iter(backend.list_instances("us-east-1")))
    assert backend.fetch_raw("instance", "us-east-1", first.id)["InstanceId"] == first.id
    with pytest.raises(errors.InputError, match="raw view"):
        backend.fetch_raw("lambda", "us-east-1", "x")
    with pytest.raises(errors.RequestError):
        backend.fetch_raw("volume", "us-east-1", "vol-00000000000000000")


@pytest.mark.parametrize("region", ["mars", "us-east", "US-EAST-1", "us-east-1; rm -rf"])
def test_what_is_no_region_is_refused_before_any_call(cloud: DemoCloud, region: str) -> None:
    with pytest.raises(errors.RequestError, match="not a region"):
        next(iter(open_backend(DEFAULTS).list_instances(region)))


def test_no_credentials_is_a_credentials_error_with_a_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(errors.CredentialsError) as caught:
        open_backend(DEFAULTS).fetch_identity()
    assert "runctl --demo" in caught.value.hint


def test_a_profile_that_does_not_exist_is_a_credentials_error() -> None:
    with pytest.raises(errors.CredentialsError, match="nowhere"):
        open_backend(DEFAULTS, "nowhere")


def test_pruned_models_keep_every_operation_and_a_read_only_cache_is_no_error(tmp_path: Path) -> None:
    made = ensure_models(tmp_path)
    assert made is not None
    for service, (version, operations) in OPERATIONS.items():
        model = json.loads((Path(made) / service / version / "service-2.json").read_text())
        assert set(model["operations"]) == operations
    (tmp_path / "file").write_text("")
    assert ensure_models(tmp_path / "file" / "below") is None


def test_a_runctl_that_asks_more_does_not_use_the_models_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operations(made: str | None) -> set[str]:
        assert made is not None
        return set(json.loads((Path(made) / "ec2" / version / "service-2.json").read_text())["operations"])

    version, wanted = OPERATIONS["ec2"]
    monkeypatch.setitem(OPERATIONS, "ec2", (version, frozenset({"DescribeInstances"})))
    assert operations(ensure_models(tmp_path)) == {"DescribeInstances"}
    monkeypatch.setitem(OPERATIONS, "ec2", (version, wanted))
    assert operations(ensure_models(tmp_path)) == wanted
