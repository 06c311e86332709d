"""Tags and adoption on the embedded cloud: what changes hands, what does not, and how it is undone."""

from __future__ import annotations

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import ItemResult, Kind, Outcome, Rule, Verb
from runctl.models.tags import MANAGED, OWNER, PROJECT, TTL
from runctl.services.actions import Actions
from runctl.services.verbs.tags import check_key, parse_tag, release_parameters
from tests.services.doors import EAST, OURS, disk, fleet_of, machine, open_door


def one(
    door: Actions, verb: Verb, reference: str, parameters: dict[str, object], kind: Kind = Kind.INSTANCE
) -> ItemResult:
    return next(iter(door.apply(door.draft(verb, [reference], parameters, kind=kind)).results.values()))


def tags(door: Actions, identifier: str) -> dict[str, str]:
    return dict(door.ground.cloud.find_instances(EAST, ids=[identifier])[0].tags)


def test_a_machine_is_adopted_used_and_given_up(cloud: DemoCloud) -> None:
    (found,) = fleet_of(cloud, machine("foreign", {"team": "a"}))
    door = open_door()
    assert door.draft(Verb.STOP, [found]).items[0].refusals[0].rule is Rule.NOT_OURS
    result = one(door, Verb.ADOPT, found, {"project": "vision", "ttl_s": 3600.0})
    assert (result.outcome, result.inverse) == (Outcome.DONE, f"runctl adopt {found} --release --region {EAST}")
    held = tags(door, found)
    assert (held[MANAGED], held[OWNER], held[PROJECT], held["team"]) == ("1", "zoe", "vision", "a")
    assert TTL in held
    assert one(door, Verb.ADOPT, found, {"project": "vision"}).reason == "ours already"
    assert door.draft(Verb.STOP, [found]).items[0].refusals == ()
    given_up = one(door, Verb.TAG, found, release_parameters())
    assert given_up.inverse == f"runctl adopt {found} --owner zoe --region {EAST}"
    assert tags(door, found) == {"Name": "foreign", "team": "a", PROJECT: "vision"}


@pytest.mark.parametrize(
    ("held", "verb", "rule"),
    [
        (OURS | {OWNER: "mallory"}, Verb.ADOPT, Rule.OTHER_OWNER),
        (OURS | {OWNER: "mallory"}, Verb.TAG, Rule.OTHER_OWNER),
        ({}, Verb.TAG, Rule.NOT_OURS),
        (OURS | {"runctl:protected": "true"}, Verb.TAG, Rule.PROTECTED),
    ],
)
def test_nobody_takes_or_tags_what_is_not_theirs(
    cloud: DemoCloud, held: dict[str, str], verb: Verb, rule: Rule
) -> None:
    (found,) = fleet_of(cloud, machine(tags=held))
    result = one(open_door(), verb, found, {"set": {"team": "x"}})
    assert (result.outcome, result.rule) == (Outcome.REFUSED, rule)
    assert cloud.changes() == []


def test_a_disk_is_adopted_too(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine(), disks=(disk(None, {}, name="data"),))
    door = open_door()
    assert one(door, Verb.ADOPT, "data", {}, Kind.VOLUME).outcome is Outcome.DONE
    (held,) = door.ground.cloud.find_volumes(EAST, name="data")
    assert held.ownership.managed_owner == "zoe"


def test_tags_are_set_removed_and_can_be_put_back(cloud: DemoCloud) -> None:
    (found,) = fleet_of(cloud, machine("m", OURS | {"team": "a b", "old": "1"}))
    door = open_door()
    result = one(door, Verb.TAG, found, {"set": {"team": "c", "new": ""}, "unset": ["old", "never"]})
    held = tags(door, found)
    assert (held["team"], held["new"], "old" in held) == ("c", "", False)
    assert result.inverse == f"runctl instances tag {found} 'team=a b' old=1 --remove new --region {EAST}"
    assert one(door, Verb.TAG, found, {"set": {"team": "c"}, "unset": ["old"]}).reason == "tagged so already"
    with pytest.raises(InputError, match="no tag is named"):
        door.draft(Verb.TAG, [found], {"set": {}, "unset": []})


def test_what_undoes_it_never_repeats_a_secret(cloud: DemoCloud) -> None:
    (found,) = fleet_of(cloud, machine("m", OURS | {"db_password": "hunter2", "note": "hf_" + "a" * 30}))
    door = open_door()
    for wanted in ({"set": {"db_password": "x"}}, {"set": {}, "unset": ["note"]}):
        result = one(door, Verb.TAG, found, dict(wanted))
        assert (result.outcome, result.inverse) == (Outcome.DONE, "")
    told = door.ground.journal.path.read_text()
    assert "hunter2" not in told
    assert "hf_" not in told


@pytest.mark.parametrize(
    "text", ["novalue", "=x", " =x", "aws:x=1", "AWS:x=1", "runctl:managed=1", "runctl:owner=me", "runctl:ttl=x",
             "k" * 129 + "=x", "k=" + "v" * 257, "k=a\nb", "a\x1b=b"],
)  # fmt: skip
def test_what_ec2_or_runctl_would_not_take_is_refused_first(text: str) -> None:
    with pytest.raises(InputError):
        parse_tag(text)


def test_what_a_person_may_set() -> None:
    assert parse_tag("a=b=c") == ("a", "b=c")
    assert parse_tag("runctl:protected=true") == ("runctl:protected", "true")
    check_key("team")
