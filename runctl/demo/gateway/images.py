"""A handful of machine images and the Systems Manager aliases that name them."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses.amis import AmisResponse

from runctl.demo.gateway.calls import AwsError, Call, operation

_moto_describe_images = AmisResponse.describe_images
_KINDS = {
    "al2023": ("al2023-ami-2023.9.20260601.0-kernel-6.1-x86_64", "Amazon Linux 2023 AMI", "x86_64"),
    "al2023-arm64": ("al2023-ami-2023.9.20260601.0-kernel-6.1-arm64", "Amazon Linux 2023 AMI", "arm64"),
    "dlami": (
        "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Ubuntu 22.04) 20260601",
        "PyTorch 2.7 with CUDA and the NVIDIA driver",
        "x86_64",
    ),
    "dlami-arm64": (
        "Deep Learning Base OSS Nvidia Driver AMI ARM64 (Ubuntu 22.04) 20260601",
        "CUDA and the NVIDIA driver",
        "arm64",
    ),
    "neuron": ("Deep Learning AMI Neuron (Ubuntu 22.04) 20260601", "Neuron SDK for Trainium and Inferentia", "x86_64"),
}
_AMAZON = "898082745236"
_GPU_FAMILIES = re.compile(r"(?:g\d|gr\d|p\d)")
_ALIAS = re.compile(
    r"/aws/service/(?:ami-amazon-linux-latest/al2023-ami-[\w.-]+-(?P<arch>x86_64|arm64)"
    r"|(?P<dl>deeplearning)/ami/(?P<dl_arch>x86_64|arm64)/[\w.-]+/latest/ami-id"
    r"|(?P<neuron>neuron)/[\w./-]+/image_id)"
)


def image_id(region: str, kind: str) -> str:
    """The id of one of our images; as on AWS it differs by region."""
    return "ami-0" + hashlib.sha256(f"{region} {kind}".encode()).hexdigest()[:16]


def image_for(region: str, instance_type: str) -> str:
    """The image a sensible person would start `instance_type` with."""
    if instance_type.startswith(("trn", "inf")):
        return image_id(region, "neuron")
    return image_id(region, "dlami" if _GPU_FAMILIES.match(instance_type) else "al2023")


def add_images(backend: Any) -> None:
    """Register our images in one region; nothing happens when they are there."""
    from moto.ec2.models.amis import Ami

    for kind, (name, description, architecture) in _KINDS.items():
        identifier = image_id(backend.region_name, kind)
        if identifier not in backend.amis:
            backend.amis[identifier] = Ami(
                backend, identifier, name=name, description=description, owner_id=_AMAZON, owner_alias="amazon",
                public=True, virtualization_type="hvm", architecture=architecture, hypervisor="xen",
                root_device_type="ebs", root_device_name="/dev/sda1" if "Ubuntu" in name else "/dev/xvda",
            )  # fmt: skip


def resolve_alias(region: str, name: str) -> str | None:
    """The image that a public parameter names, None for other parameters."""
    match = _ALIAS.fullmatch(name)
    if match is None:
        return None
    if match["dl"]:
        return image_id(region, "dlami" if match["dl_arch"] == "x86_64" else "dlami-arm64")
    if match["neuron"]:
        return image_id(region, "neuron")
    return image_id(region, "al2023" if match["arch"] == "x86_64" else "al2023-arm64")


def _parameter(call: Call, name: str, value: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": call.world.now(),
        "ARN": f"arn:aws:ssm:{call.region}::parameter{name}",
        "DataType": "text",
    }


def _find(call: Call, name: str) -> dict[str, Any] | None:
    if alias := resolve_alias(call.region, name):
        add_images(call.ec2)
        return _parameter(call, name, alias)
    stored = call.response.ssm_backend.get_parameter(name)
    return stored.response_object(True, call.region) if stored else None


@operation("ec2", "DescribeImages")
def describe_images(call: Call) -> ActionResult:
    """As moto's, in a region that nobody has used yet too."""
    add_images(call.ec2)
    return _moto_describe_images(call.response)


@operation("ssm", "GetParameter")
def get_parameter(call: Call) -> dict[str, Any]:
    """Public image aliases from here, everything else from moto."""
    found = _find(call, str(call.params["Name"]))
    if found is None:
        raise AwsError("ParameterNotFound", f"Parameter {call.params['Name']} not found.")
    return {"Parameter": found}


@operation("ssm", "GetParameters")
def get_parameters(call: Call) -> dict[str, Any]:
    """As GetParameter, for several names; unknown ones are listed, not refused."""
    names = [str(n) for n in call.params["Names"]]
    found = {name: _find(call, name) for name in names}
    return {
        "Parameters": [p for p in found.values() if p],
        "InvalidParameters": [n for n, p in found.items() if p is None],
    }
