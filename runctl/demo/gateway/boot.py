"""A machine that starts runs its user data, really, in its sandbox, by the shell that is `/bin/sh` on its image.

That is dash on Ubuntu and bash, which behaves as POSIX wants under that name, on Amazon Linux.
"""

from __future__ import annotations

from typing import Any

from runctl.demo.machine import Sandboxes


def on_state(sandboxes: Sandboxes, instance: Any, state: str) -> None:
    """Once in its life, when it first runs; nothing of strangers (`TimedInstance.trusted`)."""
    from runctl.demo.imds import user_data_of

    if state == "running" and instance.trusted and instance.user_data:
        image = instance.ec2_backend.amis.get(instance.image_id)
        shell = "" if image is None else "dash" if "Ubuntu" in image.name else "bash"
        sandboxes.boot(instance.id, user_data_of(instance), region=instance.region_name, shell=shell)
