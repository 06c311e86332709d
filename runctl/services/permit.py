"""The only ticket to a change: what the policy engine grants for one resource, and what the session checks once more.

`grant` judges and hands out a `Permit`; nothing else can make one. Whoever sends a change must show it, and `check`
compares what is about to be sent with it: the operation must be one that the verb needs, every resource named must have
been judged, and a read-only or protected profile refuses by its own table even if the judge were wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runctl.errors import RunctlError
from runctl.models.instance import Instance
from runctl.models.plan import Kind, Refusal, Rule, Verb
from runctl.models.s3 import StoredCheckpoint, TaggedBucket, Upload
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.case import Case, Resource
from runctl.services.policy import ALLOWED_WHEN_PROTECTED, judge, standing

#: Which operations each verb may send: an allowlist, so that what is not written here cannot be sent at all.
OPERATIONS: Mapping[Verb, frozenset[str]] = {
    Verb.LAUNCH: frozenset({"ec2:RunInstances"}),
    Verb.START: frozenset({"ec2:StartInstances"}),
    Verb.STOP: frozenset({"ec2:StopInstances"}),
    Verb.REBOOT: frozenset({"ec2:RebootInstances"}),
    Verb.TERMINATE: frozenset({"ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"}),
    Verb.EXTEND: frozenset({"ec2:CreateTags", "ssm:SendCommand"}),
    Verb.TAG: frozenset({"ec2:CreateTags", "ec2:DeleteTags", "s3:PutBucketTagging"}),
    Verb.ADOPT: frozenset({"ec2:CreateTags", "s3:PutBucketTagging"}),
    Verb.RUN: frozenset({"ssm:SendCommand", "ssm:CancelCommand"}),
    Verb.PROBE: frozenset({"ssm:SendCommand"}),
    Verb.SHELL: frozenset(),
    Verb.CREATE: frozenset({"ec2:CreateVolume"}),
    Verb.RESTORE: frozenset({"ec2:CreateVolume"}),
    Verb.ATTACH: frozenset({"ec2:AttachVolume", "ssm:SendCommand"}),
    Verb.DETACH: frozenset({"ec2:DetachVolume", "ssm:SendCommand"}),
    Verb.MODIFY: frozenset({"ec2:ModifyVolume", "ssm:SendCommand"}),
    Verb.SNAPSHOT: frozenset({"ec2:CreateSnapshot"}),
    Verb.DELETE: frozenset({"ec2:DeleteVolume", "ec2:DeleteSnapshot", "ec2:DetachVolume", "ssm:SendCommand"}),
    Verb.PREWARM: frozenset({"ec2:AttachVolume", "ec2:DetachVolume", "ssm:SendCommand", "ssm:CancelCommand"}),
    Verb.RELEASE: frozenset({"ec2:ReleaseAddress"}),
    Verb.ABORT: frozenset({"s3:AbortMultipartUpload"}),
    Verb.PRUNE: frozenset({"s3:DeleteObjects"}),
    Verb.SET_UP: frozenset(
        {
            "s3:CreateBucket",
            "s3:PutPublicAccessBlock",
            "s3:PutBucketLifecycleConfiguration",
            "s3:PutBucketTagging",
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:CreateInstanceProfile",
            "iam:AddRoleToInstanceProfile",
        }
    ),
}
#: Parameters that say to what a change is done.
_TARGETS = (
    "InstanceId", "InstanceIds", "VolumeId", "SnapshotId", "AllocationId", "Resources",
    "SpotInstanceRequestIds", "Targets", "UploadId", "Keys",
)  # fmt: skip
_SEAL = object()


class ForbiddenError(RunctlError):
    """A change that no permit covers. Users never see one unless runctl itself is wrong."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One change as it is sent: "ec2", "StopInstances", region, and the API's own parameters."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """Its name as IAM has it: "ec2:StopInstances"."""
        return f"{self.service}:{self.operation}"

    def targets(self) -> Iterator[str]:
        """Every resource it is done to."""
        for name in _TARGETS:
            value = self.parameters.get(name)
            yield from [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)] if value else []


@dataclass(frozen=True, slots=True)
class Permit:
    """That one verb may be done to what was judged, in one region. Only `grant` makes one.

    Raises:
        TypeError: made by hand.
    """

    verb: Verb
    region: str
    ids: frozenset[str]
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("permits are granted by runctl.services.permit.grant, never made")


def grant(case: Case, region: str, overrides: frozenset[Rule] = frozenset()) -> Permit | tuple[Refusal, ...]:
    """Judge, and hand out the permit; or the refusals that still stand, the gravest first."""
    refused = standing(judge(case), overrides)
    return refused or Permit(case.verb, region, frozenset(_judged(case)), _SEAL)


def _judged(case: Case) -> Iterator[str]:
    resource, machine = case.resource, case.around.machine
    if isinstance(resource, StoredCheckpoint):
        yield from resource.keys
    elif resource is not None:
        yield resource.upload_id if isinstance(resource, Upload) else resource.id
    if isinstance(resource, Instance) and resource.spot_request_id:
        yield resource.spot_request_id
    if machine is not None:
        yield machine.id


def check(permit: Permit, request: Request, *, read_only: bool, protected: bool) -> None:
    """The session's own look at a change, independent of who judged it and how.

    Raises:
        ForbiddenError: the permit does not cover it, or the profile does not allow it.
    """
    if read_only:
        raise ForbiddenError(f"read-only: {request.action} is not sent")
    if protected and permit.verb not in ALLOWED_WHEN_PROTECTED:
        raise ForbiddenError(f"the profile is protected: {request.action} is not sent")
    if request.action not in OPERATIONS[permit.verb]:
        raise ForbiddenError(f"{permit.verb} may not send {request.action}")
    if request.region != permit.region:
        raise ForbiddenError(f"{request.action} was permitted in {permit.region}, not in {request.region}")
    if strange := [t for t in request.targets() if t not in permit.ids]:
        raise ForbiddenError(f"{request.action} names {', '.join(strange)}, which nobody judged")


_KINDS: Mapping[type, Kind] = {
    Instance: Kind.INSTANCE, Volume: Kind.VOLUME, VolumeSnapshot: Kind.SNAPSHOT, Address: Kind.ADDRESS,
    Upload: Kind.UPLOAD, StoredCheckpoint: Kind.CHECKPOINT, TaggedBucket: Kind.BUCKET,
}  # fmt: skip


def kind_of(resource: Resource) -> Kind:
    """What kind of thing a resource is."""
    return _KINDS[type(resource)]
