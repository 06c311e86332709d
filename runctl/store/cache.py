"""The last snapshot on disk, for a first paint before AWS has answered. Always labelled with its age.

One file for each profile and choice of regions. Only complete data is written, and a broken, truncated or newer file is
ignored: a cache that cannot be read is no cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
import types
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from runctl.models.identity import Identity
from runctl.models.instance import Instance
from runctl.models.s3 import Bucket
from runctl.models.snapshot import Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.paths import make_private

VERSION = 1
_SLOTS: Mapping[str, type] = {
    "instances": Instance,
    "volumes": Volume,
    "snapshots": VolumeSnapshot,
    "addresses": Address,
    "buckets": Bucket,
}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cache_file(directory: Path, profile: str, regions: tuple[str, ...]) -> Path:
    """The file of one choice; the name says nothing about the account."""
    return directory / f"snapshot-{_hash(profile)}-{_hash(' '.join(sorted(regions)))}.json"


def _newest(directory: Path, profile: str) -> Path | None:
    """The newest file of a profile, whatever its regions."""
    try:
        found = list(directory.glob(f"snapshot-{_hash(profile)}-*.json"))
        return max(found, key=lambda p: p.stat().st_mtime) if found else None
    except OSError:
        return None


def save_snapshot(directory: Path, snapshot: Snapshot) -> bool:
    """Write a snapshot, readable by the owner only; False when it is incomplete or cannot be written.

    A partial listing never replaces a complete one: tomorrow's first paint would show machines as gone that are not.
    """
    if snapshot.identity is None or not snapshot.status:
        return False
    if not all(s.complete and not s.cached for s in snapshot.status.values()):
        return False
    document = {
        "version": VERSION,
        "identity": _plain(snapshot.identity),
        "profile": snapshot.profile,
        "regions": list(snapshot.regions),
        "status": [[str(k.source), k.region, _plain(s.as_of)] for k, s in snapshot.status.items()],
        **{slot: [_plain(i) for i in getattr(snapshot, slot)] for slot in _SLOTS},
    }
    try:
        make_private(directory)
        descriptor, name = tempfile.mkstemp(dir=directory)  # 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                # One call of the C encoder; `json.dump` writes piece by piece from Python.
                file.write(json.dumps(document, separators=(",", ":")))
            os.replace(name, cache_file(directory, snapshot.profile, snapshot.regions))
        except OSError:
            os.unlink(name)
            raise
    except OSError:
        return False  # a read-only home costs the cache and nothing else
    return True


def load_snapshot(directory: Path, profile: str, regions: tuple[str, ...] = (), scope: int = 0) -> Snapshot | None:
    """The cached snapshot with every source marked as cached; None when there is none that can be trusted.

    Args:
        directory: where caches live.
        profile: whose.
        regions: which choice of regions; () takes the newest of any.
        scope: the scope it becomes part of.
    """
    path = cache_file(directory, profile, regions) if regions else _newest(directory, profile)
    try:
        return None if path is None else _read(path, scope)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(path: Path, scope: int) -> Snapshot | None:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["version"] != VERSION:
        return None
    status = {
        SourceKey(Source(source), region): SourceStatus(
            Health.STALE, _built(as_of, datetime | None), complete=True, cached=True
        )
        for source, region, as_of in document["status"]
    }
    slots: dict[str, Any] = {slot: tuple(_built(i, kind) for i in document[slot]) for slot, kind in _SLOTS.items()}
    return Snapshot(
        scope=scope,
        identity=_built(document["identity"], Identity),
        profile=document["profile"],
        regions=tuple(document["regions"]),
        status=status,
        **slots,
    )


def _plain(value: Any) -> Any:
    """A model as JSON values; fields at their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(v) for f in dataclasses.fields(value) if (v := getattr(value, f.name)) != f.default}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(value: Any, kind: Any) -> Any:
    """The reverse of `_plain`, by the declared type.

    Raises:
        ValueError, TypeError, KeyError: the value does not fit, which makes the whole file untrusted.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _built(value, next(a for a in get_args(kind) if a is not type(None)))
    if origin is tuple:
        return tuple(_built(v, get_args(kind)[0]) for v in value)
    if origin is not None and issubclass(origin, Mapping):
        return {str(k): _built(v, get_args(kind)[1]) for k, v in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _built(v, hints[name]) for name, v in value.items()})
    return _scalar(value, kind)


def _scalar(value: Any, kind: Any) -> Any:
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    if issubclass(kind, Enum):
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value
