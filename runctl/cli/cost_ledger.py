"""`runctl cost ledger`: what has been spent, from the ledger alone; AWS is asked nothing."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl import paths
from runctl.cli import arguments, listing, nouns
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.fleet import SOURCES_OF, Fleet, read_fleet
from runctl.cli.invocation import Invocation, cloud, start
from runctl.errors import ConfigurationError, InputError
from runctl.format import format_duration, format_time, format_usd, parse_duration
from runctl.models.ledger import Basis, LedgerTotal
from runctl.models.snapshot import Snapshot
from runctl.models.spent import day_start, month_start
from runctl.services.ledger import Ledger, Record, open_ledger
from runctl.services.ledger_read import days
from runctl.store.fields import Context, Field, Fields, Kind

#: What sums may be made by; "day" is not a column of the ledger.
GROUPS = ("owner", "project", "job", "type", "region", "market", "kind", "id", "day")


def since(text: str) -> str:
    """Check a beginning: "today", "month", a duration back from now, or a date.

    Raises:
        argparse.ArgumentTypeError: none of them.
    """
    begin_of(text, datetime(2026, 1, 15, tzinfo=UTC))
    return text


def begin_of(text: str, now: datetime) -> datetime:
    """The moment a beginning means.

    Raises:
        argparse.ArgumentTypeError: it means none.
    """
    word = text.strip().lower()
    if word in ("today", "month"):
        return day_start(now) if word == "today" else month_start(now)
    try:
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(
            f"{text!r} is no beginning; write today, month, 7d, or a date such as 2026-01-31"
        ) from error


@dataclass(frozen=True, slots=True)
class Line:
    """One interval of the ledger as it is exported."""

    record: Record

    @property
    def id(self) -> str:
        """The resource's id."""
        return self.record.key.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def seconds(self) -> float:
        """Seconds billed, with the 60 s minimum."""
        interval = self.record.interval
        return (interval.until - interval.started).total_seconds() + interval.extra_s

    @property
    def usd(self) -> float | None:
        """What it cost, None at an unknown price."""
        rate = self.record.interval.rate
        return None if rate is None else rate * self.seconds / 3600


F = Field
LEDGER_FIELDS: Fields[Line] = Fields(
    "ledger",
    (
        F("started", "FROM", Kind.TIME, lambda r, _: r.record.interval.started, shown=True),
        F("until", "UNTIL", Kind.TIME, lambda r, _: r.record.interval.until, shown=True),
        F("kind", "KIND", Kind.TEXT, lambda r, _: str(r.record.key.kind), shown=True),
        F("id", "ID", Kind.TEXT, lambda r, _: r.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda r, _: r.name, shown=True),
        F("type", "TYPE", Kind.TEXT, lambda r, _: r.record.interval.type or None, shown=True),
        F("market", "MARKET", Kind.TEXT, lambda r, _: r.record.interval.market or None, wide=True),
        F("region", "REGION", Kind.TEXT, lambda r, _: r.record.key.region, wide=True),
        F("seconds", "FOR", Kind.SECONDS, lambda r, _: r.seconds, shown=True),
        F("usd_per_hour", "$/H", Kind.MONEY, lambda r, _: r.record.interval.rate, ("cost", "price"), shown=True),
        F("usd", "USD", Kind.MONEY, lambda r, _: r.usd, shown=True),
        F("basis", "BASIS", Kind.TEXT, lambda r, _: str(r.record.interval.basis), shown=True),
        F("source", "SOURCE", Kind.TEXT, lambda r, _: r.record.interval.source or None, wide=True),
        F("owner", "OWNER", Kind.TEXT, lambda r, _: r.record.owner, wide=True),
        F("project", "PROJECT", Kind.TEXT, lambda r, _: r.record.project, wide=True),
        F("job", "JOB", Kind.TEXT, lambda r, _: r.record.job, wide=True),
        F("open", "OPEN", Kind.FLAG, lambda r, _: r.record.interval.open),
        F("account", "ACCOUNT", Kind.TEXT, lambda r, _: r.record.key.account),
    ),
    lambda _: {},
)


@dataclass(frozen=True, slots=True)
class Sum:
    """A total of the ledger."""

    total: LedgerTotal

    @property
    def id(self) -> str:
        """What it is a total of."""
        return self.total.group

    @property
    def name(self) -> str:
        """The same."""
        return self.total.group

    @property
    def backfilled_usd(self) -> float:
        """How much of it is from before the first sight."""
        return self.total.usd_by_basis.get(Basis.BACKFILLED, 0.0)


