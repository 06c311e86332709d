"""EC2's XML, written straight from plain dictionaries in the API's own field names.

moto's serializer takes 2-3 ms for one instance (it resolves every attribute by several spellings), which would make a
listing of a thousand machines a benchmark of the server. Here each shape of botocore's model is compiled once into a
closure; a machine takes some tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from moto.core.utils import get_service_model

Writer = Callable[[Any], str]
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


@lru_cache(maxsize=65536)  # most texts of a listing come again: tag keys, types, zones, flags
def escape(text: str) -> str:
    """`text` as XML character data. Characters that XML 1.0 forbids are dropped: no AWS reply can carry them either."""
    escaped = text.translate(_ESCAPES)
    if escaped.isprintable():
        return escaped
    return "".join(c for c in escaped if c >= " " or c in "\n\t")


def timestamp(at: datetime) -> str:
    """EC2's spelling of a time; a naive one is UTC, as everywhere in moto."""
    utc = at if at.tzinfo is None else at.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def text_of(value: Any) -> str:
    """A scalar as EC2 writes it, also used to compare it with filter values."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value)


def _scalar(value: Any) -> str:
    return escape(text_of(value))


class _Compiler:
    """Turns output shapes into writers; recursive shapes meet themselves through `_known`."""

    def __init__(self) -> None:
        self._known: dict[str, Writer] = {}

    def writer(self, shape: Any) -> Writer:
        """The writer of `shape`: value to inner XML."""
        if shape.type_name not in ("structure", "list"):
            return _scalar
        if shape.name not in self._known:
            self._known[shape.name] = self._later(shape.name)
            self._known[shape.name] = self._list(shape) if shape.type_name == "list" else self._structure(shape)
        return self._known[shape.name]

    def _later(self, name: str) -> Writer:
        def write(value: Any) -> str:
            return self._known[name](value)

        return write

    def _structure(self, shape: Any) -> Writer:
        parts = []
        for name, member in shape.members.items():
            tag = member.serialization.get("name", name)
            parts.append((name, f"<{tag}>", f"</{tag}>", self.writer(member)))
        table = {name: (start, end, write) for name, start, end, write in parts}

        def write(value: Mapping[str, Any]) -> str:
            out: list[str] = []
            for name, item in value.items():
                if item is None:
                    continue
                start, end, inner = table[name]
                out += (start, inner(item), end)
            return "".join(out)

        return write

    def _list(self, shape: Any) -> Writer:
        tag = shape.member.serialization.get("name", "item")
        start, end, inner = f"<{tag}>", f"</{tag}>", self.writer(shape.member)
        return lambda value: "".join([f"{start}{inner(item)}{end}" for item in value])


_COMPILER = _Compiler()


@cache
def _writer_of(operation: str) -> Writer | None:
    shape = get_service_model("ec2").operation_model(operation).output_shape
    return None if shape is None else _COMPILER.writer(shape)


def ec2_reply(operation: str, result: Mapping[str, Any], request_id: str) -> str:
    """The whole body of a successful EC2 reply.

    Raises:
        KeyError: `result` holds a field that the operation's output does not have.
    """
    write = _writer_of(operation)
    inner = write(result) if write else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{NAMESPACE}">'
        f"<requestId>{request_id}</requestId>{inner}</{operation}Response>"
    )
