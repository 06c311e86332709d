"""Who the demo's keys belong to: ada, one of the owners in the fleet, so that some machines are ours."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import Call, operation

USER = "ada"
_MOTO_DEFAULT = ":user/moto"


def caller(key: str, account: str, region: str) -> tuple[str, str, str]:
    """(user id, ARN, account) of a key: as moto has users and sessions; of all other keys the IAM user of the demo."""
    from moto.sts.models import sts_backends

    user_id, arn, owner = sts_backends[account]["aws"].get_caller_identity(key, region)
    if arn.endswith(_MOTO_DEFAULT):
        user_id, arn = "AIDACKCEVSQ6C2EXAMPLE", f"arn:aws:iam::{owner}:user/{USER}"
    return user_id, arn, owner


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Who a key belongs to."""
    user_id, arn, account = caller(call.response.access_key, call.account, call.region)
    return {"UserId": user_id, "Account": account, "Arn": arn}
