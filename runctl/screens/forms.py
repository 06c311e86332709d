"""What each verb asks for before it is looked at: its lines, and what they come to. Pure.

The door checks everything again; here a person hears of it while typing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from runctl.errors import InputError
from runctl.format import clean_text, format_time, format_usd
from runctl.models.instance import Instance, InstanceState
from runctl.models.plan import Kind, Verb
from runctl.models.tags import ends_at
from runctl.models.volume import Volume, VolumeSnapshot
from runctl.screens.modals.fields import Field
from runctl.screens.modals.form import Judge, Verdict
from runctl.screens.modals.pick import Option
from runctl.services.case import Resource
from runctl.services.launch.form import plain
from runctl.services.launch.request import parse_ttl
from runctl.services.prices import PriceBook
from runctl.services.verbs.tags import check_key, parse_tag
from runctl.services.volumes.limits import LIMITS, Shape, check_shape, describe, modified, shape_of
from runctl.services.volumes.scripts import FILE_SYSTEMS, check_mount_point
from runctl.store.fields import Context

T = TypeVar("T")
_ZONE = re.compile(r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+)(?:-[a-z0-9]+-\d+)?[a-z]")
_DEVICE = re.compile(r"/dev/(?:sd|xvd)[f-p]")
_BOOK = PriceBook()
#: Types that are worth choosing today, the usual one first; the older ones stay possible for what has them.
_TYPES = ("gp3", "io2", "io1", "st1", "sc1", "gp2", "standard")


class Form(NamedTuple):
    """One verb's form; see `FormModal`."""

    fields: tuple[Field, ...]
    judge: Judge
    intro: str = ""


@dataclass
class _Reader:
    """Reads lines and keeps what is wrong with each."""

    values: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, parse: Callable[[str], T], otherwise: T) -> T:
        """What a line means; `otherwise` when it is empty or wrong."""
        text = self.values.get(name, "")
        return self.attempt(name, lambda: parse(text), otherwise) if text else otherwise

    def attempt(self, name: str, make: Callable[[], T], otherwise: T) -> T:
        """The same for what several lines make together; the complaint goes to the line that it names."""
        try:
            return make()
        except InputError as error:
            named = error.message.removeprefix("--").split(":")[0].split(" ")[0]
            at = name if named not in self.values else named
            self.problems.setdefault(at, clean_text(plain(error), 300))
            return otherwise

    def need(self, name: str, what: str) -> str:
        """A line that must not be empty."""
        text = self.values.get(name, "")
        if not text:
            self.problems.setdefault(name, what)
        return text

    def verdict(self, parameters: Mapping[str, Any], note: str = "") -> Verdict:
        """What all of it comes to."""
        return Verdict(None if self.problems else parameters, self.problems, "" if self.problems else note)


def whole(text: str) -> int:
    """A whole number above zero, separators allowed.

    Raises:
        InputError: it is none.
    """
    digits = text.replace(",", "").removesuffix("GiB").strip()
    if not (digits.isascii() and digits.isdigit() and 0 < len(digits) < 10 and int(digits) > 0):
        raise InputError(f"{text}: not a whole number", allowed="a number above zero", example="100")
    return int(digits)


def one_line(text: str) -> str:
    """A name or owner as EC2 takes it.

    Raises:
        InputError: too long or not printable.
    """
    if len(text) > 256 or not text.isprintable():
        raise InputError("too long, or not printable", allowed="256 characters on one line")
    return text


def zone(text: str) -> str:
    """An availability zone.

    Raises:
        InputError: it is none.
    """
    if not _ZONE.fullmatch(text):
        raise InputError(f"{text}: not an availability zone", allowed="a zone of the region", example="us-east-1a")
    return text


def region_of(zone_name: str) -> str:
    """The region of a zone."""
    match = _ZONE.fullmatch(zone_name)
    return match["region"] if match else ""


def known_zones(context: Context, region: str = "") -> tuple[str, ...]:
    """Zones that anything is in, the most used first."""
    seen = [m.az for m in context.snapshot.instances if m.az] + [v.az for v in context.snapshot.volumes if v.az]
    found = dict.fromkeys(sorted(seen, key=lambda z: (-seen.count(z), z)))
    return tuple(z for z in found if not region or region_of(z) == region)


