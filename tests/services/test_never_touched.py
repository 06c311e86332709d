"""Random fleets, verbs, marks, filters and overrides: what the rules protect is in no call, all else is done.

The judge here is written a second time, from docs/safety.md and not from the policy engine. `ACT_CASES=1000` runs the
long form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runctl.config.settings import ProfileRules, Settings
from runctl.demo.cloud import DemoCloud
from runctl.models.plan import OVERRIDABLE, ItemResult, Outcome, Plan, Rule, Verb
from runctl.screens.instances import INSTANCES
from runctl.services.actions import Actions
from tests.services.doors import EAST, OURS, ZOE, disk, machine, open_door
from tests.services.picking import Look, chosen, looks, wanted

CASES = int(os.environ.get("ACT_CASES", "12"))
FAST = replace(ZOE, aws=replace(ZOE.aws, calls_per_second=1e6))
MODES: dict[str, Settings] = {
    "normal": FAST,
    "read-only": replace(FAST, read_only=True),
    "protected": replace(FAST, profiles={"default": ProfileRules(protected=True)}),
}
TAGS: tuple[dict[str, str], ...] = (
    OURS, OURS, {"runctl:managed": "1"}, {}, OURS | {"runctl:owner": "mallory"}, OURS | {"runctl:protected": "true"},
    OURS | {"runctl:important": "1"}, {"runctl:managed": "0", "runctl:owner": "zoe"}, OURS | {"runctl:job": "llama"},
    {"Owner": "zoe", "Name": "[/x]"},
)  # fmt: skip
VERBS = (Verb.START, Verb.STOP, Verb.REBOOT, Verb.TERMINATE, Verb.TAG, Verb.ADOPT)
NEEDED_STATE = {Verb.START: "stopped", Verb.STOP: "running", Verb.REBOOT: "running"}


@dataclass(frozen=True)
class Made:
    """One machine as it was drawn; `marked` it is named, `protect` it gets protected between plan and apply."""

    tags: dict[str, str]
    state: str
    age_s: float
    locked: bool
    disk: dict[str, str] | None
    marked: bool
    protect: bool


MACHINE = st.builds(
    Made,
    tags=st.sampled_from(TAGS),
    state=st.sampled_from(("running", "running", "stopped", "terminated")),
    age_s=st.sampled_from((30.0, 7200.0, 7200.0, 90 * 86400.0)),
    locked=st.sampled_from((False, False, False, True)),
    disk=st.sampled_from((None, None, OURS, OURS | {"runctl:protected": "true"}, {"runctl:owner": "mallory"})),
    marked=st.sampled_from((True, True, True, False)),
    protect=st.sampled_from((False, False, False, False, True)),
)
#: What may stand in the filter line, and which machines it shows.
FILTERS: dict[str, Callable[[Made], bool]] = {
    "": lambda _: True,
    "state:running": lambda m: m.state == "running",
    "!state:running age>1d": lambda m: m.state != "running" and m.age_s > 86_400,
    "tag:runctl:owner=zoe": lambda m: m.tags.get("runctl:owner") == "zoe",
    "tag:runctl:protected | tag:runctl:job": lambda m: bool({"runctl:protected", "runctl:job"} & set(m.tags)),
    "nothing-has-this": lambda _: False,
}


@cache
def door(mode: str) -> Actions:
    """One session for each mode: building its client costs more than a case."""
    return open_door(MODES[mode])


def forbidden(made: Made, verb: Verb, mode: str, overrides: frozenset[Rule]) -> bool:
    """Whether docs/safety.md protects it from the verb."""
    tags = made.tags | ({"runctl:protected": "true"} if made.protect else {})
    managed = tags.get("runctl:managed") == "1"
    kept, kept_before = (
        any(t.get(f"runctl:{w}") in ("true", "1") for w in ("protected", "important", "persistent"))
        for t in (tags, made.tags)
    )
    takes = verb in (Verb.STOP, Verb.REBOOT, Verb.TERMINATE)
    young = made.age_s < 300 and verb in (Verb.STOP, Verb.TERMINATE)
    job = "runctl:job" in tags and takes and made.state == "running"
    return (
        mode == "read-only"
        or (mode == "protected" and takes)
        or (not managed and verb is not Verb.ADOPT)
        or tags.get("runctl:owner", "zoe") != "zoe"
        or (kept and (takes or verb is Verb.TAG))
        or (kept and not kept_before)  # it is not any more what the plan was made for
        or (made.locked and verb is Verb.TERMINATE)
        or (young and Rule.YOUNGER_THAN not in overrides)
        or (job and not {Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT} <= overrides)
    )


def done_already(made: Made, verb: Verb) -> bool:
    ready = {Verb.START: "running", Verb.STOP: "stopped", Verb.TERMINATE: "terminated"}
    return made.state == ready.get(verb) or (verb is Verb.ADOPT and made.tags.items() >= OURS.items())


def possible(made: Made, verb: Verb) -> bool:
    return made.state == NEEDED_STATE.get(verb, made.state) and made.state != "terminated"


def protect(cloud: DemoCloud, identifier: str) -> None:
    """As somebody else does it, behind our back."""
    client = client_of(cloud)
    client.create_tags(Resources=[identifier], Tags=[{"Key": "runctl:protected", "Value": "true"}])


def applied(cloud: DemoCloud, acting: Actions, plan: Plan, protecting: Iterable[str]) -> dict[str, ItemResult]:
    """The results of a plan by id, some things having been protected since it was made."""
    for identifier in protecting:
        protect(cloud, identifier)
    cloud.forget_calls()
    return {r.item.id: r for r in acting.apply(plan).results.values()}


def client_of(cloud: DemoCloud) -> Any:
    """EC2 as somebody else uses it."""
    return _client(cloud.endpoint_url)


@cache
def _client(url: str) -> Any:
    import botocore.session

    return botocore.session.Session().create_client("ec2", EAST, endpoint_url=url)


@pytest.mark.timeout(60 + CASES * 10)
@settings(
    max_examples=CASES, deadline=None, derandomize=CASES < 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    fleet=st.lists(MACHINE, min_size=2, max_size=8),
    look=looks(FILTERS),
    verb=st.sampled_from(VERBS),
    mode=st.sampled_from(("normal", "normal", "normal", "normal", "read-only", "protected")),
    overrides=st.frozensets(st.sampled_from(sorted(OVERRIDABLE)), max_size=4),
)
def test_what_is_protected_is_never_touched(
    cloud: DemoCloud, *, fleet: list[Made], look: Look, verb: Verb, mode: str, overrides: frozenset[Rule]
) -> None:
    cloud.reset(fleet="empty")
    disks = tuple(disk(n, m.disk) for n, m in enumerate(fleet) if m.disk is not None and m.state == "running")
    ids = cloud.build(
        [machine(f"m{n}", m.tags, state=m.state, age_s=m.age_s, termination_protected=m.locked)
         for n, m in enumerate(fleet)],
        disks,
    )  # fmt: skip
    by_id = dict(zip(ids, fleet, strict=True))
    parameters = {"set": {"team": "x"}} if verb is Verb.TAG else {}
    acting = door(mode)
    things = chosen(acting, INSTANCES, acting.ground.cloud.find_instances(EAST, ids=ids),
                    frozenset(i for i, m in by_id.items() if m.marked), look)  # fmt: skip
    marked = [m.id for m in things]
    if any(m.marked for m in fleet):
        assert set(marked) == wanted(by_id, FILTERS[look.filter], look)
    else:
        assert len(marked) == any(FILTERS[look.filter](m) for m in fleet), (
            "the row under the cursor, where there is one"
        )
    if not things:
        return  # the screen says so, and there is nothing to draft
    plan = acting.draft_on(verb, things, parameters, overrides)
    assert [i.id for i in plan.items] == marked, "what is shown is what is meant"
    assert cloud.changes() == [], "a draft sends nothing"
    results = applied(cloud, acting, plan, [i for i, m in by_id.items() if m.protect])
    touched = {i for _, _, named in cloud.changes() for i in named}
    expected = {
        i for i in marked
        if not forbidden(by_id[i], verb, mode, overrides) and possible(by_id[i], verb)
        and not done_already(by_id[i], verb)
    }  # fmt: skip
    assert touched == expected
    for identifier in marked:
        done = results[identifier].outcome is Outcome.DONE
        assert not done or identifier in expected or _nothing_left(by_id[identifier], verb)
        assert done or identifier not in expected
    assert sum(cloud.mutating_calls().values()) == len(expected), "one call on one resource"


def _nothing_left(made: Made, verb: Verb) -> bool:
    """Done without a call, because nothing was left to do."""
    return done_already(made, verb) or made.state == "terminated"


def test_the_oracle_sees_both_sides() -> None:
    plain = Made(OURS, "running", 7200.0, locked=False, disk=None, marked=True, protect=False)
    assert not forbidden(plain, Verb.TERMINATE, "normal", frozenset())
    assert forbidden(replace(plain, tags={}), Verb.TERMINATE, "normal", frozenset())
    assert forbidden(plain, Verb.START, "read-only", frozenset())
