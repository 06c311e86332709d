"""The one door through which anything in AWS is changed, for the dashboard and the command line alike.

    door = Actions(ground, PlanStore(paths.plans_dir()), regions=("us-east-1",))
    plan = door.draft(Verb.STOP, ["i-0123456789abcdef0", "trainer"])     # reads and judges, sends nothing
    for item in plan.items:                                              # what a dialog shows
        print(item.id, item.about, item.lost, door.refused(item, plan.overrides))
    plan = door.apply(plan, progress=print, cancelled=asked.is_set)      # journals, sends, saves after each item
    sys.exit(exit_code(plan.results.values()))

`draft` makes a plan from what is there now. `apply` does it, one call on one resource after the other; right before
each call the resource is read and judged again, so that a plan never outlives what it was made for. How a verb is done
stands in its row (`runctl.services.verbs`): launching and disks have rows in files of their own. A verb that makes
something has no reference: build its `PlanItem` (its id is the client token) and give it to `plan_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from runctl.errors import CloudError, CredentialsError, DeniedError, InputError, RequestError
from runctl.models.plan import ItemResult, Kind, Outcome, Plan, PlanItem, Refusal, Rule, Verb
from runctl.services import plan as plans
from runctl.services.case import Around, Case, Resource, facts_of
from runctl.services.journal import OPEN, Entry, Journal
from runctl.services.permit import Permit, grant, kind_of
from runctl.services.plan import PlanStore, Progress, new_id
from runctl.services.policy import judge, standing
from runctl.services.references import resolve
from runctl.services.verbs import row_of
from runctl.services.verbs.row import DOUBTFUL, Ground, Live, Row, Task

#: Rules that say only that there is nothing left to do, once there is nothing left to do.
_MOOT_WHEN_SETTLED = frozenset(
    {Rule.CHANGED, Rule.STATE, Rule.YOUNGER_THAN, Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT, Rule.ATTACHED}
)
#: EC2's own refusals that are one of our rules.
_RULE_OF = {
    "OperationNotPermitted": Rule.TERMINATION_PROTECTED,
    "IncorrectInstanceState": Rule.STATE,
    "IncorrectState": Rule.STATE,
    "InvalidSnapshot.InUse": Rule.SNAPSHOT_IN_USE,
    "VolumeInUse": Rule.ATTACHED,
}


@dataclass(frozen=True, slots=True)
class Actions:
    """Drafts plans and applies them.

    Args:
        ground: cloud, journal, actor, clock and what else a verb stands on.
        plans: where plans are kept.
        regions: where references are looked for; ("all",) means every region of the account.
    """

    ground: Ground
    plans: PlanStore
    regions: tuple[str, ...]

    def draft(
        self,
        verb: Verb,
        references: Iterable[str],
        parameters: Mapping[str, Any] | None = None,
        overrides: frozenset[Rule] = frozenset(),
        *,
        kind: Kind = Kind.INSTANCE,
        reasons: Mapping[str, str] | None = None,
    ) -> Plan:
        """Look at what is named, as it is now, and say what would be done to it. Nothing is sent or saved.

        Args:
            verb: what.
            references: ids, or names that only one has.
            parameters: what the verb needs beside the id.
            overrides: rules set aside by name.
            kind: to what kind of thing.
            reasons: why each id is in the plan.

        Raises:
            InputError: malformed, unknown or ambiguous references, bad parameters, or nothing named.
            CloudError: AWS could not be asked.
        """
        row_of(verb, kind)
        found = resolve(self.ground.cloud, kind, references, self.regions)
        if not found:
            raise InputError(f"nothing to {verb}: no {kind} is named", allowed="ids or names")
        return self.draft_on(verb, found, parameters, overrides, reasons=reasons)

    def draft_on(
        self,
        verb: Verb,
        resources: Sequence[Resource],
        parameters: Mapping[str, Any] | None = None,
        overrides: frozenset[Rule] = frozenset(),
        *,
        reasons: Mapping[str, str] | None = None,
    ) -> Plan:
        """As `draft`, for things that are known already; they are read again all the same."""
        items = []
        for (kind, region), group in _grouped(resources).items():
            row = row_of(verb, kind)
            ids = [r.id for r in group]
            live = row.read(self.ground, region, ids, parameters or {})
            for resource in group:
                now = live.get(resource.id, Live(resource, Around(disks=None, images=None, children=None)))
                why = (reasons or {}).get(resource.id, "")
                items.append(self._item(row, now, region, parameters or {}, why))
        order = {r.id: n for n, r in enumerate(resources)}
        items.sort(key=lambda i: order[i.id])
        return self.plan_of(items, overrides, title=_title(verb, items))

    def _item(self, row: Row, live: Live, region: str, parameters: Mapping[str, Any], reason: str) -> PlanItem:
        resource = live.resource
        if resource is None:
            raise InputError(f"{row.verb} makes something: it is planned with plan_of")
        ready = dict(row.prepare(self.ground, live, parameters))
        told = row.tell(live, ready, self.ground.clock.now())
        return PlanItem(
            row.verb, row.kind, resource.id, region,
            name=resource.name, reason=reason, parameters=ready, facts=facts_of(resource), about=told.about,
            usd_per_hour=told.usd_per_hour, saves_usd_per_month=told.saves_usd_per_month, lost=told.lost,
            recoverable=told.recoverable, refusals=self._judged(row, live, ready),
        )  # fmt: skip

    def plan_of(self, items: Iterable[PlanItem], overrides: frozenset[Rule] = frozenset(), *, title: str = "") -> Plan:
        """A plan of items made by whoever knows how (launching, cleaning up)."""
        held = tuple(items)
        now, stamp = self.ground.clock.now(), self.ground.stamp
        return Plan(new_id(now), now, title, stamp.account, stamp.profile, held, overrides)

    def _judged(self, row: Row, live: Live, parameters: Mapping[str, Any]) -> tuple[Refusal, ...]:
        return judge(self._case(row, live)) + row.refuse(self.ground, live, parameters)

    def _case(self, row: Row, live: Live, planned: Mapping[str, str] | None = None) -> Case:
        return Case(row.verb, live.resource, self.ground.actor, self.ground.clock.now(), live.around, planned)

    @staticmethod
    def refused(item: PlanItem, overrides: frozenset[Rule]) -> tuple[Refusal, ...]:
        """What still speaks against an item when rules are set aside; nothing means that it would be done."""
        return standing(item.refusals, overrides)

    def planned(self, plan: Plan) -> Plan:
        """The plan with what would come of each item that is still open, for --dry-run: `planned` or `refused`."""
        for item in plan.open_items:
            against = self.refused(item, plan.overrides)
            result = _refused(item, against) if against else ItemResult(item, Outcome.PLANNED)
            plan = plan.with_result(result)
        return plan

    def apply(
        self,
        plan: Plan,
        *,
        progress: Progress = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Plan:
        """Do what is still open of a plan, in order, and keep it on disk before and after each item.

        Args:
            plan: from `draft`, `plan_of`, or loaded again after it was cut off.
            progress: told each result, in the calling thread.
            cancelled: asked between items; what is not begun then is `cancelled` and can be resumed.

        Raises:
            InputError: made for another account, or being applied by another process.
            RunctlError: it cannot be saved.
        """
        account = self.ground.stamp.account
        if plan.account != account:
            raise InputError(
                f"{plan.id} was made for the account {plan.account}, and this is {account}",
                allowed="the profile it was made with" + (f": --profile {plan.profile}" if plan.profile else ""),
            )
        self.plans.forget(self.ground.clock.now())
        with self.plans.held(plan.id):
            self.plans.save(plan)
            perform = partial(self.perform, cut_off=_cut_off(self.ground.journal, plan))
            return plans.apply(plan, perform, self.plans.save, progress=progress, cancelled=cancelled)

    def perform(self, item: PlanItem, plan: Plan, *, cut_off: Mapping[str, Entry] = MappingProxyType({})) -> ItemResult:
        """Do one item: read it again, judge it again, journal, send, journal what came of it.

        Args:
            item: what.
            plan: the plan it belongs to.
            cut_off: by resource, what an earlier run of the plan sent without learning what came of it.

        Raises:
            RunctlError: the plan as a whole cannot go on (the journal cannot be written).
        """
        row = row_of(item.verb, item.kind)
        if (against := self.refused(item, plan.overrides)) and any(i.after == item.key for i in plan.items):
            return _refused(item, against)  # what it prepares is refused, and nobody would need it
        begun = self.begin(item, plan, cut_off=cut_off)
        return begun if isinstance(begun, ItemResult) else self._run(row, begun)

    def begin(
        self, item: PlanItem, plan: Plan, *, cut_off: Mapping[str, Entry] = MappingProxyType({})
    ) -> Task | ItemResult:
        """Everything that comes before one item is sent: read, judge, permit. Or why it is not to be sent."""
        row = row_of(item.verb, item.kind)
        try:
            live = row.read(self.ground, item.region, (item.id,), item.parameters).get(item.id)
        except DeniedError as error:
            return ItemResult(item, Outcome.REFUSED, Rule.TAGS_UNREADABLE, f"it cannot be read: {error}", exit_class=1)
        except CloudError as error:
            return _failed(item, error)
        earlier = cut_off.get(item.id)
        if live is None:
            return self._gone(item, row, earlier)
        if (early := self._not_to_be_done(item, plan, row, live, earlier)) is not None:
            return early
        planned = row.left(self.ground, plan, item, live)
        granted = grant(self._case(row, live, planned or None), item.region, plan.overrides)
        more = standing(row.refuse(self.ground, live, item.parameters), plan.overrides)
        if not isinstance(granted, Permit) or more:
            return _refused(item, (*(() if isinstance(granted, Permit) else granted), *more))
        return Task(item, plan, live, granted, self.ground, row.inverse(item, live))

    def _not_to_be_done(
        self, item: PlanItem, plan: Plan, row: Row, live: Live, earlier: Entry | None
    ) -> ItemResult | None:
        """What comes of an item with nothing left to do, or of which a killed run left open what it did."""
        left = row.settled(row.verb, live.resource, item.parameters) if live.resource is not None else ""
        if left:
            grave = [r for r in judge(self._case(row, live)) if r.rule not in _MOOT_WHEN_SETTLED]
            if against := standing(grave, plan.overrides):
                return _refused(item, against)
            self._close(earlier, "done", f"found afterwards: {left}")
            return ItemResult(item, Outcome.DONE, reason=left, inverse=earlier.inverse if earlier else "")
        if earlier is None:
            return None
        self._close(earlier, "unknown", "runctl ended before an answer came")
        if row.repeatable:
            return None
        if earlier.outcome == "done":
            return ItemResult(item, Outcome.DONE, reason="done before runctl ended", inverse=earlier.inverse)
        said = f"it may have been done already: no answer came; look, then {item.verb} it anew"
        return ItemResult(item, Outcome.FAILED, reason=said, exit_class=2)

    def _gone(self, item: PlanItem, row: Row, earlier: Entry | None) -> ItemResult:
        if row.gone_is_done:
            self._close(earlier, "done", "found afterwards: it is gone")
            return ItemResult(item, Outcome.DONE, reason="it is gone already")
        return ItemResult(item, Outcome.REFUSED, Rule.CHANGED, "it is no longer there", exit_class=1)

    def _close(self, entry: Entry | None, outcome: str, message: str) -> None:
        if entry is not None and entry.outcome == OPEN:
            self.ground.journal.finish(entry.id, outcome, message=message)

    def _run(self, row: Row, task: Task) -> ItemResult:
        item = task.item
        try:
            done = row.run(task)
        except CloudError as error:
            settled = self._settled_after_all(row, task) if isinstance(error, DOUBTFUL) else ""
            if settled:
                return ItemResult(item, Outcome.DONE, reason=f"{settled} (no answer came)", inverse=task.inverse)
            return _failed(item, error)
        return ItemResult(item, Outcome.DONE, reason=done.reason, inverse=task.inverse, made=done.made)

    def _settled_after_all(self, row: Row, task: Task) -> str:
        """After an answer that never came: whether it was done all the same."""
        item = task.item
        try:
            live = row.read(self.ground, item.region, (item.id,), item.parameters).get(item.id)
        except CloudError:
            return ""
        if live is None:
            return "it is gone" if row.gone_is_done else ""
        return row.settled(row.verb, live.resource, item.parameters) if live.resource is not None else ""


def _cut_off(journal: Journal, plan: Plan) -> dict[str, Entry]:
    """What an earlier run of a plan sent and the plan does not know the end of, by resource; the last word counts.

    A call may be `done` in the journal and not in the plan: the process was killed between the two.
    """
    last = {e.resource: e for e in journal.entries() if e.plan == plan.id} if plan.results else {}
    return {resource: e for resource, e in last.items() if e.outcome in (OPEN, "unknown", "done")}


def _grouped(resources: Iterable[Resource]) -> dict[tuple[Kind, str], list[Resource]]:
    groups: dict[tuple[Kind, str], list[Resource]] = {}
    for resource in resources:
        groups.setdefault((kind_of(resource), resource.region), []).append(resource)
    return groups


def _title(verb: Verb, items: Sequence[PlanItem]) -> str:
    """Such as "terminate 3 instances"."""
    if len(items) == 1:
        return f"{verb} {items[0].id}"
    kinds = {i.kind for i in items}
    plural = {Kind.ADDRESS: "addresses"}
    noun = "things" if len(kinds) > 1 else plural.get(items[0].kind, f"{items[0].kind}s")
    return f"{verb} {len(items)} {noun}"


def _refused(item: PlanItem, refusals: tuple[Refusal, ...]) -> ItemResult:
    """Named after what nobody may set aside, where there is such a rule."""
    refusals = tuple(sorted(refusals, key=lambda r: r.overridable))
    reasons = "; ".join(r.reason for r in refusals)
    return ItemResult(item, Outcome.REFUSED, refusals[0].rule, reasons, exit_class=1)


def _failed(item: PlanItem, error: CloudError) -> ItemResult:
    """What AWS's answer means for one item; its own refusals carry the name of our rule."""
    code = error.site.code
    rule = _RULE_OF.get(code) if isinstance(error, RequestError) else None
    outcome = Outcome.REFUSED if rule else Outcome.FAILED
    hint = f" ({error.hint})" if error.hint and isinstance(error, CredentialsError | DeniedError) else ""
    return ItemResult(item, outcome, rule, f"{error}{hint}", code=code, exit_class=error.exit_code)
