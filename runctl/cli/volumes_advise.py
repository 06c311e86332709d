"""`runctl volumes advise`: what disks should rather be, why, and what that saves. It changes nothing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass

from runctl.cli import arguments, envelope, fleet, listing, nouns, output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation, cloud, start
from runctl.models.snapshot import Source
from runctl.models.volume import Volume
from runctl.services.prices import PriceBook
from runctl.services.volumes.advice import Advice, Use, advise
from runctl.services.volumes.limits import describe
from runctl.store.fields import Field, Fields, Kind
from runctl.store.select import panel_status


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of advice beside its disk; it is called what the disk is called."""

    volume: Volume
    advice: Advice

    @property
    def id(self) -> str:
        """The disk's id."""
        return self.volume.id

    @property
    def name(self) -> str:
        """The disk's name."""
        return self.volume.name


F = Field
ADVICE_FIELDS: Fields[Row] = Fields(
    "volumes",
    (
        F("id", "ID", Kind.TEXT, lambda r, _: r.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda r, _: r.name, shown=True),
        F("rule", "RULE", Kind.TEXT, lambda r, _: r.advice.rule, shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda r, _: r.volume.usd_per_month, ("cost", "price"), shown=True),
        F("saves_usd_per_month", "SAVES $/MO", Kind.MONEY, lambda r, _: r.advice.saves_usd_per_month, ("saves",),
          shown=True),
        F("becomes", "BECOMES", Kind.TEXT, lambda r, _: describe(r.advice.becomes) if r.advice.becomes else None,
          wide=True),
        F("reason", "REASON", Kind.TEXT, lambda r, _: r.advice.reason, shown=True),
        F("action", "COMMAND", Kind.TEXT, lambda r, _: r.advice.action or None, wide=True),
        F("region", "REGION", Kind.TEXT, lambda r, _: r.volume.region, wide=True),
        F("owner", "OWNER", Kind.TEXT, lambda r, _: r.volume.ownership.owner, wide=True),
        F("managed", "OURS", Kind.FLAG, lambda r, _: r.volume.ownership.managed),
    ),
    lambda r: r.volume.tags,
)  # fmt: skip


def _configure(parser: Parser) -> None:
    arguments.add_output(parser)
    parser.set_defaults(fail_on=())
    parser.add_argument("id", nargs="?", metavar="ID", help="one disk only, by id or name")
    parser.add_argument("--use", choices=[u.value for u in Use], help="what the disks are for: say what fits that")


def _run(args: Namespace) -> int:
    with cloud(args):
        return list_advice(start(args))


def list_advice(call: Invocation) -> int:
    """List advice, the largest saving first; returns the exit code."""
    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (ADVICE_FIELDS,))
    seen = fleet.read_fleet(call, fleet.SOURCES_OF["volumes"])
    volumes = list(seen.snapshot.volumes)
    if call.args.id is not None:
        found = nouns.find("volumes", call.args.id, volumes)
        if found is None:
            return nouns.missing(call, "volumes", volumes, seen)
        volumes = [found]
    rows = sorted(rows_of(seen, volumes, call.args.use), key=lambda r: -(r.advice.saves_usd_per_month or 0.0))
    shown = listing.shaped(rows, ADVICE_FIELDS, shape, seen.context)
    status = envelope.status_of((Source.VOLUMES,), seen)
    if status != envelope.ERROR or call.output == "json":
        nouns.write_rows(call, "volumes", shown, ADVICE_FIELDS, shape, seen=seen)
    _summarise(call, shown, len(volumes))
    output.report_failures(call, seen)
    section = envelope.Section("volumes", status, panel_status(seen.context, Source.VOLUMES), tuple(shown))
    return envelope.exit_code([section], seen, ())


def rows_of(seen: Fleet, volumes: list[Volume], use: str | None) -> Iterator[Row]:
    """All that is to be said about some disks."""
    book = PriceBook()
    for volume in volumes:
        machine = seen.context.instances.get(volume.attached_to or "")
        for advice in advise(volume, machine, book, seen.context.now, Use(use) if use else None):
            yield Row(volume, advice)


def _summarise(call: Invocation, rows: list[Row], volumes: int) -> None:
    if not rows:
        call.hint(f"nothing to advise about {volumes} {'volume' if volumes == 1 else 'volumes'}")
        return
    # A disk with two pieces of advice saves at most the larger.
    best: dict[str, float] = {}
    for row in rows:
        best[row.id] = max(best.get(row.id, 0.0), row.advice.saves_usd_per_month or 0.0)
    unpriced = len({r.id for r in rows if r.advice.saves_usd_per_month is None})
    more = f", +{unpriced} unpriced" if unpriced else ""
    call.hint(f"all of it together saves up to ${sum(best.values()):,.2f} a month{more}; nothing was changed")


ADVISE = Verb(
    _configure,
    _run,
    (
        "runctl volumes advise",
        "runctl volumes advise vol-0123456789abcdef0 --use checkpoints",
        "runctl volumes advise -o json",
    ),
)
