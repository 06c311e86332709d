"""What goes to a machine itself: a shell on it, and the question how it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rich.text import Text

from runctl.errors import InputError, RunctlError
from runctl.format import clean_text
from runctl.models.instance import Instance
from runctl.screens import modals
from runctl.screens.acting import ActingScreen
from runctl.theme import ASCII
from runctl.widgets.detail import Section

if TYPE_CHECKING:
    from runctl.models.plan import ItemResult
    from runctl.models.probe import Probe
    from runctl.screens.desk import Desk
    from runctl.services.actions import Actions
    from runctl.services.case import Resource as Live

T = TypeVar("T")


class ReachingScreen(ActingScreen[T]):
    """Shell and probe; see the module."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._probes: dict[str, Probe] = {}
        self._opening = False

    def _one_machine(self, live: list[Live], what: str) -> Instance | None:
        if len(live) == 1 and isinstance(live[0], Instance):
            return live[0]
        said = f"{what} is for one machine at a time" if len(live) > 1 else f"{what} is for machines"
        self.notify(said, markup=False)
        return None

    # -- shell ---------------------------------------------------------------------------------------------------------

    def action_shell(self) -> None:
        """A shell on the machine under the cursor."""
        self._with_targets(self.open_shell)

    def open_shell(self, live: list[Live], *, ssh: bool = False) -> None:
        """Check that it can be reached, then give the terminal to the program that opens the shell."""
        from runctl.services.shell import check_programs

        machine = self._one_machine(live, "a shell")
        if machine is None or self._opening:
            return
        try:
            check_programs(self.desk.terminal.which, ssh=ssh)
        except InputError as error:
            self.notify(f"{error.message}; {error.hint}", severity="error", markup=False, timeout=15)
            return
        self.notify(f"looking whether {_name(machine)} can be reached …", markup=False, timeout=4)
        self._opening = True
        self.desk.plan(lambda door: _shell_line(door, machine, ssh=ssh), self._reached, self._out_of_reach)

    def _reached(self, argv: list[str]) -> None:
        self._opening = False
        if not self.is_current:
            self.notify("the shell was not opened: you are elsewhere by now; press s again", markup=False)
            return
        code = self.desk.terminal.run(argv, self.app.suspend)
        if code:
            self.notify(f"{argv[0]} ended with {code}", severity="warning", markup=False, timeout=10)
        elif code is None:
            self.notify(f"{argv[0]} could not start", severity="error", markup=False, timeout=15)

    def _out_of_reach(self, error: RunctlError) -> None:
        self._opening = False
        self.notify(_said(error), severity="error", markup=False, timeout=15)

    # -- probe ---------------------------------------------------------------------------------------------------------

    def probe(self, live: list[Live]) -> None:
        """Ask a machine how it is; the answer is read at once, and stays in its detail."""
        from runctl.services.probing import take_probe

        machine = self._one_machine(live, "a probe")
        if machine is None:
            return
        modal = modals.ViewerModal(
            f"machine  {_name(machine)}", Text(f"asking {_name(machine)} by Systems Manager …"),
            keymap=self.desk.keymap, ascii_only=self.signs is ASCII,
        )  # fmt: skip
        self.app.push_screen(modal)

        def answered(answer: Probe | ItemResult | RunctlError) -> None:
            modal.show(self._probed(machine, answer))

        self.desk.plan(lambda door: take_probe(door, machine), answered, lambda e: modal.show(Text(_said(e))))

    def _probed(self, machine: Instance, answer: Probe | ItemResult | RunctlError) -> Text:
        from runctl.models.plan import ItemResult
        from runctl.screens.probe_view import probe_sections
        from runctl.widgets.detail import render_sections

        if isinstance(answer, RunctlError):
            return Text(_said(answer))
        if isinstance(answer, ItemResult):
            rule = f" [{answer.rule}]" if answer.rule else ""
            return Text(clean_text(f"not asked: {answer.reason}", 600) + rule)
        self._probes[machine.id] = answer
        self.desk.hear(machine, answer)
        self.show_detail()
        from runctl.theme import setting_of, tokens

        colours = dict(tokens(setting_of(self.app.theme)))
        return render_sections(probe_sections(answer, self.desk.clock.now()), colours, self.size.width - 4)

    def sections(self, row: Any) -> Sequence[Section]:
        """What is known of a row, and what its machine last said."""
        made = super().sections(row)
        resource = self.noun.resource(row)
        probe = self._probes.get(resource.id) if resource is not None else None
        if probe is None:
            return made
        from runctl.screens.probe_view import probe_sections

        told = self.drawable_sections(probe_sections(probe, self.context.now))
        return [*made[:3], *told, *made[3:]]


def _shell_line(door: Actions, machine: Instance, *, ssh: bool) -> list[str]:
    from runctl.services.reach import check_reach, login_name
    from runctl.services.shell import Target, session_argv, ssh_argv

    check_reach(door, machine)
    target = Target(machine.id, machine.region, door.ground.cloud.profile)
    return ssh_argv(target, login_name(door, machine)) if ssh else session_argv(target)


def _name(machine: Instance) -> str:
    return clean_text(machine.name, 40) or machine.id


def _said(error: RunctlError) -> str:
    return clean_text(f"{error}; {error.hint}" if error.hint else str(error), 600)
