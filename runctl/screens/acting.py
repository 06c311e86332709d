"""What changes something, on every screen: which rows are meant, which verb, and the dialog that looks and asks.

The screens only say what is wanted. Looking, judging and doing is the door's (`runctl.services.actions`), off the UI's
thread; nothing is sent that the dialog has not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from runctl.format import clean_text
from runctl.screens import modals
from runctl.screens.choosing import ChoosingScreen
from runctl.screens.noun import Resource
from runctl.store.marks import Answer, Meant, meant
from runctl.theme import ASCII

if TYPE_CHECKING:
    from runctl.models.plan import Plan, Rule, Verb
    from runctl.services.actions import Actions
    from runctl.services.case import Resource as Live

T = TypeVar("T")


class ActingScreen(ChoosingScreen[T]):
    """The keys that change something. Each opens the dialog; none does anything by itself."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In read-only mode what changes something is not there."""
        if not self.desk.keymap.allows(action):
            return False
        return super().check_action(action, parameters)

    def can_change(self, row: Any) -> bool:
        """Whether a row is a thing of EC2: buckets, keys and sums are not."""
        return row is not None and self._live(self.noun.resource(row)) is not None

    # -- which rows ----------------------------------------------------------------------------------------------------

    def _live(self, resource: Resource | None) -> Live | None:
        """The thing that a row is, as it was last seen."""
        if resource is None:
            return None
        if resource.kind == "instance":
            return self.context.instances.get(resource.id)
        if resource.kind == "volume":
            return self.context.volumes.get(resource.id)
        listed: Iterable[Any] = ()
        if resource.kind == "snapshot":
            listed = self.snapshot.snapshots
        elif resource.kind == "address":
            listed = self.snapshot.addresses
        return next((x for x in listed if x.id == resource.id), None)

    def _with_targets(self, then: Callable[[list[Live]], None]) -> None:
        """Hand over the things that the rows meant are."""
        self.with_rows(lambda rows: self._hand_over(rows, then))

    def with_rows(self, then: Callable[[Sequence[Any]], None]) -> None:
        """Hand over the marked rows, else the one under the cursor; marks that a filter hides are asked about."""
        table = self.table
        found = meant(self.items(), table.rows, table.marks, table.cursor_row, self.identify)
        if found.hidden:
            self._ask_hidden(found, then)
        elif table.marks and not found.shown:
            one = found.gone == 1
            said = f"the {'mark is on a row' if one else f'{found.gone} marks are on rows'} that this list has no more"
            self.notify(f"{said}: u forgets {'it' if one else 'them'}", markup=False)
        else:
            then(found.rows())

    def _ask_hidden(self, found: Meant[Any], then: Callable[[Sequence[Any]], None]) -> None:
        shown, hidden = len(found.shown), len(found.hidden)
        one, many = self.noun.word
        options = [modals.Option(Answer.NOTHING, "nothing", "leave it and look at the marks")]
        if shown:
            options.append(modals.Option(Answer.SHOWN, f"only the {shown} shown", "what the filter hides is left out"))
        options.append(modals.Option(Answer.ALL, f"all {shown + hidden}", _named(map(self.noun.title, found.hidden))))

        def picked(chosen: tuple[str, ...] | None) -> None:
            if chosen and chosen[0] != Answer.NOTHING:
                then(found.rows(Answer(chosen[0])))

        title = f"{hidden} marked {one if hidden == 1 else many} hidden by the filter: act on"
        self.app.push_screen(modals.PickModal(title, options, present=Answer.NOTHING), picked)

    def _hand_over(self, rows: Iterable[Any], then: Callable[[list[Live]], None]) -> None:
        found = [(row, self._live(self.noun.resource(row))) for row in rows]
        live = [x for _, x in found if x is not None]
        if not found:
            self.notify("there is no row here", markup=False)
        elif len(live) < len(found):
            odd = next(row for row, x in found if x is None)
            self.notify(f"{clean_text(self.noun.title(odd), 60)} is nothing that can be changed here", markup=False)
        else:
            then(live)

    # -- the verbs -----------------------------------------------------------------------------------------------------

    def action_stop(self) -> None:
        """Stop machines."""
        from runctl.models.plan import Verb

        self._with_targets(lambda live: self.act(Verb.STOP, live))

    def action_delete(self) -> None:
        """Terminate, delete or release, after the id was typed."""
        self._with_targets(self._delete)

    def _delete(self, live: list[Live]) -> None:
        from runctl.screens.verb_menu import DELETES
        from runctl.services.permit import kind_of

        verbs = {DELETES.get(kind_of(x)) for x in live}
        verb = next(iter(verbs))
        if len(verbs) > 1 or verb is None:
            self.notify("mark things of one kind to delete them together", markup=False)
        else:
            self.act(verb, live)

    def action_menu(self) -> None:
        """Everything that can be done to what is meant."""
        self._with_targets(self._offer)

    def _offer(self, live: list[Live]) -> None:
        from runctl.models.plan import Verb
        from runctl.screens.verb_menu import MENU, WORDS
        from runctl.services.permit import kind_of

        kinds = {kind_of(x) for x in live}
        choices = MENU.get(next(iter(kinds)), ()) if len(kinds) == 1 else ()
        if not choices:
            self.notify("mark things of one kind to act on them together", markup=False)
            return
        word = WORDS[next(iter(kinds))]
        what = clean_text(live[0].name, 40) or live[0].id if len(live) == 1 else f"{len(live)} {word[1]}"
        options = [modals.Option(str(c.verb), c.label, c.note) for c in choices]

        def picked(chosen: tuple[str, ...] | None) -> None:
            if chosen:
                self.begin(Verb(chosen[0]), live)

        self.app.push_screen(modals.PickModal(f"what to do with {what}", options), picked)

    def begin(self, verb: Verb, live: list[Live]) -> None:
        """A verb of the menu; who has forms asks for what is needed first."""
        self.act(verb, live)

    def act(self, verb: Verb, live: list[Live], parameters: Mapping[str, Any] | None = None) -> None:
        """Open the dialog for a verb and things."""
        from runctl.screens.verb_menu import WORDS
        from runctl.services.permit import kind_of

        kind = kind_of(live[0])
        title = f"{verb} {clean_text(live[0].name, 40) or live[0].id}" if len(live) == 1 else (
            f"{verb} {len(live)} {WORDS[kind][1]}")  # fmt: skip

        def draft(door: Actions, overrides: frozenset[Rule], only: frozenset[str] | None) -> Plan:
            chosen = [x for x in live if only is None or x.id in only]
            return door.draft_on(verb, chosen, parameters, overrides)

        self.open_plan(title, draft, go=str(verb))

    def open_plan(self, title: str, draft: Callable[..., Plan], *, go: str) -> None:
        """Open the dialog for any plan; marks are forgotten once it has done something."""
        modal = modals.PlanModal(title, draft, self.desk, go=go, ascii_only=self.signs is ASCII)

        def closed(plan: Plan | None) -> None:
            if plan is not None:
                self.table.marks = frozenset()

        self.app.push_screen(modal, closed)


def _named(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    first, *others = (clean_text(name, 30) for name in names)
    return f"with {first}" + (f" and {len(others)} more" if others else "")
