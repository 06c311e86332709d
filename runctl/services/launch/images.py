"""Which machine image: by architecture and accelerator, through AWS's public parameters, described by EC2 itself.

Sources: Amazon Linux 2023 User Guide, "Launching AL2023 using Systems Manager parameters"; Deep Learning AMIs Developer
Guide, "Find DLAMI ID"; AWS Neuron documentation, "Neuron DLAMI", "Retrieving the image id".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runctl.errors import InputError, RequestError
from runctl.models.instance import Hardware
from runctl.models.launch import Image

Ask = Callable[..., Mapping[str, Any]]

_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}"
_NVIDIA = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
_NEURON = "/aws/service/neuron/dlami/multi-framework/ubuntu-22.04/latest/image_id"
#: What a root disk is given when nobody says: a training environment and a few checkpoints.
USUAL_DISK_GIB = 100
#: EC2 User Guide, "Manage system users on your Linux instance", "Default usernames", by what the image's name contains.
_USERS = (
    ("ubuntu", "ubuntu"), ("al2023", "ec2-user"), ("amzn2", "ec2-user"), ("amazon linux", "ec2-user"),
    ("rhel", "ec2-user"), ("debian", "admin"), ("rocky", "rocky"), ("fedora", "fedora"), ("centos", "centos"),
    ("suse", "ec2-user"), ("bottlerocket", "ec2-user"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """The usual image of a kind of machine: its parameter, and what a person should know about it."""

    parameter: str
    note: str = ""


def maker_of(hardware: Hardware) -> str:
    """Who makes the accelerator: "nvidia", "neuron", "other", "" for none, "?" when nobody knows."""
    model = (hardware.gpu_model or "").lower()
    if not model:
        return "" if hardware.gpu_count == 0 else "?"
    if "trainium" in model or "inferentia" in model:
        return "neuron"
    return "other" if any(w in model for w in ("radeon", "amd", "gaudi", "habana", "xilinx", "fpga")) else "nvidia"


def usual_image(hardware: Hardware) -> Choice:
    """The image that a machine of this hardware is started with when nobody names one."""
    arch, maker = hardware.arch or "x86_64", maker_of(hardware)
    if maker == "nvidia":
        return Choice(_NVIDIA.format(arch=arch))
    if maker == "neuron":
        return Choice(_NEURON)
    plain = _LINUX.format(arch=arch)
    if maker == "other":
        return Choice(plain, f"AWS publishes no image with a driver for {hardware.gpu_model}; this one has none")
    return Choice(plain, "whether it has an accelerator is unknown; this image has no driver" if maker == "?" else "")


def find_images(ask: Ask, region: str, wanted: Mapping[str, str]) -> dict[str, Image]:
    """Resolve and describe images.

    Args:
        ask: reading calls: (service, operation, region, **parameters).
        region: where.
        wanted: "ami-…" or the path of a parameter, to the note that its image shall carry.

    Returns:
        The images by what was wanted; what does not exist is not among them.

    Raises:
        CloudError: it cannot be asked.
    """
    ids = {w: w for w in wanted if w.startswith("ami-")} | _resolved(ask, region, [w for w in wanted if w[0] == "/"])
    described = _described(ask, region, sorted(set(ids.values())))
    found = {}
    for name, identifier in ids.items():
        if image := described.get(identifier):
            found[name] = replace(image, source="" if name == identifier else name, note=wanted[name])
    return found


def _resolved(ask: Ask, region: str, paths: list[str]) -> dict[str, str]:
    if not paths:
        return {}
    answer = ask("ssm", "GetParameters", region, Names=paths)
    return {str(p["Name"]): str(p["Value"]) for p in answer.get("Parameters") or ()}


def _described(ask: Ask, region: str, ids: list[str]) -> dict[str, Image]:
    """By a filter, so that one unknown id does not cost the others; also what is deprecated, since it was named."""
    if not ids:
        return {}
    wanted = [{"Name": "image-id", "Values": ids}]
    answer = ask("ec2", "DescribeImages", region, Filters=wanted, IncludeDeprecated=True)
    return {image.id: image for raw in answer.get("Images") or () if (image := parse_image(raw)).id}


def parse_image(raw: Mapping[str, Any]) -> Image:
    """One image of DescribeImages."""
    root = str(raw.get("RootDeviceName") or "")
    disks = {str(m.get("DeviceName")): m.get("Ebs") or {} for m in raw.get("BlockDeviceMappings") or ()}
    size = disks.get(root, {}).get("VolumeSize")
    name = str(raw.get("Name") or "")
    told = " ".join((name, str(raw.get("Description") or ""))).lower()
    return Image(
        id=str(raw.get("ImageId") or ""),
        name=name,
        architecture=str(raw.get("Architecture") or ""),
        root_device=root,
        minimum_gib=int(size) if size else None,
        user=next((user for word, user in _USERS if word in told), None),
    )


def missing(name: str, region: str) -> InputError:
    """The error for an image that does not exist."""
    what = "image" if name.startswith("ami-") else "parameter that names an image"
    return InputError(
        f"--image {name}: there is no such {what} in {region}",
        allowed="an image of this region that is shared with this account (ids differ by region)",
        example="--image /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    )


def unfit(image: Image, instance_type: str, hardware: Hardware) -> str:
    """Why a type cannot start from an image, "" when it can as far as anybody knows."""
    if image.architecture and hardware.arch and image.architecture != hardware.arch:
        return f"the image {image.id} is {image.architecture} and {instance_type} is {hardware.arch}"
    return ""


def disk_size(image: Image | None, wanted: int | None) -> int:
    """GiB of the root disk.

    Raises:
        InputError: smaller than the image needs.
    """
    least = (image.minimum_gib if image else None) or 1
    if wanted is None:
        return max(USUAL_DISK_GIB, least)
    if wanted < least:
        name = image.name if image else ""
        raise InputError(
            f"--disk {wanted}: smaller than the image {name}", allowed=f"{least} GiB or more", example=f"--disk {least}"
        )
    return wanted


def is_missing(error: RequestError) -> bool:
    """Whether a refusal says that an image or parameter does not exist."""
    return error.site.code in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "ParameterNotFound")
