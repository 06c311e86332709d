"""The WSGI application in front of moto: counts calls, injects faults, answers the control routes.

Control routes (`/runctl-demo/<name>`, POST with a JSON body, JSON back) are meant for `cloud.py`; `_ROUTES` lists them.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from runctl.demo import control_routes
from runctl.demo.cloud import READS
from runctl.demo.faults import Fault, FaultRules, error_reply, protocol_of, reply_of
from runctl.demo.gateway.calls import AwsError
from runctl.demo.imds_address import PREFIX as IMDS
from runctl.demo.requests import Target, identify, named_in
from runctl.demo.world import World

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PREFIX = "/runctl-demo/"
#: Services that answer without moto: {service: {operation: function(edge, parameters, region)}}.
Extra = Callable[[Target, dict[str, Any]], dict[str, Any] | None]


class Edge:
    """One embedded cloud as a WSGI application.

    Args:
        world: clock and agenda.
        cloud: moto's application.
        extra: answers JSON services that moto lacks; None means "not mine".
        faults: rules shared with the launch code, which asks for missing capacity.
    """

    def __init__(self, world: World, cloud: Application, extra: Extra, faults: FaultRules) -> None:
        self.world = world
        self.faults = faults
        self.skew_s = 0.0
        self.calls: Counter[Target] = Counter()
        #: Every request that is no read, in order, with the resources that it names.
        self.changes: list[tuple[Target, list[str]]] = []
        self._cloud = cloud
        self._extra = extra
        self._count_lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if _from_a_browser(environ):
            return _send(error_reply("s3", 403, "AccessDenied", "browsers are not served"), start_response)
        path = environ.get("PATH_INFO", "")
        if path.startswith(IMDS):
            return self._metadata(environ, path, start_response)
        if path.startswith(PREFIX):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return self._control(path.removeprefix(PREFIX), body, start_response)
        body = self._peek(environ)
        target = identify(environ, body)
        with self._count_lock:
            self.calls[target] += 1
            if not target.operation.startswith(READS):
                self.changes.append((target, named_in(body)))
        delay, fault = self.faults.for_request(target)
        if delay:
            self.faults.released.wait(delay)
        if fault is not None and fault.kind not in ("truncate", "stall"):
            return self._fail(fault, target, environ, start_response)
        reply = self._answer(target, environ, body, start_response)
        if fault is not None and fault.kind == "stall":
            return self._keep_back(fault, reply, environ)
        return _cut(reply, environ) if fault else reply

    def _metadata(self, environ: dict[str, Any], path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A machine asks about itself."""
        from runctl.demo import imds

        reply = imds.answer(self.world, environ["REQUEST_METHOD"], path, environ)
        body = reply.text.encode()
        start_response(f"{reply.status} -", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def _peek(self, environ: dict[str, Any]) -> bytes:
        """The body of a small request, put back for moto; S3's bodies are read by moto alone (they may be huge)."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not length or "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            return b""
        body: bytes = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        return body

    def date(self) -> str:
        """The cloud's own time as a `Date` header: clients measure their clock by it."""
        return format_datetime(self.world.now() + timedelta(seconds=self.skew_s), usegmt=True)

    def _answer(
        self, target: Target, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """What the cloud says; what it cannot do becomes an AWS error in the protocol of the request."""
        try:
            if target.service == "s3":
                with self.world.lock:  # whoever follows a job by its record alone sees machines start, too
                    self.world.settle()
                # moto's S3 guards itself; a long upload must not keep the rest waiting.
                return self._cloud(environ, start_response)
            with self.world.lock:
                self.world.settle()
                answer = self._extra(target, json.loads(body or b"{}")) if "HTTP_X_AMZ_TARGET" in environ else None
                if answer is not None:
                    return _json(answer, start_response, "application/x-amz-json-1.1")
                return self._cloud(environ, start_response)
        except AwsError as error:
            failed = error.status, error.code, error.message
        except NotImplementedError:
            failed = 400, "InvalidAction", f"The action {target.operation} is not valid for this web service."
        except Exception as error:  # noqa: BLE001  # the boundary of somebody else's code; the trace goes to the log
            traceback.print_exc()
            failed = 500, "InternalError", f"An internal error has occurred ({type(error).__name__})"
        return _send(error_reply(protocol_of(environ, target.service), *failed), start_response)

    def _keep_back(self, fault: Fault, reply: Iterable[bytes], environ: dict[str, Any]) -> Iterable[bytes]:
        """It is done, and nobody hears of it."""
        for _ in reply:
            pass
        self.faults.released.wait(fault.seconds or 3600)
        _drop(environ)
        return _Nothing()

    def _fail(
        self, fault: Fault, target: Target, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if fault.kind == "hang":
            self.faults.released.wait(fault.seconds or 3600)
        if fault.kind in ("hang", "reset"):
            _drop(environ)
            return _Nothing()
        if target.service == "s3":  # its body is still unread; a client that sends it must not find the door shut
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        reply = reply_of(fault, target, protocol_of(environ, target.service))
        return _send(reply, start_response, head=environ["REQUEST_METHOD"] == "HEAD")

    def _control(self, route: str, body: bytes, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            result = control_routes.answer(self, route, json.loads(body or b"{}"))
        except (KeyError, ValueError, TypeError) as error:
            return _json({"error": str(error)}, start_response, status="400 Bad Request")
        return _json(result, start_response)


def _from_a_browser(environ: dict[str, Any]) -> bool:
    """Whether a web page is behind a request: it has an origin, or reached us by a name that was made to point here.

    Anything on this machine may talk to the demo, but no page that somebody happens to have open.
    """
    host = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
    near = host in ("127.0.0.1", "localhost") or host.endswith(".localhost")
    return "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ or not near


def _send(
    reply: tuple[int, list[tuple[str, str]], bytes], start_response: Callable[..., Any], *, head: bool = False
) -> list[bytes]:
    status, headers, body = reply
    start_response(f"{status} Error", [*headers, ("Content-Length", str(len(body)))])
    return [] if head else [body]


def _json(
    value: Any, start_response: Callable[..., Any], kind: str = "application/json", status: str = "200 OK"
) -> list[bytes]:
    text = json.dumps(value, default=_epoch).encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(text)))])
    return [text]


def _epoch(value: Any) -> float:
    """Times in AWS's JSON protocols are seconds since 1970."""
    return float(value.timestamp())


class _Nothing:
    """A reply that breaks off before its first byte; werkzeug takes the error as a client that has gone."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise ConnectionAbortedError("dropped on purpose")


def _drop(environ: dict[str, Any]) -> None:
    """End the connection with a reset instead of a goodbye."""
    connection: socket.socket = environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()


def _cut(reply: Iterable[bytes], environ: dict[str, Any]) -> Iterable[bytes]:
    """Half of a reply whose head promises all of it, then silence."""
    body = b"".join(reply)
    yield body[: len(body) // 2]
    time.sleep(0.01)  # let the half leave before the connection breaks
    _drop(environ)
