"""A running embedded cloud as its users see it: where it is, which environment reaches it, how to steer it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

from runctl.errors import InputError

#: The key of AWS's documentation; a cloud that can run scripts gives out one of its own.
EXAMPLE_KEY = "AKIAIOSFODNN7EXAMPLE"


def client_environment(endpoint_url: str, region: str = "us-east-1", *, key: str = EXAMPLE_KEY) -> dict[str, str]:
    """AWS variables that lead any AWS client to the embedded cloud and to nothing of the user's.

    The secret is the one of AWS's documentation. Files of profiles are pointed at nothing, so that no profile, no SSO
    session and no `credential_process` of the user is read or started.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def machine_environment(endpoint_url: str) -> dict[str, str]:
    """The same for what runs on a machine: it has no keys of its own, its role's come from the metadata service."""
    mine = client_environment(endpoint_url)
    return {k: v for k, v in mine.items() if "KEY" not in k and k != "AWS_EC2_METADATA_DISABLED"}


#: Variables that would lead a client elsewhere; whoever applies `client_environment` removes them.
MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


READS = ("Describe", "Get", "List", "Head", "Assume", "Lookup", "Search")
#: What bills by the request (Cost Explorer: each page; CloudWatch: GetMetricData).
PAID_SERVICES = frozenset({"ce"})
PAID_OPERATIONS = frozenset({"GetMetricData"})


#: What the process says when it answers.
READY = b"ready\n"


