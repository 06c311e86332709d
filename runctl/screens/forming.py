"""Verbs that need more than the thing they are done to: a form first, then the dialog that looks and asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from runctl.errors import InputError
from runctl.format import clean_text
from runctl.models.snapshot import Source
from runctl.screens import modals
from runctl.screens.reaching import ReachingScreen

if TYPE_CHECKING:
    from runctl.models.plan import Plan, Rule, Verb
    from runctl.services.actions import Actions
    from runctl.services.case import Resource as Live

T = TypeVar("T")
#: How long a cleanup waits for what buckets say of their unfinished uploads.
_BUCKETS_S = 20.0


class FormingScreen(ReachingScreen[T]):
    """Adopt, extend, tag, attach, modify, restore, create, clean up."""

    def begin(self, verb: Verb, live: list[Live]) -> None:
        """A verb of the menu: some go to the machine, some need a form, the rest are looked at at once."""
        from runctl.models.plan import Verb

        if verb is Verb.SHELL:
            self.open_shell(live)
        elif verb is Verb.PROBE:
            self.probe(live)
        else:
            self._with_form(verb, live)

    def _with_form(self, verb: Verb, live: list[Live]) -> None:
        from runctl.screens.forms import form_of
        from runctl.screens.verb_menu import WORDS
        from runctl.services.permit import kind_of

        kinds = {kind_of(x) for x in live}
        if len(kinds) > 1:
            self.notify(f"mark things of one kind to {verb} them together", markup=False)
            return
        try:
            form = form_of(verb, kinds.pop(), live, self.context)
        except InputError as error:
            self.notify(f"{error.message}; {error.hint}", severity="error", markup=False, timeout=12)
            return
        if form is None:
            self.act(verb, live)
            return
        one = live[0]
        what = clean_text(one.name, 40) or one.id if len(live) == 1 else f"{len(live)} {WORDS[kind_of(one)][1]}"

        def filled(parameters: Mapping[str, Any] | None) -> None:
            if parameters is not None:
                self.act(verb, live, parameters)

        self.app.push_screen(modals.FormModal(f"{verb} {what}", form.fields, form.judge, intro=form.intro), filled)

    def action_adopt(self) -> None:
        """Make it ours."""
        from runctl.models.plan import Verb

        self._with_targets(lambda live: self.begin(Verb.ADOPT, live))

    def action_extend(self) -> None:
        """Give it more time."""
        from runctl.models.plan import Verb

        self._with_targets(lambda live: self.begin(Verb.EXTEND, live))

    def action_create(self) -> None:
        """Make a disk."""
        from runctl.screens.forms import create_form, region_of
        from runctl.services.verbs.storage import plan_volume

        row = self.table.cursor_row
        resource = self.noun.resource(row) if row is not None else None
        under = self._live(resource)
        form = create_form(self.context, str(getattr(under, "az", "")))

        def filled(parameters: Mapping[str, Any] | None) -> None:
            if parameters is None:
                return
            item = plan_volume(region_of(str(parameters["az"])), uuid4().hex, parameters)

            def draft(door: Actions, overrides: frozenset[Rule], only: frozenset[str] | None) -> Plan:
                del only
                return door.plan_of([item], overrides, title="create a volume")

            self.open_plan(f"create {clean_text(item.name, 40) or 'a volume'}", draft, go="create")

        self.app.push_screen(modals.FormModal("a new disk", form.fields, form.judge, intro=form.intro), filled)

    def action_cleanup(self) -> None:
        """Everything of ours that is of no use, looked at and asked about."""
        snapshot = self.snapshot
        complete = frozenset(
            region for region in snapshot.regions
            if all(k.region != region or s.complete for k, s in snapshot.status.items()
                   if k.source in (Source.INSTANCES, Source.VOLUMES))
        )  # fmt: skip

        def draft(door: Actions, overrides: frozenset[Rule], only: frozenset[str] | None) -> Plan:
            from runctl.services.cleanup import CleanupRules, Seen, candidates
            from runctl.services.cleanup_plan import draft_cleanup, look_further

            ground = door.ground
            seen = Seen(
                ground.clock.now(), ground.actor.owner, snapshot.instances, snapshot.volumes, snapshot.snapshots,
                snapshot.addresses, jobs=ground.jobs, complete=complete,
            )  # fmt: skip
            rules = CleanupRules()
            seen, notes = look_further(ground, seen, snapshot.buckets, rules, timeout_s=_BUCKETS_S)
            steps = [s for s in candidates(seen, rules) if only is None or s.resource.id in only]
            return draft_cleanup(door, steps, overrides, notes)

        self.open_plan("clean up what is of no use", draft, go="clean up")
