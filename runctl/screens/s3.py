"""S3: buckets, and what is in them, one level at a time and only when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from runctl.errors import DeniedError, RunctlError
from runctl.format import clean_text, format_bytes, format_duration, format_time
from runctl.keymap import Scope
from runctl.models.s3 import Bucket, S3Entry
from runctl.models.snapshot import Health, Source
from runctl.screens.cells import NOTHING, Cell, Detail, Spec, age, money, number, outside, plain, row
from runctl.screens.desk import Desk, Question
from runctl.screens.noun import Noun, Resource
from runctl.screens.s3_moving import MovingScreen
from runctl.screens.view import NO_FILTER, Choice
from runctl.services.links import arn, console_url
from runctl.store.fields import BUCKET_FIELDS, Context, Field, Fields, Kind
from runctl.store.select import PanelStatus
from runctl.widgets.detail import Section

#: Entries kept of one level: a prefix may hold millions, and nobody reads past this many.
MAX_ENTRIES = 20_000

COLUMNS: tuple[Spec[Bucket], ...] = (
    Spec("bucket", "BUCKET", 26, lambda b, c: outside(b.name), flex=True),
    Spec("region", "REGION", 14, lambda b, c: outside(b.region or None), keep=50),
    Spec("age_s", "AGE", 6, lambda b, c: age(b.created_at, c), right=True, keep=40),
    Spec("objects", "OBJECTS", 10, lambda b, c: number(b.objects), right=True, keep=60),
    Spec("bytes", "SIZE", 10, lambda b, c: plain(format_bytes(b.bytes)), right=True),
    Spec("usd_per_month", "$/MO", 8, lambda b, c: money(b.usd_per_month), right=True),
)


def _size(entry: S3Entry, _context: Context) -> Cell:
    return NOTHING if entry.is_prefix and entry.bytes is None else plain(format_bytes(entry.bytes))


def _modified(entry: S3Entry, context: Context) -> Cell:
    return NOTHING if entry.is_prefix else age(entry.modified_at, context)


def _glyph(entry: S3Entry, _context: Context) -> Cell:
    return plain("▸", "accent") if entry.is_prefix else plain(" ")


def _age_s(entry: S3Entry, context: Context) -> float | None:
    return (context.now - entry.modified_at).total_seconds() if entry.modified_at else None


ENTRY_FIELDS: Fields[S3Entry] = Fields(
    "objects",
    (
        Field("key", "NAME", Kind.TEXT, lambda e, c: e.key, ("name", "id")),
        Field("bytes", "SIZE", Kind.BYTES, lambda e, c: e.bytes, ("size",)),
        Field("modified_at", "MODIFIED", Kind.TIME, lambda e, c: e.modified_at),
        Field("storage_class", "CLASS", Kind.TEXT, lambda e, c: e.storage_class or None, ("class",)),
        Field("etag", "ETAG", Kind.TEXT, lambda e, c: e.etag or None),
        Field("age_s", "AGE", Kind.SECONDS, _age_s, ("age",), in_json=False),
    ),
    lambda e: {},
)  # fmt: skip


def entry_columns(prefix: str) -> tuple[Spec[S3Entry], ...]:
    """The columns of one level: names are shown without the level's own prefix."""
    return (
        Spec("", "", 1, _glyph),
        Spec("key", "NAME", 30, lambda e, c: outside(e.key.removeprefix(prefix)), flex=True),
        Spec("bytes", "SIZE", 10, _size, right=True),
        Spec("age_s", "AGE", 6, _modified, right=True, keep=60),
        Spec("storage_class", "CLASS", 12, lambda e, c: outside(e.storage_class), keep=40),
    )


def bucket_detail(bucket: Bucket, context: Context) -> Detail:
    """What is known without listing every key."""
    counted = bucket.objects is not None or bucket.bytes is not None
    lines = [
        row("bucket", outside(bucket.name)),
        row("region", outside(bucket.region or None)),
        row("made", (*plain(format_time(bucket.created_at)), ("  ", ""), *age(bucket.created_at, context))),
        row("objects", number(bucket.objects)),
        row("size", plain(format_bytes(bucket.bytes))),
        row("a month", (("$", "money"), *money(bucket.usd_per_month))),
    ]
    if not counted:
        lines.append(row("", plain("not counted: s lists every key", "muted")))
    return (Section("", tuple(lines)),)


