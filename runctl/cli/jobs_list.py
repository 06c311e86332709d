"""`runctl jobs list`: as every noun's, and without AWS the jobs of this computer."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from runctl.cli.dispatch import Verb
from runctl.cli.verbs import list_verb

if TYPE_CHECKING:
    from runctl.models.instance import Instance

_PLAIN = list_verb("jobs", "runctl jobs list --filter state:RUNNING -o json")


def _run(args: Namespace) -> int:
    from runctl.errors import ConfigurationError
    from runctl.services.jobs import reach

    try:
        return _PLAIN.run(args)
    except ConfigurationError as error:
        if not reach.local_root().exists() or args.profile:
            raise
        return _only_here(args, error)


def _no_machines(region: str, job: str = "", ids: Sequence[str] = ()) -> Iterable[tuple[Instance, ...]]:
    """Nobody to ask."""
    del region, job, ids
    return ()


def _only_here(args: Namespace, why: Exception) -> int:
    """No region, no account: jobs of this computer need neither."""
    from runctl.cli import listing, nouns
    from runctl.cli.fleet import Fleet
    from runctl.cli.invocation import start
    from runctl.models.snapshot import Snapshot
    from runctl.services.jobs.rows import open_rows
    from runctl.store.fields import Context

    call = start(args)
    shape = listing.shape_of(args)
    listing.check_shape(shape, ("jobs",))
    rows = open_rows(call.settings, "", _no_machines).list()
    context = Context(call.clock.now(), Snapshot(jobs=rows))
    fields = listing.FIELDS["jobs"]
    shown = listing.shaped(rows, fields, shape, context)
    nouns.write_rows(call, "jobs", list(shown), fields, shape, seen=Fleet(context.snapshot, context, frozenset()))
    call.hint(f"only jobs of this computer: {why}")
    return 0


LIST = Verb(_PLAIN.configure, _run, _PLAIN.examples)
