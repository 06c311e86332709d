"""Before anything is changed: launches that a kill or a lost connection cut off are looked for and written down."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from runctl.services.verbs.row import Ground


def settle_open_launches(call: Invocation, ground: Ground) -> None:
    """Say which machines they brought. Without an open launch in the journal AWS is not asked.

    Raises:
        CredentialsError: nothing can be asked.
        JournalError: the journal cannot be read or written.
    """
    from runctl.services.launch.earlier import ADOPTED, reconcile, settled_line

    for settled in reconcile(ground):
        if not (line := settled_line(settled)):
            continue
        if settled.outcome == ADOPTED:
            print(f"runctl: {call.style.clean(line, 600)}", file=sys.stderr)  # it bills: said even with -q
        else:
            call.hint(call.style.clean(line, 600))
