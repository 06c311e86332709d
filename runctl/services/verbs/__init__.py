"""Every verb that changes something, one row for each kind of thing it is done to.

A new verb is a module here with `ROWS`, and its name in `MODULES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from runctl.errors import InputError
from runctl.models.plan import Kind, Verb
from runctl.services.verbs.row import Row

MODULES = (
    "buckets",
    "extend",
    "job_start",
    "machines",
    "prewarm",
    "probe",
    "storage",
    "tags",
    "volumes",
)  # fmt: skip


@cache
def rows() -> Mapping[tuple[Verb, Kind], Row]:
    """The table."""
    found = [row for name in MODULES for row in import_module(f"{__name__}.{name}").ROWS]
    return {(row.verb, row.kind): row for row in found}


def row_of(verb: Verb, kind: Kind) -> Row:
    """How to do a verb to a kind of thing.

    Raises:
        InputError: that cannot be done.
    """
    found = rows().get((verb, kind))
    if found is None:
        able = ", ".join(v for v, k in rows() if k is kind) or "nothing"
        raise InputError(f"{verb} is nothing that can be done to a {kind}", allowed=able)
    return found
