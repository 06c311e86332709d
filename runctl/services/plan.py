"""Plans on disk and how they are applied: one item after the other, each saved before and after it is done.

A plan that was cancelled, failed half-way or lost its process is resumed by its id; what is done is not done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runctl.errors import CredentialsError, InputError, RunctlError
from runctl.models.plan import ItemResult, Kind, Outcome, Plan, PlanItem, Refusal, Rule, Verb
from runctl.paths import make_private

Perform = Callable[[PlanItem, Plan], ItemResult]
Progress = Callable[[ItemResult], None]
#: A plan that was cut off can be taken up again for so long.
KEPT_DAYS = 30
_ID = re.compile(r"plan-\d{8}-\d{6}-[0-9a-f]{4}")


def new_id(now: datetime) -> str:
    """A plan id that sorts by time: "plan-20260131-120000-3fa9"."""
    return f"plan-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class PlanStore:
    """Plans of one user, each a private file that is replaced as a whole.

    Args:
        directory: where they are; made when the first is saved.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, plan: Plan) -> None:
        """Write it; on disk when this returns.

        Raises:
            RunctlError: it cannot be written.
        """
        try:
            make_private(self._directory)
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(to_json(plan), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path(plan.id))
        except OSError as error:
            hint = "nothing is changed without it; free space, or set RUNCTL_HOME elsewhere"
            raise RunctlError(f"the plan cannot be saved in {self._directory}: {error.strerror}", hint=hint) from error

    def load(self, identifier: str) -> Plan:
        """One plan.

        Raises:
            InputError: no such plan, or its file cannot be read.
        """
        known = self.ids()
        allowed = ", ".join(known[-5:]) or "none is there; `runctl cleanup plan` makes one"
        if not _ID.fullmatch(identifier) or identifier not in known:
            raise InputError(f"no plan {identifier!r}", allowed=allowed, example=known[-1] if known else "")
        try:
            return from_json(json.loads(self._path(identifier).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the plan {identifier} cannot be read: {error}", allowed="make a new one") from error

    def ids(self) -> list[str]:
        """Plans that are there, oldest first."""
        with contextlib.suppress(OSError):
            return sorted(p.stem for p in self._directory.glob("plan-*.json"))
        return []

    def forget(self, now: datetime) -> None:
        """Remove plans older than `KEPT_DAYS`: nobody takes those up again, and the journal keeps what was done."""
        oldest = f"plan-{now - timedelta(days=KEPT_DAYS):%Y%m%d-%H%M%S}"
        for identifier in self.ids():
            if identifier < oldest:
                with contextlib.suppress(OSError):
                    self._path(identifier).unlink()
                    (self._directory / f".{identifier}.lock").unlink()

    @contextlib.contextmanager
    def held(self, identifier: str) -> Iterator[None]:
        """Keep other processes from applying the same plan.

        Raises:
            InputError: one of them does.
        """
        make_private(self._directory)
        fd = os.open(self._directory / f".{identifier}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise InputError(f"{identifier} is being applied by another runctl", allowed="wait for it") from error
        try:
            yield
        finally:
            os.close(fd)

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"


def apply(
    plan: Plan,
    perform: Perform,
    save: Callable[[Plan], None],
    *,
    progress: Progress = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Plan:
    """Do what is still open, in order; the plan with its results.

    Args:
        plan: what to do.
        perform: does one item and never raises for that item's sake; a RunctlError it raises ends the run.
        save: keeps the plan before and after each item.
        progress: told each result.
        cancelled: asked between items.

    Raises:
        KeyboardInterrupt: passed on after the plan was saved.
    """
    for item in plan.open_items:
        if cancelled():
            return _closed(plan, save, Outcome.CANCELLED, "cancelled before it was begun")
        before = plan.results.get(item.after) if item.after else None
        if before is not None and before.outcome is Outcome.REFUSED:
            said = f"not begun: {item.after} is refused: {before.reason}"
            result = ItemResult(item, Outcome.REFUSED, before.rule, said, exit_class=before.exit_class)
        elif item.after and (before is None or before.outcome is not Outcome.DONE):
            result = ItemResult(item, Outcome.FAILED, reason=f"not begun: {item.after} is not done", exit_class=2)
        else:
            plan = plan.with_result(ItemResult(item, Outcome.STARTED))
            save(plan)
            result = _performed(item, plan, perform)
        plan = plan.with_result(result)
        save(plan)
        progress(result)
        if result.exit_class == CredentialsError.exit_code:
            return _closed(plan, save, Outcome.CANCELLED, "not begun: the credentials are not accepted any more")
    return plan


def _performed(item: PlanItem, plan: Plan, perform: Perform) -> ItemResult:
    try:
        return perform(item, plan)
    except RunctlError as error:
        return ItemResult(item, Outcome.FAILED, reason=str(error), exit_class=error.exit_code)


def _closed(plan: Plan, save: Callable[[Plan], None], outcome: Outcome, reason: str) -> Plan:
    for item in plan.open_items:
        if item.key not in plan.results:
            plan = plan.with_result(ItemResult(item, outcome, reason=reason))
    save(plan)
    return plan


def exit_code(results: Iterable[ItemResult]) -> int:
    """0 all done or planned, 4 some done, else 1 (input or rules), 2 (AWS) or 3 (credentials) by the worst failure."""
    held = tuple(results)
    good = [r for r in held if r.outcome in (Outcome.DONE, Outcome.PLANNED)]
    if len(good) == len(held):
        return 0
    if good:
        return 4
    return max((r.exit_class or (1 if r.outcome is Outcome.REFUSED else 2) for r in held), default=0)


def summary_line(plan: Plan) -> str:
    """What came of it, in one line with only the outcomes that occurred."""
    held = plan.results.values()
    counts = [(n, o) for o in Outcome if (n := sum(r.outcome is o for r in held))]
    untouched = len(plan.items) - len(plan.results)
    told = [f"{n} {o}" for n, o in counts] + ([f"{untouched} not begun"] if untouched else [])
    return ", ".join(told) or "nothing to do"


def to_json(plan: Plan) -> dict[str, Any]:
    """A plan as its file has it."""
    return {
        "v": 1, "id": plan.id, "made_at": plan.made_at.isoformat(), "title": plan.title, "account": plan.account,
        "profile": plan.profile, "overrides": sorted(plan.overrides),
        "items": [_item_json(i) for i in plan.items],
        "results": [_result_json(r) for r in plan.results.values()],
    }  # fmt: skip


def _item_json(item: PlanItem) -> dict[str, Any]:
    return {
        "verb": item.verb, "kind": item.kind, "id": item.id, "region": item.region, "name": item.name,
        "reason": item.reason, "parameters": dict(item.parameters), "facts": dict(item.facts),
        "about": dict(item.about), "usd_per_hour": item.usd_per_hour,
        "saves_usd_per_month": item.saves_usd_per_month, "lost": list(item.lost), "recoverable": item.recoverable,
        "refusals": [[r.rule, r.reason] for r in item.refusals], "after": item.after,
    }  # fmt: skip


def _result_json(result: ItemResult) -> dict[str, Any]:
    return {
        "key": result.item.key, "outcome": result.outcome, "rule": result.rule, "reason": result.reason,
        "code": result.code, "inverse": result.inverse, "made": list(result.made), "exit_class": result.exit_class,
    }  # fmt: skip


def from_json(value: Mapping[str, Any]) -> Plan:
    """A plan from its file.

    Raises:
        ValueError, KeyError, TypeError: it is not one.
    """
    if value.get("v") != 1:
        raise ValueError(f"version {value.get('v')!r} is not one this runctl reads")
    items = tuple(_item(i) for i in value["items"])
    by_key = {i.key: i for i in items}
    results = {r["key"]: _result(r, by_key[r["key"]]) for r in value["results"]}
    return Plan(
        str(value["id"]), datetime.fromisoformat(value["made_at"]), str(value["title"]), str(value["account"]),
        str(value["profile"]), items, frozenset(Rule(o) for o in value["overrides"]), results,
    )  # fmt: skip


def _item(value: Mapping[str, Any]) -> PlanItem:
    plain = {k: v for k, v in value.items() if k not in ("verb", "kind", "lost", "refusals")}
    refusals = tuple(Refusal(Rule(rule), str(reason)) for rule, reason in value["refusals"])
    return PlanItem(
        verb=Verb(value["verb"]), kind=Kind(value["kind"]), lost=tuple(value["lost"]), refusals=refusals, **plain
    )


def _result(value: Mapping[str, Any], item: PlanItem) -> ItemResult:
    return ItemResult(
        item, Outcome(value["outcome"]), Rule(value["rule"]) if value["rule"] else None, str(value["reason"]),
        str(value["code"]), str(value["inverse"]), tuple(value["made"]), int(value["exit_class"]),
    )  # fmt: skip
