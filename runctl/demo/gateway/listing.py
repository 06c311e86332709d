"""Filters and pages, as EC2's Describe operations do them, over plain dictionaries in the API's own field names."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from runctl.demo.gateway.calls import AwsError
from runctl.demo.gateway.wire import text_of

Item = Mapping[str, Any]
_TAG_FILTERS = ("tag-key", "tag-value")


def values_at(item: Any, path: Sequence[str]) -> Iterator[Any]:
    """Every value at `path`, going into all elements of the lists on the way; nothing where the path ends early."""
    if isinstance(item, list):
        for element in item:
            yield from values_at(element, path)
    elif not path:
        if item is not None:
            yield item
    elif isinstance(item, Mapping) and path[0] in item:
        yield from values_at(item[path[0]], path[1:])


@lru_cache(maxsize=4096)
def _pattern(value: str) -> re.Pattern[str]:
    """EC2's wildcards: `*` any run, `?` one character, a backslash takes the next one literally; case matters."""
    out, characters = [], iter(value)
    for character in characters:
        if character == "\\":
            out.append(re.escape(next(characters, "")))
        else:
            out.append({"*": ".*", "?": "."}.get(character, re.escape(character)))
    return re.compile("".join(out), re.DOTALL)


def _matches(found: Iterable[Any], wanted: Sequence[str]) -> bool:
    patterns = [_pattern(w) for w in wanted]
    return any(p.fullmatch(text_of(value)) for value in found for p in patterns)


@dataclass(frozen=True, slots=True)
class Listing:
    """How one Describe operation filters and pages.

    Args:
        filters: filter name to the path of the value ("Placement.AvailabilityZone").
        smallest: least MaxResults that is accepted.
        largest: most items on one page.
        clamp: a larger MaxResults means `largest` (DescribeVolumes) instead of being refused.
    """

    filters: Mapping[str, str]
    smallest: int = 5
    largest: int = 1000
    clamp: bool = False

    def select(self, items: Iterable[Item], wanted: Sequence[Item]) -> list[Item]:
        """The items that pass every filter.

        Raises:
            AwsError: a filter that the operation does not have, or one without values.
        """
        tests = [self._test(f) for f in wanted]
        return [item for item in items if all(test(item) for test in tests)]

    def _test(self, wanted: Item) -> Callable[[Item], bool]:
        name = str(wanted.get("Name") or "null")
        values = wanted.get("Values") or []
        if name.startswith("tag:"):
            key = name.removeprefix("tag:")
            return lambda i: _matches((t["Value"] for t in i.get("Tags") or () if t["Key"] == key), values)
        if name in _TAG_FILTERS:
            part = "Key" if name == "tag-key" else "Value"
            return lambda i: _matches((t[part] for t in i.get("Tags") or ()), values)
        if name not in self.filters:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        path = self.filters[name].split(".")
        return lambda i: _matches(values_at(i, path), values)

    def page(
        self, items: Sequence[Item], key: Callable[[Item], str], params: Mapping[str, Any]
    ) -> tuple[list[Item], str | None]:
        """One page in the order of `key`, and the token of the next one.

        The token holds the last key, so a listing stays complete while things come and go between its pages.

        Raises:
            AwsError: MaxResults out of range, or a token that is none of ours.
        """
        size = self._size(params.get("MaxResults"))
        ordered = sorted(items, key=key)
        if token := params.get("NextToken"):
            last = _decode(str(token))
            ordered = [i for i in ordered if key(i) > last]
        page = ordered[:size]
        return page, _encode(key(page[-1])) if len(ordered) > size else None

    def _size(self, asked: Any) -> int:
        if asked is None:
            return self.largest
        if int(asked) < self.smallest or (int(asked) > self.largest and not self.clamp):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ( {asked} ) for parameter maxResults is invalid. "
                f"Expecting a value between {self.smallest} and {self.largest}.",
            )
        return min(int(asked), self.largest)


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(f"after:{key}".encode()).decode()


def _decode(token: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    if not text.startswith("after:"):
        raise AwsError("InvalidNextToken", f"The token '{token}' is invalid.")
    return text.removeprefix("after:")
