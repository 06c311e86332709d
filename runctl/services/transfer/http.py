"""HTTP/1.1 as S3 speaks it, on connections that stay open: enough for objects and listings, and nothing else.

The standard library's client parses headers with the e-mail parser and urllib3 adds pools and hooks: 0.3 ms of CPU
for a 16 KiB object against 0.05 ms here (docs/performance.md). What a body or a header may not do is checked: a short
body is an error, never a short file.
"""

from __future__ import annotations

import contextlib
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # made by whoever connects with TLS: its constants alone take 5 ms, and a listing may do without
    import ssl

_MAX_HEAD = 64 * 1024
_CHUNK = 512 * 1024


class ProtocolError(ConnectionError):
    """The peer did not speak HTTP, or stopped in the middle of a body."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect.

    Args:
        host: name or address of the server.
        port: TCP port.
        tls: context to wrap with, None for plain HTTP.
        proxy: (host, port, authorization header value or "") of an HTTP proxy.
        connect_s: longest time to connect, seconds.
        read_s: longest silence, seconds.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: tuple[str, int, str] | None = None
    connect_s: float = 10.0
    read_s: float = 60.0


class Body(Protocol):
    """What a request carries; it can be sent again."""

    @property
    def length(self) -> int:
        """Bytes."""
        ...

    def sha256(self) -> str:
        """SHA-256 in hex, for a signature that covers the body."""
        ...

    def send(self, write: Callable[[bytes | bytearray | memoryview], None]) -> None:
        """Write all of it."""
        ...


@dataclass(slots=True)
class Response:
    """Status and headers; the body is read through the connection it came on."""

    status: int
    headers: dict[str, str]
    stream: Stream = field(repr=False)

    def read(self, limit: int = 64 << 20) -> bytes:
        """The whole body.

        Raises:
            ProtocolError: it ends early, or is longer than `limit` bytes.
        """
        pieces: list[bytes] = []
        total = 0
        for piece in self.stream.pieces():
            total += len(piece)
            if total > limit:
                raise ProtocolError(f"an answer of more than {limit} bytes")
            pieces.append(bytes(piece))
        return b"".join(pieces)


class Stream:
    """The body of one response: by length, chunked, or until the peer closes."""

    def __init__(self, connection: Connection, length: int | None, *, chunked: bool) -> None:
        self._connection = connection
        self._left = length
        self._chunked = chunked
        self.ended = length == 0 and not chunked

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The body; a piece is valid until the next one is asked for.

        Raises:
            ProtocolError: the body ends early.
        """
        if self._chunked:
            yield from self._chunks()
        elif self._left is None:
            while piece := self._connection.some(_CHUNK):
                yield piece
            self._connection.reusable = False
        else:
            while self._left:
                piece = self._connection.some(min(self._left, _CHUNK))
                if not piece:
                    raise ProtocolError(f"the body ended {self._left} bytes early")
                self._left -= len(piece)
                if not self._left:
                    self.ended = True
                yield piece
        self.ended = True

    def _chunks(self) -> Iterator[bytes | memoryview]:
        while True:
            line = self._connection.line()
            try:
                left = int(line.split(b";")[0], 16)
            except ValueError:
                raise ProtocolError("a chunk without a size") from None
            if left == 0:
                while self._connection.line():
                    pass
                return
            while left:
                piece = self._connection.some(min(left, _CHUNK))
                if not piece:
                    raise ProtocolError("a chunk ended early")
                left -= len(piece)
                yield piece
            if self._connection.line():
                raise ProtocolError("a chunk longer than its size")


