"""Someone who looks at a transfer now and then, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ticking(watch: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `watch` beside the block; it returns soon after its event is set, which the end of the block does."""
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(stop,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(2)
