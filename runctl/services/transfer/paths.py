"""What may be written where: keys that are no safe file name are refused by name, never bent into one.

A key is any 1,024 bytes of UTF-8. Below a directory only plain relative paths are written: no `..`, nothing absolute,
no empty component, no NUL, no backslash (a separator elsewhere), no name the file system cannot hold.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from runctl.services.transfer.listing import TEMPORARY, TEMPORARY_END

#: Longest name of one file in bytes on every common file system, and Linux's PATH_MAX less room for the root.
NAME_MAX = 255
PATH_MAX = 4096
# Compared with `match`: one pass says that a key is harmless, which nearly all are.
_PLAIN = re.compile(r"(?:(?!\.\.?(?:/|$))[^/\\\0\ud800-\udfff]{1,63}/)*(?!\.\.?$)[^/\\\0\ud800-\udfff]{1,63}\Z")


def refusal(name: str) -> str:
    """Why a key (relative to the prefix being copied) is not written below a directory, "" when it may be."""
    if len(name) <= 256 and _PLAIN.match(name) and not _is_temporary(name):
        return ""
    if not name:
        return "the key is the prefix itself and has no name below it"
    if "\0" in name:
        return "the key contains a NUL"
    if "\\" in name:
        return "the key contains a backslash, which separates directories on other systems"
    if name.startswith("/"):
        return "the key is absolute below the prefix"
    parts = name.split("/")
    if not parts[-1]:
        return "the key ends in a slash: it marks a directory, but is not empty"
    if "" in parts:
        return "the key has an empty component (//)"
    if ".." in parts or "." in parts:
        return "the key has a . or .. component"
    return _too_long(name, parts) or ("the name is one of runctl's temporary files" if _is_temporary(name) else "")


def _too_long(name: str, parts: list[str]) -> str:
    try:
        if max(len(p.encode()) for p in parts) > NAME_MAX:
            return f"a component is longer than {NAME_MAX} bytes"
        return f"the path is longer than {PATH_MAX} bytes" if len(name.encode()) >= PATH_MAX else ""
    except UnicodeEncodeError:
        return "the key is not valid UTF-8"


def _is_temporary(name: str) -> bool:
    return TEMPORARY in name and name.rpartition("/")[2].startswith(TEMPORARY) and name.endswith(TEMPORARY_END)


def is_marker(name: str, size: int) -> bool:
    """Whether a key only marks a directory, as consoles make them: ends in a slash (or is the prefix) and is empty."""
    return size == 0 and (not name or name.endswith("/"))


def temporary_name(name: str) -> str:
    """The name a file has until it is whole: the same at every try, so that a rerun finds or replaces it."""
    return f"{TEMPORARY}{blake2b(name.encode(), digest_size=8).hexdigest()}{TEMPORARY_END}"


class CaseGuard:
    """Finds names that differ only by case, in keys given in S3's order; remembers the directories on the way only.

    Args:
        insensitive: the destination takes such names for one. It then remembers every name of the directories on the
            way; else only the first `limit` of each, since both are written and a note is all there is to lose.
        limit: see above.
    """

    def __init__(self, *, insensitive: bool, limit: int = 100_000) -> None:
        self.insensitive = insensitive
        self._limit = limit
        # Each directory on the way: its name, what was seen in it by folded name, and what it itself clashes with.
        self._way: list[tuple[str, dict[str, str], str]] = [("", {}, "")]

    def clash(self, name: str) -> str:
        """The earlier path that `name`, or a directory it lies in, differs from only by case; "" when there is none."""
        parts = name.split("/")
        depth = 1
        while depth < len(self._way) and depth < len(parts) and self._way[depth][0] == parts[depth - 1]:
            depth += 1
        del self._way[depth:]
        for index in range(depth - 1, len(parts)):
            _, seen, found = self._way[index]
            folded = parts[index].casefold()
            other = seen.get(folded)
            if other is None:
                if self.insensitive or len(seen) < self._limit:
                    seen[folded] = parts[index]
            elif other != parts[index] and not found:
                found = "/".join([*parts[:index], other])
            if index + 1 == len(parts):
                return found
            self._way.append((parts[index], {}, found))
        return ""
