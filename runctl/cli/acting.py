"""What every command that changes something shares: options, the plan shown, the question, progress, the results.

door = open_door(call)
return carry_out(call, door, door.draft(Verb.STOP, call.args.ids, overrides=overrides_of(call)))
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runctl.cli import output
from runctl.cli.adopting import settle_open_launches
from runctl.cli.confirm import confirm
from runctl.cli.connect import connect, regions_of
from runctl.cli.dispatch import EXIT_INTERRUPTED
from runctl.cli.invocation import Invocation
from runctl.cli.style import Tone
from runctl.cli.table import Cell, Column, table_lines
from runctl.errors import CredentialsError
from runctl.format import UNKNOWN, format_usd
from runctl.models.plan import IRREVERSIBLE, OVERRIDABLE, ItemResult, Outcome, Plan, PlanItem, Rule
from runctl.services.plan import exit_code, summary_line

if TYPE_CHECKING:  # botocore behind it is imported when a door is opened
    from runctl.services.actions import Actions
    from runctl.services.verbs.row import JobLookup

#: How a plan that was cut off is taken up again.
RESUME = "runctl cleanup apply"
_HEADS = ("ACTION", "ID", "NAME", "STATE", "AGE", "OWNER", "$/H", "WHAT")
_KEPT = ("ACTION", "ID", "STATE", "AGE", "OWNER", "$/H")
_TONES = {
    Outcome.DONE: Tone.GOOD,
    Outcome.PLANNED: Tone.PLAIN,
    Outcome.REFUSED: Tone.WARN,
    Outcome.FAILED: Tone.BAD,
    Outcome.CANCELLED: Tone.DIM,
}


def overrides_of(call: Invocation) -> frozenset[Rule]:
    """The rules that the flags set aside.

    Raises:
        InputError: no such rule, or one that nobody may set aside.
    """
    from runctl.services.policy import parse_overrides

    return parse_overrides(call.args.override)


def open_door(call: Invocation, *, jobs: JobLookup | None = None, everywhere: bool = False) -> Actions:
    """The door to acting, with the profile and regions of the command. Launches that were cut off are looked for first.

    Args:
        call: the command under way.
        jobs: which job is on a machine, where somebody knows better than the bucket of records.
        everywhere: nothing is looked for by region (buckets, and plans, which say where things are), so that none need
            be known.

    Raises:
        ConfigurationError: no such profile, or no region.
        CloudError: AWS does not say who we are.
    """
    backend = connect(call.settings)
    regions = () if everywhere else regions_of(call, backend)
    from runctl.cli.jobs_connect import job_lookup
    from runctl.services.aws.door import open_actions

    known = jobs or job_lookup(call)
    door = open_actions(backend, call.settings, call.clock, regions, jobs=known)
    settle_open_launches(call, door.ground)
    return replace(door, ground=replace(door.ground, tell=lambda line: call.hint(f"  {call.style.clean(line, 200)}")))


def carry_out(call: Invocation, door: Actions, plan: Plan, *, first: Callable[[Plan], Plan] = lambda plan: plan) -> int:
    """Show a plan, ask, apply it, say what came of it; returns the exit code.

    Args:
        call: the command under way.
        door: what applies it.
        plan: what to do.
        first: does, once somebody has said yes, what goes another way than through the door; gives back the plan with
            the results of that.

    Raises:
        InputError: nobody said yes.
    """
    if call.args.dry_run:
        return tell(call, door.planned(plan))
    going = [i for i in plan.open_items if not door.refused(i, plan.overrides)]
    if not going:
        return tell(call, door.planned(plan))
    if not call.args.yes:
        show(call, door, plan)
    confirm(call, _question(plan, going), word=typed_word(going))
    return apply_plan(call, door, first(plan))


def apply_plan(call: Invocation, door: Actions, plan: Plan, *, at_once: bool = False) -> int:
    """Apply a plan without asking, fresh or taken up again; returns the exit code.

    Ctrl-C ends it after the item under way: the rest is `cancelled`, and the plan can be resumed. With `at_once` it
    ends the item under way.
    """
    with nullcontext(threading.Event()) if at_once else _interruptible(call) as cancelled:
        done = door.apply(plan, progress=_progress(call, plan), cancelled=cancelled.is_set)
    code = tell(call, done)
    if done.open_items:
        call.hint(f"resume what is left: {RESUME} {done.id}")
    return EXIT_INTERRUPTED if cancelled.is_set() and done.count(Outcome.CANCELLED) else code


@contextmanager
def _interruptible(call: Invocation) -> Iterator[threading.Event]:
    """The first ctrl-c asks to stop between two items; a second one is Python's own."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        call.hint("stopping after this one; once more stops at once")

    try:
        signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: whoever runs us there has its own way to cancel
        yield asked
        return
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def typed_word(items: Iterable[PlanItem]) -> str:
    """What has to be typed for some items: the id of one, "terminate 3" for many; "" where a yes will do."""
    grave = [i for i in items if i.verb in IRREVERSIBLE]
    if not grave:
        return ""
    if len(grave) == 1:
        return grave[0].typed
    verbs = {i.verb.value for i in grave}
    return f"{verbs.pop() if len(verbs) == 1 else 'delete'} {len(grave)}"