class Control:
    """Speaks to the control routes of an embedded cloud (`runctl.demo.edge`)."""

    def __init__(self, endpoint_url: str) -> None:
        self._address = urlsplit(endpoint_url)

    def post(self, route: str, **body: Any) -> Any:
        """Send `body` to a route; the answer, decoded."""
        connection = http.client.HTTPConnection(str(self._address.hostname), self._address.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", f"/runctl-demo/{route}", json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        if reply.status != 200:
            raise ValueError(f"{route}: {answer['error']}")
        return answer


class Faults:
    """Breaks things on purpose; see `runctl.demo.faults.Fault` for what a rule can say."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def add(self, kind: str, **rule: Any) -> int:
        """Put a rule in force; its number.

        Raises:
            ValueError: no such kind, or a field that rules do not have.
        """
        return int(self._control.post("faults", add={"kind": kind, **rule}))

    def remove(self, number: int) -> None:
        """Take one rule out."""
        self._control.post("faults", remove=number)

    def clear(self) -> None:
        """No faults any more; requests that hang are dropped."""
        self._control.post("faults", clear=True)

    def hits(self, number: int) -> int:
        """How often a rule has struck."""
        return next((int(r["hits"]) for r in self._control.post("faults") if r["id"] == number), 0)

    @contextlib.contextmanager
    def active(self, kind: str, **rule: Any) -> Iterator[int]:
        """A rule that holds within a `with`."""
        number = self.add(kind, **rule)
        try:
            yield number
        finally:
            self.remove(number)


class DemoCloud:
    """A handle on the process; a context manager that stops it."""

    def __init__(self, process: subprocess.Popen[bytes], endpoint_url: str, log: IO[bytes], key: str) -> None:
        self._key = key
        self._log = log
        self.process = process
        self.endpoint_url = endpoint_url
        self.control = Control(endpoint_url)
        self.faults = Faults(self.control)

    def wait_until_ready(self) -> None:
        """Return when the cloud answers.

        Raises:
            InputError: its process ended first.
        """
        line = self.process.stdout.readline() if self.process.stdout else b""
        if line != READY:
            code = self.process.wait()
            reason = self.log().strip().rpartition("\n")[2]
            raise InputError(f"the embedded cloud did not start (exit code {code}): {reason}")

    def log(self) -> str:
        """What the process wrote to stderr: tracebacks of operations that moto does not have, mostly."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def environment(self, region: str = "us-east-1") -> dict[str, str]:
        """What to set so that AWS clients talk to this cloud only; remove `MISLEADING` too."""
        return client_environment(self.endpoint_url, region, key=self._key)

    def apply(self, environ: dict[str, str], region: str = "us-east-1") -> dict[str, str]:
        """`environ` as a client of this cloud needs it."""
        kept = {k: v for k, v in environ.items() if k not in MISLEADING and not k.startswith("AWS_ENDPOINT_URL")}
        return kept | self.environment(region)

    def reset(self, fleet: str = "lively", seed: int = 7, speed: float = 1.0, *, story: bool = True) -> None:
        """Back to the first second of a fleet; faults and counts are forgotten too.

        Without its `story` the lively fleet stays as it is until somebody changes it.
        """
        self.control.post("reset", fleet=fleet, seed=seed, speed=speed, story=story)

    def advance(self, seconds: float) -> None:
        """Let demo time pass at once: what falls due in it has happened when this returns."""
        self.control.post("advance", seconds=seconds)

    def bulk(self, count: int, region: str = "us-east-1") -> list[str]:
        """Add `count` running machines; their ids."""
        ids: list[str] = self.control.post("bulk", count=count, region=region)
        return ids

    def build(self, machines: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]] = ()) -> list[str]:
        """Add machines and disks (fields of `fleet.MachinePlan`, `disks.VolumePlan`); the machines' ids, in order."""
        ids: list[str] = self.control.post("build", machines=list(machines), volumes=list(volumes))
        return ids

    def interrupt(self, instance_id: str, region: str = "us-east-1", notice_s: float = 120.0) -> None:
        """Announce a spot interruption; it comes `notice_s` demo seconds later."""
        self.control.post("interrupt", region=region, instance_id=instance_id, notice_s=notice_s)

    def rebalance(self, instance_id: str, region: str = "us-east-1") -> None:
        """Recommend to leave a spot machine."""
        self.control.post("rebalance", region=region, instance_id=instance_id)

    def afflict(self, instance_id: str, ailment: str, region: str = "us-east-1") -> None:
        """Let something be wrong with a machine.

        Args:
            instance_id: the machine.
            ailment: "checks" fail, Systems Manager has lost the "agent", the "host" is retired; "" for well again.
            region: where it is.
        """
        self.control.post("afflict", region=region, instance_id=instance_id, ailment=ailment)

    def skew(self, seconds: float) -> None:
        """Let the cloud's `Date` headers be ahead by `seconds`."""
        self.control.post("skew", seconds=seconds)

    def set_quota(self, code: str, vcpus: float, region: str = "us-east-1") -> None:
        """Change a vCPU quota until the next reset."""
        self.control.post("quota", code=code, vcpus=vcpus, region=region)

    def set_timings(self, **seconds: float) -> None:
        """Change how long things take (fields of `runctl.demo.world.Timings`) until the next reset."""
        self.control.post("timings", **seconds)

    def forget_calls(self) -> None:
        """Count calls from zero."""
        self.control.post("calls", clear=True)

    def mutating_calls(self) -> dict[tuple[str, str, str], int]:
        """The calls since then that could change something: everything but reads."""
        return {t: n for t, n in self.calls().items() if not t[1].startswith(READS)}

    def changes(self) -> list[tuple[str, str, list[str]]]:
        """(operation, region, ids of the resources it names) of each such call since then, in order."""
        return [(o, r, ids) for _, o, r, ids in self.control.post("changes")]

    def paid_calls(self) -> dict[tuple[str, str, str], int]:
        """The calls since then that AWS would bill by the request."""
        return {t: n for t, n in self.calls().items() if t[0] in PAID_SERVICES or t[1] in PAID_OPERATIONS}

    def calls(self) -> dict[tuple[str, str, str], int]:
        """How often each (service, operation, region) was called since the last reset."""
        return {(s, o, r): n for s, o, r, n in self.control.post("calls")}

    def stop(self) -> None:
        """End the process; safe to call twice."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def __enter__(self) -> DemoCloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
