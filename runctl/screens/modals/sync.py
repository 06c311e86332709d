"""A sync from choosing its two ends to the one question, with what would be copied and deleted in between."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, OptionList, Static
from textual.widgets.option_list import Option

from runctl.errors import InputError, RunctlError
from runctl.format import clean_text, format_bytes
from runctl.keymap import Scope, bindings_for
from runctl.models.transfer import SyncPreview
from runctl.screens.cells import sentence, text_to_ascii
from runctl.screens.desk import Board, Desk

_DELETE = "delete in the target what the source has not: "


class SyncModal(ModalScreen[bool]):
    """The dialog; True when a transfer was started.

    Args:
        desk: lends the transfers and threads.
        board: compares and starts.
        source: what stands in the first line.
        target: what stands in the second.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_for(Scope.DIALOG),
        Binding("ctrl+t", "swap", show=False),
    ]

    def __init__(self, desk: Desk, board: Board, source: str, target: str) -> None:
        super().__init__()
        self._desk, self._board = desk, board
        self._ends = (source, target)
        self._preview: SyncPreview | None = None
        self._asked = 0

    def compose(self) -> ComposeResult:
        """Two ends, one choice, what would happen, one question."""
        with Vertical(id="sync", classes="dialog"):
            yield Static("", classes="title", id="which-way", markup=False)
            for identifier, label, value in zip(("source", "target"), ("from ", "to   "), self._ends, strict=True):
                with Horizontal(classes="field"):
                    yield Static(label, classes="label", markup=False)
                    yield Input(value, compact=True, id=identifier, select_on_focus=False)
            yield Checkbox(f"{_DELETE}no", id="delete", compact=True)
            yield Static("", id="found", markup=False)
            yield OptionList(id="question", markup=False, compact=True)
            with Horizontal(classes="field", id="typing"):
                yield Static("", classes="label", id="type-what", markup=False)
                yield Input("", compact=True, id="typed")
            yield Static("", classes="keys", id="keys", markup=False)

    def on_mount(self) -> None:
        """The first line that is not complete, ready to be changed."""
        self._ask_nothing()
        self._name_it()
        self.query_one("#target" if self._ends[1] == "s3://" else "#source", Input).focus()

    def _ask_nothing(self) -> None:
        self._preview = None
        self._asked += 1
        self.query_one("#question").display = False
        self.query_one("#typing").display = False
        self._keys("enter compares · tab next · ctrl+t swaps the ends · esc cancels")

    def _keys(self, words: str) -> None:
        self.query_one("#keys", Static).update(Text(sentence(words, ascii_only=self.app.has_class("-ascii"))))

    def _name_it(self) -> None:
        """Which way the files go, in a word."""
        source, target = (self.query_one(f"#{end}", Input).value.startswith("s3:") for end in ("source", "target"))
        word = "copy in S3" if source and target else "download" if source else "upload" if target else "sync"
        self.query_one("#which-way", Static).update(f"{word}: what is new or changed, shown before it is copied")

    @on(Checkbox.Changed)
    def _ticked(self, event: Checkbox.Changed) -> None:
        event.checkbox.label = f"{_DELETE}{'yes' if event.value else 'no'}"  # a cross in another colour says too little
        self._changed()

    @on(Input.Changed, "#source, #target")
    def _changed(self) -> None:
        self._name_it()
        if self._preview is not None:
            self._ask_nothing()
            self.query_one("#found", Static).update("")

    def action_swap(self) -> None:
        """The other way round."""
        one, other = self.query_one("#source", Input), self.query_one("#target", Input)
        one.value, other.value = other.value, one.value

    # -- comparing -----------------------------------------------------------------------------------------------------

    @on(Input.Submitted, "#source, #target")
    def _compare(self) -> None:
        self._ask_nothing()
        asked = self._asked
        source, target = self.query_one("#source", Input).value.strip(), self.query_one("#target", Input).value.strip()
        delete = self.query_one("#delete", Checkbox).value
        found = self.query_one("#found", Static)
        found.update(Text(sentence("comparing …", ascii_only=self.app.has_class("-ascii")), "dim"))
        board, profile = self._board, self._desk.profile

        def work() -> SyncPreview | RunctlError:
            try:
                return board.preview(profile, source, target, delete=delete)
            except RunctlError as error:
                return error

        def answered(answer: SyncPreview | RunctlError) -> None:
            if not self.is_mounted or asked != self._asked:
                return
            if isinstance(answer, RunctlError):
                found.update(Text(clean_text(f"{answer}" + (f"; {answer.hint}" if answer.hint else ""), 600)))
            else:
                self._show(answer)

        self._desk.outside(work, answered)

    def _show(self, preview: SyncPreview) -> None:
        self._preview = preview
        room = max(2, self.size.height - 15)
        text = preview_text(preview, max(40, self.size.width - 8), room)
        self.query_one("#found", Static).update(text_to_ascii(text) if self.app.has_class("-ascii") else text)
        if not preview.files and not preview.deletes:
            return
        if preview.deletes:
            self.query_one("#type-what", Static).update(f"type  {self._word(preview)}  to go on: ")
            self.query_one("#typing").display = True
            typed = self.query_one("#typed", Input)
            typed.value = ""
            typed.focus()
            self._keys("enter confirms what is typed · shift+tab back to the ends · esc cancels")
            return
        question = self.query_one("#question", OptionList)
        question.clear_options()
        question.add_options([Option("cancel"), Option(f"copy {_count(preview.files)}, {format_bytes(preview.bytes)}")])
        question.display = True
        question.highlighted = 0
        question.focus()
        self._keys("enter takes · shift+tab back to the ends · esc cancels")

    @staticmethod
    def _word(preview: SyncPreview) -> str:
        return f"delete {preview.deletes}"

    # -- answering -----------------------------------------------------------------------------------------------------

    @on(OptionList.OptionSelected, "#question")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        if event.option_index == 0:
            self.dismiss(False)
        else:
            self._start()

    @on(Input.Submitted, "#typed")
    def _typed(self, event: Input.Submitted) -> None:
        if self._preview is not None and event.value.strip() == self._word(self._preview):
            self._start()
        else:
            self.notify("not what was asked for: nothing was done", markup=False)

    def _start(self) -> None:
        if self._preview is None:
            return
        try:
            self._board.start(self._preview.ticket)
        except InputError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.dismiss(True)

    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(False)


