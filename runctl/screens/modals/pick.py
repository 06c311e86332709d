"""Choose one thing, or several, from a list that narrows while typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListOption

from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.screens.cells import sentence, text_to_ascii
from runctl.theme import ASCII, UNICODE

Check = Callable[[str], str]


class Option(NamedTuple):
    """One thing to choose: the value, what it is called, and a quieter word beside it."""

    value: str
    label: str
    note: str = ""


class PickModal(ModalScreen[tuple[str, ...] | None]):
    """A list with a line to narrow it. The result is what was picked, None when it was closed.

    Args:
        title: what is chosen.
        options: what there is.
        present: the value the cursor starts on.
        several: space marks, Enter takes all marked ones.
        free: what is typed may be taken though it is not in the list.
        empty: what is said when there are no options.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.DIALOG)]

    def __init__(
        self,
        title: str,
        options: Sequence[Option],
        *,
        present: str = "",
        several: bool = False,
        free: bool = False,
        empty: str = "nothing to choose from",
    ) -> None:
        super().__init__()
        self._title, self._options, self._present = title, list(options), present
        self._several, self._free, self._empty = several, free, empty
        self._marked: list[str] = []
        self._found: list[Option] = []

    def compose(self) -> ComposeResult:
        """Title, line, list."""
        with Vertical(id="pick", classes="dialog"):
            yield Static(sentence(self._title, ascii_only=self._ascii), classes="title", markup=False)
            few = len(self._options) < 3 and not self._free
            yield PickInput(placeholder="up and down choose" if few else "type to narrow", compact=True, id="narrow")
            yield OptionList(id="list", markup=False)
            yield Static(self._keys(), classes="keys", markup=False)

    def _keys(self) -> str:
        keys = "space marks · enter takes · esc cancels" if self._several else "enter takes · esc cancels"
        return sentence(keys, ascii_only=self._ascii)

    @property
    def _ascii(self) -> bool:
        return self.app.has_class("-ascii")

    def on_mount(self) -> None:
        """Show everything."""
        self._narrow("")
        self.query_one("#list", OptionList).can_focus = False

    def on_resize(self) -> None:
        """The list has what the frame, the title, the line and the keys leave of nine tenths of the height."""
        self.query_one("#list", OptionList).styles.max_height = max(3, self.size.height * 9 // 10 - 5)

    def offer(self, options: Sequence[Option], *, empty: str = "") -> None:
        """Other options arrived (regions are asked from AWS)."""
        self._options = list(options)
        self._empty = empty or self._empty
        if self.is_mounted:
            self._narrow(self.query_one("#narrow", Input).value)

    @on(Input.Changed, "#narrow")
    def _typed(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    def _narrow(self, text: str) -> None:
        wanted = text.strip().casefold()
        self._found = [o for o in self._options if wanted in f"{o.label} {o.note} {o.value}".casefold()]
        listed = self.query_one("#list", OptionList)
        listed.clear_options()
        listed.add_options([ListOption(self._line(option)) for option in self._found])
        if not self._found:
            listed.add_option(ListOption(Text(self._nothing(text)), disabled=True))
            return
        values = [o.value for o in self._found]
        listed.highlighted = values.index(self._present) if self._present in values else 0

    def _nothing(self, text: str) -> str:
        if self._options:
            return f"enter takes {text.strip()}" if self._free and text.strip() else "nothing matches"
        return f"enter takes {text.strip()}" if self._free and text.strip() else self._empty

    def _line(self, option: Option) -> Text:
        signs = ASCII if self._ascii else UNICODE
        marked = option.value in self._marked
        line = Text(f"{signs.running if marked else signs.stopped} " if self._several else "")
        line.append(clean_text(option.label, 80))
        if option.note and option.note != option.label:
            line.append(f"  {clean_text(option.note, 80)}", "dim")
        # One thing, one line: a dialog has 64 cells, or the terminal; border, padding and scrollbar take five.
        line.truncate(min(64, self.app.size.width) - 5, overflow="ellipsis")
        return text_to_ascii(line) if self._ascii else line

    def move(self, step: int) -> None:
        """The cursor of the list."""
        listed = self.query_one("#list", OptionList)
        (listed.action_cursor_down if step > 0 else listed.action_cursor_up)()

    def mark(self) -> None:
        """Mark the option under the cursor, or take its mark."""
        listed = self.query_one("#list", OptionList)
        at = listed.highlighted
        if not self._several or at is None or at >= len(self._found):
            return
        value = self._found[at].value
        self._marked = [v for v in self._marked if v != value] if value in self._marked else [*self._marked, value]
        listed.replace_option_prompt_at_index(at, self._line(self._found[at]))

    @property
    def several(self) -> bool:
        """Whether space marks."""
        return self._several

    def take(self) -> None:
        """Enter: the marked options, else the one under the cursor, else what was typed."""
        listed = self.query_one("#list", OptionList)
        typed = self.query_one("#narrow", Input).value.strip()
        if self._marked:
            self.dismiss(tuple(self._marked))
        elif self._found and listed.highlighted is not None:
            self.dismiss((self._found[listed.highlighted].value,))
        elif self._free and typed:
            self.dismiss((typed,))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._found):
            self.dismiss((self._found[event.option_index].value,))

    def action_cancel(self) -> None:
        """Close without choosing."""
        self.dismiss(None)


class PickInput(Input):
    """The line of the list; arrows move the list's cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
    ]

    def action_step(self, step: int) -> None:
        """Up or down in the list."""
        if isinstance(self.screen, PickModal):
            self.screen.move(step)

    async def action_submit(self) -> None:
        """Take."""
        if isinstance(self.screen, PickModal):
            self.screen.take()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "space" and isinstance(self.screen, PickModal) and self.screen.several:
            event.prevent_default()
            event.stop()
            self.screen.mark()
            return
        await super()._on_key(event)
