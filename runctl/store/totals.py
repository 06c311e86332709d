"""What bills, summed by owner, project and so on: the same items as the rows, so that groups add up to the header."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runctl.models.cost import HOURS_PER_MONTH, CostItem
from runctl.store.costs import is_waste
from runctl.store.fields import Context, Field, Fields, Kind

#: What sums may be made by.
GROUPINGS = ("owner", "project", "kind", "type", "region", "market")


@dataclass(frozen=True, slots=True)
class Total:
    """All items that share an owner (or project, …): `usd_per_hour` of the priced ones, `unpriced` more without."""

    name: str
    items: int
    usd_per_hour: float
    unpriced: int
    wasted_usd_per_hour: float

    @property
    def id(self) -> str:
        """What it is a total of."""
        return self.name

    @property
    def usd_per_month(self) -> float:
        """The same for 730 hours."""
        return self.usd_per_hour * HOURS_PER_MONTH


def totals(items: Sequence[CostItem], by: str, context: Context) -> tuple[Total, ...]:
    """Totals by a field of the items; what has no value there is one group of its own, "?"."""
    groups: dict[str, list[CostItem]] = {}
    for item in items:
        groups.setdefault(str(getattr(item, by) or "?"), []).append(item)
    return tuple(
        Total(
            name,
            len(group),
            math.fsum(i.usd_per_hour for i in group if i.usd_per_hour is not None),
            sum(i.usd_per_hour is None for i in group),
            math.fsum(i.usd_per_hour or 0.0 for i in group if is_waste(i, context)),
        )
        for name, group in sorted(groups.items())
    )


TOTAL_FIELDS: Fields[Total] = Fields(
    "totals",
    (
        Field("name", "NAME", Kind.TEXT, lambda t, _: t.name, shown=True),
        Field("items", "ITEMS", Kind.NUMBER, lambda t, _: t.items, shown=True),
        Field("usd_per_hour", "$/H", Kind.MONEY, lambda t, _: t.usd_per_hour, ("cost", "price"), shown=True),
        Field("usd_per_month", "$/MO", Kind.MONEY, lambda t, _: t.usd_per_month, shown=True),
        Field("unpriced", "UNPRICED", Kind.NUMBER, lambda t, _: t.unpriced, shown=True),
        Field(
            "wasted_usd_per_hour", "WASTED $/H", Kind.MONEY, lambda t, _: t.wasted_usd_per_hour, ("wasted",), shown=True
        ),
    ),
    lambda _: {},
)
