"""Reading a large answer without Python's collector: it would go through every element read so far, again and again.

An answer of a thousand machines is 150,000 elements that live for a moment and hold no cycles, so they go by their
reference counts. A collection among them takes 70 ms, in which no other thread goes on and no key is heard.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_readers = 0
_was_on = False


@contextmanager
def uncollected() -> Iterator[None]:
    """The collector is off meanwhile, in all threads; the last of several readers turns it on, if it was."""
    global _readers, _was_on  # noqa: PLW0603  # the collector is one for the whole process, too
    with _lock:
        if _readers == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0 and _was_on:
                gc.enable()
