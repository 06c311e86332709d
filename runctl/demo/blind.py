"""The environment of the embedded cloud: nothing in it names an AWS account or leads to the user's files."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Variables through which boto3 (moto uses it for its lists of regions) would look at the user's configuration.
_BLIND = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    # Loading all of AWS's images takes 0.2 s a region and makes `describe_snapshots` answer 1,300 foreign rows.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # No web page has any business here (see `edge`).
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}


def blind_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without anything that names an AWS account, profile or endpoint."""
    return {k: v for k, v in environ.items() if not k.startswith(("AWS_", "BOTO_", "MOTO_"))} | _BLIND
