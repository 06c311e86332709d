"""The lines of a launch, and what they come to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from runctl.models.launch import MarketChoice
from runctl.screens.forms import known_zones
from runctl.screens.modals.fields import Field
from runctl.screens.modals.pick import Option
from runctl.services.launch.form import LaunchForm, Reading, plain, read_form
from runctl.services.prices import PriceBook
from runctl.store.fields import Context

_MARKETS = (
    Option(MarketChoice.ON_DEMAND, "on-demand", "stays until it is ended"),
    Option(MarketChoice.SPOT, "spot", "cheaper, can be taken away"),
    Option(MarketChoice.SPOT_OR_ON_DEMAND, "spot or on-demand", "the dearer where no spot is left"),
)
#: What stands in the line of the time to live at first: nobody forgets a machine for longer than a day's work.
USUAL_TTL = "8h"


def wizard_fields(context: Context) -> tuple[Field, ...]:
    """The lines, in the order in which people decide."""
    snapshot = context.snapshot
    regions = tuple(Option(r, r) for r in snapshot.regions)
    projects = sorted({p for m in snapshot.instances if (p := m.ownership.project)})
    roles = sorted({(m.profile_arn or "").rpartition("/")[2] for m in snapshot.instances} - {""})
    keys = sorted({m.key_name or "" for m in snapshot.instances} - {""})
    first = "g5.xlarge,g6.xlarge"
    return (
        Field("types", "type", "", first),
        Field("market", "market", options=_MARKETS),
        Field("region", "region", options=regions) if regions else Field("region", "region", "", "us-east-1"),
        Field("zones", "zones", "", "all that offer it", known=known_zones(context)),
        Field("ttl", "ends in", USUAL_TTL, "never; 8h, 2d"),
        Field("count", "count", "1", "1"),
        Field("disk", "disk GiB", "", "what the image needs"),
        Field("image", "image", "", "usual; ami-…"),
        Field("name", "name", "", "none"),
        Field("project", "project", "", "none", known=tuple(projects)),
        Field("tags", "tags", "", "team=vision,x=y"),
        Field("key", "SSH key", "", "none", known=tuple(keys)),
        Field("instance_profile", "role", "", "none; for s, probe", known=tuple(roles)),
    )


def words(text: str) -> tuple[str, ...]:
    """The parts of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def form_from(values: Mapping[str, str]) -> LaunchForm:
    """What was written, as a form of the launch service."""
    return LaunchForm(
        values["region"], words(values["types"]), MarketChoice(values["market"]), words(values["zones"]),
        image=values["image"], disk=values["disk"], ttl=values["ttl"], name=values["name"],
        project=values["project"], tags=words(values["tags"]), key=values["key"],
        instance_profile=values["instance_profile"], count=values["count"] or "1",
    )  # fmt: skip


def read_wizard(values: Mapping[str, str], book: PriceBook, now: datetime, request_id: str) -> Reading:
    """The request that the lines make, or what is wrong with each."""
    return read_form(form_from(values), book.types(), now, request_id)


def problems_of(reading: Reading) -> dict[str, str]:
    """What is wrong, as it is shown below each line."""
    return {name: plain(error) for name, error in reading.problems.items()}
