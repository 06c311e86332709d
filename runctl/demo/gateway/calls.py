"""How an operation of ours takes the place of moto's, or fills a gap.

An operation is a function from a `Call` to the reply as a plain dictionary in the API's own field names:

    @operation("ec2", "DescribeVolumes")
    def describe_volumes(call: Call) -> dict[str, Any]: ...

`install` puts them on moto's response classes, which dispatch by method name. moto still parses the request, finds
account and region, and writes replies that are not EC2's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from runctl.demo.world import World

#: Errors whose HTTP status is not 400 (EC2 API Reference, "Error codes for the Amazon EC2 API").
_STATUS = {"DryRunOperation": 412, "UnauthorizedOperation": 403, "InternalError": 500, "Unavailable": 503}


class AwsError(ServiceException):
    """An error reply: code and message as AWS writes them; not in a module of moto's, whose names it reads."""

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(code, message)
        self.status = status or _STATUS.get(code, 400)


class Call:
    """One request: its parameters, where it goes, and the world it meets."""

    def __init__(self, response: Any, world: World) -> None:
        self.response = response
        self.world = world
        self.region: str = response.region
        self.account: str = response.current_account
        params = getattr(response, "params", None)
        if params is None:  # services whose requests moto does not parse by the model speak JSON
            params = json.loads(response.body or "{}")
        self.params: dict[str, Any] = dict(params)

    @property
    def ec2(self) -> Any:
        """Moto's EC2 of this account and region."""
        return ec2_of(self.region, self.account)

    def check_dry_run(self) -> None:
        """Stop here when only permission was asked for.

        Raises:
            AwsError: DryRunOperation.
        """
        if str(self.params.get("DryRun", "false")).lower() == "true":
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


#: An operation may also hand back what moto's own method made of the request.
Operation = Callable[[Call], Mapping[str, Any] | ActionResult]
_OPERATIONS: dict[tuple[str, str], Operation] = {}


def operation(service: str, name: str) -> Callable[[Operation], Operation]:
    """Register a function as the answer to one AWS operation."""

    def register(function: Operation) -> Operation:
        _OPERATIONS[service, name] = function
        return function

    return register


def ec2_of(region: str, account: str) -> Any:
    """Moto's EC2 backend; imported late because it loads moto's data."""
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region]


def _method(service: str, name: str, function: Operation, world: World) -> Callable[[Any], Any]:
    from runctl.demo.faults import error_reply
    from runctl.demo.gateway.wire import ec2_reply

    def answer(response: Any) -> Any:
        if service != "ec2":
            return ActionResult(function(Call(response, world)))
        try:
            result = function(Call(response, world))
            return result if isinstance(result, ActionResult) else ec2_reply(name, result, str(uuid.uuid4()))
        except AwsError as error:
            # Ourselves, because moto would answer 400 whatever the error's own status is.
            status, headers, body = error_reply("ec2", error.status, error.code, error.message)
            return body.decode(), {"status": status, **dict(headers)}

    return answer


def install(world: World, classes: Mapping[str, type[BaseResponse]]) -> None:
    """Put every registered operation on the response class of its service."""
    for (service, name), function in _OPERATIONS.items():
        setattr(classes[service], camelcase_to_underscores(name), _method(service, name, function, world))
