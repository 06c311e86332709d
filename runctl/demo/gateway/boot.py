"""A machine that starts runs its user data, really, in its sandbox."""

from __future__ import annotations

from typing import Any

from runctl.demo.machine import Sandboxes


def on_state(sandboxes: Sandboxes, instance: Any, state: str) -> None:
    """Once in its life, when it first runs; nothing of strangers (`TimedInstance.trusted`)."""
    from runctl.demo.imds import user_data_of

    if state == "running" and instance.trusted and instance.user_data:
        sandboxes.boot(instance.id, user_data_of(instance), region=instance.region_name)
