"""Numbers and times as people read them, and outside text made safe for one line. Pure functions; None becomes `?`."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime

UNKNOWN = "?"
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_].*?(?:\x1b\\|$)|.?)",
    re.DOTALL,
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def format_usd(value: float | None, decimals: int = 2) -> str:
    """Dollars with fixed decimals and thousands separators: 1,669.40."""
    return UNKNOWN if value is None else f"{value:,.{decimals}f}"


def format_usd_short(value: float | None) -> str:
    """Dollars in few characters: $0.41, $61.20, $402, $1.2k, $3.4M."""
    if value is None or not math.isfinite(value):
        return f"${UNKNOWN}"
    # Each limit is where rounding would reach it: 999.6 is $1.0k, never $1,000.
    for limit, divisor, suffix in ((999_950, 1e6, "M"), (999.5, 1e3, "k")):
        if abs(value) >= limit:
            return f"${value / divisor:,.1f}{suffix}"
    return f"${value:.0f}" if abs(value) >= 99.995 else f"${value:.2f}"


def format_duration(seconds: float | None) -> str:
    """At most two units: 8s, 12m, 4h05, 3d04h, 41d."""
    if seconds is None:
        return UNKNOWN
    s = int(max(0.0, seconds))
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m"
    if s < 86400:
        return f"{s // 3600}h{s % 3600 // 60:02d}"
    return f"{s // 86400}d{s % 86400 // 3600:02d}h" if s < 10 * 86400 else f"{s // 86400}d"


def parse_duration(text: str) -> float:
    """Seconds of "90s", "30m", "8h", "1d12h"; a bare number is seconds.

    Raises:
        ValueError: anything else.
    """
    compact = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    parts = _DURATION.findall(compact)
    if not parts or "".join(a + b for a, b in parts) != compact:
        raise ValueError(f"{text!r} is not a duration; write 90s, 30m, 8h or 1d12h")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_bytes(value: float | None) -> str:
    """Binary units: 512 B, 1.5 KiB, 80.0 GiB."""
    if value is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < (1024 if unit == "B" else 1023.95) or unit == "TiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return UNKNOWN


def format_count(value: float | None) -> str:
    """A whole number with separators, or a fraction with the digits it has."""
    if value is None:
        return UNKNOWN
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def format_percent(value: float | None) -> str:
    """A share of 100 without decimals: 83%."""
    return UNKNOWN if value is None else f"{value:.0f}%"


def format_time(value: datetime | None) -> str:
    """UTC to the second, as ISO-8601 with Z."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def clean_text(text: str, limit: int = 512) -> str:
    """Outside text on one line: escape sequences and control characters removed, breaks as spaces, direction marks out.

    Args:
        text: anything.
        limit: longest result in characters; longer text ends in an ellipsis.
    """
    text = text[: limit * 8]
    if text.isascii() and text.isprintable():
        return text if len(text) <= limit else text[: limit - 1] + "…"
    text = _ESCAPES.sub("", text).translate({10: " ", 13: " ", 9: " ", 0x2028: " ", 0x2029: " "})
    kept = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
