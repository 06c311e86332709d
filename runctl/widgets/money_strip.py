"""The top line of every screen: what burns, what was spent, what needs a person, whose account, how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass

from runctl.format import clean_text, format_usd_short
from runctl.store.select import Summary
from runctl.theme import UNICODE, Glyphs
from runctl.widgets.line import Line, Piece

#: From here on the burn is drawn hot: more than a thousand dollars a day.
HOT_USD_PER_HOUR = 42.0


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Whose account and which regions: `account` is its alias or id, "" while unknown; `freshness` such as "4s"."""

    account: str = ""
    profile: str = ""
    regions: tuple[str, ...] = ()
    freshness: str = ""
    stale: bool = False
    demo: bool = False
    read_only: bool = False
    paused: bool = False


def burn_words(summary: Summary) -> str:
    """`$18.42/h +2 unpriced`: the sum and what it lacks."""
    unpriced = f" +{summary.burn_unpriced} unpriced" if summary.burn_unpriced else ""
    return f"${summary.burn_usd_per_hour:,.2f}/h{unpriced}"


def at_least(usd: float | None, *, complete: bool) -> str:
    """A sum of the ledger: `$61`, `$61+` where something is not in it (not watched, not priced), `$?` when unknown."""
    return format_usd_short(usd) + ("+" if usd is not None and not complete else "")


def strip_pieces(summary: Summary | None, place: Whereabouts, signs: Glyphs = UNICODE) -> list[Piece]:
    """The pieces of the strip, the most important with the lowest rank."""
    pieces = [Piece("runctl", "accent", bold=True, rank=9)]
    if summary is None:
        pieces.append(Piece("$?/h", "money", bold=True))
    else:
        hot = summary.burn_usd_per_hour >= HOT_USD_PER_HOUR
        pieces.append(Piece(burn_words(summary), "money-hot" if hot else "money", bold=True))
        if summary.burn_waits:
            pieces.append(Piece("so far", "stale", rank=1))
        if summary.burn_without:
            pieces.append(Piece(f"without {', '.join(summary.burn_without)}", "warn", rank=0, action="app.errors"))
        today = at_least(summary.today_usd, complete=summary.today_complete)
        pieces.append(Piece(f"today {today}", "money", rank=5))
        projected = summary.month_projected_usd
        after = f"{signs.arrow}{format_usd_short(projected)}" if projected is not None else ""
        month = at_least(summary.month_usd, complete=summary.spent_complete)
        pieces.append(Piece(f"month {month}{after}", "money", rank=6))
        pieces.append(
            Piece(f"{summary.jobs_running} job{'s' * (summary.jobs_running != 1)}", rank=7)
            if summary.jobs_running
            else Piece("")
        )
        if summary.alerts:
            pieces.append(
                Piece(f"{signs.warning}{len(summary.alerts)}", "warn", bold=True, rank=1, action="app.errors")
            )
    return [*pieces, *_whereabouts(place)]


def _whereabouts(place: Whereabouts) -> list[Piece]:
    regions = place.regions
    shown = "" if not regions else regions[0] + (f" +{len(regions) - 1}" if len(regions) > 1 else "")
    marks = [
        Piece("DEMO", "warn", bold=True, rank=4) if place.demo else Piece(""),
        Piece("READ-ONLY", "warn", bold=True, rank=2) if place.read_only else Piece(""),
        Piece("PAUSED", "warn", bold=True, rank=2) if place.paused else Piece(""),
    ]
    account = clean_text(place.account, 24) or "account ?"
    profile = clean_text(place.profile, 16)
    return [
        *[m for m in marks if m.text],
        Piece(account, "muted", rank=3, right=True),
        Piece(profile, "muted", rank=8, right=True),
        Piece(shown, "muted", rank=4, right=True, action="app.region"),
        Piece(place.freshness, "warn" if place.stale else "muted", right=True, rank=2),
    ]


class MoneyStrip(Line):
    """The strip as a widget."""

    def show_summary(self, summary: Summary | None, place: Whereabouts, signs: Glyphs = UNICODE) -> None:
        """Show the figures; None while nothing is known."""
        self.show(strip_pieces(summary, place, signs))
