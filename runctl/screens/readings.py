"""Texts to read: errors seen, help, two rows side by side, how credentials are found. Pure functions to `Text`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from textwrap import wrap

from rich.style import Style
from rich.text import Text

from runctl.commands import VERBS
from runctl.format import clean_text, format_duration, format_time
from runctl.keymap import Keymap, Scope, key_label
from runctl.models.snapshot import ErrorRecord, Snapshot
from runctl.services.profiles import Place
from runctl.store.fields import Fields, Kind
from runctl.widgets.detail import Section

Colours = Mapping[str, str]


def _style(colours: Colours, name: str, *, bold: bool = False) -> Style:
    return Style(color=colours.get(name), bold=bold or None)


def errors_text(snapshot: Snapshot, now: datetime, alerts: Sequence[str], colours: Colours, width: int) -> Text:
    """What needs a person, then every failure seen, newest first: which call, where, what to do, when it is tried.

    Args:
        snapshot: with the failures.
        now: the time.
        alerts: what needs a person.
        colours: of the theme.
        width: cells there are.
    """
    text = Text()
    for alert in alerts:
        text.append(f"▲ {clean_text(alert)}\n", _style(colours, "warn"))
    text.append("\n" if alerts else "")
    if not snapshot.errors:
        return text.append("no errors so far")
    retries = {
        (s.error.service, s.error.operation, s.error.region, s.error.code): s.next_try
        for s in snapshot.status.values()
        if s.error is not None
    }
    for error in snapshot.errors:
        same = (error.service, error.operation, error.region, error.code)
        again = retries.get(same)
        text.append_text(_error(error, now, again, current=same in retries, colours=colours, width=width))
    return text


def _said(words: str, width: int) -> str:
    """A sentence below its heading."""
    indent = "  "
    return "\n".join(wrap(words, max(20, width), initial_indent=indent, subsequent_indent=indent)) + "\n"


def _error(
    error: ErrorRecord, now: datetime, again: datetime | None, *, current: bool, colours: Colours, width: int
) -> Text:
    text = Text()
    call = ":".join(part for part in (error.service, error.operation) if part)
    text.append(clean_text(call), _style(colours, "state-bad" if current else "muted", bold=True))
    text.append(f"  {error.region}" if error.region else "")
    text.append(f"  {clean_text(error.code)}\n", _style(colours, "warn"))
    text.append(_said(clean_text(error.message), width))
    if error.hint:
        text.append(_said(clean_text(error.hint), width), _style(colours, "accent"))
    ago = format_duration((now - error.at).total_seconds())
    times = f"{error.count} times, last " if error.count > 1 else ""
    state = "still so" if current else "over"
    retry = f", next try in {format_duration((again - now).total_seconds())}" if again is not None and current else ""
    text.append(_said(f"{times}{ago} ago, {format_time(error.at)}, {state}{retry}", width), _style(colours, "muted"))
    text.append("\n")
    return text


def _entry(text: Text, head: str, said: str, width: int, style: Style | None = None) -> None:
    """A word and what it means; what is too long for the line goes on below itself, not below the word."""
    first, *others = wrap(said, max(20, width - len(head))) or [""]
    text.append(head, Style(bold=True))
    text.append("\n".join((first, *(" " * len(head) + more for more in others))) + "\n", style)


def help_text(
    keymap: Keymap, scopes: Sequence[Scope], fields: Fields[object] | None, colours: Colours, width: int
) -> Text:
    """The keys that work here, the filter language of this noun, and the commands; all from the tables.

    Args:
        keymap: the keys in force.
        scopes: who listens here.
        fields: what can be filtered by, None where there is no list.
        colours: of the theme.
        width: cells there are.
    """
    text = Text()
    ascii_free = max((len(_keys(keys.keys)) for scope in scopes for keys in keymap.of(scope)), default=10)
    for scope in scopes:
        actions = keymap.of(scope)
        if not actions:
            continue
        text.append(f"{scope}\n", _style(colours, "accent", bold=True))
        for action in actions:
            tone = _style(colours, "state-bad") if action.danger else None
            _entry(text, f"  {_keys(action.keys):<{ascii_free}}  ", action.help, width, tone)
        text.append("\n")
    if fields is not None:
        text.append_text(_filter_help(fields, colours, width))
    text.append("Commands\n", _style(colours, "accent", bold=True))
    for verb in VERBS:
        _entry(text, f"  :{verb.name} {verb.argument}".ljust(30), verb.help, width)
    text.append("\nSigns\n", _style(colours, "accent", bold=True))
    text.append("  ● running  ◐ changing  ○ stopped  ✕ ended\n  ▲ needs a look  ◆ ours  · not ours  ? not known\n")
    text.append("  s after a price is spot, d is disks only\n")
    return text


def _keys(keys: Iterable[str]) -> str:
    return " ".join(key_label(key) for key in keys)


def _filter_help(fields: Fields[object], colours: Colours, width: int) -> Text:
    text = Text("Filter\n", _style(colours, "accent", bold=True))
    numbers = (Kind.NUMBER, Kind.MONEY, Kind.SECONDS, Kind.BYTES, Kind.PERCENT)
    words = [f.aliases[0] if f.aliases else f.name for f in fields.columns if f.kind is Kind.TEXT]
    sums = [f.aliases[0] if f.aliases else f.name for f in fields.columns if f.kind in numbers]
    for line, meaning in (
        ("train", "any column holds the word"),
        ("re:^web-\\d", "any column matches the regex"),
        ("type:g5*", f"a field like a pattern: {', '.join(words)}"),
        ("tag:team=vision", "a tag, or tag:team for any value"),
        ("cost>1.5 age>24h", f"compare: {', '.join(sums)}"),
        ("!owner:ana", "not"),
        ("a b | c", "a and b, or c; quotes keep spaces"),
    ):
        _entry(text, f"  {line:<18}", meaning, width)
    text.append("\n")
    return text


def sections_text(sections: Sequence[Section], colours: Colours, width: int) -> Text:
    """A detail as text; see `runctl.widgets.detail`."""
    from runctl.widgets.detail import render_sections

    return render_sections(sections, dict(colours), width)


def compare_text(titles: tuple[str, str], values: Sequence[tuple[str, str, str]], width: int, colours: Colours) -> Text:
    """Two rows side by side, what differs first.

    Args:
        titles: names of the two.
        values: label, left, right of each field.
        width: cells there are.
        colours: of the theme.
    """
    label_width = max((len(label) for label, _, _ in values), default=5)
    side = max(12, (width - label_width - 6) // 2)
    text = Text()
    text.append(f"{'':<{label_width}}  ")
    text.append_text(_fit(titles[0], side, Style(bold=True)))
    text.append("  ")
    text.append_text(_fit(titles[1], side, Style(bold=True)))
    text.append("\n")
    different = [v for v in values if v[1] != v[2]]
    same = [v for v in values if v[1] == v[2]]
    for heading, group in ((f"different ({len(different)})", different), (f"the same ({len(same)})", same)):
        if not group:
            continue
        text.append(f"\n{heading}\n", _style(colours, "accent", bold=True))
        tone = _style(colours, "warn") if group is different else _style(colours, "muted")
        for label, left, right in group:
            text.append(f"{label:<{label_width}}  ", _style(colours, "muted"))
            text.append_text(_fit(left, side, tone))
            text.append("  ")
            text.append_text(_fit(right, side, tone))
            text.append("\n")
    return text


def _fit(value: str, width: int, style: Style) -> Text:
    cell = Text(clean_text(value, 400), style)
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell


def places_text(places: Iterable[Place], colours: Colours) -> Text:
    """Where credentials were looked for, in order, and what was there."""
    text = Text("Looked at, in this order:\n\n")
    for number, place in enumerate(places, 1):
        text.append(f"  {number}. {place.name}  ")
        found = clean_text(place.found, 80)
        text.append(f"{found or 'nothing'}\n", _style(colours, "accent" if found else "muted"))
    text.append("\nThe first that gives credentials is taken. Profiles: ~/.aws/config, `aws configure sso`.\n")
    return text