def entry_detail(entry: S3Entry, context: Context) -> Detail:
    """A key or a prefix."""
    lines = [row("prefix" if entry.is_prefix else "key", outside(entry.key))]
    if not entry.is_prefix:
        lines += [
            row(
                "size",
                (*plain(format_bytes(entry.bytes)), (f"  {entry.bytes:,} bytes" if entry.bytes else "", "muted")),
            ),
            row("modified", (*plain(format_time(entry.modified_at)), ("  ", ""), *age(entry.modified_at, context))),
            row("class", outside(entry.storage_class)),
            row("etag", outside(entry.etag, "muted")),
        ]
    return (Section("", tuple(lines)),)


BUCKETS: Noun[Any] = Noun(
    name="s3",
    word=("bucket", "buckets"),
    fields=BUCKET_FIELDS,
    sources=(Source.BUCKETS,),
    rows=lambda c: c.snapshot.buckets,
    columns=COLUMNS,
    detail=bucket_detail,
    identify=lambda b: b.name,
    resource=lambda b: Resource("bucket", b.region, b.name),
    title=lambda b: b.name,
    sort="bucket",
    empty="this account has no buckets",
    hint=lambda _: "make one: aws s3 mb s3://NAME, or runctl init for one that jobs write to",
)


ENTRIES: Noun[Any] = Noun(
    name="s3",
    word=("entry", "entries"),
    fields=ENTRY_FIELDS,
    sources=(Source.BUCKETS,),
    rows=lambda c: (),
    columns=entry_columns(""),
    detail=entry_detail,
    identify=lambda e: e.key,
    resource=lambda e: None,
    title=lambda e: e.key,
    sort="key",
    empty="nothing under this prefix",
)


def _counted(bucket: Bucket, size: tuple[int, int] | None) -> Bucket:
    return bucket if size is None else replace(bucket, objects=size[0], bytes=size[1])


