"""One S3 request: signed, sent on a connection that stays open, its answer checked, tried again as it deserves."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

from runctl import __version__
from runctl.clock import Clock, SystemClock
from runctl.errors import ClockError, CloudError, CredentialsError, NetworkError, ThrottledError
from runctl.services.transfer import wire
from runctl.services.transfer.control import Control
from runctl.services.transfer.http import Body, Connection, Peer, Pool, Response
from runctl.services.transfer.retry import Backoff, Brake, error_of, network_error
from runctl.services.transfer.sigv4 import EMPTY_SHA256, UNSIGNED, Signer
from runctl.services.transfer.site import Credentials, Site, find_proxy

T = TypeVar("T")
_AGENT = f"runctl/{__version__}"


@dataclass(frozen=True, slots=True)
class Bytes:
    """A small body held in memory."""

    data: bytes

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.data)

    def sha256(self) -> str:
        """SHA-256 in hex."""
        import hashlib

        return hashlib.sha256(self.data).hexdigest()

    def send(self, write: Callable[[bytes | bytearray | memoryview], None]) -> None:
        """Write all of it."""
        write(self.data)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask.

    Args:
        operation: S3's name of it, for errors ("GetObject").
        method: HTTP method.
        bucket: bucket, "" for the service.
        key: key, "" for the bucket.
        query: names and values, not yet encoded.
        headers: lower-case names.
        body: what to send.
        once: do not try again after the connection broke: the first try may have had its effect.
    """

    operation: str
    method: str
    bucket: str
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    once: bool = False

    @property
    def where(self) -> str:
        """Bucket and key, for messages."""
        return f"s3://{self.bucket}/{self.key}" if self.bucket else ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer in memory."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read_reply(response: Response) -> Reply:
    """Take the whole answer into memory."""
    return Reply(response.status, response.headers, response.read())


