"""Synchronise again whenever the source changed: the tree's outline is looked at, S3 is asked only when it moved."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from runctl.clock import Clock
from runctl.services.transfer.control import Cancelled, Control
from runctl.services.transfer.listing import LocalFile, list_local
from runctl.services.transfer.plan import Outcome

#: Even when nothing seems to change here, the other end may: compare with it again after so many seconds.
FULL_S = 600.0


def outline(root: Path, *, follow: bool) -> bytes:
    """A fingerprint of names, sizes and times below a directory; reads no file."""
    digest = blake2b(digest_size=16)
    try:
        for found in list_local(root, follow=follow):
            fields = (found.name, found.size, found.mtime_ns) if isinstance(found, LocalFile) else (found.name,)
            digest.update(repr(fields).encode("utf-8", "surrogateescape"))
    except OSError as error:  # the root is gone for a moment: another outline, so the sync itself says so
        digest.update(repr(error).encode())
    return digest.digest()


def watch(
    once: Callable[[], Outcome],
    root: Path | None,
    control: Control,
    clock: Clock,
    *,
    every_s: float,
    follow: bool = True,
) -> Outcome:
    """Run `once` now and after each change until cancelled; the last outcome.

    Args:
        once: one synchronisation.
        root: the local source to look at, None when the source is in S3: then it runs every `every_s`.
        control: ends it.
        clock: for `FULL_S`.
        every_s: seconds between two looks.
        follow: follow links of the source.
    """
    while True:
        before = outline(root, follow=follow) if root is not None else b""
        outcome = once()
        if outcome.cancelled or outcome.fatal is not None:
            return outcome
        ran = clock.monotonic()
        try:
            control.sleep(every_s)
            while root is not None and not outcome.failed_count and clock.monotonic() - ran < FULL_S:
                if outline(root, follow=follow) != before:
                    break
                control.sleep(every_s)
        except Cancelled:
            return outcome
