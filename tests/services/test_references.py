"""What ids and names mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import Kind, Verb
from runctl.services.references import check_reference, kind_of_id, resolve
from tests.services.doors import EAST, disk, fleet_of, machine, open_door

REGIONS = (EAST, "eu-west-1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither an id nor a name"),
        ("   ", "neither"),
        ("a\x1b[31m", "neither"),
        ("i-XYZ123456789", "malformed id of a instance"),
        ("i-0123456789abcde", "malformed"),
        ("vol-0123456789abcdef0", "is the id of a volume"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        check_reference(text, Kind.INSTANCE)
    assert "i-0123456789abcdef0" in error.value.hint


@pytest.mark.parametrize(
    "text", ["i-0123456789abcdef0", "i-01234567", "trainer", "i-am a name", "i-phone", "[/x]", "a*"]
)
def test_what_may_be_meant_passes(text: str) -> None:
    check_reference(text, Kind.INSTANCE)


def test_short_and_long_ids_are_told_apart() -> None:
    assert kind_of_id("i-01234567") is Kind.INSTANCE
    assert kind_of_id("snap-0123456789abcdef0") is Kind.SNAPSHOT
    assert kind_of_id("eipalloc-0123456789abcdef0") is Kind.ADDRESS
    assert kind_of_id("i-0123456") is None


def test_ids_and_names_are_found_in_every_region_of_the_scope(cloud: DemoCloud) -> None:
    ids = fleet_of(
        cloud, machine("a"), machine("b", region="eu-west-1", az="eu-west-1a"), machine("a*"),
        machine("old", state="terminated"), machine("old"), disks=(disk(name="data"),),
    )  # fmt: skip
    door = open_door(regions=REGIONS)
    look = door.ground.cloud
    found = resolve(look, Kind.INSTANCE, [ids[1], "a", ids[0], "a*", "old"], REGIONS)
    assert [r.id for r in found] == [ids[1], ids[0], ids[2], ids[4]], (
        "each once, in order, and the living before the dead"
    )
    assert [r.region for r in found][:2] == ["eu-west-1", EAST]
    (data,) = resolve(look, Kind.VOLUME, ["data"], ("all",))
    assert data.id.startswith("vol-")


def test_unknown_ambiguous_and_elsewhere(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine("twin"), machine("twin"), machine("far", region="eu-west-1", az="eu-west-1a"))
    door = open_door()
    with pytest.raises(InputError, match="2 instances are called 'twin'") as error:
        door.draft(Verb.STOP, ["twin"])
    assert ids[0] in error.value.allowed
    with pytest.raises(InputError, match=f"{ids[2]} is in eu-west-1, not in us-east-1") as error:
        door.draft(Verb.STOP, [ids[2], ids[0]])
    assert error.value.example == "--region eu-west-1"
    with pytest.raises(InputError, match="no instance 'nobody' in us-east-1; no instance 'i-0aaaaaaaaaaaaaaaa'"):
        door.draft(Verb.STOP, ["nobody", "i-0aaaaaaaaaaaaaaaa", ids[0]])
    with pytest.raises(InputError, match="nothing to stop"):
        door.draft(Verb.STOP, [])
    assert cloud.changes() == []