class S3Client:
    """Requests to one site with one set of credentials; used by many threads at once.

    Args:
        site: region and endpoint.
        credentials: who asks.
        control: pause and cancel.
        clock: for signatures.
        backoff: how often to try.
        read_s: longest silence of a connection, seconds.
    """

    def __init__(
        self,
        site: Site,
        credentials: Credentials,
        *,
        control: Control | None = None,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        connect_s: float = 10.0,
        read_s: float = 60.0,
    ) -> None:
        self.site = site
        self.control = control or Control()
        self.clock = clock or SystemClock()
        self._credentials = credentials
        self._backoff = backoff or Backoff()
        self._timeouts = (connect_s, read_s)
        self._brake = Brake()
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._signers: dict[str, Signer] = {}
        self._regions: dict[str, str] = {}
        self._skew = timedelta()
        self._tls: ssl.SSLContext | None = None
        self.retries = 0

    @property
    def guarded(self) -> bool:
        """Whether TLS notices a byte that changes on its way."""
        return self.site.endpoint is None or self.site.endpoint[0] == "https"

    def region_of(self, bucket: str) -> str:
        """The region a bucket is asked in: the site's until an answer said otherwise."""
        return self._regions.get(bucket, self.site.region)

    def call(self, request: Request) -> Reply:
        """Ask and return the whole answer.

        Raises:
            CloudError: what went wrong in the end, classified.
            Cancelled: the user cancelled.
        """
        return self.stream(request, read_reply)

    def stream(self, request: Request, receive: Callable[[Response], T]) -> T:
        """Ask, and hand the answer to `receive`, which reads its body; called anew at each try.

        Raises:
            CloudError: what went wrong in the end, classified.
            Cancelled: the user cancelled.
        """
        attempt, mended, fresh = 0, set[str](), False
        while True:
            self.control.check()
            self._brake.wait(self.control)
            try:
                result = self._once(request, receive, fresh=fresh)
            except CloudError as error:
                if (cure := self._cure(request, error)) and cure not in mended:
                    mended.add(cure)
                    continue
                attempt += 1
                fresh = isinstance(error, NetworkError)  # a connection may be dead; so may its neighbours in the pool
                if not error.retryable or attempt >= self._backoff.attempts or (request.once and fresh):
                    raise
                throttled = isinstance(error, ThrottledError)
                if throttled:
                    self._brake.throttled()
                self.retries += 1
                self.control.sleep(self._backoff.wait(attempt, throttled=throttled))
            else:
                self._brake.accepted()
                return result

    def _cure(self, request: Request, error: CloudError) -> str:
        """Something learnt from a refusal that makes it worth asking again at once; "" when nothing was."""
        if isinstance(error, ClockError):
            return "clock"  # _refuse noted how far off we are
        if isinstance(error, CredentialsError) and self._credentials.renew():
            return "keys"
        return "region" if self.region_of(request.bucket) != error.site.region else ""  # _refuse noted the right one

    def _once(self, request: Request, receive: Callable[[Response], T], *, fresh: bool) -> T:
        region = self.region_of(request.bucket)
        try:
            pool, head = self._prepare(request, region)
            connection = pool.take(fresh=fresh)
            used = connection.used
            try:
                response = self._exchange(request, connection, head)
            except OSError:
                connection.close()
                if not used or request.once:
                    raise
                # The server closed an idle connection: not a failure, ask again on a new one.
                connection = pool.take(fresh=True)
                response = self._exchange(request, connection, head)
        except OSError as error:
            raise network_error(request.operation, region, error, request.where) from error
        try:
            if response.status >= 300:
                raise self._refuse(request, region, response)
            result = receive(response)
        except OSError as error:
            connection.close()
            if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError | ssl.SSLError):
                raise  # the disk's fault, not the network's
            raise network_error(request.operation, region, error, request.where) from error
        except BaseException:
            connection.reusable = connection.reusable and response.stream.ended
            pool.give(connection, response)
            raise
        pool.give(connection, response)
        return result

    def _exchange(self, request: Request, connection: Connection, head: bytes) -> Response:
        try:
            return connection.exchange(head, request.body, no_body=request.method == "HEAD")
        except BaseException:
            connection.close()
            raise

    def _prepare(self, request: Request, region: str) -> tuple[Pool, bytes]:
        scheme, host, port, prefix = self.site.place(request.bucket, region)
        standard = port == (443 if scheme == "https" else 80)
        name = f"[{host}]" if ":" in host else host
        headers = {"host": name if standard else f"{name}:{port}", "user-agent": _AGENT, **request.headers}
        body = request.body
        if body is None:
            payload = EMPTY_SHA256
        else:
            # Over TLS the body is protected already; a checksum header guards it end to end either way.
            payload = UNSIGNED if scheme == "https" else body.sha256()
        if body is not None or request.method in ("PUT", "POST"):
            headers["content-length"] = str(body.length if body is not None else 0)
        path = f"{prefix}/{quote(request.key, safe='/~')}" if request.key or request.bucket else prefix + "/"
        pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in request.query.items())
        query = "&".join(f"{k}={v}" for k, v in pairs)
        signer = self._signers.get(region) or self._signers.setdefault(region, Signer(region))
        signer.sign(
            request.method, path, query, headers, payload, self._credentials.keys(), self.clock.now() + self._skew
        )
        pool = self._pools.get((scheme, host, port)) or self._new_pool(scheme, host, port)
        target = f"{path}?{query}" if query else path
        if pool.peer.proxy and scheme == "http":
            target = f"http://{headers['host']}{target}"
            headers["proxy-authorization"] = pool.peer.proxy[2]
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v)
        return pool, f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    def _new_pool(self, scheme: str, host: str, port: int) -> Pool:
        with self._lock:
            known = self._pools.get((scheme, host, port))
            if known is not None:
                return known
            proxy = find_proxy(scheme, host)
            tls = self._context() if scheme == "https" else None
            # A plain request through a proxy goes to the proxy itself; TLS goes through a tunnel.
            peer = Peer(host, port, tls, proxy, *self._timeouts)
            return self._pools.setdefault((scheme, host, port), Pool(peer))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self.site.ca_bundle or None)
            if not self.site.ca_bundle and not self._tls.get_ca_certs():
                import importlib.util
                from pathlib import Path

                # A Python built apart from the system finds no certificates: botocore brings a file of them.
                found = importlib.util.find_spec("botocore")
                if found is not None and found.origin:
                    with suppress(OSError):
                        self._tls.load_verify_locations(Path(found.origin).parent / "cacert.pem")
        return self._tls

    def _refuse(self, request: Request, region: str, response: Response) -> CloudError:
        """The error of an answer that is not a success, with what it teaches about region and clock."""
        body = b"" if request.method == "HEAD" else response.read(1 << 20)
        code, message, named = wire.parse_error(body)
        request_id = response.headers.get("x-amz-request-id", "")
        error = error_of(request.operation, region, response.status, code, message, request_id, request.where)
        moved = response.headers.get("x-amz-bucket-region") or named
        if moved and moved != region and response.status in (301, 307, 400, 403):
            self._regions[request.bucket] = moved
        if isinstance(error, ClockError):
            from email.utils import parsedate_to_datetime

            with suppress(ValueError, TypeError):
                self._skew = parsedate_to_datetime(response.headers.get("date", "")) - self.clock.now()
        return error

    def server_offset(self) -> timedelta:
        """How far S3's clock is ahead of ours, as far as it was learnt."""
        return self._skew

    def close(self) -> None:
        """Close idle connections."""
        for pool in list(self._pools.values()):
            pool.close()
