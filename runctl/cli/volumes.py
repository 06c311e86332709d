"""`runctl volumes`."""

from __future__ import annotations

from argparse import Namespace

from runctl.cli import arguments, envelope, fleet, listing, nouns, output, verbs, volume_verbs
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.invocation import Invocation, cloud, start
from runctl.cli.volumes_advise import ADVISE
from runctl.cli.volumes_prewarm import PREWARM
from runctl.models.snapshot import Source
from runctl.models.volume import VolumeSnapshot
from runctl.store.fields import Context, Field, Fields, Kind
from runctl.store.select import panel_status

F = Field


def age_s(item: VolumeSnapshot, context: Context) -> float | None:
    """Seconds since it was made."""
    return None if item.created_at is None else (context.now - item.created_at).total_seconds()


SNAPSHOT_FIELDS: Fields[VolumeSnapshot] = Fields(
    "snapshots",
    (
        F("id", "ID", Kind.TEXT, lambda s, _: s.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda s, _: s.name, shown=True),
        F("volume_id", "VOLUME", Kind.TEXT, lambda s, _: s.volume_id or None, ("volume",), shown=True),
        F("size_gib", "GIB", Kind.NUMBER, lambda s, _: s.size_gib, ("size",), shown=True),
        F("state", "STATE", Kind.TEXT, lambda s, _: s.state, shown=True),
        F("progress", "PROGRESS", Kind.TEXT, lambda s, _: s.progress or None, wide=True),
        F("tier", "TIER", Kind.TEXT, lambda s, _: s.tier, wide=True),
        F("region", "REGION", Kind.TEXT, lambda s, _: s.region, wide=True),
        F("created_at", "CREATED", Kind.TIME, lambda s, _: s.created_at, shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda s, _: s.usd_per_month, ("cost", "price"), shown=True),
        F("description", "DESCRIPTION", Kind.TEXT, lambda s, _: s.description or None, wide=True),
        F("owner", "OWNER", Kind.TEXT, lambda s, _: s.ownership.owner, shown=True),
        F("managed", "OURS", Kind.FLAG, lambda s, _: s.ownership.managed),
        F("protected", "PROTECTED", Kind.FLAG, lambda s, _: s.ownership.protected),
        F("tags", "TAGS", Kind.OBJECT, lambda s, _: dict(s.tags)),
        F("age_s", "AGE", Kind.SECONDS, age_s, ("age",), in_json=False),
    ),
    lambda s: s.tags,
)


def _configure(parser: Parser) -> None:
    arguments.add_output(parser)
    parser.set_defaults(fail_on=())
    parser.add_argument("--volume", metavar="ID", help="snapshots of one disk only")


def _snapshots(args: Namespace) -> int:
    with cloud(args):
        return list_snapshots(start(args))


def list_snapshots(call: Invocation) -> int:
    """List the account's own snapshots; returns the exit code."""
    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (SNAPSHOT_FIELDS,))
    seen = fleet.read_fleet(call, (Source.SNAPSHOTS,))
    wanted = call.args.volume
    rows = [s for s in seen.snapshot.snapshots if wanted is None or s.volume_id == wanted]
    shown = listing.shaped(rows, SNAPSHOT_FIELDS, shape, seen.context)
    status = envelope.status_of((Source.SNAPSHOTS,), seen)
    if status != envelope.ERROR or call.output == "json":
        nouns.write_rows(call, "snapshots", shown, SNAPSHOT_FIELDS, shape, seen=seen)
    output.report_failures(call, seen)
    section = envelope.Section("snapshots", status, panel_status(seen.context, Source.SNAPSHOTS), tuple(shown))
    return envelope.exit_code([section], seen, ())


VERBS = {
    "list": verbs.list_verb("volumes", "runctl volumes list --filter waste:unattached --sort usd_per_month"),
    "show": verbs.show_verb("volumes", "ID", "runctl volumes show vol-0123456789abcdef0", kind="volume"),
    "snapshots": Verb(_configure, _snapshots, ("runctl volumes snapshots --sort size_gib --limit 10",)),
    "advise": ADVISE,
    **volume_verbs.VERBS,
    "prewarm": PREWARM,
}
