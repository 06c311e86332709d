"""The moving half of the S3 screen: a directory of this machine beside the rows, syncs, and transfers under way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from runctl.errors import RunctlError
from runctl.format import clean_text, format_bytes, format_count
from runctl.keymap import Scope, bindings_for, key_label
from runctl.models.transfer import Transfer
from runctl.screens import modals
from runctl.screens.base import FleetScreen
from runctl.screens.desk import Board
from runctl.widgets.line import Piece
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
        yield LocalPane(self.desk.outside, _present_directory(), self.signs)

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
            lines = self.query_one(TransferLines)
            before = lines.display
            lines.show_transfers(board.transfers(), self.signs, self.colours)
            if lines.display != before:
                self.show_status()

    @property
    def _at_local(self) -> bool:
        """Whether the keys go to the local pane."""
        pane = self.query_one(LocalPane)
        return pane.display and pane.entries.has_focus

    def _ends(self) -> tuple[str, str]:
        """From where to where a sync would go: from the pane that has the keys to the other."""
        here, there = str(self.query_one(LocalPane).directory), self.place_uri()
        if not there:
            row = self.table.cursor_row
            there = self.uri_of(row) if row is not None else "s3://"
        return (here, there) if self._at_local else (there, here)

    def show_keys(self) -> None:
        """In the local pane, keys for a row of S3 are none."""
        rows = () if self._at_local else (Scope.LIST, Scope.TABLE)
        self.heard = (Scope.GLOBAL, *rows, self.SCOPE)
        super().show_keys()

    def show_status(self) -> None:
        """With how files get from here to there, and where what moves is told."""
        self.hints = self._hints()
        super().show_status()

    def _hints(self) -> Sequence[Piece]:
        found = []
        if self.query_one(TransferLines).display and (told := self.desk.keymap.get("s3.transfers")) is not None:
            found.append(Piece(f"{key_label(told.keys[0])}: pause, cancel, errors", "accent", rank=4))
        sync, pane = self.desk.keymap.get("s3.sync"), self.desk.keymap.get("s3.pane")
        if sync is None:  # read-only
            return found
        if self.query_one(LocalPane).display:
            word = "upload" if self._at_local else "download"
            source, target = (_last_part(end) for end in self._ends())
            text = f"{key_label(sync.keys[0])}: {word} {source} {self.signs.arrow} {target}"
            found.append(Piece(text, "accent", rank=2))
        elif pane is not None:
            found.append(Piece(f"{key_label(pane.keys[0])}: this machine's files, to upload", "accent", rank=7))
        return found

    def on_descendant_focus(self) -> None:
        """What the keys do depends on the pane."""
        self.table.set_class(self._at_local, "-aside")
        self.table.refresh()
        self.show_status()
        self.show_keys()

    def show_detail(self) -> None:
        """The row under the cursor is also an end of the next sync."""
        super().show_detail()
        if self.query_one(LocalPane).display:
            self.show_status()

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
        self.app.push_screen(modals.SyncModal(self.desk, board, *self._ends()), lambda _: self._show_transfers())

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


def _present_directory() -> Path:
    """Where runctl was started, or the user's own directory when that is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def _last_part(end: str) -> str:
    """The name at the end of a directory or address, which is what people know it by."""
    name = end.rstrip("/").rpartition("/")[2] or end
    return clean_text(name if len(name) <= 30 else f"{name[:29]}…", 40) + "/"
