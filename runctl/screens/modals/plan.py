"""The one dialog of everything that changes something: look, ask, do, tell.

What is reversible asks with Cancel focused; what is not wants its id typed, or `terminate 3`. A paste does not count.
Rules that may be set aside are set aside by typing `override` and their name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from runctl.errors import RunctlError
from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.messages import CopyRequested
from runctl.models.plan import ItemResult, Outcome, Plan, Rule
from runctl.screens.cells import sentence
from runctl.screens.desk import Desk, Question
from runctl.screens.modals.plan_text import Look, going, overridable, phrase_of, plan_text, progress_text, sums
from runctl.theme import setting_of, tokens

if TYPE_CHECKING:
    from runctl.services.actions import Actions

#: (door, rules set aside, only these ids or None for all) -> the plan as things are now.
Draft = Callable[["Actions", "frozenset[Rule]", "frozenset[str] | None"], Plan]


class PhraseInput(Input):
    """Where the phrase is typed; a paste is no proof that somebody read it."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if isinstance(self.screen, PlanModal):
            self.screen.say("type it: a paste does not count")


class PlanModal(ModalScreen[Plan | None]):
    """A change from looking to done. The result is the plan with its results, None when nothing was done.

    Args:
        title: what is going to be done, before anybody has looked: "stop 2 machines".
        draft: looks and judges; called off the UI's thread, and again when a rule is set aside or for a retry.
        desk: what the application lends.
        go: the word on the button that does it: "stop".
        ascii_only: draw ASCII only.
    """

    CSS_PATH = "modals.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.PLAN)]

    def __init__(self, title: str, draft: Draft, desk: Desk, *, go: str, ascii_only: bool = False) -> None:
        super().__init__()
        self._title, self._draft, self._desk, self._go, self._ascii = title, draft, desk, go, ascii_only
        self._overrides: frozenset[Rule] = frozenset()
        self._only: frozenset[str] | None = None
        self._plan: Plan | None = None
        self._question: Question | None = None
        self._phrase, self._told, self._lines = "", "", 0
        self.stage = "looking"

    def compose(self) -> ComposeResult:
        """Title, what, question, buttons, keys."""
        with Vertical(id="plan", classes="dialog"):
            yield Static(self._words(self._title), classes="title", markup=False)
            yield Static("", id="where", markup=False)
            with VerticalScroll(id="body", can_focus=False):
                yield Static("", id="text", markup=False)
            yield Static("", id="ask", markup=False)
            yield PhraseInput(compact=True, id="phrase")
            with Horizontal(id="buttons"):
                yield Button("Cancel", compact=True, id="cancel")
                yield Button(self._go, compact=True, id="go")
            yield Static("", id="said", markup=False)
            yield Static("", classes="keys", id="keys", markup=False)

    def on_mount(self) -> None:
        """Look at once."""
        self._look()

    # -- looking -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._enter("looking")
        self._show(Text(self._words(f"looking at it as it is now: {self._title} …")))
        self._keys("esc cancels")
        self._question = self._desk.plan(
            lambda door: self._draft(door, self._overrides, self._only), self._drafted, self._failed
        )

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self.query_one("#phrase").display = False
        self.query_one("#buttons").display = False
        self.query_one("#ask").display = False
        self.say("")

    def _failed(self, error: RunctlError) -> None:
        self._enter("failed")
        said = Text(self._words(clean_text(str(error), 2000)), tokens(setting_of(self.app.theme))["state-bad"])
        if error.hint:
            said.append(self._words(f"\n\n{clean_text(error.hint, 2000)}"), "default")
        self._show(said)
        self._keys("r looks again · esc closes")

    # -- asking --------------------------------------------------------------------------------------------------------

    def _drafted(self, plan: Plan) -> None:
        self._plan = plan
        self._enter("asking")
        account = f"account {plan.account}" + (f" · {plan.profile}" if plan.profile else "")
        where = Text(self._words(clean_text(account, 100)), self._look_of().colours["muted"])
        if said := sums(plan):
            where.append(self._words(f"   {said}"), self._look_of().colours["money"])
        self.query_one("#where", Static).update(where)
        self._phrase = phrase_of(plan)
        field = self.query_one("#phrase", PhraseInput)
        field.value = ""
        ask, rules = "", overridable(plan)
        if self._phrase:
            ask = f"type  {self._phrase}  to go on:"
        if rules:
            ask = f"{ask}\n" if ask else ""
            ask += f"or type  override RULE  to set aside: {', '.join(rules)}" if self._phrase else (
                f"type  override RULE  to set one aside: {', '.join(rules)}")  # fmt: skip
        self.query_one("#ask", Static).update(Text(self._words(ask)))
        self.query_one("#ask").display = bool(ask)
        field.display = bool(ask)
        self.query_one("#buttons").display = True
        self.query_one("#go", Button).display = bool(going(plan)) and not self._phrase
        (field if self._phrase else self.query_one("#cancel", Button)).focus()
        closes = "esc cancels · tab moves" if ask or going(plan) else "esc closes"
        self._keys(closes + (" · enter confirms what is typed" if ask else ""))
        self._show(plan_text(plan, self._look_of()))

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_close()

    @on(Button.Pressed, "#go")
    def _confirmed(self) -> None:
        if self.stage == "asking" and self._plan is not None and not self._phrase and going(self._plan):
            self._carry_out(self._plan)

    @on(Input.Submitted, "#phrase")
    def _typed(self, event: Input.Submitted) -> None:
        plan, said = self._plan, event.value.strip()
        if plan is None or self.stage != "asking" or not said:
            return
        word, _, rule = said.partition(" ")
        if word == "override":
            self._override(rule.strip(), plan)
        elif self._phrase and said == self._phrase:
            self._carry_out(plan)
        else:
            self.say(f"that is not {self._phrase or 'override and the name of a rule'}; nothing was done")

    def _override(self, rule: str, plan: Plan) -> None:
        if rule not in overridable(plan):
            self.say(f"{rule or 'nothing'} is no rule that can be set aside here")
            return
        self._overrides |= {Rule(rule)}
        self._look()

    # -- doing ---------------------------------------------------------------------------------------------------------

    def _carry_out(self, plan: Plan) -> None:
        self._enter("running")
        self._keys("esc begins nothing more; what is under way ends")
        self._show_progress()
        self._question = self._desk.carry_out(plan, self._progressed, self._ended, self._broke)

    def _progressed(self, result: ItemResult) -> None:
        if self._plan is not None:
            self._plan = self._plan.with_result(result)
        self._show_progress()

    def _ended(self, plan: Plan) -> None:
        from runctl.services.plan import summary_line

        self._plan = plan
        self._enter("ended")
        self._show(progress_text(plan, self._look_of()))
        self.say(summary_line(plan))
        again = any(r.outcome is not Outcome.DONE for r in plan.results.values())
        self._keys(("r tries the rest again · " if again else "") + "c copies · esc closes")
        self.set_focus(None)
        self.call_later(self.app.run_action, "app.refresh")

    def _broke(self, error: RunctlError) -> None:
        """The door itself failed (the journal cannot be written); what was done until then is shown."""
        self._enter("ended")
        if self._plan is not None:
            self._show(progress_text(self._plan, self._look_of()))
        self.say(clean_text(f"{error}. {error.hint}", 500))
        self._keys("r tries the rest again · c copies · esc closes")
        self.set_focus(None)

    # -- keys ----------------------------------------------------------------------------------------------------------

    def action_close(self) -> None:
        """One step: what runs begins nothing more, everything else closes."""
        if self.stage == "running":
            if self._question is not None:
                self._question.cancel()
            self.say("stopping after the one under way")
            return
        if self.stage == "looking" and self._question is not None:
            self._question.cancel()
        self.dismiss(self._plan if self.stage == "ended" else None)

    def action_retry(self) -> None:
        """Look again at what is not done; it is asked again as well."""
        if self.stage == "failed":
            self._look()
        elif self.stage == "ended" and self._plan is not None:
            left = [i.id for i in self._plan.items if not _is_done(self._plan, i.key)]
            if left:
                self._only = frozenset(left)
                self._look()

    def action_copy(self) -> None:
        """The text that is shown."""
        shown = self.query_one("#text", Static)
        said = f"{self._title}\n{shown.content}\n{self.query_one('#said', Static).content}"
        self.app.post_message(CopyRequested(said, "the summary"))

    # -- showing -------------------------------------------------------------------------------------------------------

    def say(self, words: str) -> None:
        """One line below everything."""
        line = self.query_one("#said", Static)
        line.update(Text(self._words(words)))
        line.display = bool(words)

    def _words(self, text: str) -> str:
        return sentence(text, ascii_only=self._ascii)

    def _keys(self, words: str) -> None:
        self._told = words
        self._show_keys()

    def _show_keys(self) -> None:
        """The keys, and the one that shows more where not all of the text fits."""
        more = self._lines > self._room()
        self.query_one("#keys", Static).update(Text(self._words(self._told + (" · pgdn more" if more else ""))))

    def _show(self, text: Text) -> None:
        self._lines = text.plain.count("\n") + 1
        self.query_one("#text", Static).update(text)
        self._fit()

    def on_resize(self) -> None:
        """Question and buttons stay in view, however long the text is."""
        self._fit()

    def _fit(self) -> None:
        self.query_one("#body").styles.max_height = self._room()
        self._show_keys()

    def _room(self) -> int:
        return max(3, self.size.height - 12)

    def action_scroll(self, pages: int) -> None:
        """A page of the text down, or up when negative."""
        body = self.query_one("#body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 1), animate=False)

    def _show_progress(self) -> None:
        if self._plan is not None:
            first = next((i.key for i in self._plan.items if i.key not in self._plan.results), "")
            self._show(progress_text(self._plan, self._look_of(), first))

    def _look_of(self) -> Look:
        # Border, padding and a scrollbar, which may come.
        return Look(tokens(setting_of(self.app.theme)), max(40, min(self.size.width, 118) - 5), self._ascii)


def _is_done(plan: Plan, key: str) -> bool:
    result = plan.results.get(key)
    return result is not None and result.outcome is Outcome.DONE
