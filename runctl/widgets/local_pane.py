"""A directory of this machine beside what is in S3: walked with Enter and Backspace, read off the UI's thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runctl.format import clean_text, format_bytes
from runctl.theme import ASCII, Glyphs
from runctl.widgets.columns import fit_cell

#: Entries shown of one directory; nobody reads past this many.
MAX_ENTRIES = 5000


class LocalEntry(NamedTuple):
    """One entry: name, whether it is a directory, bytes (None: unknown)."""

    name: str
    is_directory: bool
    bytes: int | None


#: What leads one directory up, for who does not know Backspace.
_ABOVE = LocalEntry("..", True, None)


def read_directory(path: Path) -> tuple[list[LocalEntry], str]:
    """What is in a directory, directories first, and what went wrong ("" for nothing)."""
    found = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    directory = entry.is_dir()
                    size = None if directory else entry.stat().st_size
                except OSError:
                    directory, size = False, None
                found.append(LocalEntry(entry.name, directory, size))
    except OSError as error:
        return [], error.strerror or str(error)
    found.sort(key=lambda e: (not e.is_directory, e.name))
    more = f"the first {MAX_ENTRIES:,} of {len(found):,}" if len(found) > MAX_ENTRIES else ""
    return found[:MAX_ENTRIES], more


class LocalList(OptionList):
    """The entries. Enter opens a directory, Backspace goes one up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
        Binding("backspace,h,left", "up", show=False),
        Binding("l,right", "select", show=False),
    ]

    class WentUp(Message):
        """One directory up."""

    def action_up(self) -> None:
        """One directory up."""
        self.post_message(self.WentUp())


class LocalPane(Vertical):
    """The directory and its entries.

    Args:
        outside: does something off the UI's thread and hands its result back.
        start: the directory to begin in.
        signs: the characters of the moment.
    """

    DEFAULT_CSS = """
    LocalPane { width: 32%; min-width: 24; display: none; }
    LocalPane #where { height: 1; width: 1fr; color: $accent; }
    LocalPane OptionList, LocalPane OptionList:focus {
        height: 1fr; border: none; padding: 0; background: $background; scrollbar-size-vertical: 1;
    }
    LocalPane OptionList > .option-list--option-highlighted { background: $background; text-style: bold; }
    LocalPane OptionList:focus > .option-list--option-highlighted { background: $cursor-ground; text-style: bold; }
    """

    def __init__(self, outside: Callable[..., None], start: Path, signs: Glyphs) -> None:
        super().__init__(id="local")
        self._outside, self.directory, self._signs = outside, start, signs
        self._entries: list[LocalEntry] = []
        self._read_once = False

    def compose(self) -> ComposeResult:
        """Where one is, and what is there."""
        yield Static("", id="where", markup=False)
        yield LocalList(id="entries", markup=False)

    @property
    def entries(self) -> LocalList:
        """The list."""
        return self.query_one(LocalList)

    def open_once(self) -> None:
        """Read the directory when the pane is first seen."""
        if not self._read_once:
            self._read_once = True
            self.go(self.directory)

    def go(self, directory: Path, came_from: str = "") -> None:
        """Show another directory."""
        self.directory = directory
        self.query_one("#where", Static).update(Text(self._drawable(f" {directory}"), no_wrap=True, overflow="fold"))

        def arrived(answer: tuple[list[LocalEntry], str]) -> None:
            if self.is_mounted and self.directory == directory:
                self._show(*answer, came_from)

        self._outside(lambda: read_directory(directory), arrived)

    def _show(self, entries: list[LocalEntry], trouble: str, came_from: str) -> None:
        above = [_ABOVE] if self.directory != self.directory.parent else []
        self._entries = [*above, *entries]
        shown = self.entries
        shown.clear_options()
        shown.add_options([Option(self._line(e)) for e in self._entries])
        if trouble or not entries:
            shown.add_option(Option(Text(trouble or "nothing in here"), disabled=True))
        names = [e.name for e in self._entries]
        if names:
            shown.highlighted = names.index(came_from) if came_from in names else min(len(above), len(names) - 1)

    def _drawable(self, text: str) -> str:
        shown = clean_text(text, 400)
        return shown.encode("ascii", "replace").decode() if self._signs is ASCII else shown

    def _line(self, entry: LocalEntry) -> Text:
        size = "" if entry.is_directory else f" {format_bytes(entry.bytes):>9}"
        sign = (">" if self._signs is ASCII else "▸") if entry.is_directory else " "
        name = fit_cell(
            Text(f"{sign} {self._drawable(entry.name)}", no_wrap=True),
            max(8, (self.size.width or 24) - 1 - len(size)),
            "left",
            self._signs,
        )
        line = name + Text(size, "dim")
        line.no_wrap = True
        return line

    def on_resize(self) -> None:
        """Names take the room there is."""
        shown = self.entries
        for number, entry in enumerate(self._entries[: shown.option_count]):
            shown.replace_option_prompt_at_index(number, self._line(entry))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        entry = self._entries[event.option_index] if event.option_index < len(self._entries) else None
        if entry is _ABOVE:
            self._up()
        elif entry is not None and entry.is_directory:
            self.go(self.directory / entry.name)

    @on(LocalList.WentUp)
    def _up(self) -> None:
        self.go(self.directory.parent, came_from=self.directory.name)
