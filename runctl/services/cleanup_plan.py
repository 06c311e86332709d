"""A cleanup plan: the door's own look at what `cleanup` proposes, in its order, each with what must be done before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from runctl.errors import CloudError, CredentialsError
from runctl.models.instance import Instance, InstanceState, Market
from runctl.models.plan import Plan, PlanItem, Refusal, Rule, Verb
from runctl.models.s3 import Bucket, Upload
from runctl.services.actions import Actions
from runctl.services.cleanup import CleanupRules, Seen, Step
from runctl.services.verbs.row import Ground
from runctl.services.writer import MOST_VALUES

#: Buckets that do not tell, by name; an account may have hundreds of others' buckets.
_MOST_NAMED = 3
#: Figures that a step's verb needs: who deletes afterwards wants the copy to be whole.
_PARAMETERS: dict[Verb, dict[str, object]] = {Verb.SNAPSHOT: {"wait": True}}


def look_further(
    ground: Ground, seen: Seen, buckets: Iterable[Bucket], rules: CleanupRules, *, timeout_s: float
) -> tuple[Seen, tuple[str, ...]]:
    """What no listing of the fleet says: unfinished uploads, and which spot machines EC2 does not stop.

    Args:
        ground: asks.
        seen: what the listings say.
        buckets: where uploads are looked for.
        rules: how old an upload must be.
        timeout_s: seconds after which no more answers of buckets are waited for.

    Returns:
        All that is seen, and a sentence for each thing that could not be looked at.

    Raises:
        CredentialsError: nothing can be asked.
    """
    uploads, unknown = _unfinished(ground, buckets, seen.now - timedelta(seconds=rules.upload_s), timeout_s)
    notes = [f"unfinished uploads of {bucket}: {why}" for bucket, why in unknown[:_MOST_NAMED]]
    if len(unknown) > _MOST_NAMED:
        notes.append(f"unfinished uploads of {len(unknown) - _MOST_NAMED} more buckets")
    one_time, doubts = _one_time(ground, seen.instances)
    return replace(seen, uploads=uploads, one_time=one_time), (*notes, *doubts)


def _unfinished(
    ground: Ground, buckets: Iterable[Bucket], before: datetime, timeout_s: float
) -> tuple[tuple[Upload, ...], tuple[tuple[str, str], ...]]:
    held = tuple(buckets)
    if ground.s3 is None or not held:
        return (), ()
    found = ground.s3.find_unfinished(held, before, timeout_s)
    return found.uploads, found.unknown


def _one_time(ground: Ground, machines: Iterable[Instance]) -> tuple[frozenset[str], list[str]]:
    """Running spot machines of one-time requests; a request that cannot be read leaves the last word to EC2."""
    requests: dict[str, dict[str, str]] = {}
    for m in machines:
        if m.market is Market.SPOT and m.spot_request_id and m.state is InstanceState.RUNNING:
            requests.setdefault(m.region, {})[m.spot_request_id] = m.id
    found: set[str] = set()
    doubts: list[str] = []
    for region, wanted in requests.items():
        names = sorted(wanted)
        for start in range(0, len(names), MOST_VALUES):
            chosen = [{"Name": "spot-instance-request-id", "Values": names[start : start + MOST_VALUES]}]
            try:
                answer = ground.cloud.ask("ec2", "DescribeSpotInstanceRequests", region, Filters=chosen)
            except CredentialsError:
                raise
            except CloudError as error:
                doubts.append(f"spot requests in {region}: {error.message}")
                continue
            listed = answer.get("SpotInstanceRequests") or ()
            found |= {wanted[r["SpotInstanceRequestId"]] for r in listed if r.get("Type") == "one-time"}
    return frozenset(found), doubts


def draft_cleanup(
    door: Actions, steps: Sequence[Step], overrides: frozenset[Rule] = frozenset(), notes: tuple[str, ...] = ()
) -> Plan:
    """Look at every candidate as it is now, and judge it. Nothing is sent or saved.

    Args:
        door: looks and judges.
        steps: from `candidates`.
        overrides: rules set aside by name.
        notes: what could not be looked at.

    Raises:
        CloudError: AWS could not be asked.
    """
    drafted = {(i.verb, i.region, i.id): i for i in _drafted(door, steps, overrides)}
    items = _without_cause([_joined(drafted, step) for step in steps if _key(step) in drafted])
    count = sum(1 for s in steps if s.rule != "snapshot-first")
    plan = door.plan_of(items, overrides, title=f"clean up {count} {'thing' if count == 1 else 'things'}")
    return replace(plan, notes=notes)


def _key(step: Step) -> tuple[Verb, str, str]:
    return step.verb, step.resource.region, step.resource.id


def _drafted(door: Actions, steps: Sequence[Step], overrides: frozenset[Rule]) -> Iterator[PlanItem]:
    """All steps of a verb together: as few readings as there are regions."""
    for verb in dict.fromkeys(s.verb for s in steps):
        own = [s for s in steps if s.verb is verb]
        plain = _PARAMETERS.get(verb, {})
        for kept in (False, True):
            chosen = [s for s in own if (s.after is not None) is kept]
            if not chosen:
                continue
            parameters = plain | ({"kept": True} if kept and verb is Verb.DELETE else {})
            reasons = {s.resource.id: s.reason for s in chosen}
            yield from door.draft_on(verb, [s.resource for s in chosen], parameters, overrides, reasons=reasons).items


def _joined(drafted: dict[tuple[Verb, str, str], PlanItem], step: Step) -> PlanItem:
    item = drafted[_key(step)]
    before = drafted.get(_key(step.after)) if step.after is not None else None
    saves = step.saves_usd_per_month if step.rule == "snapshot-first" else item.saves_usd_per_month
    return replace(item, after=before.key if before is not None else "", saves_usd_per_month=saves)


def _without_cause(items: Sequence[PlanItem]) -> list[PlanItem]:
    """What only prepares another is refused with it: a snapshot that nobody needs would bill.

    Whatever is prepared comes after what prepares it, so that one look from the end sees whole chains.
    """
    found: list[PlanItem] = []
    causes: dict[str, PlanItem] = {}
    for item in reversed(items):
        cause = causes.get(item.key)
        if cause is not None:
            because = tuple(
                Refusal(r.rule, f"it only prepares {cause.verb} {cause.name or cause.id}: {r.reason}")
                for r in cause.refusals
            )
            item = replace(item, refusals=(*item.refusals, *because))  # noqa: PLW2901  # the same one, judged further
        if item.after:
            causes[item.after] = cause or item
        found.append(item)
    return found[::-1]
