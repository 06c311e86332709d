"""What earlier launches left open: found again by their client tokens, in this run or the next.

A launch that was cut off (kill -9, a lost connection, a closed laptop) stands in the journal without an outcome. EC2
keeps the client token of a machine, so one question settles whether there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from runctl.errors import CloudError, CredentialsError
from runctl.models.plan import Verb
from runctl.services.journal import OPEN, Entry
from runctl.services.verbs.row import Ground
from runctl.services.writer import MOST_VALUES

#: EC2 may take minutes to list what it has just made (EC2 API reference, "Eventual consistency"); sooner, "not there"
#: proves nothing.
SETTLED_AFTER = timedelta(minutes=10)
ADOPTED, NONE, UNKNOWN = "adopted", "none", "unknown"


@dataclass(frozen=True, slots=True)
class Machines:
    """What a client token brought.

    Args:
        ids: of the machines.
        spot_requests: of their spot requests.
        states: EC2's states, in the same order.
    """

    ids: tuple[str, ...] = ()
    spot_requests: tuple[str, ...] = ()
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """An open launch of the journal, looked at again.

    Args:
        entry: what stood there.
        outcome: "adopted" with its machines, "none" when there is surely none, "unknown" while it is too early to say.
        machines: what was found.
    """

    entry: Entry
    outcome: str
    machines: Machines = Machines()


def find_by_token(ground: Ground, region: str, tokens: Iterable[str]) -> dict[str, Machines]:
    """The machines of some client tokens, terminated ones included while EC2 still lists them.

    Raises:
        CloudError: EC2 could not be asked.
    """
    held = list(dict.fromkeys(tokens))
    raw: dict[str, list[Mapping[str, Any]]] = {}
    for start in range(0, len(held), MOST_VALUES):
        wanted = [{"Name": "client-token", "Values": held[start : start + MOST_VALUES]}]
        more: dict[str, Any] = {}
        while True:
            page = ground.cloud.ask("ec2", "DescribeInstances", region, Filters=wanted, **more)
            for one in (i for r in page.get("Reservations") or () for i in r.get("Instances") or ()):
                raw.setdefault(str(one.get("ClientToken")), []).append(one)
            if not page.get("NextToken") or page["NextToken"] == more.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
    return {token: machines_of(found) for token, found in raw.items()}


def machines_of(found: Iterable[Mapping[str, Any]]) -> Machines:
    """Machines as EC2 answers them."""
    held = tuple(found)
    return Machines(
        tuple(str(i.get("InstanceId")) for i in held),
        tuple(str(i["SpotInstanceRequestId"]) for i in held if i.get("SpotInstanceRequestId")),
        tuple(str((i.get("State") or {}).get("Name", "")) for i in held),
    )


def is_open(entry: Entry) -> bool:
    """Whether it is a launch of which nobody knows what came."""
    return entry.verb == Verb.LAUNCH and entry.outcome in (OPEN, UNKNOWN)


def _under_way(ground: Ground, entry: Entry) -> bool:
    """Whether another process of this computer waits for its answer at this moment: nothing was cut off then."""
    if entry.outcome != OPEN or entry.pid in (0, os.getpid()) or ground.clock.now() - entry.at >= SETTLED_AFTER:
        return False
    try:
        os.kill(entry.pid, 0)
    except OSError:  # gone, or its number is somebody else's by now
        return False
    return True


def open_launches(ground: Ground, request_id: str = "") -> list[Entry]:
    """Launches of this account, of one request or of all, of which nobody knows what came."""
    return [
        e
        for e in ground.journal.entries()
        if is_open(e) and e.stamp.account == ground.stamp.account and (not request_id or e.plan == request_id)
    ]


def reconcile(ground: Ground, request_id: str = "") -> tuple[Settled, ...]:
    """Look again at open launches and write down what is known now. Call it before anything is changed.

    Args:
        ground: cloud and journal.
        request_id: only the launches of this request; "" for all.

    Raises:
        CredentialsError: nothing can be asked. Any other failure leaves the launches of that region open.
        JournalError: the outcome cannot be written.
    """
    by_region: dict[str, list[Entry]] = {}
    for entry in open_launches(ground, request_id):
        if not request_id and _under_way(ground, entry):
            continue
        by_region.setdefault(entry.region, []).append(entry)
    settled: list[Settled] = []
    for region, entries in by_region.items():
        try:
            found = find_by_token(ground, region, [e.resource for e in entries])
        except CredentialsError:
            raise
        except CloudError:
            settled += [Settled(e, UNKNOWN) for e in entries]
            continue
        settled += [_settle(ground, e, found.get(e.resource, Machines())) for e in entries]
    return tuple(settled)


def _settle(ground: Ground, entry: Entry, machines: Machines) -> Settled:
    if machines.ids:
        ground.journal.finish(entry.id, ADOPTED, message="found by its client token", made=machines.ids)
        return Settled(entry, ADOPTED, machines)
    if ground.clock.now() - entry.at < SETTLED_AFTER:
        return Settled(entry, UNKNOWN)
    ground.journal.finish(entry.id, NONE, message="EC2 knows no machine of this client token")
    return Settled(entry, NONE)


def settled_line(settled: Settled) -> str:
    """One sentence on an open launch that was looked at again, "" when there is nothing to say."""
    entry, machines = settled.entry, settled.machines
    when = f"{entry.at:%Y-%m-%d %H:%M} UTC"
    kind = str(entry.request.get("InstanceType", "a machine"))
    if settled.outcome == ADOPTED:
        states = ", ".join(f"{i} ({s})" for i, s in zip(machines.ids, machines.states, strict=True))
        return f"a launch of {kind} that was cut off at {when} had brought {states}: adopted"
    if settled.outcome == UNKNOWN:
        return f"a launch of {kind} that was cut off at {when} may have brought a machine; it is looked for again"
    return ""
