"""Fields as cells of a table or a CSV line: unknown is `?` (empty in CSV), absent is `-`, outside text is harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from runctl.cli.style import Style, Tone
from runctl.cli.table import Cell, Column
from runctl.format import UNKNOWN, clean_text, format_bytes, format_count, format_duration, format_percent, format_usd
from runctl.models.instance import Instance
from runctl.store.fields import Context, Field, Kind

ABSENT = "-"
#: None of these is "there is none", which is known; None of any other is "nobody knows".
_MAY_BE_ABSENT = frozenset(
    (
        *(
            "owner",
            "project",
            "job",
            "attached_to",
            "waste",
            "becomes",
            "action",
            "public_ip",
            "private_ip",
            "iops",
            "throughput",
        ),
        *("attempt", "instance_id", "expires_in_s", "budget_usd", "exit_code", "attached_state", "unknown", "basis"),
    )
)
_ONLY_RUNNING = frozenset({"uptime_s", "usd_since_launch"})
_KEPT = frozenset({"id", "bucket", "name", "state", "kind", "usd_per_hour", "usd_per_month"})
_WHOLE = frozenset({"id", "bucket", "instance_id", "attached_to", "volume_id", "type", "region", "az", "state"})
_NUMBERS = frozenset({Kind.NUMBER, Kind.MONEY, Kind.SECONDS, Kind.BYTES, Kind.PERCENT})
_TONES: Mapping[str, Tone] = {
    **dict.fromkeys(("running", "RUNNING", "in-use", "SUCCEEDED", "completed"), Tone.GOOD),
    **dict.fromkeys(("pending", "PENDING", "shutting-down", "stopping", "creating", "available"), Tone.WAIT),
    **dict.fromkeys(("stopped", "terminated", "CANCELLED"), Tone.DIM),
    **dict.fromkeys(("FAILED", "INTERRUPTED", "error", "UNKNOWN"), Tone.BAD),
}


def column_of(field: Field[Any]) -> Column:
    """How a field behaves as a column."""
    number = field.kind in _NUMBERS
    return Column(field.label, number, number or field.name in _WHOLE, field.name in _KEPT)


def cell_of(field: Field[Any], item: Any, context: Context, style: Style) -> Cell:
    """One value as people read it."""
    value = field.get(item, context)
    if value is None:
        return Cell(ABSENT if _is_absent(field, item) else UNKNOWN, Tone.DIM)
    text = text_of(field, value)
    tone = _TONES.get(text, Tone.PLAIN) if field.name in ("state", "resource_state") else Tone.PLAIN
    if field.name == "waste" and text:
        tone = Tone.WARN
    return Cell(style.clean(text) or ABSENT, tone)


def _is_absent(field: Field[Any], item: Any) -> bool:
    if field.name in _MAY_BE_ABSENT:
        return True
    if isinstance(item, Instance):
        return (field.name in _ONLY_RUNNING and not item.may_bill) or (
            field.name == "gpu_model" and item.hardware.gpu_count == 0
        )
    return False


def text_of(field: Field[Any], value: Any) -> str:
    """A known value as people read it, not yet cleaned."""
    if field.name == "usd_per_hour":
        return format_usd(value, 4)  # AWS lists hourly prices with four decimals; a t3.nano costs half a cent
    return _WRITERS.get(field.kind, str)(value)


def _span(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 0 else f"-{format_duration(-seconds)}"


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M}"


_WRITERS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.MONEY: format_usd,
    Kind.NUMBER: format_count,
    Kind.SECONDS: _span,
    Kind.BYTES: format_bytes,
    Kind.PERCENT: format_percent,
    Kind.TIME: _time,
    Kind.FLAG: lambda value: "yes" if value else "no",
    Kind.OBJECT: lambda value: " ".join(f"{k}={v}" for k, v in value.items() if v is not None),
}


def csv_value(field: Field[Any], item: Any, context: Context) -> str:
    """One value for a machine: numbers unrounded, times ISO-8601, unknown empty."""
    value = field.get(item, context)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        value = " ".join(f"{k}={v}" for k, v in value.items() if v is not None)
    return csv_word(str(value))


def csv_word(text: str) -> str:
    """Outside text as a value of a table.

    A text that a spreadsheet would run as a formula (`=`, `+`, `@`, or `-` before something that is no number) gets
    an apostrophe in front, as OWASP's page on CSV injection advises: names and tags come from anybody in the account.
    """
    text = clean_text(text, 4096)
    return f"'{text}" if text[:1] in ("=", "+", "@", "-") else text
