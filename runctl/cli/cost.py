"""`runctl cost`."""

from __future__ import annotations

from runctl.cli.cost_billed import BILLED
from runctl.cli.cost_ledger import LEDGER
from runctl.cli.cost_views import BUDGETS, FORECAST, NOW, WASTE

VERBS = {"now": NOW, "ledger": LEDGER, "waste": WASTE, "budgets": BUDGETS, "forecast": FORECAST, "billed": BILLED}
