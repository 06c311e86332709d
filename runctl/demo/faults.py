"""Faults that a cloud has on bad days, injected by rule, with bodies as each protocol writes them.

A rule says what goes wrong (`kind`), where (service, operation, region), how often (`rate`, `times`). Rules are asked
in the order in which they were added; the first that applies decides, except `latency`, which only delays.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any, Final
from xml.sax.saxutils import escape

from runctl.demo.requests import Target

#: What can go wrong. `error` needs a code; `capacity` concerns launches only (see `gateway/launch.py`).
KINDS: Final = (
    "throttle", "unavailable", "html", "expired", "denied", "error", "hang", "stall", "reset", "truncate", "latency",
    "capacity",
)  # fmt: skip
#: With a doctype botocore tries to read it as XML and gives up with an error that is no ClientError; a body that begins
#: with <html> it would recognise. Proxies send either.
_HTML = b"<!doctype html>\n<html><title>500 Internal Server Error</title><h1>Internal Server Error</h1></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    Args:
        kind: one of `KINDS`.
        service: signing name ("ec2", "s3", "monitoring"), "*" for all.
        operation: regular expression for the whole operation name.
        region: region, "*" for all.
        rate: share of the matching requests that fail, drawn from the cloud's seed.
        times: how often it strikes before it is spent, None without end.
        code: AWS error code, when the kind's own will not do.
        status: HTTP status, likewise.
        message: likewise.
        seconds: how long `hang`, `stall` and `latency` wait.
        types, azs: instance types (wildcards) and zones that `capacity` concerns; empty means all.
    """

    kind: str
    service: str = "*"
    operation: str = ".*"
    region: str = "*"
    rate: float = 1.0
    times: int | None = None
    code: str = ""
    status: int = 0
    message: str = ""
    seconds: float = 0.0
    types: tuple[str, ...] = ()
    azs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; allowed: {', '.join(KINDS)}")
        if self.kind == "error" and not self.code:
            raise ValueError("an error needs its code, for example code='InternalError'")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate {self.rate} is not between 0 and 1")
        re.compile(self.operation)

    def concerns(self, target: Target) -> bool:
        """Whether the rule is about such a request."""
        return (
            self.service in ("*", target.service)
            and self.region in ("*", target.region)
            and re.fullmatch(self.operation, target.operation) is not None
        )


def fault_from(values: dict[str, Any]) -> Fault:
    """A rule from decoded JSON.

    Raises:
        ValueError: a field that a rule does not have, or a bad value.
    """
    known = {f.name for f in fields(Fault)}
    if unknown := set(values) - known:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    given: dict[str, Any] = values | {n: tuple(values[n]) for n in ("types", "azs") if n in values}
    return Fault(**given)


