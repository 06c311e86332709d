"""`runctl cost billed`: what AWS has billed, beside what the ledger reckons. Each page that is asked costs a cent."""

from __future__ import annotations

import math
from argparse import Namespace
from datetime import datetime, timedelta

from runctl import paths
from runctl.cli import arguments, listing, nouns
from runctl.cli.arguments import Parser
from runctl.cli.connect import connect
from runctl.cli.cost_ledger import begin_of, since
from runctl.cli.dispatch import Verb
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation, cloud, start
from runctl.format import format_duration, format_usd
from runctl.models.billed import USD_PER_PAGE, Billed, BilledLine
from runctl.models.snapshot import Snapshot
from runctl.models.spent import day_start
from runctl.models.tags import JOB, OWNER, PROJECT
from runctl.services.compare_bill import by_day, by_group, service_estimate
from runctl.services.ledger import Ledger, open_ledger
from runctl.services.ledger_read import days
from runctl.store.fields import Context, Field, Fields, Kind

#: Tags as cost allocation tags; they must have been activated for billing, and hold from then on only.
_TAGS = {"owner": OWNER, "project": PROJECT, "job": JOB}
_GROUPS = ("service", "day", *_TAGS)

F = Field
BILLED_FIELDS: Fields[BilledLine] = Fields(
    "billed",
    (
        F("name", "NAME", Kind.TEXT, lambda b, _: b.name, shown=True),
        F("billed_usd", "BILLED", Kind.MONEY, lambda b, _: b.billed_usd, ("cost",), shown=True),
        F("estimate_usd", "RECKONED", Kind.MONEY, lambda b, _: b.estimate_usd, shown=True),
        F("difference_usd", "DIFFERENCE", Kind.MONEY, lambda b, _: b.difference_usd, shown=True),
        F("difference_percent", "%", Kind.PERCENT, lambda b, _: b.difference_percent, shown=True),
        F("estimated", "MAY CHANGE", Kind.FLAG, lambda b, _: b.estimated, shown=True),
    ),
    lambda _: {},
)


def _configure(parser: Parser) -> None:
    arguments.add_output(parser)
    parser.set_defaults(fail_on=())
    parser.add_argument("--allow-paid-apis", action="store_true", default=None, help="pay $0.01 a page, this once")
    parser.add_argument(
        "--since", type=since, default="month", metavar="WHEN", help="today, month (default), 7d, or a date; UTC"
    )
    parser.add_argument("--by", choices=_GROUPS, default="service", metavar="FIELD", help=", ".join(_GROUPS))


def _run(args: Namespace) -> int:
    with cloud(args):
        return show_billed(start(args))


def show_billed(call: Invocation) -> int:
    """The bill by service, day or tag; returns the exit code.

    Raises:
        InputError: paid calls are not allowed.
        CloudError: AWS refused; the ledger's own figures are in `runctl cost ledger`.
    """
    from runctl.services.aws.billing import fetch_billed
    from runctl.services.aws.paid import check_paid, count_paid

    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (BILLED_FIELDS,))
    check_paid("ce", "GetCostAndUsage", call.settings)
    now = call.clock.now()
    begin, end = day_start(begin_of(call.args.since, now)), day_start(now) + timedelta(days=1)
    backend = connect(call.settings)
    try:
        account = backend.fetch_identity().account
        tag = _TAGS.get(call.args.by, "service")
        billed = fetch_billed(backend.session, account, tag, begin.date(), end.date(), now=now, cache=paths.cache_dir())
    finally:
        backend.close()
    rows = listing.shaped(_lines(billed, account, begin, now, call.args.by), BILLED_FIELDS, shape, Context(now))
    seen = Fleet(Snapshot(), Context(now, settings=call.settings), frozenset())
    nouns.write_rows(call, "billed", rows, BILLED_FIELDS, shape, seen=seen)
    _say(call, billed, count_paid(paths.cache_dir(), now, 0))
    return 0


def _lines(billed: Billed, account: str, begin: datetime, now: datetime, by: str) -> tuple[BilledLine, ...]:
    """Billed beside reckoned; nothing is reckoned where there is no ledger."""
    path = paths.ledger_file()
    sums: dict[str, float] | None = None
    if path.exists():
        ledger, _ = open_ledger(path, now)
        sums = _sums(ledger, account, begin, now, by)
        ledger.close()
    if by == "day":
        return by_day(billed, sums or {})
    if sums is None:
        return by_group(billed, lambda _: None)
    return by_group(billed, service_estimate(sums) if by == "service" else sums.get)


def _sums(ledger: Ledger, account: str, begin: datetime, now: datetime, by: str) -> dict[str, float]:
    if by == "day":
        return {t.group: t.usd for t in days(ledger, account, begin, now)}
    found = ledger.totals(account, begin, now, "kind" if by == "service" else by)
    return {t.group or "?": t.usd for t in found}


def _say(call: Invocation, billed: Billed, month: int) -> None:
    total = math.fsum(c.usd for c in billed.cells)
    asked = (
        f"asked {format_duration((call.clock.now() - billed.asked_at).total_seconds())} ago, kept for 6 hours"
        if billed.cached
        else f"{billed.pages} page{'s' * (billed.pages != 1)} for ${billed.pages * USD_PER_PAGE:.2f}"
    )
    call.hint(
        f"billed ${format_usd(total)} since {billed.start}; {asked};"
        f" {month} paid call{'s' * (month != 1)} this month, ${month * USD_PER_PAGE:.2f}"
    )


BILLED = Verb(
    _configure,
    _run,
    ("runctl cost billed --allow-paid-apis", "runctl cost billed --by day --since 7d --allow-paid-apis"),
)