class S3Screen(MovingScreen):
    """Buckets; Enter goes into one, Esc comes back. A level is listed when it is opened, and only then."""

    NOUN = BUCKETS
    SCOPE = Scope.S3

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._place: tuple[Bucket, str] | None = None
        self._entries: tuple[S3Entry, ...] = ()
        self._question: Question | None = None
        self._trouble: RunctlError | None = None
        self._as_of: datetime | None = None
        self._sizes: dict[str, tuple[int, int]] = {}

    def compose_top(self) -> ComposeResult:
        """Where one is."""
        yield Static("", id="path", markup=False)

    def items(self) -> Sequence[Any]:
        """Buckets, or the entries of the open level."""
        if self._place is None:
            counted = {n: s for n, s in self._sizes.items() if n.count("/") == 3}
            found = super().items()
            return [_counted(b, counted.get(f"s3://{b.name}/")) for b in found] if counted else found
        if not self._sizes:
            return self._entries
        head = f"s3://{self._place[0].name}/"
        return [replace(e, bytes=s[1]) if e.is_prefix and (s := self._sizes.get(head + e.key)) else e
                for e in self._entries]  # fmt: skip

    def place_uri(self) -> str:
        """The s3:// address of the open level, "" at the list of buckets."""
        return f"s3://{self._place[0].name}/{self._place[1]}" if self._place else ""

    def uri_of(self, row: Any) -> str:
        """The s3:// address of a row."""
        if isinstance(row, Bucket):
            return f"s3://{row.name}/"
        return f"s3://{self._place[0].name}/{row.key}" if self._place else ""

    def sized(self, row: Any, objects: int, size: int) -> None:
        """A row was measured: its size stays on screen."""
        bucket = row.name if isinstance(row, Bucket) else self._place[0].name if self._place else ""
        self._sizes[f"s3://{bucket}/" + ("" if isinstance(row, Bucket) else row.key)] = (objects, size)
        if self.is_current:
            self.show()

    def panel(self) -> PanelStatus:
        """How much to trust the rows; a level has its own answer."""
        if self._place is None:
            return super().panel()
        if self._trouble is not None:
            health = Health.DENIED if isinstance(self._trouble, DeniedError) else Health.ERROR
            return PanelStatus(health, self._as_of, str(self._trouble), complete=False)
        if self._as_of is None:
            bucket, prefix = self._place
            return PanelStatus(Health.LOADING, None, f"listing s3://{bucket.name}/{prefix}", complete=False)
        age_s = (self.context.now - self._as_of).total_seconds()
        return PanelStatus(Health.LIVE, self._as_of, f"listed {format_duration(age_s)} ago", complete=True)

    def show(self) -> None:
        """The path above the rows."""
        super().show()
        path = self.query_one("#path", Static)
        path.display = self._place is not None
        if self._place is not None:
            bucket, prefix = self._place
            path.update(Text(clean_text(f" s3://{bucket.name}/{prefix}"), no_wrap=True, overflow="ellipsis"))
            if not self.shown.rows and self._trouble is not None:
                self.table.set_notice(Text(f"{self._trouble}\n{self._trouble.hint}"))

    def open_row(self, row: Any) -> None:
        """Into a bucket or a prefix; a key shows its detail."""
        if isinstance(row, Bucket):
            self._enter(row, "")
        elif isinstance(row, S3Entry) and row.is_prefix and self._place is not None:
            self._enter(self._place[0], row.key)
        else:
            super().open_row(row)

    def step_back(self) -> bool:
        """Filter first, then one level up."""
        if super().step_back():
            return True
        if self._place is None:
            return False
        bucket, prefix = self._place
        if prefix:
            parent = prefix.rstrip("/").rpartition("/")[0]
            self._enter(bucket, f"{parent}/" if parent else "", came_from=prefix)
        else:
            self._leave(came_from=bucket.name)
        return True

    def refresh_place(self) -> bool:
        """`r` inside a bucket lists the level again; False at the top, where the pollers do it."""
        if self._place is not None:
            self._enter(*self._place, came_from=self.table.cursor_id or "")
        return self._place is not None

    def restore(self, choice: Choice) -> None:
        """A view from the history, with its place."""
        name, _, prefix = choice.place.partition("/")
        bucket = next((b for b in self.snapshot.buckets if b.name == name), None)
        if bucket is None:
            self._leave()
        elif self._place != (bucket, prefix):
            self._enter(bucket, prefix, remember=False)
        super().restore(choice)

    def copyable(self, row: Any) -> dict[str, str]:
        """Of a key: its S3 address."""
        if self._place is None or not isinstance(row, S3Entry):
            return super().copyable(row)
        bucket = self._place[0]
        whole = f"{bucket.name}/{row.key}"
        return {
            "key": row.key,
            "S3 URI": f"s3://{whole}",
            "ARN": arn("bucket", bucket.region, "", whole),
            "console URL": console_url("bucket", bucket.region, whole),
        }

    def _enter(self, bucket: Bucket, prefix: str, *, came_from: str = "", remember: bool = True) -> None:
        if self._question is not None:
            self._question.cancel()
        fresh = self._place is None
        self._place, self._entries, self._trouble, self._as_of = (bucket, prefix), (), None, None
        self.noun = replace(ENTRIES, columns=entry_columns(prefix))
        self.choice = Choice("key", place=f"{bucket.name}/{prefix}") if fresh else replace(
            self.choice, filter=NO_FILTER, place=f"{bucket.name}/{prefix}")  # fmt: skip
        self.show_columns()
        self.choose(self.choice, remember=remember)
        self._question = self.desk.ask_pages(
            lambda backend: backend.list_prefix(bucket.name, prefix),
            self._page_arrived,
            lambda: self._listed(came_from),
            self._failed,
        )

    def _leave(self, came_from: str = "") -> None:
        if self._question is not None:
            self._question.cancel()
        self._place, self._entries, self._trouble = None, (), None
        self.noun = BUCKETS
        self.choice = Choice(BUCKETS.sort)
        self.show_columns()
        self.choose(self.choice)
        self.table.go_to(came_from)

    def _page_arrived(self, page: tuple[S3Entry, ...]) -> None:
        self._entries = (self._entries + page)[:MAX_ENTRIES]
        if len(self._entries) >= MAX_ENTRIES and self._question is not None:
            self._question.cancel()
            self._listed("")
            self.notify(f"the first {MAX_ENTRIES:,} entries; go into a prefix to see less at once", markup=False)
        elif self.is_current:
            self.show()

    def _listed(self, came_from: str) -> None:
        self._as_of = self.desk.clock.now()
        self.show()
        if came_from:
            self.table.go_to(came_from)

    def _failed(self, error: RunctlError) -> None:
        self._trouble = error
        self.show()
