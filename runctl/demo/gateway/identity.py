"""Who the demo's keys belong to: ada, one of the owners in the fleet, so that some machines are ours."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import Call, operation

USER = "ada"
_MOTO_DEFAULT = ":user/moto"


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """The answer of moto for users and sessions it knows; for all other keys the IAM user of the demo."""
    user_id, arn, account = call.response.backend.get_caller_identity(call.response.access_key, call.region)
    if arn.endswith(_MOTO_DEFAULT):
        user_id, arn = "AIDACKCEVSQ6C2EXAMPLE", f"arn:aws:iam::{account}:user/{USER}"
    return {"UserId": user_id, "Account": account, "Arn": arn}
