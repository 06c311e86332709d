"""The S3 client of the supervisor: eight requests, standard library only.

Every body is signed with its SHA-256, so S3 refuses what was damaged on the way ("Authenticating Requests", Amazon S3
API Reference). Conditional writes are `If-None-Match: *` and `If-Match: <etag>`: 412 lost, 409 raced.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import random
import re
import threading
import time
import xml.etree.ElementTree as Xml
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Callable, Iterator, Mapping, NamedTuple
from urllib.parse import quote, urlencode

from runctl.agent.aws import EMPTY, Credentials, Metadata, NoCredentialsError, bucket_url, connect, sign
from runctl.agent.store import ConflictError, DeniedError, Found, MissingError, StoreError

#: Files above this go up in parts of at least that size; S3 allows 10,000 parts of 5 MiB to 5 GiB.
PART = 16 << 20
_MOST_PARTS = 10_000
#: Parts under way at once: one stream of S3 is slower than the network of a training machine.
_AT_ONCE = 4
_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
_SKEWED = ("RequestTimeTooSkewed", "RequestExpired")
_STALE = ("ExpiredToken", "InvalidAccessKeyId", "TokenRefreshRequired", "InvalidToken")


class Answer(NamedTuple):
    """One HTTP answer, read to its end; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class S3Store:
    """One bucket.

    Args:
        bucket: its name.
        region: where it is; by default `AWS_REGION`, else the machine's; corrected once S3 says otherwise.
        credentials: whose keys; by default the environment's, else the machine's role.
        patience: seconds that one request may be retried for.
    """

    def __init__(
        self, bucket: str, region: str = "", credentials: Credentials | None = None, patience: float = 60.0
    ) -> None:
        self.bucket = bucket
        self._credentials = credentials or Credentials(Metadata())
        self.region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.patience = patience
        self._skew = 0.0
        self._local = threading.local()

    # --- one request ---

    def _send(self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
        origin, path = bucket_url(self.bucket, key, self.region)
        text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        host = origin.split("://", 1)[1]
        out = dict(headers)
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY
        now = time.time() + self._skew
        sign(method, host, path, text, out, digest, self._credentials.get(), self.region, "s3", now)
        connection = self._connection(origin)
        try:
            connection.request(method, path + ("?" + text if text else ""), body or None, out)
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        except BaseException:
            self._drop()
            raise

    def _connection(self, origin: str) -> http.client.HTTPConnection:
        held: tuple[str, http.client.HTTPConnection] | None = getattr(self._local, "held", None)
        if held is None or held[0] != origin:
            self._drop()
            held = self._local.held = (origin, connect(origin, timeout=30))
        return held[1]

    def _drop(self) -> None:
        held = getattr(self._local, "held", None)
        self._local.held = None
        if held is not None:
            held[1].close()

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request with its retries; the caller gets answers below 400 only."""
        until = time.monotonic() + self.patience
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._send(method, key, query or {}, headers or {}, body)
                if answer.status < 300:
                    return answer
                problem = self._problem(method, key, answer)
                again = answer.status in _AGAIN or self._adapt(answer)
            except NoCredentialsError as error:
                problem, again = DeniedError(f"{method} s3://{self.bucket}/{key}: {error}"), False
            except (OSError, http.client.HTTPException) as error:
                problem, again = StoreError(f"{method} s3://{self.bucket}/{key}: {error}"), True
            if isinstance(problem, ConflictError) and tries > 1 and self._is_ours(key, body):
                return Answer(200, {"etag": f'"{hashlib.md5(body).hexdigest()}"'}, b"")  # noqa: S324
            if not again or time.monotonic() >= until:
                raise problem
            time.sleep(min(random.uniform(0, 0.1 * 2**tries), 5.0, max(0.0, until - time.monotonic())))  # noqa: S311

    def _problem(self, method: str, key: str, answer: Answer) -> StoreError:
        text = answer.body.decode("utf-8", "replace")
        found = {n: re.search(f"<{n}>(.*?)</{n}>", text, re.DOTALL) for n in ("Code", "Message")}
        code, message = (m.group(1) if m else "" for m in found.values())
        where = f"{method} s3://{self.bucket}/{key}: {answer.status} {code} {message}".strip()
        if answer.status == 404:
            return MissingError(where)
        if answer.status in (409, 412):
            return ConflictError(where)
        if answer.status == 403 and code not in _SKEWED and code not in _STALE:
            return DeniedError(where)
        return StoreError(where)

    def _adapt(self, answer: Answer) -> bool:
        """Take what a refusal teaches: the right region, the right time, that the keys are old. Whether it did."""
        text = answer.body.decode("utf-8", "replace")
        region = answer.headers.get("x-amz-bucket-region", "")
        if region and region != self.region and answer.status in (301, 307, 400):
            self.region = region
            return True
        if any(code in text for code in _SKEWED) and "date" in answer.headers:
            self._skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
            return True
        if any(code in text for code in _STALE):
            self._credentials.forget()
            return True
        return False

    def _is_ours(self, key: str, body: bytes) -> bool:
        """A conditional write that was repeated may have lost against its own first try."""
        try:
            return self.get(key)[0] == body
        except StoreError:
            return False

    # --- what the store does ---

    def get(self, key: str) -> tuple[bytes, str]:
        """Body and ETag."""
        answer = self._ask("GET", key)
        return answer.body, answer.headers.get("etag", "").strip('"')

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write, conditionally where asked."""
        headers = {"if-none-match": "*"} if absent else {"if-match": f'"{match}"'} if match else {}
        try:
            return self._ask("PUT", key, headers=headers, body=body).headers.get("etag", "").strip('"')
        except MissingError as error:
            if match:
                raise ConflictError(str(error)) from error
            raise

    def size(self, key: str) -> int:
        """Bytes of an object."""
        return int(self._ask("HEAD", key).headers.get("content-length", "0"))

    def list(self, prefix: str, after: str = "") -> Iterator[Found]:
        """Objects below a prefix, in the order of their keys, a page at a time."""
        query = {"list-type": "2", "prefix": prefix}
        if after:
            query["start-after"] = after
        while True:
            page = Xml.fromstring(self._ask("GET", "", query).body)  # noqa: S314  # signed, and S3 sends no entities
            space = page.tag.partition("}")[0] + "}" if page.tag.startswith("{") else ""
            for item in page.iter(space + "Contents"):
                yield Found(item.findtext(space + "Key") or "", int(item.findtext(space + "Size") or 0))
            token = page.findtext(space + "NextContinuationToken")
            if not token:
                return
            query["continuation-token"] = token

    def delete(self, key: str) -> None:
        """Remove; no error where nothing is."""
        with contextlib.suppress(MissingError):
            self._ask("DELETE", key)

    def upload(self, key: str, path: str, moved: Callable[[int], None], wanted: Callable[[], bool]) -> str:
        """Send a file; its SHA-256. Files above `PART` go up in parts, which are removed again on failure."""
        total = os.stat(path).st_size
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            if total <= PART:
                body = file.read()
                digest.update(body)
                self._ask("PUT", key, body=body)
                moved(len(body))
                return digest.hexdigest()
            answer = self._ask("POST", key, {"uploads": ""}).body.decode("utf-8", "replace")
            found = re.search("<UploadId>(.*?)</UploadId>", answer)
            if found is None:
                raise StoreError(f"POST s3://{self.bucket}/{key}: no upload id in the answer")
            identifier = found.group(1)
            try:
                part = max(PART, -(-total // _MOST_PARTS))
                blocks = iter(lambda: file.read(part), b"")
                self._parts(key, identifier, self._watched(blocks, key, digest.update, wanted), moved)
            except BaseException:
                with contextlib.suppress(StoreError):
                    self._ask("DELETE", key, {"uploadId": identifier})
                raise
        return digest.hexdigest()

    def _watched(
        self, blocks: Iterator[bytes], key: str, seen: Callable[[bytes], None], wanted: Callable[[], bool]
    ) -> Iterator[bytes]:
        for block in blocks:
            if not wanted():
                raise StoreError(f"PUT s3://{self.bucket}/{key}: given up")
            seen(block)
            yield block

    def _parts(self, key: str, identifier: str, blocks: Iterator[bytes], moved: Callable[[int], None]) -> None:
        done: list[tuple[int, str]] = []
        under_way: deque[tuple[int, int, Future[Answer]]] = deque()

        def finish_first() -> None:
            number, size, answer = under_way.popleft()
            done.append((number, answer.result().headers.get("etag", "")))
            moved(size)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number, block in enumerate(blocks, 1):
                query = {"partNumber": str(number), "uploadId": identifier}
                under_way.append((number, len(block), pool.submit(self._ask, "PUT", key, query, None, block)))
                if len(under_way) >= _AT_ONCE:
                    finish_first()
            while under_way:
                finish_first()
        listing = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in done)
        body = f"<CompleteMultipartUpload>{listing}</CompleteMultipartUpload>".encode()
        answer = self._ask("POST", key, {"uploadId": identifier}, body=body)
        if b"<Error>" in answer.body:  # S3 may begin with 200 and fail later
            raise self._problem("POST", key, answer)

    def download(self, key: str, path: str, moved: Callable[[int], None]) -> None:
        """Fetch into a file in ranges, so that no more than one lies in memory and a break costs one range."""
        total = self.size(key)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        part = path + ".part"
        with open(part, "wb") as file:
            for start in range(0, total, PART):
                end = min(start + PART, total) - 1
                body = self._ask("GET", key, headers={"range": f"bytes={start}-{end}"}).body
                file.write(body)
                moved(len(body))
        arrived = os.stat(part).st_size
        if arrived != total:
            raise StoreError(f"GET s3://{self.bucket}/{key}: {arrived} bytes instead of {total}")
        os.replace(part, path)
