"""Instances whose states take time, with the transitions and refusals that EC2 documents ("Instance lifecycle")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from moto.ec2.models.instances import Instance, InstanceState, StateReason

from runctl.demo.gateway.calls import AwsError
from runctl.demo.world import ACCOUNT, World

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
_INSIDE = ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
_RETIRED = ("Server.ScheduledStop", "Server.ScheduledStop: Stopped due to a scheduled retirement")
_SPOT = ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination")


class TimedInstance(Instance):
    """moto's instance with EC2's state machine on the world's clock.

    `install` puts it in the place of moto's class. `watchers` are told each new state: the sandbox of a machine ends
    its processes there.
    """

    world: ClassVar[World]
    watchers: ClassVar[list[Callable[[TimedInstance, str], None]]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spot: dict[str, Any] | None = None
        self._asked = {d["DeviceName"]: d.get("Ebs", {}) for d in kwargs.get("block_device_mappings") or ()}
        self.virtualization_type = "hvm"
        self._epoch = 0
        #: Moments on the agenda's clock (`World.elapsed`) that the metadata service tells of.
        self.interruption_elapsed: float | None = None
        self.rebalance_elapsed: float | None = None
        #: Whether its user data runs: only for launches with the key that this cloud has given out.
        self.trusted = False
        self.running_since: float | None = None
        #: What is wrong with it: its "checks" fail, Systems Manager has lost its "agent"; "" for nothing.
        self.ailment = ""
        self.launch_time = self.world.now().replace(tzinfo=None, microsecond=0)
        index_of(self.ec2_backend)[self.id] = self
        self._enter("pending", self.world.timings.pending, self._run)

    def place(self, state: str, launched: datetime, reason: str = "") -> None:
        """Put a seeded machine in a settled state without waiting, as if it had got there earlier."""
        self.launch_time = launched.replace(tzinfo=None, microsecond=0)
        if state == "pending":
            return
        if state in ("stopped", "terminated"):
            # moto's own method gives back addresses and disks the way the state demands.
            (super().stop if state == "stopped" else super().terminate)()
            self._reason = reason or self._reason
        self._enter(state)
        self.running_since = float("-inf") if state == "running" else None
        if state == "terminated":
            self.world.schedule(self.world.timings.terminated_listed, self._forget)

    def add_block_device(  # noqa: PLR0917  # moto's signature
        self, size: int | None, device_path: str, snapshot_id: str | None, encrypted: bool,
        delete_on_termination: bool, kms_key_id: str | None, volume_type: str | None,
    ) -> None:  # fmt: skip
        """As moto's, with the IOPS that were asked for (it refuses io1 and io2 without them)."""
        iops = self._asked.get(device_path, {}).get("Iops")
        volume = self.ec2_backend.create_volume(
            size=size or (None if snapshot_id else self.image_gib), zone_name=self._placement.zone,
            snapshot_id=snapshot_id, encrypted=encrypted, kms_key_id=kms_key_id, volume_type=volume_type, iops=iops,
        )  # fmt: skip
        self.ec2_backend.attach_volume(volume.id, self.id, device_path, delete_on_termination)

    def setup_defaults(self) -> None:
        """The image's own root disk."""
        self.add_block_device(self.image_gib, self.root_device_name, None, False, True, None, "gp3")

    @property
    def image_gib(self) -> int:
        """Size of the image's root disk: AWS's Ubuntu-based deep learning images are large."""
        return 45 if self.root_device_name == "/dev/sda1" else 8

    def complete_disks(self, asked: list[dict[str, Any]], tags: dict[str, str]) -> None:
        """What RunInstances says about disks and moto drops: throughput, the root disk's defaults."""
        if self.root_device_name not in self.block_device_mapping:
            self.setup_defaults()
            root = self.block_device_mapping[self.root_device_name].volume_id
            self.ec2_backend.create_tags([root], tags)
        for mapping in asked:
            block, ebs = self.block_device_mapping.get(mapping["DeviceName"]), mapping.get("Ebs") or {}
            if block is None:
                continue
            if ebs.get("Throughput"):
                self.ec2_backend.volumes[block.volume_id].throughput = int(ebs["Throughput"])
            if "DeleteOnTermination" not in ebs:
                block.delete_on_termination = mapping["DeviceName"] == self.root_device_name

    def _enter(self, name: str, after: float = 0.0, then: Callable[[], None] | None = None) -> None:
        self._state = InstanceState(name, CODES[name])
        self._epoch += 1
        for watcher in self.watchers:
            watcher(self, name)
        if then is None:
            return
        epoch, action = self._epoch, then
        self.world.schedule(after, lambda: action() if self._epoch == epoch else None)

    def _previous(self) -> InstanceState:
        return InstanceState(self._state.name, self._state.code)

    def _run(self) -> None:
        self.running_since = self.world.elapsed
        self._enter("running")

    def check(self, verb: str) -> None:
        """Whether `verb` ("start", "stop", "reboot", "terminate") is possible now.

        Raises:
            AwsError: IncorrectInstanceState, UnsupportedOperation, OperationNotPermitted.
        """
        state = self._state.name
        forbidden = {
            "start": ("stopping", "shutting-down", "terminated"),
            "stop": ("pending", "shutting-down", "terminated"),
            "reboot": ("pending", "stopping", "stopped", "shutting-down", "terminated"),
        }
        if state in forbidden.get(verb, ()):
            past = {"start": "started", "stop": "stopped", "reboot": "rebooted"}[verb]
            raise AwsError(
                "IncorrectInstanceState", f"The instance '{self.id}' is not in a state from which it can be {past}."
            )
        if verb == "stop" and self.spot and self.spot["Type"] == "one-time":
            raise AwsError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{self.id}' because it is associated with a one-time Spot Instance "
                "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
            )
        protected = {"stop": ("disable_api_stop", "disableApiStop"),
                     "terminate": ("disable_api_termination", "disableApiTermination")}  # fmt: skip
        if verb in protected and str(getattr(self, protected[verb][0])).lower() == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"The instance '{self.id}' may not be {'stopped' if verb == 'stop' else 'terminated'}. Modify its "
                f"'{protected[verb][1]}' instance attribute and try again.",
            )

    def start(self) -> InstanceState:
        """Start a stopped machine: a new launch time, as EC2 has it, and usually a new public address."""
        previous = self._previous()
        if previous.name == "stopped":
            super().start()
            self.launch_time = self.world.now().replace(tzinfo=None, microsecond=0)
            self._enter("pending", self.world.timings.pending, self._run)
        return previous

    def stop(self) -> InstanceState:
        """Begin to stop."""
        previous = self._previous()
        if previous.name in ("pending", "running"):
            self._explain("User initiated", *_USER)
            self._enter("stopping", self.world.timings.stopping, self._stopped)
        return previous

    def _stopped(self) -> None:
        reason, state_reason = self._reason, self.state_reason
        super().stop()
        self._reason, self.state_reason = reason, state_reason
        self._enter("stopped")

    def terminate(self) -> InstanceState:
        """Begin to terminate; disks go with it at the end, the listing keeps it for about an hour more."""
        previous = self._previous()
        if previous.name not in ("shutting-down", "terminated"):
            self._explain("User initiated", *_USER)
            self._enter("shutting-down", self.world.timings.shutting_down, self._terminated)
        return previous

    def power_off(self) -> None:
        """It shuts itself down: what it was launched with says whether it is stopped or terminated."""
        if self._state.name != "running":
            return
        ends = self.instance_initiated_shutdown_behavior == "terminate" or bool(self.spot)
        (self.terminate if ends else self.stop)()
        self._explain("Instance initiated", *_INSIDE)

    def interrupt(self) -> None:
        """End it as EC2 ends a spot machine it wants back: stop or terminate, with its own reason."""
        persistent_stop = bool(self.spot) and self.spot["InstanceInterruptionBehavior"] == "stop"  # type: ignore[index]
        self._explain("Server.SpotInstanceTermination", *_SPOT)
        if persistent_stop:
            self._enter("stopping", self.world.timings.stopping, self._stopped)
        else:
            self._enter("shutting-down", self.world.timings.shutting_down, self._terminated)

    def retire(self) -> None:
        """Its host is given up: EC2 stops it (EC2 User Guide, "Scheduled events")."""
        self._explain("Server.ScheduledStop", *_RETIRED)
        self._enter("stopping", self.world.timings.stopping, self._stopped)

    def _terminated(self) -> None:
        reason, state_reason = self._reason, self.state_reason
        super().terminate()
        self._reason, self.state_reason = reason, state_reason
        self._enter("terminated")
        self.world.schedule(self.world.timings.terminated_listed, self._forget)

    def _forget(self) -> None:
        for key, reservation in list(self.ec2_backend.reservations.items()):
            if self in reservation.instances:
                reservation.instances.remove(self)
                if not reservation.instances:
                    del self.ec2_backend.reservations[key]
        self.ec2_backend.tags.pop(self.id, None)
        index_of(self.ec2_backend).pop(self.id, None)

    def _explain(self, who: str, code: str, message: str) -> None:
        self._reason = f"{who} ({self.world.now():%Y-%m-%d %H:%M:%S} GMT)"
        self.state_reason = StateReason(message, code)

    def reboot(self) -> None:
        """Nothing that a listing shows changes."""

    def checks(self) -> str:
        """What both status checks say: "ok", "initializing", "impaired" or "not-applicable"."""
        if self._state.name != "running" or self.running_since is None:
            return "not-applicable"
        if self.ailment == "checks":
            return "impaired"
        young = self.world.elapsed - self.running_since < self.world.timings.initializing
        return "initializing" if young else "ok"


def index_of(backend: Any) -> dict[str, TimedInstance]:
    """The instances of one region by id; it lives on moto's backend, so that a reset forgets it."""
    index: dict[str, TimedInstance] = backend.__dict__.setdefault("runctl_instances", {})
    return index


def _power_off(instance_id: str) -> None:
    from moto.ec2.models import ec2_backends

    for backend in ec2_backends[ACCOUNT].values():
        if (found := index_of(backend).get(instance_id)) is not None:
            found.power_off()


def install(world: World) -> None:
    """Make moto create timed instances, and find them without walking over all (a launch looks three times)."""
    import moto.ec2.models.instances as home

    def get_instance_by_id(self: Any, instance_id: str) -> TimedInstance | None:
        return index_of(self).get(instance_id)

    def get_instance(self: Any, instance_id: str) -> TimedInstance:
        found = index_of(self).get(instance_id)
        if found is None:
            raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
        return found

    for method in (get_instance_by_id, get_instance):
        setattr(home.InstanceBackend, method.__name__, method)
    TimedInstance.world = world
    world.on_power_off = _power_off
    vars(home).update(Instance=TimedInstance)
