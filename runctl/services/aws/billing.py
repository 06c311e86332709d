"""Cost Explorer: what AWS has billed by service or tag and day. Every page costs a cent, so answers are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from runctl.models.billed import Billed, BilledCell
from runctl.paths import make_private
from runctl.services.aws.paid import count_paid
from runctl.services.aws.session import HOME_REGION, AwsSession

#: The bill is renewed at most three times a day (AWS Cost Management User Guide, "Cost Explorer API best practices").
KEPT = timedelta(hours=6)
_NO_TAG = "$"


def fetch_billed(
    session: AwsSession, account: str, by: str, start: date, end: date, *, now: datetime, cache: Path
) -> Billed:
    """The bill of some days, from the cache when it is younger than six hours.

    Args:
        session: asks; paid calls must be allowed in its settings.
        account: whose bill; part of the cache's name.
        by: "service", or the key of a cost allocation tag.
        start: the first day.
        end: the day after the last.
        now: the time.
        cache: directory of caches.

    Raises:
        InputError: paid calls are not allowed.
        CloudError: what AWS said.
    """
    path = _path(cache, account, by, start)
    kept = _load(path, by, start, end)
    if kept is not None and timedelta(0) <= now - kept.asked_at < KEPT:
        return kept
    cells: list[BilledCell] = []
    pages, token = 0, dict[str, str]()
    while True:
        page = session.call(
            "ce", "GetCostAndUsage", HOME_REGION, Granularity="DAILY", Metrics=["UnblendedCost"],
            TimePeriod={"Start": start.isoformat(), "End": end.isoformat()}, GroupBy=[_group(by)], **token,
        )  # fmt: skip
        pages += 1
        count_paid(cache, now, 1)
        cells += _cells(page)
        before, token = token, {"NextPageToken": page["NextPageToken"]} if page.get("NextPageToken") else {}
        if not token or token == before:
            break
    billed = Billed(by, start, end, tuple(cells), now, pages)
    _save(path, billed)
    return billed


def _group(by: str) -> dict[str, str]:
    return {"Type": "DIMENSION", "Key": "SERVICE"} if by == "service" else {"Type": "TAG", "Key": by}


def _cells(page: Mapping[str, Any]) -> list[BilledCell]:
    found = []
    for period in page.get("ResultsByTime") or ():
        day = date.fromisoformat(str(period["TimePeriod"]["Start"])[:10])
        for group in period.get("Groups") or ():
            # A tag's group is "key$value", and "key$" for what has none.
            name = str(group["Keys"][0]).rpartition(_NO_TAG)[2]
            usd = float(group["Metrics"]["UnblendedCost"]["Amount"])
            found.append(BilledCell(day, name, usd, bool(period.get("Estimated"))))
    return found


def _path(cache: Path, account: str, by: str, start: date) -> Path:
    name = hashlib.sha256(f"{account} {by} {start}".encode()).hexdigest()[:16]
    return cache / f"billed-{name}.json"


def _load(path: Path, by: str, start: date, end: date) -> Billed | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (found["by"], found["start"]) != (by, start.isoformat()):
            return None
        cells = tuple(BilledCell(date.fromisoformat(d), str(g), float(u), bool(e)) for d, g, u, e in found["cells"])
        asked_at = datetime.fromisoformat(found["asked_at"])
        return Billed(by, start, end, cells, asked_at, int(found["pages"]), cached=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _save(path: Path, billed: Billed) -> None:
    document = {
        "by": billed.by,
        "start": billed.start.isoformat(),
        "asked_at": billed.asked_at.isoformat(),
        "pages": billed.pages,
        "cells": [[c.day.isoformat(), c.group, c.usd, c.estimated] for c in billed.cells],
    }
    try:
        make_private(path.parent)
        path.write_text(json.dumps(document), encoding="utf-8")
    except OSError:
        return  # asked again next time, which costs a cent