# -- whose it is -------------------------------------------------------------------------------------------------------


def _adopt(live: list[Resource], context: Context) -> Form:
    projects = sorted({p for x in context.snapshot.instances if (p := x.ownership.project)})
    owner = context.settings.owner or (context.snapshot.identity.name if context.snapshot.identity else "")
    machines = any(isinstance(x, Instance) for x in live)
    lines = [
        Field("owner", "owner", "", f"you ({owner})" if owner else "you"),
        Field("project", "project", "", "none", known=tuple(projects)),
        *([Field("ttl", "ends in", "", "never; 8h, 2d")] if machines else []),
    ]

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        return read.verdict({
            "owner": read.take("owner", one_line, ""),
            "project": read.take("project", one_line, ""),
            "ttl_s": read.take("ttl", parse_ttl, None),
        })  # fmt: skip

    intro = "From then on it counts as ours: it can be stopped, and cleanup may propose it."
    return Form(tuple(lines), judge, intro)


def _extend(live: list[Resource], context: Context) -> Form:
    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        read.need("by", "how much longer: 4h, 90m, 2d")
        by_s = read.take("by", parse_ttl, 0.0)
        first = next(iter(live))
        ends = ends_at(first.ownership.ttl)
        until = max(context.now, ends or context.now) + timedelta(seconds=by_s)
        now = f", instead of {format_time(ends)}" if ends else ", instead of never"
        note = f"ends by itself {format_time(until)}{now}" if len(live) == 1 else ""
        return read.verdict({"by_s": by_s}, note)

    return Form((Field("by", "longer by", "", "4h, 90m, 2d"),), judge)


def _tag(live: list[Resource], context: Context) -> Form:
    del context
    keys = sorted({k for x in live for k in getattr(x, "tags", {}) if not k.lower().startswith("aws:")})

    def words(text: str) -> list[str]:
        try:
            return shlex.split(text)
        except ValueError as error:
            raise InputError(f"{text}: {error}".lower(), allowed="KEY=VALUE, quotes closed") from error

    def pair(text: str) -> tuple[str, str]:
        if "=" not in text:  # the command line's own words would name its options
            raise InputError(f"{text!r} is not a tag", allowed="KEY=VALUE", example="team=vision")
        return parse_tag(text)

    def keys_of(text: str) -> list[str]:
        for key in (found := words(text)):
            check_key(key)
        return found

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        wanted: dict[str, str] = read.take("set", lambda t: dict(map(pair, words(t))), {})
        unwanted: list[str] = read.take("remove", keys_of, [])
        if not wanted and not unwanted and not read.problems:
            read.problems["set"] = "name a tag to set, or one to remove"
        return read.verdict({"set": wanted, "unset": unwanted})

    return Form((
        Field("set", "set", "", 'team=vision note="a b"'),
        Field("remove", "remove", "", "keys, separated by spaces", known=tuple(keys)),
    ), judge, f"now: {clean_text(', '.join(keys), 200) or 'no tags'}")  # fmt: skip


# -- disks -------------------------------------------------------------------------------------------------------------


def machines_for(volume: Volume, context: Context) -> tuple[Instance, ...]:
    """Machines that a disk can be attached to: same zone, running or stopped, ours first."""
    able = (InstanceState.RUNNING, InstanceState.STOPPED)
    found = [m for m in context.snapshot.instances if m.az == volume.az and m.state in able]
    return tuple(sorted(found, key=lambda m: (not m.ownership.managed, m.state is not able[0], m.name or m.id)))


