"""Values of secrets never leave the machine: in the log they become as many `*`, so that no byte offset moves."""

from __future__ import annotations

import re
from typing import Iterable


class Redactor:
    """Replaces known values in a stream of bytes, also where a value is cut by the end of a piece.

    Args:
        values: what must not be seen. Values of multi-line secrets count line by line too; shorter than four
            characters is left alone: it would blacken every log and hide nothing.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        whole = {v.strip() for v in values}
        parts = whole | {line.strip() for v in whole for line in v.splitlines()}
        self._values = sorted((p.encode() for p in parts if len(p) >= 4), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(v) for v in self._values)) if self._values else None
        self._longest = max((len(v) for v in self._values), default=0)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be passed on now; what might be the beginning of a value waits for its rest."""
        if self._pattern is None:
            return data
        text = self._pattern.sub(_stars, self._held + data)
        keep = self._begun(text)
        self._held = text[len(text) - keep :] if keep else b""
        return text[: len(text) - keep]

    def _begun(self, text: bytes) -> int:
        """How many bytes at the end might be the beginning of a value."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(len(v) > length and v.startswith(end) for v in self._values):
                return length
        return 0

    def finish(self) -> bytes:
        """What was held back, once nothing follows."""
        rest, self._held = self._held, b""
        return rest

    def text(self, message: str) -> str:
        """A message of our own, without values."""
        if self._pattern is None:
            return message
        return self._pattern.sub(_stars, message.encode("utf-8", "replace")).decode("utf-8", "replace")


def _stars(found: re.Match[bytes]) -> bytes:
    return b"*" * len(found.group())
