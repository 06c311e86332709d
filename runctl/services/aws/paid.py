"""Calls that AWS bills by the request: refused unless they were allowed, counted and priced when they are made."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from runctl.config import Settings
from runctl.errors import InputError
from runctl.paths import make_private

#: CloudWatch's GetMetricData has no free tier, GetMetricStatistics one of a million requests that may be used up
#: (Amazon CloudWatch pricing page); every request of Cost Explorer bills.
_SERVICES = frozenset({"ce"})
_OPERATIONS = frozenset({"GetMetricData", "GetMetricStatistics", "GetMetricWidgetImage"})


def is_paid(service: str, operation: str) -> bool:
    """Whether AWS bills each request."""
    return service in _SERVICES or operation in _OPERATIONS


def check_paid(service: str, operation: str, settings: Settings) -> None:
    """Let a call through.

    Raises:
        InputError: AWS bills it, and nobody allowed that.
    """
    if is_paid(service, operation) and not settings.cost.allow_paid_apis:
        raise InputError(
            f"{service}:{operation} is billed by the request, and paid calls are off",
            allowed="--allow-paid-apis for this once, or cost.allow_paid_apis = true",
            example="runctl cost billed --allow-paid-apis   ($0.01 a page, kept for 6 hours)",
        )


def count_paid(directory: Path, now: datetime, calls: int) -> int:
    """Add to the month's count of paid calls on disk; the count, also where it cannot be written."""
    path, month = directory / "paid-calls.json", f"{now:%Y-%m}"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = int(found.get(month, 0)) if isinstance(found, dict) else 0
    except (OSError, ValueError, TypeError):
        known = 0
    if calls:
        try:
            make_private(directory)
            path.write_text(json.dumps({month: known + calls}), encoding="utf-8")
        except OSError:
            return known + calls
    return known + calls