class FaultRules:
    """The rules in force, and what each has done."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._rules: dict[int, Fault] = {}
        self._hits: dict[int, int] = {}
        self._random = random.Random(f"faults {seed}")
        #: Set when rules are cleared: whoever hangs lets go.
        self.released = threading.Event()

    def add(self, fault: Fault) -> int:
        """Put a rule in force; its number."""
        with self._lock:
            number = next(self._numbers)
            self._rules[number], self._hits[number] = fault, 0
            return number

    def clear(self, seed: int | None = None) -> None:
        """No rules any more; requests that hang are dropped."""
        with self._lock:
            self._rules.clear()
            self._hits.clear()
            if seed is not None:
                self._random.seed(f"faults {seed}")
            self.released.set()
            self.released = threading.Event()

    def remove(self, number: int) -> None:
        """Take one rule out; unknown numbers are fine."""
        with self._lock:
            self._rules.pop(number, None)

    def listed(self) -> list[dict[str, Any]]:
        """Every rule with its number and hits, also spent ones."""
        with self._lock:
            return [{"id": n, "hits": self._hits[n], **asdict(f)} for n, f in self._rules.items()]

    def _strikes(self, number: int, fault: Fault) -> bool:
        if fault.times is not None and self._hits[number] >= fault.times:
            return False
        if fault.rate < 1 and self._random.random() >= fault.rate:
            return False
        self._hits[number] += 1
        return True

    def for_request(self, target: Target) -> tuple[float, Fault | None]:
        """(seconds of delay, the fault that strikes or None) for one request."""
        delay = 0.0
        with self._lock:
            for number, fault in self._rules.items():
                if fault.kind == "capacity" or not fault.concerns(target) or not self._strikes(number, fault):
                    continue
                if fault.kind != "latency":
                    return delay, fault
                delay += fault.seconds
        return delay, None

    def short_of(self, region: str, instance_type: str, az: str) -> Fault | None:
        """The capacity rule that keeps a machine from starting, None when there is room."""
        with self._lock:
            for number, fault in self._rules.items():
                if (
                    fault.kind == "capacity"
                    and fault.region in ("*", region)
                    and (not fault.azs or az in fault.azs)
                    and (not fault.types or any(_wild(t, instance_type) for t in fault.types))
                    and self._strikes(number, fault)
                ):
                    return fault
        return None


def _wild(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


#: Error code and status of a kind, by protocol family.
_CODES: Final[dict[str, dict[str, tuple[str, int]]]] = {
    "throttle": {"ec2": ("RequestLimitExceeded", 503), "s3": ("SlowDown", 503), "query": ("Throttling", 400),
                 "json": ("ThrottlingException", 400)},
    "unavailable": {"ec2": ("Unavailable", 503), "s3": ("ServiceUnavailable", 503), "query": ("InternalFailure", 500),
                    "json": ("InternalServerError", 500)},
    "expired": {"ec2": ("RequestExpired", 400), "s3": ("ExpiredToken", 400), "query": ("ExpiredToken", 403),
                "json": ("ExpiredTokenException", 400)},
    "denied": {"ec2": ("UnauthorizedOperation", 403), "s3": ("AccessDenied", 403), "query": ("AccessDenied", 403),
               "json": ("AccessDeniedException", 400)},
}  # fmt: skip
_MESSAGES: Final = {
    "throttle": "Request limit exceeded.",
    "unavailable": "The service is unavailable. Please try again shortly.",
    "expired": "The security token included in the request is expired",
    "denied": "User: arn:aws:iam::123456789012:user/demo is not authorized to perform: {action} because no "
    "identity-based policy allows the {action} action",
}


def protocol_of(environ: dict[str, Any], service: str) -> str:
    """The protocol a reply must speak: "ec2", "s3", "cbor", "json", "query" or "rest-json"."""
    if service in ("ec2", "s3"):
        return service
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return "query" if form else "rest-json"


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    return b"\x79" + len(raw).to_bytes(2, "big") + raw


def error_reply(protocol: str, status: int, code: str, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """An AWS error as (status, headers, body) in one protocol."""
    c, m, request = escape(code), escape(message), "00000000-0000-4000-8000-000000000000"
    if protocol == "ec2":
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{c}</Code><Message>{m}</Message>'
            f"</Error></Errors><RequestID>{request}</RequestID></Response>"
        )
    elif protocol == "s3":
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{c}</Code><Message>{m}</Message>'
            f"<RequestId>{request}</RequestId></Error>"
        )
    elif protocol == "query":
        kind = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{c}</Code><Message>{m}</Message></Error>"
            f"<RequestId>{request}</RequestId></ErrorResponse>"
        )
    elif protocol == "cbor":
        pairs = {"__type": code, "message": message}
        body = b"\xa2" + b"".join(_cbor_text(k) + _cbor_text(v) for k, v in pairs.items())
        return status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    else:
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)], body
    return status, [("Content-Type", "text/xml;charset=UTF-8")], text.encode()


def reply_of(fault: Fault, target: Target, protocol: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """What a fault answers with; only for kinds that answer."""
    if fault.kind == "html":
        return fault.status or 500, [("Content-Type", "text/html")], _HTML
    family = protocol if protocol in ("ec2", "s3", "query") else "json"
    code, status = _CODES.get(fault.kind, {}).get(family, (fault.code, 400))
    message = fault.message or _MESSAGES.get(fault.kind, fault.code)
    message = message.replace("{action}", f"{target.service}:{target.operation}")
    return error_reply(protocol, fault.status or status, fault.code or code, message)
