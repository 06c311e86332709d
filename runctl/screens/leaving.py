"""Leaving the dashboard: transfers end with it, so it asks while something moves."""

from __future__ import annotations

from runctl.format import format_bytes
from runctl.screens import modals
from runctl.screens.desk import Desk
from runctl.terminal.guarded import GuardedApp


class LeavingApp(GuardedApp):
    """An app that asks before it ends what it is doing."""

    desk: Desk

    async def action_quit(self) -> None:
        """Quit; while something moves, only when somebody says so."""
        moving = self.desk.moving
        if not moving:
            self.exit()
            return
        left = sum(max(0, t.bytes_total - t.bytes_done) for t in moving)
        title = f"{len(moving)} transfer{'s' * (len(moving) > 1)} not over, {format_bytes(left)} to go"
        options = [
            modals.Option("stay", "stay", "they go on"),
            modals.Option("quit", "quit and stop them", "the same sync goes on where it stopped"),
        ]
        self.push_screen(modals.PickModal(title, options, present="stay"), self._answered_leaving)

    def _answered_leaving(self, picked: tuple[str, ...] | None) -> None:
        if picked != ("quit",):
            return
        if (board := self.desk.board) is not None:
            for transfer in self.desk.moving:
                board.cancel(transfer.id)
        self.exit()