class Connection:
    """One TCP connection, used by one thread at a time."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.reusable = True
        self.used = False
        self._socket = _open(peer)
        self._buffer = bytearray(_CHUNK)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def close(self) -> None:
        """Close it; whatever was under way is lost."""
        self.reusable = False
        self._socket.close()

    def exchange(self, head: bytes, body: Body | None, *, no_body: bool = False) -> Response:
        """Send a request and read the head of its answer.

        Args:
            head: request line and headers, ending in an empty line.
            body: what follows.
            no_body: the answer has none whatever its headers say (HEAD).

        Raises:
            OSError: the connection broke or fell silent; `ProtocolError` among them.
        """
        try:
            if body is None or body.length == 0:
                self._socket.sendall(head)
            else:
                self._socket.sendall(head)
                body.send(self._socket.sendall)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses (503 SlowDown) may answer and close before the body is through: read why.
            self.reusable = False
        response = self._response(no_body=no_body)
        self.used = True
        return response

    def _response(self, *, no_body: bool) -> Response:
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        if headers.get("connection", "").lower() == "close":
            self.reusable = False
        if no_body or status in (204, 304):
            return Response(status, headers, Stream(self, 0, chunked=False))
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return Response(status, headers, Stream(self, None, chunked=True))
        length = headers.get("content-length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise ProtocolError("a length that is no number")
        return Response(status, headers, Stream(self, None if length is None else int(length), chunked=False))

    def _head(self) -> tuple[int, dict[str, str]]:
        while (at := self._buffer.find(b"\r\n\r\n", self._start, self._end)) < 0:
            if self._end - self._start > _MAX_HEAD:
                raise ProtocolError("a header longer than 64 KiB")
            self._fill()
        text = self._buffer[self._start : at].decode("latin-1")
        self._start = at + 4
        first, *lines = text.split("\r\n")
        words = first.split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise ProtocolError("the answer is not HTTP")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if words[0] == "HTTP/1.0":
            self.reusable = False
        return int(words[1]), headers

    def _fill(self) -> None:
        if self._start:  # what is left moves to the front, so that the end is free
            left = self._end - self._start
            self._buffer[:left] = self._buffer[self._start : self._end]
            self._start, self._end = 0, left
        got = self._socket.recv_into(self._view[self._end :])
        if not got:
            raise ProtocolError("the connection was closed before the answer")
        self._end += got

    def line(self) -> bytes:
        """One line without its end."""
        while (at := self._buffer.find(b"\r\n", self._start, self._end)) < 0:
            if self._end - self._start > _MAX_HEAD:
                raise ProtocolError("a line without an end")
            self._fill()
        found = bytes(self._buffer[self._start : at])
        self._start = at + 2
        return found

    def some(self, limit: int) -> memoryview:
        """Up to `limit` bytes, at least one, or none at the peer's end; valid until the next call."""
        if self._start == self._end:
            self._start = self._end = 0
            self._end = self._socket.recv_into(self._view)
        end = min(self._end, self._start + limit)
        piece = self._view[self._start : end]
        self._start = end
        return piece


def _open(peer: Peer) -> socket.socket:
    """Connect, through a proxy where one is set, and shake hands."""
    host, port = (peer.proxy[0], peer.proxy[1]) if peer.proxy else (peer.host, peer.port)
    # Bytes need no codec for international names, whose tables cost the first connection 4 ms.
    made = socket.create_connection((host.encode() if host.isascii() else host, port), peer.connect_s)  # type: ignore[arg-type]  # bytes are allowed: socket, "getaddrinfo"
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(peer.read_s)
        if peer.tls is not None:
            if peer.proxy:
                _tunnel(made, peer)
            return peer.tls.wrap_socket(made, server_hostname=peer.host)
    except BaseException:
        made.close()
        raise
    return made


def _tunnel(made: socket.socket, peer: Peer) -> None:
    target = f"{peer.host}:{peer.port}"
    authorization = peer.proxy[2] if peer.proxy else ""
    extra = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
    made.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{extra}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = made.recv(1)  # one by one: what follows the empty line belongs to TLS
        if not more or len(answer) > _MAX_HEAD:
            raise ProtocolError("the proxy closed the connection")
        answer += more
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise ProtocolError(f"the proxy refused: {answer.splitlines()[0].decode('latin-1')[:100]}")


def proxy_authorization(user: str, password: str) -> str:
    """The header value for a proxy that wants a name."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class Pool:
    """Connections to one peer; one that was used last is used first."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._idle: list[Connection] = []

    def take(self, *, fresh: bool = False) -> Connection:
        """An idle connection or, or when `fresh`, a new one."""
        while not fresh:
            try:
                return self._idle.pop()  # atomic: no lock
            except IndexError:
                break
        return Connection(self.peer)

    def give(self, connection: Connection, response: Response) -> None:
        """Take back a connection whose response was read to its end; close it otherwise."""
        if connection.reusable and response.stream.ended:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            with contextlib.suppress(OSError, IndexError):
                self._idle.pop().close()