def _attach(live: list[Resource], context: Context) -> Form:
    volume = live[0]
    if not isinstance(volume, Volume):
        raise TypeError(f"a volume was expected, not {volume!r}")
    machines = machines_for(volume, context)
    if not machines:
        raise InputError(f"there is no machine in {volume.az}", allowed="a machine in the disk's own zone")
    options = tuple(
        Option(m.id, clean_text(m.name, 40) or m.id, f"{m.id if m.name else ''} {m.type} {m.state}".strip())
        for m in machines
    )
    kinds = (Option("", "never", "it has a file system"), *(Option(f, f, "if it is blank") for f in FILE_SYSTEMS))

    def device(text: str) -> str:
        if not _DEVICE.fullmatch(text):
            raise InputError(f"{text}: not a name for a disk", allowed="/dev/sdf to /dev/sdp")
        return text

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        chosen = next(m for m in machines if m.id == values["instance_id"])
        parameters: dict[str, Any] = {"instance_id": chosen.id}
        parameters["device"] = read.take("device", device, "")
        parameters["mount"] = read.take("mount", check_mount_point, "")
        parameters["format"] = values["format"]
        if parameters["mount"] and chosen.state is not InstanceState.RUNNING:
            read.problems["mount"] = (
                f"{clean_text(chosen.name, 40) or chosen.id} is {chosen.state}: nothing to mount on"
            )
        if parameters["format"] and not values["mount"]:
            read.problems["format"] = "what is formatted is mounted as well: name a directory"
        return read.verdict({k: v for k, v in parameters.items() if v})

    return Form((
        Field("instance_id", "machine", options[0].value, options=options),
        Field("device", "device", "", "the first free, /dev/sdf to /dev/sdp"),
        Field("mount", "mount on", "", "not mounted; /data"),
        Field("format", "format", "", options=kinds),
    ), judge, f"machines in {volume.az}, the disk's own zone")  # fmt: skip


def _monthly(region: str, shape: Shape) -> float | None:
    return _BOOK.volume_usd_per_month(region, shape.type, shape.size_gib, shape.iops, shape.throughput)[0]


def _type_options(present: str = "") -> tuple[Option, ...]:
    names = dict.fromkeys(t for t in (*_TYPES, present) if t in LIMITS)
    return tuple(Option(t, t) for t in names)


def _figures(read: _Reader) -> dict[str, int | None]:
    return {name: read.take(name, whole, None) for name in ("size", "iops", "throughput")}


def _modify(live: list[Resource], context: Context) -> Form:
    del context
    volume = live[0]
    if not isinstance(volume, Volume):
        raise TypeError(f"a volume was expected, not {volume!r}")
    now = shape_of(volume)
    grow = (Option("yes", "grow", "the file system as well"), Option("", "leave", "the file system as it is"))

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        given = _figures(read)
        shape = None if read.problems else read.attempt("size", lambda: modified(
            volume, size_gib=given["size"], kind=values["type"], iops=given["iops"], throughput=given["throughput"],
        ), None)  # fmt: skip
        if shape is None:
            return read.verdict({})
        before, after = volume.usd_per_month, _monthly(volume.region, shape)
        note = f"{describe(now)} → {describe(shape)}\n${format_usd(before)} → ${format_usd(after)} a month"
        wanted = {"size_gib": given["size"], "type": values["type"], "iops": given["iops"],
                  "throughput": given["throughput"], "grow": bool(values.get("grow"))}  # fmt: skip
        return read.verdict({k: v for k, v in wanted.items() if v}, note)

    lines = (
        Field("size", "GiB", "", f"{now.size_gib:,} as it is; it can only grow"),
        Field("type", "type", now.type, options=_type_options(now.type)),
        Field("iops", "IOPS", "", f"{now.iops:,} as it is" if now.iops else "the type's own"),
        Field("throughput", "MiB/s", "", f"{now.throughput:,} as it is" if now.throughput else "the type's own"),
        *([Field("grow", "files", "yes", options=grow)] if volume.attachments else []),
    )
    return Form(lines, judge, "one change at a time, four in 24 hours")


def _shape_lines(size: str, hint: str) -> tuple[Field, ...]:
    return (
        Field("size", "GiB", size, hint),
        Field("type", "type", "gp3", options=_type_options()),
        Field("iops", "IOPS", "", "the type's own"),
        Field("throughput", "MiB/s", "", "the type's own"),
    )


