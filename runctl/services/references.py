"""From what a person writes (an id, a name) to the thing itself, in whichever region of the scope it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from runctl.errors import CloudError, InputError
from runctl.models.instance import Instance
from runctl.models.plan import Kind
from runctl.services.case import Resource
from runctl.services.policy import GONE
from runctl.services.writer import PREFIXES, Writer

_HEX = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{9})?")
_EXAMPLES = {kind: f"{prefix}0123456789abcdef0" for kind, prefix in PREFIXES.items()}
_LOOKING_LIKE_IDS = re.compile(r"(?:i|vol|snap|eipalloc|ami|eni|sg|subnet|vpc)-[0-9A-Za-z]{6,}")


def kind_of_id(text: str) -> Kind | None:
    """The kind of thing a well-formed id names, None for everything else."""
    for kind, prefix in PREFIXES.items():
        if text.startswith(prefix) and _HEX.fullmatch(text.removeprefix(prefix)):
            return kind
    return None


def check_reference(text: str, kind: Kind) -> None:
    """Refuse what can be neither an id of this kind nor a name, before AWS is asked.

    Raises:
        InputError: empty, malformed, or an id of something else.
    """
    example = _EXAMPLES[kind]
    allowed = f"an id such as {example}, or a name that only one {kind} has"
    if not text.strip() or len(text) > 256 or not text.isprintable():
        raise InputError(f"{text!r} is neither an id nor a name", allowed=allowed, example=example)
    found = kind_of_id(text)
    if found is kind:
        return
    if found is not None:
        raise InputError(f"{text} is the id of a {found}, not of a {kind}", allowed=allowed, example=example)
    if text.startswith(PREFIXES[kind]) and _LOOKING_LIKE_IDS.fullmatch(text):
        digits = f"{PREFIXES[kind]} and 17 (or 8) hexadecimal digits"
        raise InputError(f"{text} is a malformed id of a {kind}", allowed=digits, example=example)


def resolve(cloud: Writer, kind: Kind, references: Iterable[str], regions: Sequence[str]) -> tuple[Resource, ...]:
    """The things that ids or names mean, each once, in the order in which they were written.

    Args:
        cloud: where to look.
        kind: of what.
        references: ids, or names that only one has.
        regions: where to look; ("all",) means every region of the account. When an id is in none of them, the others
            are looked through too, only to say where it is.

    Raises:
        InputError: malformed, unknown, in another region, or a name that several have. All that is wrong is said at
            once; nothing has been sent then.
        CloudError: a region could not be asked.
    """
    wanted = tuple(dict.fromkeys(references))
    for text in wanted:
        check_reference(text, kind)
    scope = cloud.fetch_regions() if tuple(regions) == ("all",) else tuple(regions)
    ids = [t for t in wanted if kind_of_id(t) is kind]
    found = _by_reference(cloud, kind, wanted, ids, scope)
    problems = [p for text in wanted if (p := _problem(text, kind, found[text], scope))]
    if problems:
        elsewhere = _elsewhere(cloud, kind, [t for t in ids if not found[t]], scope)
        where = ", ".join(scope)
        told = [
            f"{p.text} is in {elsewhere[p.text]}, not in {where}" if p.text in elsewhere else p.message
            for p in problems
        ]
        example = f"--region {','.join(dict.fromkeys(elsewhere.values()))}" if elsewhere else ""
        raise InputError("; ".join(told), allowed=problems[0].allowed, example=example)
    chosen = {found[text][0].id: found[text][0] for text in wanted}
    return tuple(chosen.values())


class _Problem(NamedTuple):
    """Why a reference means nothing, or too much."""

    text: str
    message: str
    allowed: str


def _problem(text: str, kind: Kind, found: Sequence[Resource], scope: Sequence[str]) -> _Problem | None:
    if len(found) == 1:
        return None
    if found:
        several = ", ".join(f"{r.id} ({r.region})" for r in found)
        return _Problem(text, f"{len(found)} {kind}s are called {text!r}", f"one of their ids: {several}")
    where = ", ".join(scope)
    return _Problem(text, f"no {kind} {text!r} in {where}", "ids and names as the listing shows them; see --region")


def _by_reference(
    cloud: Writer, kind: Kind, wanted: Sequence[str], ids: Sequence[str], regions: Sequence[str]
) -> dict[str, list[Resource]]:
    """What each reference means in some regions."""
    find = _finder(cloud, kind)

    def look(region: str) -> list[tuple[str, Resource]]:
        hits = [(r.id, r) for r in find(region, ids, "")] if ids else []
        for name in (t for t in wanted if t not in ids):
            hits += [(name, r) for r in find(region, (), name)]
        return hits

    found: dict[str, list[Resource]] = {text: [] for text in wanted}
    with ThreadPoolExecutor(max_workers=8) as pool:
        for hits in pool.map(look, regions):
            for text, resource in hits:
                found[text].append(resource)
    return {text: _alive(hits) for text, hits in found.items()}


def _alive(found: list[Resource]) -> list[Resource]:
    """Without machines that are gone, where others have the same name: EC2 lists those for about an hour."""
    alive = [r for r in found if not (isinstance(r, Instance) and r.state in GONE)]
    return alive or found


def _finder(cloud: Writer, kind: Kind) -> Callable[[str, Sequence[str], str], Sequence[Resource]]:
    finders: Mapping[Kind, Callable[..., Sequence[Resource]]] = {
        Kind.INSTANCE: cloud.find_instances,
        Kind.VOLUME: cloud.find_volumes,
        Kind.SNAPSHOT: cloud.find_snapshots,
        Kind.ADDRESS: cloud.find_addresses,
    }
    return lambda region, ids, name: finders[kind](region, ids=ids, name=name)


def _elsewhere(cloud: Writer, kind: Kind, ids: Sequence[str], scope: Sequence[str]) -> dict[str, str]:
    """The region of each id that is outside the scope; nothing where nobody may look."""
    if not ids:
        return {}
    try:
        others = [r for r in cloud.fetch_regions() if r not in scope]
        found = _by_reference(cloud, kind, ids, ids, others)
    except CloudError:
        return {}
    return {i: found[i][0].region for i in ids if found[i]}
