"""Source and target as streams of (name, file), and what in them is refused by name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from runctl.errors import InputError
from runctl.services.transfer import compare
from runctl.services.transfer.changes import Change, File, Kind, NameFilter
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.listing import LocalFile, ahead, list_local, list_remote
from runctl.services.transfer.paths import is_marker, refusal
from runctl.services.transfer.uri import S3Uri
from runctl.services.transfer.wire import RemoteFile

Location = Path | S3Uri


def check_ends(source: Location, target: Location) -> None:
    """Refuse pairs that cannot be synchronised.

    Raises:
        InputError: both are local, the source is no directory, the target is a file, or one prefix lies in the other.
    """
    example = "runctl s3 sync ./data s3://my-bucket/data/"
    if isinstance(source, Path) and isinstance(target, Path):
        raise InputError(f"{source} and {target} are both local", allowed="one of the two in S3", example=example)
    if isinstance(source, Path) and not source.is_dir():
        what = "is not a directory" if source.exists() else "does not exist"
        raise InputError(f"{source} {what}", allowed="a directory (for one file: s3 cp)", example=example)
    if isinstance(target, Path) and target.exists() and not target.is_dir():
        raise InputError(f"{target} is not a directory", allowed="a directory, made when missing", example=example)
    if isinstance(source, S3Uri) and isinstance(target, S3Uri) and source.bucket == target.bucket:
        one, other = source.directory, target.directory
        if one.startswith(other) or other.startswith(one):
            raise InputError(f"{source} and {target} overlap", allowed="prefixes of which none contains the other")


class Sides:
    """Streams of both ends, and what had to be left out on the way.

    Args:
        client: lists.
        names: which names take part.
        follow: follow symbolic links of a local source.
        presorted: believe that the server lists in S3's order (and check it).
        into_directory: the target is a directory: keys must be safe file names.
    """

    def __init__(
        self, client: S3Client, names: NameFilter, *, follow: bool, presorted: bool, into_directory: bool
    ) -> None:
        self._client = client
        self._names = names
        self._follow = follow
        self._presorted = presorted
        self._into_directory = into_directory
        self.refused: deque[Change] = deque()
        self.strays: list[str] = []
        self.sources = 0
        self.troubled = ""

    def source(self, where: Location) -> Iterator[tuple[str, File]]:
        """What is to be moved."""
        return self._local(where, source=True) if isinstance(where, Path) else self._remote(where, source=True)

    def target(self, where: Location) -> Iterator[tuple[str, File]]:
        """What is there."""
        if isinstance(where, S3Uri):
            return self._remote(where, source=False)
        return self._local(where, source=False) if where.exists() else iter(())

    def _local(self, root: Path, *, source: bool) -> Iterator[tuple[str, File]]:
        # Below a target links are never followed: what they lead to is not ours to overwrite or delete.
        on_temporary = None if source else self.strays.append
        chosen = self._names
        for found in list_local(root, follow=self._follow and source, on_temporary=on_temporary):
            if chosen and not chosen(found.name):
                continue
            if isinstance(found, LocalFile):
                self.sources += source
                yield found.name, found
            else:
                self.troubled = self.troubled or f"{found.name}: {found.reason}"
                if source:
                    self.refused.append(Change(Kind.REFUSED, found.name, reason=found.reason))

    def _remote(self, where: S3Uri, *, source: bool) -> Iterator[tuple[str, File]]:
        pairs = self._keys(where, source=source)
        return compare.in_order(pairs) if self._presorted else compare.sort_on_disk(pairs)

    def _keys(self, where: S3Uri, *, source: bool) -> Iterator[tuple[str, RemoteFile]]:
        cut = len(where.directory)
        chosen = self._names
        checked = source and self._into_directory
        for page in ahead(list_remote(self._client, where.bucket, where.directory)):
            if self._presorted:
                compare.check_order(page)  # before anything of it is compared
            for file in page:
                name = file.key[cut:]
                if chosen and not chosen(name):
                    continue
                if not file.size and is_marker(name, file.size) and (checked or not name):
                    continue
                if checked and (reason := refusal(name)):
                    self.refused.append(Change(Kind.REFUSED, name or file.key, file.size, file, reason=reason))
                    continue
                self.sources += source
                yield name, file
