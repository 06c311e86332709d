"""A proxy that breaks things between client and server: by a seeded die, or the next requests as a test asks."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
EXPIRED = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
KINDS = ("reset", "lost", "truncate", "slowdown", "corrupt", "slow")


@dataclass
class Seen:
    """A request as the proxy got it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def moves_object(self) -> bool:
        """Whether its answer is an object's bytes."""
        path, _, query = self.target.partition("?")
        return self.method == "GET" and path.count("/") >= 2 and not query


@dataclass
class FaultProxy:
    """Forwards to `upstream`, breaking `rate` of all requests, and whatever `plan` (kind, which requests) says next.

    Faults: "reset" before the request is forwarded, "lost" after it took effect, "truncate" the body, "slowdown" 503,
    "expired" as with keys no longer valid (never by the die),
    "corrupt" one byte of an object on its way down or of a body on its way up, "slow" in small pieces.
    """

    upstream: str
    rate: float = 0.0
    seed: int = 0
    kinds: tuple[str, ...] = KINDS
    plan: deque[tuple[str, Callable[[Seen], bool]]] = field(default_factory=deque)
    hits: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    on_request: Callable[[Seen], None] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.upstream)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread in accept() never hears of it
        self._listener.close()

    def next(self, kind: str, which: Callable[[Seen], bool] = lambda _: True) -> None:
        """Break the next request that `which` matches."""
        self.plan.append((kind, which))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _fault(self, seen: Seen) -> str:
        with self._lock:
            self.requests += 1
            for entry in list(self.plan):
                if entry[1](seen):
                    self.plan.remove(entry)
                    return entry[0]
            return self._random.choice(self.kinds) if self._random.random() < self.rate else ""

    def _serve(self, client: socket.socket) -> None:
        upstream = http.client.HTTPConnection(self._host, self._port, timeout=30)
        client.settimeout(60)
        try:
            reader = client.makefile("rb")
            while (seen := _read(reader)) is not None:
                if self.on_request is not None:
                    self.on_request(seen)
                if not self._answer(client, upstream, seen, self._fault(seen)):
                    return
        except (OSError, http.client.HTTPException):
            return
        finally:
            upstream.close()
            client.close()

    def _answer(self, client: socket.socket, upstream: http.client.HTTPConnection, seen: Seen, kind: str) -> bool:
        if kind:
            self.hits[kind] += 1
        if kind == "reset":
            return _reset(client)
        if kind == "slowdown":
            client.sendall(_head(503, {"Content-Length": str(len(SLOW_DOWN))}) + SLOW_DOWN)
            return True
        if kind == "expired":
            client.sendall(_head(400, {"Content-Length": str(len(EXPIRED))}) + EXPIRED)
            return True
        if kind == "corrupt" and seen.body and seen.method == "PUT":
            seen.body = _flipped(seen.body)
        status, headers, body = _forward(upstream, seen)
        if kind == "lost":
            return _reset(client)
        if kind == "corrupt" and seen.moves_object and body:
            body = _flipped(body)
        head = _head(status, headers)
        if kind == "truncate" and len(body) > 1:
            client.sendall(head + body[: len(body) // 2])
            return False
        if kind == "slow":
            client.sendall(head)
            for start in range(0, len(body), 1 << 18):
                client.sendall(body[start : start + (1 << 18)])
                time.sleep(0.002)
            return True
        client.sendall(head + body)
        return True


def _read(reader: BinaryIO) -> Seen | None:
    line = reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name] = value.strip()
    length = int({k.lower(): v for k, v in headers.items()}.get("content-length", 0))
    return Seen(method, target, headers, reader.read(length))


def _forward(upstream: http.client.HTTPConnection, seen: Seen) -> tuple[int, dict[str, str], bytes]:
    upstream.putrequest(seen.method, seen.target, skip_host=True, skip_accept_encoding=True)
    for name, value in seen.headers.items():
        upstream.putheader(name, value)
    upstream.endheaders(seen.body or None)
    answer = upstream.getresponse()
    body = answer.read()
    skipped = ("transfer-encoding", "connection", "content-length")
    headers = {k: v for k, v in answer.getheaders() if k.lower() not in skipped}
    headers["Content-Length"] = (
        answer.getheader("Content-Length") or str(len(body)) if seen.method == "HEAD" else str(len(body))
    )
    if answer.will_close:
        upstream.close()
    return answer.status, headers, body


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1")


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _reset(client: socket.socket) -> bool:
    """Close with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False
