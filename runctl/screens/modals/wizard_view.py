"""What the launch wizard looks like: its panes and lines. What its keys do is in `wizard`."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from runctl.models.launch import Attempt, Candidate, LaunchResult, Offer
from runctl.screens.cells import sentence
from runctl.screens.desk import Desk
from runctl.screens.modals.fields import Fields
from runctl.screens.modals.plan_text import Look
from runctl.screens.wizard_form import wizard_fields, words
from runctl.screens.wizard_text import money_line, offer_text, result_text, types_text
from runctl.services.launch.form import TypeChoice, type_choices
from runctl.services.prices import PriceBook
from runctl.store.fields import Context
from runctl.theme import setting_of, tokens

_WIDTHS = [(0, "-narrow"), (110, "-beside")]


class WizardView(ModalScreen["LaunchResult | None"]):
    """Form and grid.

    Args:
        desk: what the application lends.
        context: what is known of the fleet.
        ascii_only: draw ASCII only.
    """

    CSS_PATH = "modals.tcss"
    AUTO_FOCUS = "#f-types"
    HORIZONTAL_BREAKPOINTS = _WIDTHS

    def __init__(self, desk: Desk, context: Context, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._desk, self._known, self._ascii = desk, context, ascii_only
        self._book = PriceBook()
        self._offer: Offer | None = None
        self._attempts: dict[Candidate, Attempt] = {}
        self._result: LaunchResult | None = None
        self.stage = "typing"

    def compose(self) -> ComposeResult:
        """Title, form and grid, what it comes to, keys."""
        with Vertical(id="wizard"):
            yield Static("launch machines", classes="title", id="head", markup=False)
            with Horizontal(id="panes"):
                yield Fields(wizard_fields(self._known))
                with VerticalScroll(id="offers", can_focus=False):
                    yield Static("", id="grid", markup=False)
            yield Static("", id="sum", markup=False)
            yield Static("", classes="keys", id="keys", markup=False)

    @property
    def lines(self) -> Fields:
        """The form."""
        return self.query_one(Fields)

    def _enter(self, stage: str) -> None:
        self.stage = stage
        keys = {
            "running": "esc tries no other place; what is under way ends",
            "ended": "e edits and tries again · c copies · esc closes",
            "offered": "enter asks first · tab moves · ←→ or space chooses · pgdn more · esc cancels",
        }.get(stage, "tab moves · ←→ or space chooses · esc cancels")
        if self._result is not None and self._result.launched:
            keys = keys.removeprefix("e edits and tries again · ")
        self.query_one("#keys", Static).update(Text(sentence(keys, ascii_only=self._ascii)))
        self._sum(Text(""))

    def _sum(self, text: Text) -> None:
        self.query_one("#sum", Static).update(text)

    def _show(self, text: Text) -> None:
        self.query_one("#grid", Static).update(text)

    def _types(self) -> tuple[TypeChoice, ...]:
        """Types of the book that the last word typed may become."""
        values = self.lines.values()
        typed = (words(values["types"]) or ("",))[-1] if not values["types"].endswith(",") else ""
        room = max(5, self.query_one("#offers").size.height - 3)
        return type_choices(self._book, values["region"] or "us-east-1", typed, limit=room)

    def _show_types(self) -> None:
        self._show(types_text(self._types(), self._look(), self.lines.values()["region"] or "us-east-1"))

    def _show_offer(self) -> None:
        offer = self._offer
        if offer is None:
            return
        look, now = self._look(), self._desk.clock.now()
        self._show(offer_text(offer, look, now, self._attempts))
        if self._result is not None:
            wide = replace(look, width=max(40, self.size.width - 4))
            self._sum(result_text(self._result, wide))
        elif self.stage == "offered":
            line = money_line(offer, now)
            self._sum(Text(sentence(line, ascii_only=self._ascii), look.colours["money"]))
        elif self.stage == "running":
            self._sum(Text(sentence("launching …", ascii_only=self._ascii)))

    def on_resize(self) -> None:
        """Lines fold elsewhere."""
        self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        if self.stage == "typing":
            self._show_types()
        else:
            self._show_offer()

    def _look(self) -> Look:
        width = self.query_one("#offers").scrollable_content_region.width or 40
        return Look(tokens(setting_of(self.app.theme)), max(30, width - 1), self._ascii)
