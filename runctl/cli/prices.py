"""`runctl prices`: the price book by type, which needs no account, and its refresh from AWS."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from runctl.cli import arguments, output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.invocation import Invocation, start
from runctl.cli.style import Tone
from runctl.cli.table import Cell, Column, table_lines
from runctl.errors import InputError
from runctl.format import UNKNOWN, format_count, format_usd
from runctl.models.cost import Price
from runctl.models.instance import Hardware, Market
from runctl.services.prices import PriceBook, source_name


def _configure(parser: Parser) -> None:
    parser.add_argument("type", metavar="TYPE", help="instance type")
    arguments.add_format(parser, ("table", "json"))


def _show(args: Namespace) -> int:
    from runctl.services.aws.refresh import book_with_cache

    call = start(args)
    return show(call, book_with_cache(call.clock.now()))


def show(call: Invocation, book: PriceBook) -> int:
    """Show one type in the regions asked for, else in every region the book knows it in.

    Raises:
        InputError: the book knows no such type.
    """
    wanted = call.args.type.strip().lower()
    hardware = book.hardware(wanted)
    known = book.regions_of(wanted)
    if hardware is None and not known:
        raise unknown_type(wanted, book)
    asked = _regions(call)
    regions = known if asked in ((), ("all",)) else asked
    if call.output == "json":
        output.write_json(
            {
                "type": wanted,
                "hardware": _hardware_json(hardware),
                "regions": [_region_json(book, r, wanted) for r in regions],
            }
        )
    else:
        _write_table(call, book, wanted, hardware, regions)
    for region in regions:
        if book.instance_rate(region, wanted, Market.ON_DEMAND) is None:
            call.hint(f"price unknown: the book has no list price of {wanted} in {region}")
    return 0


def _regions(call: Invocation) -> tuple[str, ...]:
    """Regions by flag or settings, else AWS's variables; the profile's files are not read for a price."""
    if chosen := call.args.region or call.settings.regions_for(call.settings.profile):
        return tuple(chosen)
    own = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return (own,) if own else ()


def unknown_type(name: str, book: PriceBook) -> InputError:
    """The error for a type the book does not know, with the nearest that it does."""
    import difflib

    types = book.types()
    family = [t for t in types if t.partition(".")[0] == name.partition(".")[0]]
    near = difflib.get_close_matches(name, types, n=4, cutoff=0.6) or sorted(family)[:4]
    return InputError(
        f"unknown instance type {name!r}" + (f"; nearest: {', '.join(near)}" if near else ""),
        allowed="a type of the price book",
        example=f"runctl prices show {near[0] if near else 'g5.xlarge'}",
    )


def price_json(price: Price | None) -> Mapping[str, Any] | None:
    """A price with where it comes from; None when nobody knows it."""
    if price is None:
        return None
    return {
        "usd_per_hour": price.usd,
        "source": price.source,
        "source_name": source_name(price.source),
        "confidence": str(price.confidence),
        "as_of": price.as_of.isoformat() if price.as_of else None,
    }


def _region_json(book: PriceBook, region: str, name: str) -> dict[str, Any]:
    return {
        "region": region,
        "on_demand": price_json(book.instance_rate(region, name, Market.ON_DEMAND)),
        "spot": price_json(book.instance_rate(region, name, Market.SPOT)),
    }


def _hardware_json(hardware: Hardware | None) -> Mapping[str, Any] | None:
    if hardware is None:
        return None
    names = ("vcpus", "memory_gib", "gpu_model", "gpu_count", "gpu_memory_gib", "arch")
    return {name: getattr(hardware, name) for name in names}


def hardware_line(hardware: Hardware | None) -> str:
    """What a type is made of, in one line."""
    if hardware is None:
        return "hardware unknown"
    if hardware.gpu_count == 0:
        gpu = "no GPU"
    else:
        memory = f" {format_count(hardware.gpu_memory_gib)} GiB" if hardware.gpu_memory_gib is not None else ""
        gpu = f"{format_count(hardware.gpu_count)} x {hardware.gpu_model or UNKNOWN}{memory}"
    cpu = f"{format_count(hardware.vcpus)} vCPU, {format_count(hardware.memory_gib)} GiB"
    return f"{cpu}, {gpu}, {hardware.arch or UNKNOWN}"


_HEADS = ("REGION", "ON-DEMAND $/H", "AS OF", "CONFIDENCE", "SOURCE", "SPOT $/H", "AS OF", "CONFIDENCE", "SOURCE")


def _write_table(
    call: Invocation, book: PriceBook, name: str, hardware: Hardware | None, regions: Sequence[str]
) -> None:
    columns = [
        Column(head, right=head.endswith("$/H"), whole=True, keep=i in (0, 1, 5)) for i, head in enumerate(_HEADS)
    ]
    rows = []
    codes: dict[str, None] = {}
    for region in regions:
        pair = [book.instance_rate(region, name, market) for market in (Market.ON_DEMAND, Market.SPOT)]
        codes.update((p.source, None) for p in pair if p)
        rows.append([Cell(region), *(cell for price in pair for cell in _price_cells(price))])
    output.write_lines((call.style.paint(name, Tone.HEAD) + f"  {hardware_line(hardware)}", ""))
    output.write_lines(table_lines(columns, rows, call.style))
    output.write_lines(("", *(f"{code}: {call.style.clean(source_name(code))}" for code in codes)))


def _price_cells(price: Price | None) -> tuple[Cell, ...]:
    if price is None:
        return (Cell(UNKNOWN, Tone.DIM),) * 4
    as_of = price.as_of.isoformat() if price.as_of else UNKNOWN
    return Cell(format_usd(price.usd, 4)), Cell(as_of), Cell(str(price.confidence)), Cell(price.source, Tone.DIM)


def _configure_refresh(parser: Parser) -> None:
    arguments.add_format(parser, ("table", "json"))


def _refresh(args: Namespace) -> int:
    from runctl.cli.invocation import cloud

    with cloud(args):
        return refresh(start(args))


def refresh(call: Invocation) -> int:
    """Ask AWS for the prices of some regions, one after the other; what one refuses does not cost the others.

    Raises:
        CloudError: none of the regions answered.
    """
    from runctl.cli.connect import connect, regions_of
    from runctl.cli.dispatch import complain
    from runctl.errors import CloudError
    from runctl.services.aws.refresh import refresh_region

    backend = connect(call.settings)
    asked = regions_of(call, backend)
    regions = backend.fetch_regions() if asked == ("all",) else asked
    done, failed = [], []
    try:
        for region in regions:
            call.detail(f"asking for the prices of {region}")
            try:
                done.append(refresh_region(backend.session, region, call.clock.now()))
            except CloudError as error:
                failed.append(error)
    finally:
        backend.close()
    if not done and failed:
        raise failed[0]
    if call.output == "json":
        output.write_json([asdict(d) for d in done])
    else:
        columns = [Column("REGION", whole=True, keep=True), *(Column(h, right=True) for h in _REFRESHED)]
        rows = [[Cell(d.region), *(Cell(format_count(n)) for n in (d.on_demand, d.spot, d.changed))] for d in done]
        output.write_lines(table_lines(columns, rows, call.style))
    for refused in failed:
        complain(refused)
    if not all(d.saved for d in done):
        call.hint("warning: the cache directory cannot be written; these prices are forgotten with this command")
    return 4 if failed else 0


_REFRESHED = ("ON-DEMAND", "SPOT BY ZONE", "CHANGED")

VERBS = {
    "show": Verb(_configure, _show, ("runctl prices show g5.xlarge --region us-east-1,eu-west-1",)),
    "refresh": Verb(_configure_refresh, _refresh, ("runctl prices refresh --region us-east-1,eu-west-1",)),
}
