"""A cleanup plan: the door's own look at what `cleanup` proposes, in its order, each with what must be done before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from runctl.models.plan import Plan, PlanItem, Rule, Verb
from runctl.services.actions import Actions
from runctl.services.cleanup import Step

#: Figures that a step's verb needs: who deletes afterwards wants the copy to be whole.
_PARAMETERS: dict[Verb, dict[str, object]] = {Verb.SNAPSHOT: {"wait": True}}


def draft_cleanup(door: Actions, steps: Sequence[Step], overrides: frozenset[Rule] = frozenset()) -> Plan:
    """Look at every candidate as it is now, and judge it. Nothing is sent or saved.

    Raises:
        CloudError: AWS could not be asked.
    """
    drafted = {(i.verb, i.region, i.id): i for i in _drafted(door, steps, overrides)}
    items = [_joined(drafted, step) for step in steps if _key(step) in drafted]
    count = sum(1 for s in steps if s.rule != "snapshot-first")
    return door.plan_of(items, overrides, title=f"clean up {count} {'thing' if count == 1 else 'things'}")


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
