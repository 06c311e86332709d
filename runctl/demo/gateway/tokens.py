"""Client tokens: the same request sent twice does its work once ("Ensuring idempotency", EC2 API reference)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from runctl.demo.gateway.calls import AwsError, Call

T = TypeVar("T")
_ASIDE = ("ClientToken", "DryRun")


def once(call: Call, operation: str, work: Callable[[], T]) -> T:
    """The result of `work`, or of the earlier call that carried the same token and parameters.

    Raises:
        AwsError: IdempotentParameterMismatch when the token comes back with other parameters.
    """
    token = call.params.get("ClientToken")
    if not token:
        return work()
    memory: dict[tuple[str, str], tuple[str, Any]] = call.ec2.__dict__.setdefault("runctl_tokens", {})
    told = json.dumps({k: v for k, v in call.params.items() if k not in _ASIDE}, sort_keys=True, default=str)
    if (operation, str(token)) not in memory:
        memory[operation, str(token)] = told, work()
    earlier, result = memory[operation, str(token)]
    if earlier != told:
        raise AwsError(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    done: T = result
    return done
