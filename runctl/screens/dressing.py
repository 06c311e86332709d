"""Colours and characters of the application: themes, the names that style sheets use, the sheet made of them."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.theme import Theme

from runctl.config.settings import UiSettings
from runctl.theme import ASCII, glyphs, setting_of, theme_name, themes, tokens
from runctl.widgets.stylesheet import KeptStylesheet

#: Names of our themes, for `:theme`.
THEMES = ("dark", "light", "colour-blind", "ansi")


class DressedApp(App[str | None]):
    """An app in our colours."""

    _variables: tuple[Theme, dict[str, str]] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stylesheet = KeptStylesheet(variables=self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        """Names for style sheets; Textual mixes the colours of a theme anew each time, four times in a start."""
        theme = self.current_theme
        if self._variables is None or self._variables[0] is not theme:
            self._variables = (theme, super().get_css_variables())
        return self._variables[1]

    def dress(self, ui: UiSettings) -> None:
        """Colours and characters, as the settings and the terminal want them."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = theme_name(ui.theme, no_color=self.no_color)
        self.set_class(glyphs(ui.ascii) is ASCII, "-ascii")

    @property
    def colours(self) -> dict[str, str]:
        """Colours of the theme."""
        return dict(tokens(setting_of(self.theme)))

    def action_use_theme(self, name: str) -> None:
        """Change the colours."""
        if name not in THEMES:
            self.notify(f"no theme {name!r}; allowed: {', '.join(THEMES)}", severity="error", markup=False)
            return
        self.theme = theme_name(name, no_color=self.no_color)
