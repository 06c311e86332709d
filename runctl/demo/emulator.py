"""Loads moto as the heart of the embedded cloud: only what is needed, quickly, and blind to the user's AWS settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from runctl.demo.faults import FaultRules
from runctl.demo.requests import Target
from runctl.demo.world import World


class _LateOfferings(dict[str, Any]):
    """Instance type offerings by region, read from moto's data when a region is first asked for.

    moto reads all regions at import: 0.6 s of a start that takes 0.6 s without.
    """

    def __init__(self, location: str, load: Callable[[str], Any], regions: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(regions))
        self._location = location
        self._load = load

    def __getitem__(self, region: str) -> Any:
        found = super().__getitem__(region)
        if found is None:
            found = self._load(f"ec2/resources/instance_type_offerings/{self._location}/{region}.json")
            for offering in found:
                offering["LocationType"] = self._location
            self[region] = found
        return found

    def get(self, region: str, default: Any = None) -> Any:
        """As `dict.get`, reading the region's data first."""
        if region not in self:
            return default
        return self[region]


def _import_without_offerings() -> None:
    """Import moto's instance types with an empty list for each region, then put late ones in their place."""
    import moto.utilities.utils as loading

    load = loading.load_resource
    vars(loading).update(load_resource=lambda name: [] if "instance_type_offerings" in name else load(name))
    try:
        from moto.ec2.models import instance_types
    finally:
        vars(loading).update(load_resource=load)
    for location, regions in instance_types.INSTANCE_TYPE_OFFERINGS.items():
        instance_types.INSTANCE_TYPE_OFFERINGS[location] = _LateOfferings(location, load, list(regions))


def load_moto(world: World, faults: FaultRules) -> Callable[..., Any]:
    """Moto's WSGI application with our operations in it.

    The environment must be blind already (`blind.blind_environment`): moto reads it at import.
    """
    _import_without_offerings()
    from moto.ec2.responses import EC2Response
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.ssm.responses import SimpleSystemManagerResponse
    from moto.sts.responses import TokenResponse

    from runctl.demo.gateway import (
        OPERATION_MODULES,
        boot,
        calls,
        commands,
        launch,
        lifecycle,
        network,
        objects,
        spot,
        storage_models,
    )
    from runctl.demo.gateway.lifecycle import TimedInstance

    logging.getLogger("runctl.demo").debug("%d modules of operations", len(OPERATION_MODULES))
    lifecycle.install(world)
    network.install()
    objects.install(world)
    storage_models.install(world)
    launch.use_faults(faults)
    TimedInstance.watchers.append(lambda instance, state: spot.on_state(world, instance, state))
    TimedInstance.watchers.append(lambda instance, state: commands.on_state(world.sandboxes, instance.id, state))
    TimedInstance.watchers.append(lambda instance, state: boot.on_state(world.sandboxes, instance, state))
    calls.install(world, {"ec2": EC2Response, "ssm": SimpleSystemManagerResponse, "sts": TokenResponse})

    def create(service: Any) -> Any:
        app = create_backend_app(service)
        app.config["PROPAGATE_EXCEPTIONS"] = True  # an error of moto's own becomes an AWS error in `edge`, not a page
        return app

    application: Callable[..., Any] = DomainDispatcherApplication(create)
    return application


def extra_services(world: World) -> Callable[[Target, dict[str, Any]], dict[str, Any] | None]:
    """The JSON services that moto lacks: prices, quotas, the bill, who did what. Answers None for everything else."""
    from runctl.demo.gateway import billing, pricing, quotas, trail

    def answer(target: Target, params: dict[str, Any]) -> dict[str, Any] | None:
        if target.service == "pricing":
            return pricing.answer(target.operation, params)
        if target.service == "ce":
            return billing.answer(world, target.operation, params)
        if target.service == "cloudtrail":
            return trail.answer(world, target.operation, target.region, params)
        if target.service == "servicequotas":
            return quotas.answer(world, target.operation, target.region, params)
        return None

    return answer
