"""How much lies below a prefix, by storage class and by what is directly below; streamed, nothing is kept but sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.services.transfer.client import S3Client
from runctl.services.transfer.listing import list_remote
from runctl.services.transfer.uri import S3Uri


@dataclass(slots=True)
class Usage:
    """Objects and bytes, newest change in seconds since the epoch (0.0: none), bytes by storage class."""

    objects: int = 0
    bytes: int = 0
    newest: float = 0.0
    classes: dict[str, int] = field(default_factory=dict)

    def add(self, size: int, modified: float, storage_class: str) -> None:
        """Count an object."""
        self.objects += 1
        self.bytes += size
        self.newest = max(self.newest, modified)
        name = storage_class or "STANDARD"
        self.classes[name] = self.classes.get(name, 0) + size


@dataclass(slots=True)
class UsageTree:
    """The whole, and each group below it: prefixes up to `depth` slashes deep, "" for what lies at the level itself."""

    total: Usage = field(default_factory=Usage)
    groups: dict[str, Usage] = field(default_factory=dict)


def measure(
    client: S3Client, where: S3Uri, *, depth: int = 0, on_page: Callable[[UsageTree], None] | None = None
) -> UsageTree:
    """Sum up everything below a prefix, compared literally (so `s3://b/run-1` also counts `run-10`, as S3 lists it).

    Args:
        client: lists.
        where: bucket and prefix.
        depth: levels of groups to keep apart below the prefix.
        on_page: told the sums so far after each page.

    Raises:
        CloudError: a page could not be listed: there is no sum then.
    """
    tree = UsageTree()
    prefix = where.key
    for page in list_remote(client, where.bucket, prefix):
        for key, size, modified, _, storage_class in page:
            tree.total.add(size, modified, storage_class)
            if depth:
                parts = key[len(prefix) :].split("/")
                group = "/".join(parts[:-1][:depth]) + "/" if len(parts) > 1 else ""
                tree.groups.setdefault(group, Usage()).add(size, modified, storage_class)
        if on_page is not None:
            on_page(tree)
    return tree
