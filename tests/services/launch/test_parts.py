"""The pure parts: quotas by family, accelerators, the memory of refused places, the parameters that are sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.demo.gateway.quotas import quota_of
from runctl.errors import CallSite, CloudError
from runctl.models.instance import Hardware, InstanceState, Market
from runctl.models.launch import AttemptClass, Candidate, Image, LaunchRequest, MarketChoice
from runctl.services.aws.errors import classify
from runctl.services.launch.attempts import class_of
from runctl.services.launch.candidates import Facts, candidates_of
from runctl.services.launch.images import disk_size, maker_of, parse_image, usual_image
from runctl.services.launch.parameters import run_parameters
from runctl.services.launch.quarantine import LENGTH, Place, Quarantine
from runctl.services.launch.quotas import code_of, quotas_of, used_vcpus
from runctl.services.prices import PriceBook
from tests.services.acting import machine

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
IMAGE = Image("ami-0123456789abcdef0", "al2023", "x86_64", "/dev/xvda", 8, "ec2-user")


MARKETS = (Market.SPOT, Market.ON_DEMAND)


def test_types_count_against_the_quota_that_the_cloud_counts() -> None:
    known = {(t, m): q.code for t in PriceBook().types() for m in MARKETS if (q := quota_of(t, m))}
    assert known == {pair: code_of(*pair) for pair in known}


def test_families_without_a_quota_of_ours_have_none() -> None:
    for kind in ("mac2.metal", "hpc7a.96xlarge", "u-6tb1.metal"):
        assert code_of(kind, Market.ON_DEMAND) == ""
    assert code_of("im4gn.large", Market.ON_DEMAND) == code_of("c7i-flex.large", Market.ON_DEMAND) == "L-1216C47A"


def test_only_what_runs_counts_and_an_unknown_size_makes_it_unknown() -> None:
    held = [
        machine(1),
        machine(2, state=InstanceState.STOPPED),
        machine(3, market=Market.SPOT),
        machine(4, type="c6i.large", hardware=Hardware(2)),
    ]
    assert used_vcpus(held, "L-DB2E81BA") == 4
    assert used_vcpus([*held, machine(5, hardware=Hardware())], "L-DB2E81BA") is None
    wanted = [("g5.xlarge", m) for m in MARKETS] + [("mac2.metal", Market.ON_DEMAND)]
    found = quotas_of(wanted, held, {"L-DB2E81BA": 8.0}.get)
    assert (found["g5.xlarge", Market.ON_DEMAND].left, found["g5.xlarge", Market.SPOT].left) == (4.0, None)
    assert len(found) == 2
    assert quotas_of(wanted, None, lambda _: 8.0)["g5.xlarge", Market.ON_DEMAND].used is None


def test_accelerators_choose_the_image() -> None:
    book = PriceBook()
    made = {t: maker_of(book.hardware(t) or Hardware()) for t in ("g5.xlarge", "g4ad.xlarge", "trn1.2xlarge")}
    assert made == {"g5.xlarge": "nvidia", "g4ad.xlarge": "other", "trn1.2xlarge": "neuron"}
    assert maker_of(Hardware(gpu_count=0)) == ""
    assert maker_of(Hardware()) == "?"
    assert "arm64" in usual_image(Hardware(arch="arm64", gpu_count=0)).parameter
    assert "no image with a driver" in usual_image(book.hardware("g4ad.xlarge") or Hardware()).note
    assert usual_image(book.hardware("g5.xlarge") or Hardware()).note == ""


def test_an_image_is_read_as_it_is() -> None:
    raw = {
        "ImageId": "ami-1", "Name": "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)",
        "RootDeviceName": "/dev/sda1", "Architecture": "x86_64",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 75}},
        ],
    }  # fmt: skip
    image = parse_image(raw)
    assert (image.root_device, image.minimum_gib, image.user) == ("/dev/sda1", 75, "ubuntu")
    odd = parse_image({"ImageId": "ami-2", "Name": "ours"})
    assert (odd.root_device, odd.minimum_gib, odd.user) == ("", None, None)
    assert disk_size(image, None) == 100
    assert disk_size(replace(image, minimum_gib=200), None) == 200
    assert disk_size(odd, 1) == 1


def test_refused_places_are_kept_for_ten_minutes_over_processes(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    place = Place("1", "g5.xlarge", "us-east-1a", Market.SPOT)
    Quarantine(tmp_path / "q" / "file.json", clock).add(place)
    again = Quarantine(tmp_path / "q" / "file.json", clock)
    again.add(place._replace(zone="us-east-1b"))
    assert again.until(place) == NOW + LENGTH
    assert again.until(place._replace(account="2")) is None
    assert again.until(place._replace(market=Market.ON_DEMAND)) is None
    clock.advance(600)
    assert again.until(place) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"1 g5.xlarge us-east-1a spot": 7}', '{"x": "2999-01-01T00:00+00:00"}']
)
def test_a_damaged_memory_holds_nothing_up(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    kept = Quarantine(tmp_path / "file.json", FrozenClock(NOW))
    place = Place("1", "g5.xlarge", "us-east-1a", Market.SPOT)
    assert kept.until(place) is None
    kept.add(place)
    assert kept.until(place) is not None


@pytest.mark.parametrize(
    ("code", "status", "came_to"),
    [
        ("InsufficientInstanceCapacity", 500, AttemptClass.CAPACITY),
        ("InsufficientHostCapacity", 500, AttemptClass.CAPACITY),
        ("Unsupported", 400, AttemptClass.NOT_OFFERED),
        ("SpotMaxPriceTooLow", 400, AttemptClass.PRICE),
        ("VcpuLimitExceeded", 400, AttemptClass.QUOTA),
        ("MaxSpotInstanceCountExceeded", 400, AttemptClass.QUOTA),
        ("UnauthorizedOperation", 403, AttemptClass.DENIED),
        ("OptInRequired", 403, AttemptClass.DENIED),
        ("ExpiredToken", 400, AttemptClass.CREDENTIALS),
        ("RequestLimitExceeded", 503, AttemptClass.THROTTLED),
        ("InvalidAMIID.NotFound", 400, AttemptClass.REQUEST),
        ("PendingVerification", 400, AttemptClass.REQUEST),
        ("IdempotentParameterMismatch", 400, AttemptClass.UNKNOWN),
        ("InternalError", 500, AttemptClass.UNKNOWN),
        ("Unavailable", 503, AttemptClass.UNKNOWN),
    ],
)
def test_each_code_has_its_class(code: str, status: int, came_to: AttemptClass) -> None:
    error: CloudError = classify(code, status)("said", CallSite("ec2", "RunInstances", "us-east-1", code))
    assert class_of(error) is came_to


def test_the_call_says_everything_at_once() -> None:
    request = LaunchRequest(
        "launch-1", "us-east-1", ("g5.xlarge",), key_name="k", instance_profile="p", security_groups=("sg-1",), count=3,
        expires_at=NOW + timedelta(hours=1), disk_gib=50, job="j",
    )  # fmt: skip
    place = Candidate("g5.xlarge", "us-east-1a", Market.SPOT, image=IMAGE)
    sent = run_parameters(request, place, "zoe")
    kinds = [s["ResourceType"] for s in sent["TagSpecifications"]]
    assert kinds == ["instance", "volume", "network-interface", "spot-instances-request"]
    assert len({json.dumps(s["Tags"]) for s in sent["TagSpecifications"]}) == 1
    assert sent["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
    }
    assert (sent["MinCount"], sent["MaxCount"], len(sent["ClientToken"])) == (3, 3, 64)
    assert sent["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert sent["IamInstanceProfile"] == {"Name": "p"}
    assert sent == run_parameters(request, place, "zoe")
    plain = run_parameters(
        LaunchRequest("launch-2", "us-east-1", ("g5.xlarge",)), replace(place, market=Market.ON_DEMAND), "zoe"
    )
    assert len(plain["TagSpecifications"]) == 3
    assert not {"InstanceMarketOptions", "UserData", "InstanceInitiatedShutdownBehavior", "KeyName"} & set(plain)
    for market, behaviour in ((Market.SPOT, "terminate"), (Market.ON_DEMAND, None)):
        kept = run_parameters(replace(request, stops=True), replace(place, market=market), "zoe")
        assert kept.get("InstanceInitiatedShutdownBehavior") == behaviour
    named = run_parameters(replace(request, subnet="subnet-1"), replace(place, subnet="subnet-1"), "zoe")
    assert (named["SubnetId"], "Placement" in named) == ("subnet-1", False)


def test_a_cap_leaves_out_what_nobody_knows_the_price_of_but_to_spot_ec2_holds_it() -> None:
    kind = "x1.16xlarge"
    assert PriceBook().instance_rate("us-east-1", kind, "on-demand") is None
    facts = Facts(zones={kind: ("us-east-1a",)}, image_of={kind: Image("ami-1", "any", "x86_64", "/dev/sda1")})
    wanted = LaunchRequest("r", "us-east-1", (kind,), MarketChoice.SPOT_OR_ON_DEMAND, max_usd_per_hour=5.0)
    why = {c.market: c.excluded for c in candidates_of(wanted, facts, PriceBook())}
    assert why[Market.SPOT] == ""
    assert "its price is unknown" in why[Market.ON_DEMAND]
    free = {c.excluded for c in candidates_of(replace(wanted, max_usd_per_hour=None), facts, PriceBook())}
    assert free == {""}, "without a cap an unknown price leaves no place out"
