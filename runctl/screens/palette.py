"""The palette: every action that works here, by name, made from the table of keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from runctl.keymap import Action, Scope, key_label
from runctl.screens.base import FleetScreen

#: Moving about is for keys; the palette would only be longer.
_NOT_LISTED = {"app.palette", "app.back"}


class ActionProvider(Provider):
    """Actions of the screen below the palette."""

    @property
    def _fleet(self) -> FleetScreen[Any] | None:
        return next((s for s in self.app.screen_stack if isinstance(s, FleetScreen)), None)

    def _actions(self) -> Iterator[Action]:
        fleet = self._fleet
        if fleet is not None:
            listed = fleet.desk.keymap.of(Scope.GLOBAL, Scope.LIST, fleet.SCOPE)
            yield from (a for a in listed if a.id not in _NOT_LISTED)

    def _title(self, action: Action) -> str:
        return f"{action.label.removesuffix('…').capitalize()}: {action.help}"

    async def _run(self, action: Action) -> None:
        fleet = self._fleet
        if fleet is not None:
            await fleet.run_action(action.method)

    async def discover(self) -> Hits:
        """Everything, before a letter is typed."""
        for action in self._actions():
            yield DiscoveryHit(self._title(action), partial(self._run, action), help=key_label(action.keys[0]))

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for action in self._actions():
            title = self._title(action)
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, action), help=key_label(action.keys[0]))