SUM_FIELDS: Fields[Sum] = Fields(
    "ledger",
    (
        F("name", "NAME", Kind.TEXT, lambda s, _: s.name or None, shown=True),
        F("usd", "USD", Kind.MONEY, lambda s, _: s.total.usd, ("cost",), shown=True),
        F("resources", "THINGS", Kind.NUMBER, lambda s, _: s.total.resources, shown=True),
        F("priced_s", "PRICED", Kind.SECONDS, lambda s, _: s.total.priced_s, shown=True),
        F("unpriced_s", "UNPRICED", Kind.SECONDS, lambda s, _: s.total.unpriced_s, shown=True),
        F("gap_s", "NOT WATCHED", Kind.SECONDS, lambda s, _: s.total.gap_s, shown=True),
        F("backfilled_usd", "BACKFILLED", Kind.MONEY, lambda s, _: s.backfilled_usd, wide=True),
    ),
    lambda _: {},
)


def _configure(parser: Parser) -> None:
    arguments.add_output(parser)
    parser.set_defaults(fail_on=())
    parser.add_argument(
        "--since", type=since, default="month", metavar="WHEN", help="today, month (default), 7d, or a date; UTC"
    )
    parser.add_argument("--by", choices=GROUPS, metavar="FIELD", help=f"sums by {', '.join(GROUPS)}")
    parser.add_argument("--account", metavar="ID", help="whose, when the ledger knows several accounts")


def _run(args: Namespace) -> int:
    with cloud(args):
        call = start(args)
        if args.demo:  # its home is new: without a look there is nothing in it
            read_fleet(call, SOURCES_OF["cost"])
        return show_ledger(call)


def show_ledger(call: Invocation) -> int:
    """Intervals or sums of the ledger; returns the exit code.

    Raises:
        InputError: it is not clear which account is meant.
        ConfigurationError: the ledger cannot be read.
    """
    fields: Fields[Any] = SUM_FIELDS if call.args.by else LEDGER_FIELDS
    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (fields,))
    now = call.clock.now()
    begin, context = begin_of(call.args.since, now), Context(now, settings=call.settings)
    path = paths.ledger_file()
    if not path.exists():
        call.hint("the ledger knows nothing yet: the dashboard and every command that lists machines write it")
        rows: Sequence[Any] = ()
    else:
        ledger, notice = open_ledger(path, now)
        if notice:
            raise ConfigurationError(notice, hint=f"the file is {path}")
        account = _account(call, ledger)
        rows = list(_rows(ledger, account, begin, now, call.args.by))
        _summarise(call, ledger, account, begin, now)
        ledger.close()
    shown = listing.shaped(rows, fields, shape, context)
    nouns.write_rows(call, "ledger", shown, fields, shape, seen=Fleet(Snapshot(), context, frozenset()))
    return 0


def _rows(ledger: Ledger, account: str, begin: datetime, now: datetime, by: str | None) -> Iterable[Any]:
    if by == "day":
        return (Sum(t) for t in days(ledger, account, begin, now))
    if by:
        return (Sum(t) for t in ledger.totals(account, begin, now, by))
    return (Line(r) for r in ledger.records(account, begin, now))


def _account(call: Invocation, ledger: Ledger) -> str:
    """Whose entries: asked for, or the only ones, or those of the profile's last look."""
    known = sorted(str(row[0]) for row in ledger.query("SELECT account FROM watch", {}))
    wanted = call.args.account
    if wanted is None and len(known) > 1:
        from runctl.store.cache import load_snapshot

        profile = call.settings.profile or os.environ.get("AWS_PROFILE", "")
        seen = load_snapshot(paths.cache_dir(), profile)
        wanted = seen.identity.account if seen and seen.identity else None
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted not in known:
        raise InputError(
            "runctl cost ledger: " + (f"account {wanted} is not in it" if wanted else "it knows several accounts"),
            allowed=f"--account with one of {', '.join(known) or 'none yet'}",
        )
    return str(wanted)


def _summarise(call: Invocation, ledger: Ledger, account: str, begin: datetime, now: datetime) -> None:
    total = ledger.totals(account, begin, now)
    first = ledger.observed_since(account)
    usd = sum(t.usd for t in total)
    lacks = [
        f"{format_duration(s)} {what}"
        for s, what in (
            (sum(t.unpriced_s for t in total), "at an unknown price"),
            (sum(t.gap_s for t in total), "not watched"),
        )
        if s >= 1
    ]
    known = f"observed since {format_time(first)}" if first else "never observed"
    call.hint(f"${format_usd(usd)} since {format_time(begin)}" + "".join(f", +{x}" for x in lacks) + f"; {known}")


LEDGER = Verb(
    _configure,
    _run,
    (
        "runctl cost ledger --since 2026-01-01 -o csv > ledger.csv",
        "runctl cost ledger --by owner",
        "runctl cost ledger --since 7d --by day",
    ),
)
