"""Who the demo's keys belong to: ada, one of the owners of the fleet, so that some machines are ours and some are not."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import Call, operation

USER = "ada"


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """The IAM user of the demo, or the session of an assumed role as moto answers it."""
    from moto.sts.models import sts_backends

    role = sts_backends[call.account]["global"].get_assumed_role_from_access_key(call.response.access_key)
    if role is not None:
        return {"UserId": role.user_id, "Account": call.account, "Arn": role.arn}
    return {
        "UserId": "AIDACKCEVSQ6C2EXAMPLE",
        "Account": call.account,
        "Arn": f"arn:aws:iam::{call.account}:user/{USER}",
    }
