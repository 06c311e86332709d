"""Transfers as lines: which way, how far, how fast, how long, how many files, what failed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static

from runctl.format import clean_text, format_bytes, format_count, format_duration
from runctl.models.transfer import Transfer, TransferState
from runctl.theme import ASCII, Glyphs
from runctl.widgets.bar import percent_bar
from runctl.widgets.columns import fit_cell

#: Lines shown under the rows; the rest is in the list of transfers.
SHOWN = 3
TOKENS = {
    TransferState.RUNNING: "accent", TransferState.PAUSED: "warn", TransferState.DONE: "state-ok",
    TransferState.PARTLY: "state-bad", TransferState.FAILED: "state-bad", TransferState.CANCELLED: "muted",
}  # fmt: skip


def transfer_line(transfer: Transfer, width: int, signs: Glyphs, colours: dict[str, str]) -> Text:
    """One transfer in one line of `width` cells; the far end's name is what gives way."""
    upward = transfer.target.startswith("s3://")
    ends = f"{transfer.source} {signs.arrow} {transfer.target}"
    figures = _figures(transfer, signs, wide=width >= 100)
    room = max(10, width - cell_len(figures) - 5)
    shown = clean_text(ends, 1000)
    shown = shown.encode("ascii", "replace").decode() if signs is ASCII else shown
    name = fit_cell(Text(shown, no_wrap=True), room, "left", signs)
    colour = colours.get(TOKENS[transfer.state], "")
    line = Text(f" {signs.up if upward else signs.down} ", f"bold {colour}".strip())
    line.append_text(name)
    line.append(f" {figures}", colour if not transfer.moving else "")
    return line


def _figures(transfer: Transfer, signs: Glyphs, *, wide: bool) -> str:
    more = "" if transfer.planned or not transfer.moving else "+"
    files = f"{format_count(transfer.files_done)}/{format_count(transfer.files_total)}{more} files"
    failed = f" {transfer.files_failed} failed" if transfer.files_failed else ""
    if not transfer.moving:
        return f"{transfer.state.value}  {files}{failed}"
    share = 100 * transfer.bytes_done / transfer.bytes_total if transfer.bytes_total and transfer.planned else None
    bar = percent_bar(share, 5, signs) if transfer.planned else "comparing"
    rate = f"{format_bytes(transfer.rate)}/s" if transfer.rate is not None else "?/s"
    if transfer.state is TransferState.PAUSED:
        rate = "paused"
    eta = f"ETA {format_duration(transfer.eta_s)}" if transfer.eta_s is not None else ""
    amount = f"{format_bytes(transfer.bytes_done)}/{format_bytes(transfer.bytes_total)}{more}  " if wide else ""
    return f"{amount}{bar} {rate} {eta}  {files}{failed}"


class TransferLines(Static):
    """The newest transfers, what moves first; gone when there are none."""

    DEFAULT_CSS = "TransferLines { height: auto; width: 1fr; display: none; background: $background; }"

    def show_transfers(self, transfers: Sequence[Transfer], signs: Glyphs, colours: dict[str, str]) -> None:
        """Show them."""
        picked = sorted(transfers, key=lambda t: not t.moving)[:SHOWN]
        self.display = bool(picked)
        if picked:
            width = self.size.width or self.app.size.width
            lines = [transfer_line(t, width, signs, colours) for t in picked]
            hidden = len(transfers) - len(picked)
            if hidden > 0:
                lines[-1].append(f"  (+{hidden}, t)")
            self.update(Text("\n").join(lines))
