"""What makes one screen differ from the next: its rows, its columns, its detail. Everything else is `FleetScreen`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from runctl.models.snapshot import Source
from runctl.screens.cells import Detail, Spec
from runctl.store.fields import Context, Fields, Kind

T = TypeVar("T")


class Resource(NamedTuple):
    """What a row is in AWS: the `kind` of `Backend.fetch_raw`, its region and id."""

    kind: str
    region: str
    id: str


@dataclass(frozen=True)
class Noun(Generic[T]):
    """One kind of row.

    Args:
        name: the screen's name; also the noun of `:` and of exports.
        word: what one row is called, and many: ("machine", "machines").
        fields: filter, sort keys, exports.
        sources: what is listed from AWS for it; the first decides the panel's state.
        rows: reads the rows out of a snapshot.
        columns: the table, left to right.
        detail: what is known about one row.
        identify: the row's id.
        resource: what it is in AWS, None when it is nothing there.
        title: what people call it.
        sort: the field it is sorted by at first.
        descending: and in which order.
        empty: what an empty table says; `{regions}` is filled in.
        hint: what it says below that, from the settings.
    """

    name: str
    word: tuple[str, str]
    fields: Fields[T]
    sources: tuple[Source, ...]
    rows: Callable[[Context], Sequence[T]]
    columns: tuple[Spec[T], ...]
    detail: Callable[[T, Context], Detail]
    identify: Callable[[T], str]
    resource: Callable[[T], Resource | None]
    title: Callable[[T], str]
    sort: str
    descending: bool = False
    empty: str = "nothing here"
    hint: Callable[[Context], str] = lambda _: ""

    def sortable(self) -> Mapping[str, str]:
        """Labels of the fields that rows can be sorted by, in the order of the columns, then the rest."""
        first = [column.name for column in self.columns if column.name in self.fields.by_name]
        rest = [column.name for column in self.fields.columns]
        labels = {spec.name: spec.label for spec in self.columns}
        known = self.fields.by_name
        return {
            n: labels.get(n) or known[n].label for n in dict.fromkeys(first + rest) if known[n].kind is not Kind.OBJECT
        }