def _new_disk(read: _Reader, least: int = 1) -> tuple[dict[str, Any], str]:
    """Parameters of a disk that shall be made, and what it costs."""
    where = read.take("zone", zone, "")
    read.need("zone", "in which zone; a disk stays there")
    given = _figures(read)
    if given["size"] is None:
        read.need("size", "how large")
    size = given["size"] or least
    if size < least:
        read.problems["size"] = f"at least {least:,} GiB"
    wanted = Shape(size, read.values["type"], given["iops"], given["throughput"])
    shape = None if read.problems else read.attempt("size", lambda: check_shape(wanted), None)
    name, project = read.take("name", one_line, ""), read.take("project", one_line, "")
    parameters = {"az": where, "size_gib": size, "type": wanted.type, "iops": wanted.iops,
                  "throughput": wanted.throughput, "name": name, "project": project}  # fmt: skip
    price = "" if shape is None else f"{describe(shape)}: ${format_usd(_monthly(region_of(where), shape))} a month"
    return {k: v for k, v in parameters.items() if v}, price


def _restore(live: list[Resource], context: Context) -> Form:
    snapshot = live[0]
    if not isinstance(snapshot, VolumeSnapshot):
        raise TypeError(f"a snapshot was expected, not {snapshot!r}")
    least = snapshot.size_gib or 1
    source = context.volumes.get(snapshot.volume_id)
    zones = known_zones(context, snapshot.region)
    where = source.az if source is not None else (zones or ("",))[0]

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        parameters, price = _new_disk(read, least)
        if not read.problems and region_of(values["zone"]) != snapshot.region:
            read.problems["zone"] = f"the snapshot is in {snapshot.region}"
        return read.verdict(parameters, price)

    return Form((
        Field("zone", "zone", where, f"{snapshot.region}a", known=zones),
        Field("name", "name", snapshot.name, "as the snapshot's"),
        *_shape_lines(str(least), f"{least:,} or more"),
    ), judge)  # fmt: skip


def create_form(context: Context, where: str = "") -> Form:
    """A new disk.

    Args:
        context: what is known.
        where: the zone that stands there at first, "" for the one most used.
    """
    zones = known_zones(context)
    region = (context.snapshot.regions or ("us-east-1",))[0]

    def judge(values: Mapping[str, str]) -> Verdict:
        read = _Reader(values)
        return read.verdict(*_new_disk(read))

    return Form((
        Field("name", "name", "", "none"),
        Field("zone", "zone", where or (zones or ("",))[0], f"{region}a", known=zones),
        *_shape_lines("", "100"),
        Field("project", "project", "", "none"),
    ), judge, "a disk can be attached only to machines of its own zone")  # fmt: skip


_Maker = Callable[[list[Resource], Context], Form]
_EVERY = (Kind.INSTANCE, Kind.VOLUME, Kind.SNAPSHOT, Kind.ADDRESS)
FORMS: Mapping[tuple[Verb, Kind], _Maker] = {
    **{(Verb.ADOPT, kind): _adopt for kind in _EVERY},
    **{(Verb.TAG, kind): _tag for kind in _EVERY},
    (Verb.EXTEND, Kind.INSTANCE): _extend,
    (Verb.ATTACH, Kind.VOLUME): _attach,
    (Verb.MODIFY, Kind.VOLUME): _modify,
    (Verb.RESTORE, Kind.SNAPSHOT): _restore,
}
#: Verbs whose form is about one thing: the answers differ from one to the next.
ONE_AT_A_TIME = frozenset({Verb.ATTACH, Verb.MODIFY, Verb.RESTORE})


def form_of(verb: Verb, kind: Kind, live: Iterable[Resource], context: Context) -> Form | None:
    """The form of a verb, None when it needs nothing beside the thing.

    Raises:
        InputError: what it needs is not there (a machine in the disk's zone), or there are several things.
    """
    maker, held = FORMS.get((verb, kind)), list(live)
    if maker is None:
        return None
    if verb in ONE_AT_A_TIME and len(held) > 1:
        raise InputError(f"{verb} one at a time: {len(held)} are marked", allowed="u forgets the marks")
    return maker(held, context)
