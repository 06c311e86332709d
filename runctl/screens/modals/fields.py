"""Lines to fill in: a label, what is written or chosen, and below it what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.screens.cells import sentence, to_ascii
from runctl.screens.modals.pick import Option, PickModal

#: Cells of the labels; the words beside them begin after it.
LABEL = 11


class Field(NamedTuple):
    """One line of a form.

    Args:
        name: what its value is called.
        label: what stands in front of it.
        value: what is in it at first.
        hint: what may be written, shown while it is empty.
        options: what there is to choose from; none makes it a line to type in.
        known: words that complete what is typed.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    options: tuple[Option, ...] = ()
    known: tuple[str, ...] = ()


class TextLine(Input, inherit_bindings=True):
    """A line to type in."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.FORM)]


class ChoiceLine(Widget, can_focus=True):
    """One of several things: left and right go through them, space lists them."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.FORM), *bindings_for(Scope.CHOICE)]

    class Changed(Message):
        """Another one was chosen."""

    def __init__(self, options: Sequence[Option], value: str, *, label: str, id: str) -> None:
        super().__init__(id=id)
        self._options, self._label = tuple(options), label
        self.value = value if any(o.value == value for o in options) else options[0].value

    def render(self) -> Text:
        """The one that is chosen, and that there are others."""
        at = self._at()
        chosen = self._options[at]
        note = f"  {clean_text(chosen.note, 60)}" if chosen.note else ""
        text = Text("< " if at else "  ", "dim")
        text.append(clean_text(chosen.label, 60))
        text.append(" >" if at + 1 < len(self._options) else "  ", "dim")
        text.append(note, "dim")
        text.truncate(max(4, self.size.width), overflow="ellipsis")
        return (
            Text(to_ascii(text.plain.translate({0x2039: "<", 0x203A: ">"}))) if self.app.has_class("-ascii") else text
        )

    def _at(self) -> int:
        return next((n for n, o in enumerate(self._options) if o.value == self.value), 0)

    def action_choose(self, step: int) -> None:
        """The next one, or the one before."""
        at = self._at() + step
        if 0 <= at < len(self._options):
            self._take(self._options[at].value)

    def action_list(self) -> None:
        """All of them, to narrow by typing."""
        self.app.push_screen(
            PickModal(self._label, self._options, present=self.value), lambda got: self._take(got[0]) if got else None
        )

    def on_click(self) -> None:
        """As space."""
        self.action_list()

    def _take(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Changed())


class Fields(VerticalScroll, can_focus=False):
    """The lines of a form.

    Args:
        fields: the lines.
    """

    class Changed(Message):
        """Something was written or chosen."""

    class Submitted(Message):
        """Enter on a line."""

    def __init__(self, fields: Sequence[Field], *, id: str = "fields") -> None:
        super().__init__(id=id)
        self.lines = tuple(fields)
        self._touched: set[str] = set()

    def compose(self) -> ComposeResult:
        """Label and line; below them what is wrong."""
        ascii_only = self.app.has_class("-ascii")
        for field in self.lines:
            with Vertical(classes="field"):
                with Horizontal():
                    yield Static(field.label, classes="label", markup=False)
                    if field.options:
                        yield ChoiceLine(field.options, field.value, label=field.label, id=f"f-{field.name}")
                    else:
                        known = SuggestFromList(field.known, case_sensitive=False) if field.known else None
                        yield TextLine(
                            field.value, placeholder=sentence(field.hint, ascii_only=ascii_only), compact=True,
                            id=f"f-{field.name}", suggester=known, select_on_focus=False,
                        )  # fmt: skip
                yield Static("", classes="wrong", id=f"w-{field.name}", markup=False)

    def values(self) -> dict[str, str]:
        """What stands in each line."""
        found = {}
        for field in self.lines:
            line = self.query_one(f"#f-{field.name}")
            found[field.name] = line.value.strip() if isinstance(line, TextLine | ChoiceLine) else ""
        return found

    def show_problems(self, problems: Mapping[str, str], *, every: bool = False) -> None:
        """Say below each line what is wrong with it; a line that nobody has touched is left in peace unless `every`."""
        ascii_only = self.app.has_class("-ascii")
        for field in self.lines:
            said = problems.get(field.name, "") if every or field.name in self._touched else ""
            wrong = self.query_one(f"#w-{field.name}", Static)
            wrong.update(Text(to_ascii(said) if ascii_only else said))
            wrong.display = bool(said)

    def focus_on(self, name: str) -> None:
        """Put the cursor on a line."""
        if any(f.name == name for f in self.lines):
            self.query_one(f"#f-{name}").focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._touch(event.input.id)

    @on(ChoiceLine.Changed)
    def _chosen(self, event: ChoiceLine.Changed) -> None:
        event.stop()
        self._touched |= {f.name for f in self.lines if f.options}
        self.post_message(self.Changed())

    def _touch(self, identifier: str | None) -> None:
        self._touched.add((identifier or "").removeprefix("f-"))
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted())
