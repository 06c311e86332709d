"""The quick lane: EC2, STS and S3 listings over persistent connections, without botocore's client.

Building botocore's clients and reading pages with its parser is most of what a listing costs: whole processes took
0.66 x the time of the `aws` command with them and less than half of that here (docs/performance.md). The quick lane
does the few listings that everything waits for, in the plain case only; `find_lane` says what is plain, and everything
else goes to botocore. Both lanes give the same data and the same errors, which tests compare answer by answer.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from runctl import __version__
from runctl.clock import Clock
from runctl.config import AwsSettings
from runctl.errors import CallSite, CloudError
from runctl.services.aws.collector import uncollected
from runctl.services.aws.errors import from_response, not_from_aws, unreachable
from runctl.services.aws.shapes import ANSWERS
from runctl.services.transfer.http import Connection, Peer, Pool, Response
from runctl.services.transfer.sigv4 import EMPTY_SHA256, Keys, Signer

if TYPE_CHECKING:
    import ssl
    from xml.etree.ElementTree import Element

T = TypeVar("T")
#: Bytes read without letting other threads go on: a page of a thousand machines whole would hold up a key for 70 ms.
_PIECE = 64 * 1024
_NAMESPACE = re.compile(rb' xmlns="[^"]*"')
#: Parameters that are one word, or a list whose members the query protocol numbers under another name.
_WORDS = frozenset({"MaxResults", "NextToken", "MaxBuckets", "ContinuationToken"})
_LISTS = {"OwnerIds": "Owner"}
_FILTERS = "Filters"
#: S3's REST names of them.
_S3_QUERY = {"MaxBuckets": "max-buckets", "ContinuationToken": "continuation-token"}


def speaks(service: str, operation: str, parameters: Mapping[str, Any]) -> bool:
    """Whether the quick lane can ask this."""
    return (service, operation) in ANSWERS and all(p in _WORDS or p in _LISTS or p == _FILTERS for p in parameters)


class QuickLane:
    """Asks one service in one region; used by many threads at once.

    Args:
        service: "ec2", "sts" or "s3".
        region: the region to sign for.
        place: (scheme, host, port, path prefix) of the endpoint.
        settings: timeouts.
        keys: credentials that are valid now; may raise CredentialsError.
        clock: for signatures; AWS refuses a time that is five minutes off.
        trust: certificates for https.
    """

    def __init__(
        self,
        service: str,
        region: str,
        place: tuple[str, str, int, str],
        *,
        settings: AwsSettings,
        keys: Callable[[], Keys],
        clock: Clock,
        trust: Callable[[], ssl.SSLContext],
    ) -> None:
        scheme, host, port, prefix = place
        tls = trust() if scheme == "https" else None
        named = f"[{host}]" if ":" in host else host
        self._host = named if port == (443 if tls else 80) else f"{named}:{port}"
        self._path = f"{prefix}/"
        self._service, self._region, self._keys, self._clock = service, region, keys, clock
        self._pool = Pool(Peer(host, port, tls, None, settings.connect_timeout_s, settings.read_timeout_s))
        self._signer, self._signing = Signer(region, service), threading.Lock()

    def call(
        self, operation: str, parameters: Mapping[str, Any], profile: str, made: Callable[[dict[str, Any]], T]
    ) -> T:
        """One call, once, and what is made of its answer; so a large answer is gone before the collector is back.

        Raises:
            CloudError: what went wrong, classified as the other lane does.
        """
        site = CallSite(self._service, operation, self._region, "")
        request = self._request(operation, parameters)
        response, content = self._exchange(request, site)
        with uncollected():
            root = _parsed(content)
            if root is None:
                raise not_from_aws(site, profile)
            if response.status >= 300:
                raise _refusal(root, response, site, profile)
            found = dict(ANSWERS[self._service, operation].read(root))
            del root
            rows = made(found)
            del found
        return rows

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def _request(self, operation: str, parameters: Mapping[str, Any]) -> bytes:
        """Head and body, signed."""
        pairs = dict(_flat(parameters))
        if self._service == "s3":
            method, query, body = (
                "GET",
                _encoded({_S3_QUERY[k]: v for k, v in pairs.items()} | {"x-id": operation}),
                b"",
            )
        else:
            version = ANSWERS[self._service, operation].version
            method, query, body = "POST", "", _encoded({"Action": operation, "Version": version, **pairs}).encode()
        headers = {"host": self._host, "user-agent": f"runctl/{__version__}"}
        if body:
            headers |= {
                "content-type": "application/x-www-form-urlencoded; charset=utf-8",
                "content-length": str(len(body)),
            }
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        keys, now = self._keys(), self._clock.now()
        with self._signing:
            self._signer.sign(method, self._path, query, headers, digest, keys, now)
        target = f"{self._path}?{query}" if query else self._path
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body

    def _exchange(self, request: bytes, site: CallSite) -> tuple[Response, bytes]:
        """Send, and read the whole answer.

        Raises:
            NetworkError: nothing answered.
        """
        connection = self._connect(site)
        while True:
            used = connection.used
            try:
                response = connection.exchange(request, None)
                content = response.read()
            except TimeoutError as error:
                connection.close()
                raise unreachable("ReadTimeoutError", f"{self._host} did not answer in time", site) from error
            except OSError as error:
                connection.close()
                if not used:
                    raise unreachable("ConnectionClosedError", f"{self._host}: {error}", site) from error
                # The server closed an idle connection. Asking again is safe: everything on this lane only reads.
                connection = self._connect(site, fresh=True)
                continue
            self._pool.give(connection, response)
            return response, content

    def _connect(self, site: CallSite, *, fresh: bool = False) -> Connection:
        try:
            return self._pool.take(fresh=fresh)
        except TimeoutError as error:
            raise unreachable("ConnectTimeoutError", f"{self._host} cannot be reached in time", site) from error
        except OSError as error:
            code = "SSLError" if type(error).__name__.startswith("SSL") else "EndpointConnectionError"
            raise unreachable(code, f"could not connect to {self._host}: {error.strerror or error}", site) from error


def _flat(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for name, value in parameters.items():
        if name in _LISTS:
            pairs += [(f"{_LISTS[name]}.{number}", str(v)) for number, v in enumerate(value, 1)]
        elif name == _FILTERS:
            for number, one in enumerate(value, 1):
                pairs.append((f"Filter.{number}.Name", str(one["Name"])))
                pairs += [(f"Filter.{number}.Value.{n}", str(v)) for n, v in enumerate(one["Values"], 1)]
        else:
            pairs.append((name, str(value)))
    return pairs


def _encoded(pairs: Mapping[str, str]) -> str:
    """Percent-encoded and sorted, as a signature wants a query."""
    return "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in sorted(pairs.items()))


def _parsed(content: bytes) -> Element | None:
    """The root of an XML answer without its namespace; None when it is no XML."""
    from xml.etree.ElementTree import ParseError, XMLParser

    parser = XMLParser()  # noqa: S314  # expat >= 2.4.1 bounds entities
    try:
        parser.feed(_NAMESPACE.sub(b"", content[:512], count=1))
        for start in range(512, len(content), _PIECE):
            parser.feed(content[start : start + _PIECE])
        root: Element = parser.close()
    except ParseError:
        return None
    return root


def _refusal(root: Element, response: Response, site: CallSite, profile: str) -> CloudError:
    """The error of EC2's, STS's or S3's error document."""
    error = root if root.tag == "Error" else root.find(".//Error")
    if error is None:
        return not_from_aws(site, profile)
    number = next(
        (root.findtext(tag) for tag in ("RequestID", "RequestId", ".//RequestId") if root.find(tag) is not None), ""
    )
    metadata = {"HTTPStatusCode": response.status, "RequestId": number, "HTTPHeaders": response.headers}
    parsed = {
        "Error": {"Code": error.findtext("Code"), "Message": error.findtext("Message")},
        "ResponseMetadata": metadata,
    }
    return from_response(parsed, site, profile)