def _question(plan: Plan, going: list[PlanItem]) -> str:
    regions = ", ".join(dict.fromkeys(i.region for i in going))
    said = f"{plan.title} in account {plan.account}, {regions}"
    left = len(plan.open_items) - len(going)
    return f"{said}: {len(going)} go, {left} refused" if left else said


def _progress(call: Invocation, plan: Plan) -> Callable[[ItemResult], None]:
    """A line on stderr for each result, where there are several and somebody may watch."""
    total = len(plan.open_items)
    seen = 0

    def told(result: ItemResult) -> None:
        nonlocal seen
        seen += 1
        if total > 1 and sys.stderr.isatty():
            call.hint(f"{seen}/{total} {result.item.verb} {result.item.id}: {result.outcome}")

    return told


def show(call: Invocation, door: Actions, plan: Plan) -> None:
    """What is going to happen, on stderr: stdout is for the results."""
    columns = [Column(h, whole=h in ("ID", "AGE"), keep=h in _KEPT) for h in _HEADS]
    rows = [_plan_row(call, i) for i in plan.items]
    for line in table_lines(columns, rows, call.style):
        print(line, file=sys.stderr)
    for item in plan.items:
        what = call.style.clean(item.name, 100) if item.id.startswith("s3://") else item.id
        for line in _consequences(door, plan, item):
            print(f"  {what or item.id}: {call.style.clean(line, 400)}", file=sys.stderr)


def _plan_row(call: Invocation, item: PlanItem) -> list[Cell]:
    """What a person has to know first stands first: a narrow terminal cuts and drops from the right."""
    about = dict(item.about)
    first = [about.pop(name, "") for name in ("state", "age", "owner")]
    plain = ("type", "az", "size", "market")
    rest = ", ".join([item.region, *(v if k in plain else f"{k} {v}" for k, v in about.items())])
    texts = (item.verb.value, item.id, item.name, *first, format_usd(item.usd_per_hour), rest)
    return [Cell(call.style.clean(t, 300)) for t in texts]


def _consequences(door: Actions, plan: Plan, item: PlanItem) -> Iterator[str]:
    against = door.refused(item, plan.overrides)
    if against:
        for refusal in against:
            how = f" (--override {refusal.rule} sets it aside)" if refusal.overridable else ""
            yield f"refused, {refusal.rule}: {refusal.reason}{how}"
        return
    for refusal in item.refusals:
        yield f"overridden, {refusal.rule}: {refusal.reason}"
    for lost in item.lost:
        yield f"lost: {lost}"
    if item.recoverable:
        yield f"afterwards: {item.recoverable}"


def result_json(result: ItemResult, plan: Plan) -> dict[str, Any]:
    """One result as an object; `id, action, outcome, rule, reason` are the promised part."""
    item = result.item
    return {
        "id": item.id, "action": item.verb, "outcome": result.outcome, "rule": result.rule,
        "reason": result.reason or None, "name": item.name or None, "kind": item.kind, "region": item.region,
        "made": list(result.made), "inverse": result.inverse or None, "code": result.code or None, "plan": plan.id,
        "lost": list(item.lost), "usd_per_hour": item.usd_per_hour,
    }  # fmt: skip


def tell(call: Invocation, plan: Plan) -> int:
    """What came of each item, in the chosen format; returns the exit code."""
    results = [plan.results[i.key] for i in plan.items if i.key in plan.results]
    if call.output == "json":
        output.write_json([result_json(r, plan) for r in results])
    else:
        _write_table(call, results)
        if len(results) > 1:
            call.hint(summary_line(plan))
    for result in results:
        _advise(call, plan, result)
    return exit_code(results)


def _write_table(call: Invocation, results: list[ItemResult]) -> None:
    heads = ("ACTION", "ID", "NAME", "OUTCOME", "RULE", "REASON")
    columns = [Column(h, whole=h == "ID", keep=h in ("ACTION", "ID", "OUTCOME")) for h in heads]
    rows = []
    for result in results:
        item = result.item
        reason = result.reason or (f"undo: {result.inverse}" if result.inverse else "")
        if result.made and not all(made in reason for made in result.made):
            reason = "; ".join(p for p in (f"made {', '.join(result.made)}", reason) if p)
        rows.append(
            [
                Cell(item.verb), Cell(call.style.clean(item.id)), Cell(call.style.clean(item.name, 60)),
                Cell(result.outcome, _TONES.get(result.outcome, Tone.PLAIN)), Cell(result.rule or ""),
                Cell(call.style.clean(reason, 400)),
            ]
        )  # fmt: skip
    lines = list(table_lines(columns, rows, call.style))
    output.write_lines(lines)
    for row in rows:  # what a narrow terminal has cut is the part that matters
        if row[-1].text and not any(row[-1].text in line for line in lines):
            call.hint(f"{row[1].text}: {row[-1].text}")


def _advise(call: Invocation, plan: Plan, result: ItemResult) -> None:
    """The one thing to do about a refusal that may be set aside, or about credentials."""
    item = result.item
    if result.outcome is Outcome.REFUSED and result.rule in OVERRIDABLE:
        against = dict.fromkeys(r.rule for r in item.refusals if r.rule not in plan.overrides)
        if all(rule in OVERRIDABLE for rule in against):
            flags = " ".join(f"--override {rule}" for rule in against or (result.rule,))
            call.hint(f"{item.id}: {flags} sets that aside")
    elif result.exit_class == CredentialsError.exit_code:
        call.hint(f"{item.id}: {result.reason or UNKNOWN}")
