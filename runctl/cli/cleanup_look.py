"""What a cleanup looks at: one reading of everything that bills, in the form that `services.cleanup` wants."""

from __future__ import annotations

from runctl.cli.fleet import Fleet, read_fleet, sources_of
from runctl.cli.invocation import Invocation
from runctl.models.snapshot import Health, Snapshot, Source
from runctl.services.actions import Actions
from runctl.services.cleanup import CleanupRules, Seen
from runctl.services.cleanup_plan import look_further


def look(call: Invocation, door: Actions, rules: CleanupRules) -> tuple[Seen, Fleet, tuple[str, ...]]:
    """Ask once; what did not answer is simply not among the candidates, and what needs a whole list is left alone.

    Returns:
        What was seen, the fleet, and a sentence for each thing beside it that could not be looked at.

    Raises:
        CredentialsError: nothing can be asked any more.
    """
    fleet = read_fleet(call, sources_of(("cost",)))
    snapshot = fleet.snapshot
    seen = Seen(
        fleet.context.now, door.ground.actor.owner, snapshot.instances, snapshot.volumes, snapshot.snapshots,
        snapshot.addresses, jobs=door.ground.jobs, complete=complete_regions(snapshot),
    )  # fmt: skip
    seen, notes = look_further(door.ground, seen, snapshot.buckets, rules, timeout_s=call.args.timeout)
    return seen, fleet, notes


def complete_regions(snapshot: Snapshot) -> frozenset[str]:
    """Regions whose machines and disks are all known at this moment."""
    whole: dict[str, set[Source]] = {}
    for key, status in snapshot.status.items():
        if key.source in (Source.INSTANCES, Source.VOLUMES) and status.complete and status.health is Health.LIVE:
            whole.setdefault(key.region, set()).add(key.source)
    return frozenset(r for r, sources in whole.items() if len(sources) == 2)
