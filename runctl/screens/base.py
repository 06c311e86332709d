"""What can be done with a row on every screen: describe, raw view, compare, copy, console, export. Nothing mutates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.text import Text
from textual import on

from runctl.errors import InputError, RunctlError
from runctl.format import clean_text
from runctl.messages import CopyRequested
from runctl.screens import modals
from runctl.screens.forming import FormingScreen
from runctl.screens.noun import Resource
from runctl.store.fields import Kind, json_value
from runctl.store.marks import Answer, meant
from runctl.theme import ASCII, setting_of, tokens
from runctl.widgets.row_selection import RowSelection

if TYPE_CHECKING:
    from runctl.screens.modals.viewer import ViewerModal

T = TypeVar("T")


class FleetScreen(FormingScreen[T]):
    """One of the five screens; a subclass names its noun."""

    def _row(self) -> Any | None:
        row = self.table.cursor_row
        if row is None:
            self.notify("there is no row here", markup=False)
        return row

    def _resource(self, row: Any) -> Resource | None:
        resource = self.noun.resource(row)
        if resource is None:
            self.notify(f"this {self.noun.word[0]} is nothing by itself in AWS", markup=False)
        return resource

    def _read(self, title: str, text: Text) -> ViewerModal:
        return modals.ViewerModal(title, text, keymap=self.desk.keymap, ascii_only=self.signs is ASCII)

    @property
    def colours(self) -> dict[str, str]:
        """Colours of the theme."""
        return dict(tokens(setting_of(self.app.theme)))

    def refresh_place(self) -> bool:
        """`r`: ask again for what only this screen shows; False where the pollers do it."""
        return False

    # -- reading -------------------------------------------------------------------------------------------------------

    @on(RowSelection.RowOpened)
    def _opened(self) -> None:
        if (row := self._row()) is not None:
            self.open_row(row)

    def open_row(self, row: Any) -> None:
        """Enter: the detail, over the whole screen."""
        title = f"{self.noun.word[0]}  {clean_text(self.noun.title(row), 60)}"
        from runctl.screens.readings import sections_text

        self.app.push_screen(self._read(title, sections_text(self.sections(row), self.colours, self.size.width - 4)))

    def action_describe(self) -> None:
        """Everything known about the row."""
        if (row := self._row()) is not None:
            FleetScreen.open_row(self, row)

    def action_raw(self) -> None:
        """The row as AWS describes it, fetched now."""
        row = self._row()
        if row is None or (resource := self._resource(row)) is None:
            return
        modal = modals.RawModal(
            f"{resource.kind}  {clean_text(resource.id, 80)}  {resource.region}",
            f"asking AWS for {clean_text(resource.id, 80)} …",
            keymap=self.desk.keymap,
            ascii_only=self.signs is ASCII,
        )
        self.app.push_screen(modal)
        self.desk.ask(
            lambda backend: backend.fetch_raw(resource.kind, resource.region, resource.id),
            modal.answer,
            lambda error: modal.show(_failure(error)),
        )

    def action_compare(self) -> None:
        """The two marked rows, field by field."""
        from runctl.screens.readings import compare_text

        marked = self.table.marked_rows()
        if len(marked) != 2:
            self.notify(f"mark two rows with space to compare them; {len(marked)} marked", markup=False)
            return
        left, right = marked
        values = []
        for field in self.noun.fields.columns:
            both = [_plain(field.get(item, self.context), field.kind) for item in (left, right)]
            values.append((field.name, both[0], both[1]))
        titles = (self.noun.title(left), self.noun.title(right))
        self.app.push_screen(self._read("compare", compare_text(titles, values, self.size.width - 4, self.colours)))

    # -- taking away ---------------------------------------------------------------------------------------------------

    def action_copy_id(self) -> None:
        """The row's id, or those of all marked rows, one a line; also of those that a filter hides."""
        table = self.table
        found = meant(self.items(), table.rows, table.marks, table.cursor_row, self.identify)
        rows = found.rows(Answer.ALL)
        if not rows:
            self.notify("there is no row here", markup=False)
        else:
            ids = [self.noun.identify(item) for item in rows]
            self.post_message(CopyRequested("\n".join(ids), ids[0] if len(ids) == 1 else f"{len(ids)} ids"))

    def action_copy_menu(self) -> None:
        """Something else of the row: what is copied is shown in the list."""
        row = self._row()
        if row is None:
            return
        texts = self.copyable(row)
        options = [modals.Option(name, name, _one_line(text)) for name, text in texts.items()]

        def picked(names: tuple[str, ...] | None) -> None:
            if names:
                self.post_message(CopyRequested(texts[names[0]], f"the {names[0]}"))

        self.app.push_screen(modals.PickModal("copy", options), picked)

    def copyable(self, row: Any) -> dict[str, str]:
        """What can be copied of a row, by name."""
        from runctl.services import links

        texts = {"id": self.noun.identify(row)}
        resource = self.noun.resource(row)
        if resource is not None:
            account = self.snapshot.identity.account if self.snapshot.identity else ""
            texts["ARN"] = links.arn(resource.kind, resource.region, account, resource.id)
            texts["console URL"] = links.console_url(resource.kind, resource.region, resource.id)
        if resource is not None and resource.kind == "instance":
            texts["Session Manager line"] = links.ssm_line(resource.region, resource.id, self.snapshot.profile)
            machine = self.context.instances.get(resource.id)
            if machine is not None and (address := machine.public_ip or machine.private_ip):
                texts["ssh line"] = links.ssh_line(address, machine.key_name)
        texts["row as JSON"] = json_text(self.noun.fields.to_json(row, self.context), indent=2)
        return texts

    def action_open_console(self) -> None:
        """The row's page in the AWS console; over SSH the address is copied and shown instead."""
        from runctl.services.links import console_url

        row = self._row()
        if row is None or (resource := self._resource(row)) is None:
            return
        url = console_url(resource.kind, resource.region, resource.id)
        if self.desk.terminal.open_url(url):
            self.notify(f"opened {url}", markup=False)
        else:
            self.post_message(CopyRequested(url, "the console's address"))

    def action_export(self) -> None:
        """Ask for the form, then write the rows shown into the present directory."""
        options = [
            modals.Option("csv", "CSV", "for a spreadsheet"),
            modals.Option("json", "JSON", "as runctl --once prints it"),
        ]

        def picked(forms: tuple[str, ...] | None) -> None:
            if forms:
                self.action_export_to(forms[0], "")

        rows = len(self.shown.rows)
        self.app.push_screen(
            modals.PickModal(f"export {rows} {self.noun.word[rows != 1]} to {Path.cwd()}", options), picked
        )

    def action_export_to(self, form: str, path: str) -> None:
        """Write the rows shown."""
        from runctl.screens.export import write_export

        rows = self.shown.rows
        try:
            written = write_export(rows, self.noun.fields, self.context, form=form, path=path, directory=Path.cwd())
        except InputError as error:
            self.notify(f"{error.message}; {error.hint}", severity="error", markup=False, timeout=10)
            return
        self.notify(f"{len(rows)} {self.noun.word[len(rows) != 1]} in {written}", markup=False, timeout=15)


def json_text(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """A value as JSON that a person reads."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys)


def _one_line(text: str) -> str:
    lines = text.count("\n") + 1
    return text if lines == 1 else f"{lines} lines"


def _failure(error: RunctlError) -> Text:
    return Text(f"{error}\n\n{error.hint}" if error.hint else str(error))


def _plain(value: Any, kind: Kind) -> str:
    if value is None:
        return "?"
    value = json_value(value)
    if kind is Kind.OBJECT:
        return json_text(value, sort_keys=True)
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
