"""Budgets while the dashboard is open: each mark that is passed is said once, on screen and on the desktop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runctl.models.snapshot import Snapshot
from runctl.screens.global_actions import GlobalActions
from runctl.store.fields import Context
from runctl.store.select import budgets

if TYPE_CHECKING:  # a budget is looked at when the ledger has been counted
    from runctl.models.spent import Spent
    from runctl.store.budget import BudgetLine


class Marks:
    """The marks that each budget has passed so far."""

    def __init__(self) -> None:
        self._passed: dict[str, int] | None = None

    def risen(self, lines: Sequence[BudgetLine]) -> list[BudgetLine]:
        """Budgets that have passed a further mark since the last look; the first look says nothing.

        What was passed before this dashboard opened is among the alerts already. A new day begins anew.
        """
        before, self._passed = self._passed, {line.id: line.mark for line in lines}
        return [] if before is None else [line for line in lines if line.mark > before.get(line.id, 0)]


class BudgetWatching(GlobalActions):
    """The application's watch over its budgets."""

    _marks: Marks | None = None
    _counted: Spent | None = None

    def watch_snapshot(self, snapshot: Snapshot) -> None:
        """The ledger was counted anew: look whether a budget has passed a mark."""
        if snapshot.spent is None or snapshot.spent is self._counted:
            return
        from runctl.terminal.notify import notification

        self._counted = snapshot.spent
        lines = budgets(Context(self.desk.clock.now(), snapshot, self.desk.settings))
        self._marks = self._marks or Marks()
        for line in self._marks.risen(lines):
            self.notify(line.text, severity="warning" if line.mark < 100 else "error", markup=False, timeout=20)
            if self.desk.settings.budgets.notify and self._driver is not None:
                self._driver.write(notification("runctl", line.text, os.environ))
