"""What comes from outside while the command runs: the control object, the lease, notices of the instance metadata."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any, Callable

from runctl.agent.aws import Metadata
from runctl.agent.store import MissingError, Store
from runctl.models import record


class Poller:
    """Calls something every so many seconds in a thread of its own, until stopped; what it raises is remembered.

    Args:
        name: of the thread.
        every_s: seconds between the end of one call and the next.
        work: what to call.
    """

    def __init__(self, name: str, every_s: float, work: Callable[[], None]) -> None:
        self._every_s = every_s
        self._work = work
        self._stop = threading.Event()
        self._now = threading.Event()
        self.error = ""
        self.name = name
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> Poller:
        """Begin; the first call is made at once."""
        self._thread.start()
        return self

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
                self.error = ""
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
            self._now.wait(self._every_s)
            self._now.clear()

    def hurry(self) -> None:
        """Call again now, not when the time has come."""
        self._now.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End; waits for a call that is under way."""
        self._stop.set()
        self._now.set()
        self._thread.join(timeout)


class Desired:
    """The client's wishes: `control.json` and the fence of `lease.json`.

    Args:
        store: the record.
        job: its id.
        attempt: ours.
    """

    def __init__(self, store: Store, job: str, attempt: int) -> None:
        self._store, self._job, self._attempt = store, job, attempt
        self.control: dict[str, Any] = {}
        self.fence = 0

    def poll(self) -> None:
        """Read both. Objects that are not there say nothing; one that cannot be read leaves what was known.

        Raises:
            StoreError: the record cannot be read now.
        """
        fence = self._read(record.lease_key(self._job)).get("fence")
        if isinstance(fence, int):
            self.fence = max(self.fence, fence)
        control = self._read(record.control_key(self._job))
        if control:
            self.control = control

    def _read(self, key: str) -> dict[str, Any]:
        with contextlib.suppress(MissingError, ValueError):
            value = record.load(self._store.get(key)[0])
            return value if record.is_readable(value) else {}
        return {}

    @property
    def fenced(self) -> bool:
        """Whether a later attempt has been given the job."""
        return self.fence > self._attempt

    @property
    def stop(self) -> str | None:
        """Why the client wants the command to stop, or None."""
        if self.control.get("desired") != "stop":
            return None
        return str(self.control.get("reason") or f"asked for by {self.control.get('by', 'the client')}")


class Notices:
    """What EC2 announces on the machine itself: an interruption of a spot machine, a rebalance recommendation.

    Source: Amazon EC2 User Guide, "Spot Instance interruption notices" (two minutes, best effort, poll every 5 s).
    """

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self.action: dict[str, Any] | None = None
        self.rebalance: dict[str, Any] | None = None

    def poll(self) -> None:
        """Ask for both.

        Raises:
            OSError: the metadata service does not answer.
        """
        for path, name in (("spot/instance-action", "action"), ("events/recommendations/rebalance", "rebalance")):
            text = self._metadata.get("meta-data/" + path)
            if text is not None and getattr(self, name) is None:
                try:
                    setattr(self, name, dict(json.loads(text)))
                except ValueError:
                    setattr(self, name, {"text": text[:200]})
