"""The moving half of the S3 screen: a directory of this machine beside the rows, syncs, and transfers under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from runctl.errors import RunctlError
from runctl.format import format_bytes, format_count
from runctl.keymap import Scope, bindings_for
from runctl.models.transfer import Transfer
from runctl.screens import modals
from runctl.screens.base import FleetScreen
from runctl.screens.desk import Board
from runctl.widgets.local_pane import LocalPane
from runctl.widgets.transfer_lines import TransferLines, transfer_line


class MovingScreen(FleetScreen[Any]):
    """Two panes, a dialog and the transfers; the screen of S3 knows which place is open."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.S3)]

    def place_uri(self) -> str:
        """The s3:// address of the open level, "" at the list of buckets."""
        raise NotImplementedError

    def uri_of(self, row: Any) -> str:
        """The s3:// address of a row."""
        raise NotImplementedError

    def sized(self, row: Any, objects: int, size: int) -> None:
        """A row was measured."""
        raise NotImplementedError

    def compose_left(self) -> ComposeResult:
        """This machine's side."""
        yield LocalPane(self.desk.outside, Path.cwd(), ">" if self.signs.arrow.isascii() else "▸")

    def compose_bottom(self) -> ComposeResult:
        """Transfers."""
        yield TransferLines(id="transfers")

    def on_mount(self) -> None:
        """Transfers move between the ticks of the clock."""
        self.set_interval(0.5, self._show_transfers)

    def _board(self) -> Board | None:
        board = self.desk.board
        if board is None:
            self.notify("nothing can be moved here", markup=False)
        return board

    def _draw(self, transfer: Transfer, width: int) -> Text:
        return transfer_line(transfer, width, self.signs, self.colours)

    def _show_transfers(self) -> None:
        if self.is_mounted and self.is_current and (board := self.desk.board) is not None:
            self.query_one(TransferLines).show_transfers(board.transfers(), self.signs, self.colours)

    def action_pane(self) -> None:
        """To the other pane; the local one appears when it is first gone to."""
        pane = self.query_one(LocalPane)
        if not pane.display:
            pane.display = True
            self.add_class("-local")
            pane.open_once()
        elif pane.entries.has_focus:
            self.table.focus()
            return
        pane.entries.focus()

    def step_back(self) -> bool:
        """From the local pane back to the rows, and the pane goes."""
        pane = self.query_one(LocalPane)
        if pane.display and pane.entries.has_focus:
            pane.display = False
            self.remove_class("-local")
            self.table.focus()
            return True
        return super().step_back()

    def action_sync(self) -> None:
        """Compare two places, then copy what differs."""
        if self.desk.settings.is_read_only(self.desk.profile):
            self.notify("read-only: nothing is changed", markup=False)
            return
        if (board := self._board()) is None:
            return
        pane = self.query_one(LocalPane)
        here, there = str(pane.directory), self.place_uri()
        if not there:
            row = self.table.cursor_row
            there = self.uri_of(row) if row is not None else "s3://"
        upward = pane.display and pane.entries.has_focus
        ends = (here, there) if upward else (there, here)
        self.app.push_screen(modals.SyncModal(self.desk, board, *ends), lambda _: self._show_transfers())

    def action_transfers(self) -> None:
        """Every transfer, with its errors."""
        if (board := self._board()) is not None:
            self.app.push_screen(modals.TransfersModal(board, self._draw), lambda _: self._show_transfers())

    def action_measure(self) -> None:
        """Count what lies below the row."""
        row = self._row()
        if row is None or (board := self._board()) is None:
            return
        place, profile = self.uri_of(row), self.desk.profile
        if not place.endswith("/"):
            self.notify("a key has its size already; buckets and prefixes are measured", markup=False)
            return
        self.notify(f"listing {place} …", timeout=3, markup=False)

        def work() -> tuple[int, int] | RunctlError:
            try:
                return board.size(profile, place)
            except RunctlError as error:
                return error

        def answered(answer: tuple[int, int] | RunctlError) -> None:
            if isinstance(answer, RunctlError):
                self.notify(f"{place}: {answer}", severity="error", timeout=10, markup=False)
                return
            objects, size = answer
            self.notify(f"{place}  {format_bytes(size)} in {format_count(objects)} objects", timeout=10, markup=False)
            self.sized(row, objects, size)

        self.desk.outside(work, answered)
