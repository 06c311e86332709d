"""Waiting until launched machines run, or until it is sure that they will not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runctl.models.instance import Instance, InstanceState
from runctl.services.verbs.row import Ground

#: EC2 machines run within a minute or two; what takes longer deserves a look.
PATIENCE_S = 300.0
_PAUSE_S = 2.0
_UNDECIDED = (InstanceState.PENDING,)


def wait_until_running(
    ground: Ground, region: str, ids: Sequence[str], sleep: Callable[[float], None], patience_s: float = PATIENCE_S
) -> tuple[Instance, ...]:
    """The machines as they are once none is pending any more, or when patience ends.

    A machine that EC2 does not list yet counts as pending: it may take a moment to be seen.

    Raises:
        CloudError: EC2 cannot be asked.
    """
    ends = ground.clock.monotonic() + patience_s
    while True:
        found = ground.cloud.find_instances(region, ids=ids)
        settled = {m.id for m in found if m.state not in _UNDECIDED}
        if settled >= set(ids) or ground.clock.monotonic() >= ends:
            return found
        sleep(_PAUSE_S)
