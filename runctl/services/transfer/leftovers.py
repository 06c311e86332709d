"""What killed transfers left behind: unfinished uploads in S3, temporary files here; ended after the next run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from runctl.errors import CloudError
from runctl.services.transfer import multipart
from runctl.services.transfer.context import Context
from runctl.services.transfer.destination import Destination
from runctl.services.transfer.journal import Ends


def clear_records(context: Context, ours: Callable[[Ends], bool], keep: frozenset[str]) -> int:
    """Abort uploads and drop records of transfers that nobody runs and the run just ended did not need.

    Args:
        context: asks S3.
        ours: whether a record belongs to the pair that was just transferred.
        keep: keys and paths that failed this time: their parts stay for the next run.

    Returns:
        How many records were cleared.
    """
    cleared = 0
    for record in context.journal.left_over():
        done = False
        ends = record.ends
        if ends.endpoint == context.endpoint and ours(ends) and not {ends.key, ends.path} & keep:
            with contextlib.suppress(CloudError):  # it stays in the journal: the next run asks again
                if ends.kind != "download":
                    multipart.give_up(context, record)
                done = True
                cleared += 1
        record.close(done=done)
    return cleared


def clear_strays(destination: Destination, strays: Iterable[str], keep: frozenset[str]) -> int:
    """Remove temporary files that were there before the run and that nobody writes; how many.

    `keep` are paths of temporary files that a failed download of this run may go on with.
    """
    return sum(destination.remove_stray(stray) for stray in strays if stray not in keep)


def below(root: Path) -> str:
    """A directory's path as a prefix of the paths in records."""
    return f"{root}{os.sep}"
