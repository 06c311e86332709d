"""`runctl cleanup`: what could go and why, as a plan that is looked at first and can be taken up again."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from runctl.cli.arguments import Parser, add_acting, duration
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.plan import Plan
    from runctl.services.actions import Actions
    from runctl.services.cleanup import CleanupRules


def _configure_plan(parser: Parser) -> None:
    parser.add_argument(
        "--idle-for", type=duration, default=7200.0, metavar="2h", help="machines idle this long are stopped"
    )
    parser.add_argument("--stopped-for", type=duration, default=7 * 86400.0, metavar="7d",
                        help="machines stopped this long are terminated")  # fmt: skip
    parser.add_argument("--unattached-for", type=duration, default=7 * 86400.0, metavar="7d",
                        help="free disks this old are deleted")  # fmt: skip
    parser.add_argument("--snapshots-older", type=duration, default=30 * 86400.0, metavar="30d",
                        help="snapshots this old, whose disk is gone, are deleted")  # fmt: skip
    parser.add_argument("--uploads-older", type=duration, default=2 * 86400.0, metavar="2d",
                        help="unfinished uploads this old are aborted")  # fmt: skip
    parser.add_argument("--no-snapshot", action="store_true", help="delete without keeping a snapshot first")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="table or json")
    parser.add_argument(
        "--override", action="append", default=[], metavar="RULE", help="set one rule aside by its name"
    )


def _plan(args: Namespace) -> int:
    from runctl.cli.acting import open_door
    from runctl.cli.invocation import cloud, start

    args.yes, args.dry_run = False, True
    with cloud(args):
        call = start(args)
        return propose(call, open_door(call))


def propose(call: Invocation, door: Actions) -> int:
    """Look, make the plan, keep it, show it; returns the exit code."""
    from runctl.cli.acting import overrides_of, show, tell
    from runctl.cli.output import report_failures
    from runctl.models.plan import Plan

    overrides = overrides_of(call)
    from runctl.cli.cleanup_look import look
    from runctl.services.cleanup import candidates
    from runctl.services.cleanup_plan import draft_cleanup

    rules = rules_of(call.args)
    seen, fleet, notes = look(call, door, rules)
    steps = candidates(seen, rules)
    report_failures(call, fleet)
    for note in notes:
        call.hint(f"not seen: {call.style.clean(note, 400)}")
    missing = 4 if any(fleet.snapshot.errors) or notes else 0
    if not steps:
        if call.output == "json":
            tell(call, Plan("", call.clock.now(), "", "", "", ()))
        call.hint(f"nothing to clean up: nothing of {seen.owner}'s is idle, expired, unattached, unfinished or unused")
        call.hint(
            "what is not ours is left alone: runctl cost waste shows it, runctl adopt ID or s3://BUCKET makes it ours"
        )
        return missing
    plan = draft_cleanup(door, steps, overrides)
    door.plans.save(plan)
    if call.output == "json":
        code = tell(call, door.planned(plan))
    else:
        show(call, door, plan)
        code = tell(call, door.planned(plan))
    _sum_up(call, plan)
    return code or missing


def rules_of(args: Namespace) -> CleanupRules:
    """The thresholds that the flags set."""
    from runctl.services.cleanup import CleanupRules

    return CleanupRules(
        idle_s=args.idle_for, stopped_s=args.stopped_for, unattached_s=args.unattached_for,
        snapshot_s=args.snapshots_older, upload_s=args.uploads_older, snapshot_first=not args.no_snapshot,
    )  # fmt: skip


def _sum_up(call: Invocation, plan: Plan) -> None:
    usd, unpriced = plan.saves_usd_per_month
    more = f", +{unpriced} unpriced" if unpriced else ""
    call.hint(f"saves ${usd:,.2f} a month{more}; nothing was changed. To do it: runctl cleanup apply {plan.id}")


def _configure_apply(parser: Parser) -> None:
    parser.add_argument("plan", metavar="PLAN-ID", help="from `runctl cleanup plan`, or of whatever was cut off")
    add_acting(parser)


def _apply(args: Namespace) -> int:
    from runctl.cli.acting import carry_out, open_door, overrides_of
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        call = start(args)
        from dataclasses import replace

        from runctl import paths
        from runctl.services.plan import PlanStore

        plan = PlanStore(paths.plans_dir()).load(args.plan)
        more = overrides_of(call)
        door = open_door(call, everywhere=True)
        left = replace(plan, overrides=plan.overrides | more)
        if not left.open_items:
            call.hint(f"{plan.id} is done: nothing of it is left")
        return carry_out(call, door, left)


def _configure_list(parser: Parser) -> None:
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="table or json")


def _list(args: Namespace) -> int:
    from runctl import paths
    from runctl.cli import output
    from runctl.cli.invocation import start
    from runctl.cli.table import Cell, Column, table_lines
    from runctl.errors import InputError
    from runctl.services.plan import PlanStore, summary_line

    call = start(args)
    store = PlanStore(paths.plans_dir())
    plans = []
    for identifier in store.ids()[-50:]:
        try:
            plans.append(store.load(identifier))
        except InputError as error:  # one that is damaged hides no other
            call.hint(error.message)
    if call.output == "json":
        output.write_json([_as_json(p) for p in plans])
        return 0
    columns = [Column("PLAN", whole=True), Column("TITLE"), Column("ACCOUNT"), Column("CAME OF IT")]
    rows = [[Cell(p.id), Cell(call.style.clean(p.title, 80)), Cell(p.account), Cell(summary_line(p))] for p in plans]
    if rows:
        output.write_lines(table_lines(columns, rows, call.style))
    else:
        call.hint("no plans are kept; runctl cleanup plan makes one")
    return 0


def _as_json(plan: Plan) -> dict[str, object]:
    return {
        "id": plan.id, "made_at": plan.made_at.isoformat(), "title": plan.title, "account": plan.account,
        "items": len(plan.items), "open": len(plan.open_items),
    }  # fmt: skip


VERBS = {
    "plan": Verb(_configure_plan, _plan, ("runctl cleanup plan", "runctl cleanup plan --unattached-for 30d -o json")),
    "apply": Verb(_configure_apply, _apply, ("runctl cleanup apply plan-20260131-120000-3fa9",)),
    "list": Verb(_configure_list, _list, ("runctl cleanup list",)),
}
