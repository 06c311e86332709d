"""Asking AWS what a launch needs to know: all reads at once, and one that is not allowed costs only its own fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from runctl.errors import DeniedError, InputError, QuotaError, RequestError, ServiceError, ThrottledError
from runctl.models.cost import Confidence, Price
from runctl.models.instance import Hardware, Instance, Market
from runctl.models.launch import Image, LaunchRequest, Quota
from runctl.services.aws.parse import parse_hardware, parse_instances, parse_time
from runctl.services.case import is_ours
from runctl.services.launch import images, quotas
from runctl.services.launch.candidates import Facts, Subnet
from runctl.services.launch.quarantine import Place, Quarantine
from runctl.services.launch.request import unknown_type
from runctl.services.prices import PriceBook
from runctl.services.verbs.row import Ground

T = TypeVar("T")
#: Failures that cost one fact. Others (credentials, network, clock) would fail every call.
_BEARABLE = (DeniedError, ThrottledError, ServiceError, RequestError, QuotaError)
#: DescribeSpotPriceHistory reaches back 90 days (EC2 API reference); an older "price" is not AWS's.
_OLDEST_PRICE = timedelta(days=90)
_AT_WORK = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]


@dataclass
class Surveyor:
    """One look at what concerns one request.

    Args:
        ground: cloud, clock and actor.
        request: what is asked for.
        book: prices and hardware that need no call.
        quarantine: places that were refused a moment ago.
        regions: where our running machines are counted; the request's own region always is.
    """

    ground: Ground
    request: LaunchRequest
    book: PriceBook
    quarantine: Quarantine
    regions: tuple[str, ...] = ()
    _warnings: list[str] = field(default_factory=list)

    def facts(self) -> Facts:
        """Everything at once.

        Raises:
            InputError: a type, image, subnet or zone that does not exist, or no subnet to launch in.
            CloudError: AWS cannot be asked at all.
        """
        with ThreadPoolExecutor(8, thread_name_prefix="survey") as pool:
            types = pool.submit(self._types)
            zones, subnets, spot = pool.submit(self._zones), pool.submit(self._subnets), pool.submit(self._spot)
            wanted = [(k, m) for k in self.request.types for m in self.request.market.markets]
            limits = {c: pool.submit(self._limit, c) for c in {quotas.code_of(*p) for p in wanted} if c}
            counted = {r: pool.submit(self._machines, r) for r in {self.request.region, *self.regions}}
            hardware, spotless = types.result()
            image_of = self._images(hardware)
            machines = {r: f.result() for r, f in counted.items()}
            here = machines[self.request.region]
            found: Mapping[tuple[str, Market], Quota] = quotas.quotas_of(wanted, here, lambda c: limits[c].result())
            offered = zones.result()
            return Facts(
                hardware, spotless, offered, subnets.result(), spot.result() or {}, image_of, found, here,
                self._running(machines), self._quarantined(offered), tuple(dict.fromkeys(self._warnings)),
            )  # fmt: skip

    def _pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            page = self.ground.cloud.ask(service, operation, region, **parameters, **more)
            yield page
            before, token = token, str(page.get("NextToken") or "")
            if not token or token == before:
                return

    def _bearing(self, what: str, read: Callable[[], T]) -> T | None:
        """What a read answers, None with a warning where it may not or cannot be read."""
        try:
            return read()
        except _BEARABLE as error:
            allowed = f"not allowed: {error.action}" if isinstance(error, DeniedError) else str(error)
            self._warnings.append(f"{what} unknown ({allowed})")
            return None

    def _types(self) -> tuple[dict[str, Hardware], frozenset[str]]:
        """(hardware by type, types that spot does not sell).

        Raises:
            InputError: a type that does not exist.
        """
        names, region = list(self.request.types), self.request.region
        try:
            answer = self._bearing(
                "what the types are made of is",
                lambda: self._typed(names, region),
            )
        except _NoSuchTypeError as error:
            wrong = next((n for n in names if n in error.message), names[0])
            raise unknown_type(wrong, self.book.types()) from error
        hardware: dict[str, Hardware] = {}
        spotless = set()
        for raw in (answer or {}).get("InstanceTypes") or ():
            name = str(raw.get("InstanceType"))
            # The book knows accelerators that EC2 lists apart (NeuronInfo) and their usable memory.
            hardware[name] = self.book.hardware(name) or _with_neuron(parse_hardware(raw), raw)
            if "spot" not in (raw.get("SupportedUsageClasses") or ("spot",)):
                spotless.add(name)
        return hardware, frozenset(spotless)

    def _typed(self, names: list[str], region: str) -> Mapping[str, Any]:
        try:
            return self.ground.cloud.ask("ec2", "DescribeInstanceTypes", region, InstanceTypes=names)
        except RequestError as error:
            if error.site.code == "InvalidInstanceType":
                raise _NoSuchTypeError(error.message) from error
            raise

    def _zones(self) -> dict[str, tuple[str, ...]] | None:
        wanted = [{"Name": "instance-type", "Values": list(self.request.types)}]

        def read() -> dict[str, tuple[str, ...]]:
            found: dict[str, list[str]] = {t: [] for t in self.request.types}
            pages = self._pages(
                "ec2", "DescribeInstanceTypeOfferings", self.request.region, LocationType="availability-zone",
                Filters=wanted,
            )  # fmt: skip
            for page in pages:
                for row in page.get("InstanceTypeOfferings") or ():
                    found.setdefault(str(row.get("InstanceType")), []).append(str(row.get("Location")))
            return {t: tuple(sorted(z)) for t, z in found.items()}

        return self._bearing("the zones that offer it are", read)

    def _subnets(self) -> dict[str, Subnet] | None:
        """The named subnet, or the default one of each zone.

        Raises:
            InputError: the named one does not exist, or there is no default one anywhere.
        """
        name, region = self.request.subnet, self.request.region
        wanted = {"Name": "subnet-id", "Values": [name]} if name else {"Name": "default-for-az", "Values": ["true"]}

        def read() -> dict[str, Subnet]:
            pages = self._pages("ec2", "DescribeSubnets", region, Filters=[wanted])
            return {
                str(s.get("AvailabilityZone")): Subnet(str(s.get("SubnetId")), bool(s.get("MapPublicIpOnLaunch")))
                for page in pages
                for s in page.get("Subnets") or ()
            }

        found = self._bearing("the subnets are", read)
        if found == {}:
            raise _no_subnet(name, region)
        return found

    def _spot(self) -> dict[tuple[str, str], Price] | None:
        if Market.SPOT not in self.request.market.markets:
            return {}
        now = self.ground.clock.now()

        def read() -> dict[tuple[str, str], Price]:
            newest: dict[tuple[str, str], tuple[datetime, Price]] = {}
            pages = self._pages(
                "ec2", "DescribeSpotPriceHistory", self.request.region, InstanceTypes=list(self.request.types),
                ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"], StartTime=now,
            )  # fmt: skip
            for page in pages:
                for row in page.get("SpotPriceHistory") or ():
                    at, key = parse_time(row.get("Timestamp")), (row["InstanceType"], row["AvailabilityZone"])
                    if at is not None and now - at <= _OLDEST_PRICE and (key not in newest or at > newest[key][0]):
                        live = Price(float(row["SpotPrice"]), "hour", "spot-history", Confidence.LIVE, at.date())
                        newest[key] = at, live
            return {key: price for key, (_, price) in newest.items()}

        return self._bearing("spot prices of the moment are", read)

    def _limit(self, code: str) -> float | None:
        def read() -> float | None:
            region = self.request.region
            asked = {"ServiceCode": "ec2", "QuotaCode": code}
            answer = self.ground.cloud.ask("service-quotas", "GetServiceQuota", region, **asked)
            value = (answer.get("Quota") or {}).get("Value")
            return None if value is None else float(value)

        return self._bearing("the vCPU quota is", read)

    def _machines(self, region: str) -> tuple[Instance, ...] | None:
        def read() -> tuple[Instance, ...]:
            pages = self._pages("ec2", "DescribeInstances", region, Filters=_AT_WORK, MaxResults=1000)
            return tuple(i for page in pages for i in parse_instances(page, region, self.book))

        return self._bearing(f"what runs in {region} is", read)

    def _running(self, by_region: Mapping[str, tuple[Instance, ...] | None]) -> int | None:
        if any(found is None for found in by_region.values()):
            return None
        owner = self.ground.actor.owner
        return sum(is_ours(m.ownership, owner) for found in by_region.values() for m in found or ())

    def _images(self, hardware: Mapping[str, Hardware]) -> dict[str, Image]:
        """The image of each type.

        Raises:
            InputError: the named one does not exist.
        """
        request, chosen = self.request, {}
        for kind in request.types:
            known = hardware.get(kind) or self.book.hardware(kind) or Hardware()
            chosen[kind] = images.Choice(request.image) if request.image else images.usual_image(known)
        wanted = {c.parameter: c.note for c in chosen.values()}
        try:
            found = images.find_images(self.ground.cloud.ask, request.region, wanted)
        except RequestError as error:
            if images.is_missing(error):
                raise images.missing(request.image or next(iter(wanted)), request.region) from error
            raise
        except DeniedError as error:
            if not request.image.startswith("ami-"):
                raise
            self._warnings.append(f"the image is not looked at (not allowed: {error.action})")
            found = {request.image: Image(request.image, "", "", "")}
        if request.image and request.image not in found:
            raise images.missing(request.image, request.region)
        for name in sorted(set(wanted) - set(found)):
            self._warnings.append(f"{request.region} has no image {name}; name one with --image")
        return {kind: found[c.parameter] for kind, c in chosen.items() if c.parameter in found}

    def _quarantined(self, zones: Mapping[str, Iterable[str]] | None) -> dict[tuple[str, str, Market], datetime]:
        account = self.ground.stamp.account
        places = [
            (kind, zone, market)
            for kind in self.request.types
            for zone in {*(zones or {}).get(kind, ()), *self.request.zones, ""}
            for market in self.request.market.markets
        ]
        return {p: at for p in places if (at := self.quarantine.until(Place(account, *p)))}


class _NoSuchTypeError(Exception):
    """EC2 does not know a type; its message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _with_neuron(hardware: Hardware, raw: Mapping[str, Any]) -> Hardware:
    """Trainium and Inferentia stand under NeuronInfo (EC2 API reference, "InstanceTypeInfo")."""
    devices = (raw.get("NeuronInfo") or {}).get("NeuronDevices") or ()
    if not devices:
        return hardware
    count = sum(int(d.get("Count") or 0) for d in devices)
    return replace(hardware, gpu_model=str(devices[0].get("Name") or "Neuron Inferentia"), gpu_count=count)


def _no_subnet(name: str, region: str) -> InputError:
    if name:
        return InputError(
            f"--subnet {name}: there is no such subnet in {region}", allowed="a subnet of this region",
            example="aws ec2 describe-subnets",
        )  # fmt: skip
    return InputError(
        f"{region} has no default VPC, so there is no subnet that goes without saying",
        allowed="--subnet subnet-… (its zone is used), or make one: aws ec2 create-default-vpc",
        example="--subnet subnet-0123456789abcdef0",
    )
