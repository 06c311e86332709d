"""`runctl cost`."""

from __future__ import annotations

from runctl.cli.verbs import list_verb

VERBS = {"now": list_verb("cost", "runctl cost now --filter why:unattached --sort usd_per_month")}
