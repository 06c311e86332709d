"""What is in a checkpoint, read without executing anything.

A pickle is a program: it is walked opcode by opcode (`pickletools.genops`), never loaded. Of a zip only its directory
and the opcodes of `data.pkl` are read, of safetensors only the header. Formats: safetensors' README, "Format";
PyTorch's "Serialization semantics"; Python's `pickletools`.
"""

from __future__ import annotations

import io
import json
import math
import pickletools  # opcodes only; nothing is loaded
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

KINDS = (".pt", ".pth", ".ckpt", ".safetensors", ".pkl", ".json")
#: The format's own limit of a header (safetensors' README).
_HEADER_MOST = 100_000_000
_PICKLE_MOST = 64 << 20
_JSON_MOST = 16 << 20
_OPCODES_MOST = 2_000_000
_NAMES_MOST = 200
#: Modules that a checkpoint has no business calling when it is loaded.
_DANGEROUS = frozenset({
    "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "socket", "shutil", "importlib", "runpy",
    "pty", "ctypes", "webbrowser", "asyncio", "multiprocessing", "code", "codeop", "timeit", "pip",
})  # fmt: skip
_HARMLESS = frozenset(
    f"{module}.{name}"
    for module in ("builtins", "__builtin__")
    for name in (
        *("dict", "list", "set", "frozenset", "tuple", "int", "float", "complex", "bool", "str", "bytes", "bytearray"),
        *("slice", "range", "object"),
    )
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Args:
        kind: "safetensors", "torch zip", "pickle", "json".
        whole: whether its parts are all there; False for a file that was cut off.
        tensors: how many, None when the format does not say without loading.
        parameters: numbers in all tensors, None likewise.
        facts: what else is worth showing, in order.
        danger: callables that loading it would reach and that no checkpoint needs.
        problem: what is wrong with it, "" when nothing is.
    """

    kind: str
    whole: bool = True
    tensors: int | None = None
    parameters: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    danger: tuple[str, ...] = ()
    problem: str = ""


def inspect(name: str, file: BinaryIO, size: int) -> Contents:
    """Look into a file.

    Args:
        name: its name, for the ending.
        file: seekable, opened for reading bytes; only what is needed is read.
        size: its size in bytes.
    """
    ending = next((k for k in KINDS if name.lower().endswith(k)), "")
    try:
        if ending == ".safetensors":
            return _safetensors(file, size)
        if ending == ".json":
            return _json(file, size)
        start = file.read(4)
        file.seek(0)
        if start == b"PK\x03\x04":
            return _torch_zip(file)
        if start[:1] == b"\x80" or ending == ".pkl":
            return _pickle(file.read(min(size, _PICKLE_MOST)), "pickle")
    except (ValueError, KeyError, struct.error, EOFError, zipfile.BadZipFile, RecursionError, OverflowError) as error:
        return Contents(ending.removeprefix(".") or "unknown", whole=False, problem=_said(error))
    return Contents("unknown", problem="neither safetensors, zip, pickle nor JSON")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _safetensors(file: BinaryIO, size: int) -> Contents:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(_HEADER_MOST, size - 8):
        raise ValueError(f"its header would be {length:,} bytes long, and the file has {size:,}")
    header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    said = header.pop("__metadata__", None)
    ends = [int(t["data_offsets"][1]) for t in header.values()]
    expected = 8 + length + max(ends, default=0)
    types = sorted({str(t["dtype"]) for t in header.values()})
    metadata = {str(k): str(v) for k, v in said.items()} if isinstance(said, dict) else {}
    return Contents(
        "safetensors",
        whole=expected <= size,
        tensors=len(header),
        parameters=sum(math.prod(int(n) for n in t["shape"]) for t in header.values()),
        facts={"types": ", ".join(types), **metadata},
        problem="" if expected <= size else f"cut off: {size:,} of {expected:,} bytes",
    )


def _torch_zip(file: BinaryIO) -> Contents:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        pickle = next((e for e in entries if e.filename.endswith("/data.pkl") or e.filename == "data.pkl"), None)
        stored = [e for e in entries if "/data/" in f"/{e.filename}"]
        facts = {"entries": str(len(entries)), "stored bytes": f"{sum(e.file_size for e in stored):,}"}
        version = next((e for e in entries if e.filename.rpartition("/")[2] == "version"), None)
        if version is not None and version.file_size < 32:
            facts["format"] = archive.read(version).decode("ascii", "replace").strip()
        if pickle is None:
            return Contents("zip", facts=facts, problem="no data.pkl in it: not written by torch.save")
        if pickle.file_size > _PICKLE_MOST:
            return Contents("torch zip", tensors=len(stored), facts=facts, problem="its pickle is too big to walk")
        inner = _pickle(archive.read(pickle), "torch zip")
    return Contents("torch zip", inner.whole, len(stored), None, {**facts, **inner.facts}, inner.danger, inner.problem)


def _pickle(data: bytes, kind: str) -> Contents:
    names: dict[str, None] = {}
    keys: dict[str, None] = {}
    whole = False
    for number, (opcode, argument) in enumerate(_opcodes(data)):
        if number > _OPCODES_MOST:
            break
        if opcode == "STOP":
            whole = True
        elif opcode == "name":
            names[str(argument)] = None
        elif opcode == "text" and len(keys) < 12 and isinstance(argument, str) and argument.isidentifier():
            keys[argument] = None
    danger = tuple(n for n in names if n.partition(".")[0] in _DANGEROUS and n not in _HARMLESS)
    facts = {"names in it": ", ".join(keys)} if keys else {}
    if names:
        facts["refers to"] = ", ".join(list(names)[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return Contents(kind, whole=whole, facts=facts, danger=danger, problem="" if whole else "cut off: it has no end")


def _opcodes(data: bytes) -> Iterator[tuple[str, Any]]:
    """Opcodes that matter: every callable by its dotted name, texts, the end."""
    texts: list[str] = []
    memo: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if opcode.name == "GLOBAL" and isinstance(argument, str):
                yield "name", argument.replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL":
                yield "name", ".".join(texts[-2:])
            elif isinstance(argument, str):
                texts.append(argument)
                yield "text", argument
            elif opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
                memo.append(texts[-1] if texts else "")
            elif opcode.name in ("BINGET", "LONG_BINGET", "GET") and isinstance(argument, int):
                texts.append(memo[argument] if argument < len(memo) else "")
            elif opcode.name == "STOP":
                yield "STOP", None
            del texts[:-_NAMES_MOST]
    except ValueError:  # the end is missing, or it is no pickle
        return


def _json(file: BinaryIO, size: int) -> Contents:
    if size > _JSON_MOST:
        return Contents("json", problem=f"{size:,} bytes are too many to read here")
    value = json.loads(file.read(size))
    if not isinstance(value, dict):
        return Contents("json", facts={"holds": type(value).__name__})
    plain = {k: str(v)[:80] for k, v in value.items() if isinstance(v, str | int | float | bool)}
    return Contents("json", facts={**dict(list(plain.items())[:12]), "keys": str(len(value))})
