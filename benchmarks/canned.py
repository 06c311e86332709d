"""A cloud of canned pages: DescribeInstances as EC2 writes it, for any number of machines, at the speed of a file.

moto needs 2 ms a machine, which would hide what is measured. This double answers from bytes that were written at the
start. It is a server for benchmarks and for tests of latency, paging and counting; it checks no signature.

    python -m benchmarks.canned --machines 1000 --latency 0.5

prints its address and serves until its input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

_EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1",
    "eu-north-1", "eu-south-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2",
    "ap-northeast-3", "ca-central-1", "sa-east-1", "me-south-1", "af-south-1",
)  # fmt: skip
_TYPES = (
    "g5.xlarge",
    "p4d.24xlarge",
    "c5.2xlarge",
    "g5.12xlarge",
    "m5.large",
    "g4dn.xlarge",
    "p5.48xlarge",
    "t3.small",
)
_STATES = ("running", "running", "running", "stopped", "running", "pending", "running", "stopping")
_CODES = {"pending": 0, "running": 16, "stopping": 64, "stopped": 80}

# The elements of Amazon EC2 API Reference, "DescribeInstances", example response; about 4 kB a machine, as from AWS.
_INSTANCE = """<item><reservationId>r-{n:017x}</reservationId><ownerId>123456789012</ownerId><groupSet/>
<instancesSet><item>
<instanceId>i-{n:017x}</instanceId><imageId>ami-{a:017x}</imageId>
<instanceState><code>{code}</code><name>{state}</name></instanceState>
<privateDnsName>ip-10-0-{b}-{c}.ec2.internal</privateDnsName><dnsName/><reason/><keyName>lab</keyName>
<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>{type}</instanceType>
<launchTime>2026-0{month}-0{day}T0{hour}:00:00.000Z</launchTime>
<placement><availabilityZone>{region}a</availabilityZone><availabilityZoneId>x1-az1</availabilityZoneId><groupName/>
<tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring>
<subnetId>subnet-{a:017x}</subnetId><vpcId>vpc-{a:017x}</vpcId><privateIpAddress>10.0.{b}.{c}</privateIpAddress>
<ipAddress>198.51.{b}.{c}</ipAddress><sourceDestCheck>true</sourceDestCheck>
<groupSet><item><groupId>sg-{a:017x}</groupId><groupName>training</groupName></item></groupSet>
<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-{n:017x}</volumeId>
<status>attached</status><attachTime>2026-01-01T00:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>
</ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType><clientToken>{n:032x}</clientToken>
<tagSet><item><key>Name</key><value>train-{n:05d}</value></item><item><key>owner</key><value>{owner}</value></item>
<item><key>project</key><value>vision-{p}</value></item></tagSet><hypervisor>xen</hypervisor>
<networkInterfaceSet><item><networkInterfaceId>eni-{n:017x}</networkInterfaceId><subnetId>subnet-{a:017x}</subnetId>
<vpcId>vpc-{a:017x}</vpcId><description/><ownerId>123456789012</ownerId><status>in-use</status>
<macAddress>02:00:00:00:{b:02x}:{c:02x}</macAddress><privateIpAddress>10.0.{b}.{c}</privateIpAddress>
<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-{a:017x}</groupId><groupName>training</groupName></item>
</groupSet><attachment><attachmentId>eni-attach-{n:017x}</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>
<attachTime>2026-01-01T00:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>
<networkCardIndex>0</networkCardIndex></attachment><privateIpAddressesSet><item><privateIpAddress>10.0.{b}.{c}
</privateIpAddress><primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/>
<interfaceType>interface</interfaceType></item></networkInterfaceSet>
<iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/training</arn><id>AIPAEXAMPLE</id></iamInstanceProfile>
<ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>2</coreCount>
<threadsPerCore>2</threadsPerCore></cpuOptions><capacityReservationSpecification>
<capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>
<hibernationOptions><configured>false</configured></hibernationOptions><metadataOptions><state>applied</state>
<httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>
</metadataOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><bootMode>uefi-preferred</bootMode>
<platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>
<usageOperationUpdateTime>2026-01-01T00:00:00.000Z</usageOperationUpdateTime></item></instancesSet></item>"""
_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::123456789012:user/ana</Arn><UserId>AIDAEXAMPLE</UserId><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_BUCKETS = (
    '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>checkpoints</Name>'
    "<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"
)


def instance_xml(number: int, region: str, *, flip: bool = False) -> bytes:
    """One reservation with one machine; `flip` changes its state."""
    state = _STATES[(number + flip) % len(_STATES)]
    fields = {
        "n": number, "a": number % 7, "b": number // 250 % 250, "c": number % 250, "code": _CODES[state],
        "state": state, "type": _TYPES[number % len(_TYPES)], "month": 1 + number % 9,
        "day": 1 + number % 8, "hour": number % 9,
        "region": region, "owner": ("ana", "bo", "cy")[number % 3], "p": number % 5,
    }  # fmt: skip
    return _INSTANCE.format(**fields).replace("\n", "").encode()


def ec2_xml(operation: str, body: bytes, token: str = "") -> bytes:
    """An EC2 answer around `body`."""
    more = f"<nextToken>{token}</nextToken>" if token else ""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{_EC2}"><requestId>canned</requestId>'
    return head.encode() + body + f"{more}</{operation}Response>".encode()


@dataclass
class Canned:
    """What is answered, and what was asked.

    Args:
        machines: machines in each region named in `populated`.
        populated: regions with machines.
        latency: seconds before each answer.
        hanging: regions that never answer.
        stalling: regions that answer the first page of a listing and never a second.
        churn: share of machines that change between two refreshes.
    """

    machines: int = 50
    populated: tuple[str, ...] = ("us-east-1",)
    latency: float = 0.0
    hanging: frozenset[str] = frozenset()
    stalling: frozenset[str] = frozenset()
    churn: float = 0.0
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._items = {r: [instance_xml(n, r) for n in range(self.machines)] for r in self.populated}
        self._refreshes: Counter[str] = Counter()

    def answer(self, operation: str, region: str, query: dict[str, list[str]]) -> bytes:
        """The body for one call."""
        self.calls[operation, region] += 1
        if region in self.hanging or (region in self.stalling and "NextToken" in query):
            self.released.wait()
        if self.latency:
            time.sleep(self.latency)
        special: dict[str, Callable[[], bytes]] = {
            "DescribeInstances": lambda: self._instances(region, query),
            "DescribeRegions": _regions,
            "GetCallerIdentity": _IDENTITY.encode,
            "ListBuckets": _BUCKETS.encode,
        }
        return special.get(operation, lambda: ec2_xml(operation, b""))()

    def _instances(self, region: str, query: dict[str, list[str]]) -> bytes:
        start = int(query.get("NextToken", ["0"])[0])
        items = self._items.get(region, [])
        if start == 0 and self.churn and items:
            self._change(region, items)
        end = min(len(items), start + int(query.get("MaxResults", [str(len(items) or 1)])[0]))
        body = b"<reservationSet>" + b"".join(items[start:end]) + b"</reservationSet>"
        return ec2_xml("DescribeInstances", body, str(end) if end < len(items) else "")

    def _change(self, region: str, items: list[bytes]) -> None:
        turn = self._refreshes[region]
        self._refreshes[region] += 1
        step = max(1, round(1 / self.churn))
        for number in range(turn % step, len(items), step):
            items[number] = instance_xml(number, region, flip=turn // step % 2 == 0)


def _regions() -> bytes:
    rows = "".join(
        f"<item><regionName>{r}</regionName><regionEndpoint>ec2.{r}.amazonaws.com</regionEndpoint>"
        "<optInStatus>opt-in-not-required</optInStatus></item>"
        for r in REGIONS
    )
    return ec2_xml("DescribeRegions", f"<regionInfo>{rows}</regionInfo>".encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        query = parse_qs(self.rfile.read(length).decode())
        self._answer(query.get("Action", ["?"])[0], query)

    def do_GET(self) -> None:
        self._answer("ListBuckets", {})

    def _answer(self, operation: str, query: dict[str, list[str]]) -> None:
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers.get("Authorization", ""))
        region = scope.group(1) if scope else ""
        body = self.server.canned.answer(operation, region, query)  # type: ignore[attr-defined]  # our own server below
        self.send_response(200)
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, canned: Canned, port: int) -> None:
        self.canned = canned
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address  # a client that left is not worth a traceback


@contextlib.contextmanager
def serving(canned: Canned, port: int = 0) -> Iterator[str]:
    """Serve in a thread of this process; yields the URL."""
    with _Server(canned, port) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), name="canned", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            canned.released.set()
            server.shutdown()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.canned", description=__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--regions", default="us-east-1", help="regions with machines, by comma")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--churn", type=float, default=0.0, help="share of machines that change between refreshes")
    parser.add_argument("--hanging", default="", help="regions that never answer, by comma")
    parser.add_argument("--stalling", default="", help="regions that answer a first page and never a second")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    canned = Canned(
        given.machines,
        tuple(given.regions.split(",")),
        given.latency,
        hanging=frozenset(given.hanging.split(",")),
        stalling=frozenset(given.stalling.split(",")),
        churn=given.churn,
    )
    with serving(canned, given.port) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
