"""Writes the record: events, heartbeat, log, metrics. Patient where the store is not there, silent once fenced."""

from __future__ import annotations

import gzip
import threading
import time
from collections import deque
from typing import Any, Callable, Mapping

from runctl.agent.metrics import Curve, Point
from runctl.agent.spool import Piece, Spool
from runctl.agent.store import ConflictError, Store, StoreError
from runctl.models import record

#: A chunk leaves at this size, or at this age (seconds); the first minute is watched by people, so it is faster.
_CHUNK = 256 << 10
_EARLY_S, _EARLY_FOR_S = 2.0, 60.0
_POINTS = 4000


class Reporter:
    """The only writer of an attempt's record besides the checkpoint index.

    Args:
        store: where it goes.
        job: the job's id.
        attempt: our number.
        spool: the log.
        heartbeat_s: seconds between two states.
        log_s: age at which log and metrics leave, in seconds.
        clean: takes secrets out of a message.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        job: str,
        attempt: int,
        spool: Spool,
        heartbeat_s: float = 15.0,
        log_s: float = 10.0,
        clean: Callable[[str], str] = lambda text: text,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._store, self._job, self._attempt = store, job, attempt
        self._spool, self._heartbeat_s, self._log_s = spool, heartbeat_s, log_s
        self.clean = clean
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._events: deque[tuple[str, bytes]] = deque()
        self._points: deque[Point] = deque()
        self._later: deque[tuple[str, str]] = deque()
        self._first_point = 0
        self._seq = self._states = 0
        self._began = time.monotonic()
        self._point_at = self._curve_at = 0.0
        self._state_at = float("-inf")
        self._curve = Curve()
        self._curve_sent = 0
        self.state: dict[str, Any] = {}
        self.problems: dict[str, dict[str, Any]] = {}
        self.silent = False
        self.step: int | None = None
        self.total_steps: int | None = None
        self.metrics: dict[str, float] = {}
        self.first_step: int | None = None
        self.progress_at: float | None = None
        self.before_state: Callable[[], None] = lambda: None

    # --- what others say; nothing here waits for the network ---

    def event(self, kind: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Put an event on the timeline."""
        with self._lock:
            self._seq += 1
            body: record.Event = {
                "v": record.VERSION,
                "job": self._job,
                "attempt": self._attempt,
                "seq": self._seq,
                "writer": "agent",
                "at": self._clock(),
                "kind": kind,
                "message": self.clean(message),
                "data": dict(data or {}),
            }
            self._events.append((record.event_key(self._job, self._attempt, self._seq, "agent"), record.dump(body)))

    def problem(self, what: str, message: str) -> None:
        """Something is wrong and stays so until cleared; said once."""
        if what not in self.problems:
            self.problems[what] = {"what": what, "since": self._clock(), "message": self.clean(message)}
            self.event("problem", message, {"what": what})

    def fine(self, what: str) -> None:
        """A problem is over."""
        if self.problems.pop(what, None) is not None:
            self.event("problem-cleared", what, {"what": what})

    def points(self, points: Any) -> None:
        """Take metric points in."""
        with self._lock:
            for point in points:
                point.setdefault("step", None)
                self._points.append(point)
                self._curve.add(point)
                self._note(point)

    def _note(self, point: Point) -> None:
        if point["step"] is not None:
            self.first_step = point["step"] if self.first_step is None else self.first_step
            self.step = point["step"]
        self.total_steps = point.get("total_steps", self.total_steps)
        for name, value in point.items():
            if name not in ("t", "step", "nan", "total_steps") and isinstance(value, (int, float)):
                self.metrics[name] = value
                if f"nan:{name}" in self.problems:
                    self._later.append((f"nan:{name}", ""))
        for name in point.get("nan", ()):
            self.metrics.pop(name, None)
            self._later.append((f"nan:{name}", f"{name} is not a number at step {point['step']}"))
        self.progress_at = self._clock()

    # --- what goes out ---

    def send(self, everything: bool = False) -> None:
        """Send what is due, in the order of the record's rules; with `everything` what is not due as well.

        Raises:
            StoreError: the store did not take it; it is kept and sent the next time.
        """
        with self._sending:
            if self.silent:
                return
            while self._later:
                what, message = self._later.popleft()
                self.problem(what, message) if message else self.fine(what)
            self._send_events()
            if everything or time.monotonic() - self._state_at >= self._heartbeat_s:
                self._send_state()
            self._send_log(everything)
            self._send_points(everything)

    def _send_events(self) -> None:
        while self._events:
            key, body = self._events[0]
            try:
                self._store.put(key, body, absent=True)
            except ConflictError:
                self._renumber()
                continue
            self._events.popleft()

    def _renumber(self) -> None:
        """Another run of this attempt used the number; the event takes the next free one."""
        with self._lock:
            body = record.load(self._events.popleft()[1])
            self._seq += 1
            body["seq"] = self._seq
            self._events.appendleft((record.event_key(self._job, self._attempt, self._seq, "agent"), record.dump(body)))

    def _send_state(self) -> None:
        self.before_state()
        self._states += 1
        state = {
            **self.state,
            "v": record.VERSION,
            "job": self._job,
            "attempt": self._attempt,
            "seq": self._states,
            "at": self._clock(),
            "heartbeat_s": self._heartbeat_s,
            "step": self.step,
            "total_steps": self.total_steps,
            "metrics": dict(self.metrics),
            "progress_at": self.progress_at,
            "log": {"bytes": self._spool.end, "uploaded": self._spool.taken, "dropped": self._spool.dropped},
            "problems": list(self.problems.values()),
        }
        self._store.put(record.attempt_key(self._job, self._attempt, "state.json"), record.dump(state))
        self._state_at = time.monotonic()

    def phase(self, name: str, detail: str = "") -> None:
        """What the state says we are doing; the next `send` writes it whether or not it is due."""
        self.state.update(phase=name, detail=detail)
        self._state_at = float("-inf")

    def _send_log(self, everything: bool) -> None:
        while True:
            oldest = self._spool.oldest_ms()
            if oldest is None:
                return
            age = self._clock() - oldest / 1000
            early = time.monotonic() - self._began < _EARLY_FOR_S
            due = age >= (min(_EARLY_S, self._log_s) if early else self._log_s)
            if not (everything or due or self._spool.waiting >= _CHUNK):
                return
            piece = self._spool.peek()
            if piece is None or self.silent:
                return
            self._put_piece(piece)
            self._spool.done(piece)
            if time.monotonic() - self._state_at >= self._heartbeat_s:
                self._send_state()  # a long log must not silence the heartbeat

    def _put_piece(self, piece: Piece) -> None:
        gap = piece.body is None
        chunk = record.LogChunk(piece.start, piece.end, piece.first_ms, piece.last_ms, gap)
        if piece.body is None:
            said = {"v": record.VERSION, "bytes": piece.end - piece.start, "reason": self._spool.reason}
            body = record.dump(said)
            self.event("log-gap", f"{said['bytes']} bytes of the log are missing: {said['reason']}", said)
        else:
            body = gzip.compress(piece.body, 1)
        self._store.put(record.log_key(self._job, self._attempt, chunk), body)

    def _send_points(self, everything: bool) -> None:
        now = time.monotonic()
        while self._points and (everything or len(self._points) >= _POINTS or now - self._point_at >= self._log_s):
            batch = [self._points[n] for n in range(min(_POINTS, len(self._points)))]
            first = self._first_point
            key = record.metrics_key(self._job, self._attempt, first, first + len(batch))
            self._store.put(key, b"".join(record.dump(p) for p in batch))
            for _ in batch:
                self._points.popleft()
            self._first_point += len(batch)
            self._point_at = now
        if self._curve.points > self._curve_sent and (everything or now - self._curve_at >= 2 * self._log_s):
            with self._lock:
                value, count = record.dump(self._curve.value()), self._curve.points
            self._store.put(record.attempt_key(self._job, self._attempt, "curve.json"), value)
            self._curve_sent, self._curve_at = count, now

    def put_once(self, name: str, value: Mapping[str, Any], over: bool = False) -> bool:
        """Write an object of the attempt; False where it is there already, and may not be written `over`."""
        key = record.attempt_key(self._job, self._attempt, name)
        whole = {"v": record.VERSION, "job": self._job, "attempt": self._attempt, "at": self._clock(), **value}
        try:
            self._store.put(key, record.dump(whole), absent=not over)
        except ConflictError:
            return False
        return True

    def flush(self, until: float) -> str:
        """Send everything, trying again until `until` (monotonic); what went wrong last, empty where all is out."""
        while True:
            try:
                self.send(everything=True)
                if not self._events and not self._points and self._spool.waiting == 0:
                    return ""
                problem = "the log still grows"
            except StoreError as error:
                problem = str(error)
            if time.monotonic() >= until:
                return problem
            time.sleep(0.2)