def preview_text(preview: SyncPreview, width: int, room: int) -> Text:
    """The table of what would happen, and the first differences: `width` cells, `room` names."""
    text = Text()
    for word, files, size in preview.groups:
        if word == "refused" and not files:
            continue
        style = "bold" if files and word in ("deleted", "refused") else "" if files else "dim"
        text.append(f"{word:<9}{files:>9,} file{' ' if files == 1 else 's'} {format_bytes(size):>11}\n", style)
    if preview.forbidden:
        text.append(f"nothing would be deleted: {clean_text(preview.forbidden, 200)}\n", "bold")
    elif not preview.files and not preview.deletes:
        text.append("nothing to do: both ends are the same\n", "bold")
    for shown in preview.first[:room]:
        reason = f"  ({clean_text(shown.reason, 60)})" if shown.action in ("refuse", "compare") else ""
        line = Text(f"{shown.action:<8} {format_bytes(shown.bytes):>10}  {clean_text(shown.name, 300)}{reason}")
        line.truncate(width, overflow="ellipsis")
        text.append_text(line).append("\n")
    more = preview.files + preview.deletes + _of(preview, "refused") - min(room, len(preview.first))
    if more > 0:
        text.append(f"... and {more:,} more\n", "dim")
    text.rstrip()
    return text


def _of(preview: SyncPreview, word: str) -> int:
    return sum(files for name, files, _ in preview.groups if name == word)


def _count(files: int) -> str:
    return f"{files:,} file{'s' * (files != 1)}"


class TransfersModal(ModalScreen[Any]):
    """Every transfer of this session; below, what the one under the cursor says of its files.

    Args:
        board: tells and is told.
        lines: draws one transfer in so many cells.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_for(Scope.DIALOG),
        Binding("p", "pause", show=False),
        Binding("c", "stop", show=False),
        Binding("q", "cancel", show=False),
    ]

    def __init__(self, board: Board, lines: Any) -> None:
        super().__init__()
        self._board, self._lines = board, lines

    def compose(self) -> ComposeResult:
        """List, errors, keys."""
        with Vertical(id="transfers", classes="dialog"):
            yield Static("transfers", classes="title", markup=False)
            yield OptionList(id="list", markup=False, compact=True)
            yield Static("", id="said", markup=False)
            keys = "p pauses or goes on · c cancels the transfer · esc closes"
            yield Static(sentence(keys, ascii_only=self.app.has_class("-ascii")), classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show them, and again twice a second."""
        self._draw()
        self.set_interval(0.5, self._draw)

    def _draw(self) -> None:
        transfers = self._board.transfers()
        listed = self.query_one("#list", OptionList)
        width = max(40, min(120, self.size.width * 96 // 100) - 6)
        lines = [self._lines(t, width) for t in transfers]
        if listed.option_count != len(lines):
            at = listed.highlighted
            listed.clear_options()
            listed.add_options([Option(line) for line in lines] or [Option("no transfers yet", disabled=True)])
            listed.highlighted = (at or 0) if lines else None
        else:
            for number, line in enumerate(lines):
                listed.replace_option_prompt_at_index(number, line)
        self._tell()

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._tell()

    def _at(self) -> int | None:
        at, transfers = self.query_one("#list", OptionList).highlighted, self._board.transfers()
        return transfers[at].id if at is not None and at < len(transfers) else None

    def _tell(self) -> None:
        chosen = self._at()
        transfer = next((t for t in self._board.transfers() if t.id == chosen), None)
        text = Text()
        if transfer is not None:
            text.append(clean_text(transfer.message or transfer.active or "comparing", 400) + "\n", "bold")
            for name, reason in transfer.failures[:12]:
                text.append(f"{clean_text(name, 200)}: {clean_text(reason, 200)}\n")
            if (more := transfer.files_failed - 12) > 0:
                text.append(f"... and {more:,} more\n", "dim")
        text.rstrip()
        self.query_one("#said", Static).update(text_to_ascii(text) if self.app.has_class("-ascii") else text)

    def action_pause(self) -> None:
        """Pause, or go on."""
        if (chosen := self._at()) is not None:
            self._board.pause(chosen)
            self._draw()

    def action_stop(self) -> None:
        """Cancel the transfer under the cursor."""
        if (chosen := self._at()) is not None:
            self._board.cancel(chosen)
            self._draw()

    def action_cancel(self) -> None:
        """Close; the transfers go on."""
        self.dismiss(None)
