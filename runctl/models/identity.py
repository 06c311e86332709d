"""Who is asking: the answer of STS, stamped on everything that is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller as STS GetCallerIdentity names it.

    Args:
        account: twelve digits.
        arn: the caller's ARN (user, or assumed role with its session name).
        profile: the profile it came from, "" when it came from the environment or the machine.
        alias: the account's alias where it may be read, else "".
    """

    account: str
    arn: str
    profile: str = ""
    alias: str = ""

    @property
    def name(self) -> str:
        """IAM user name or role session name: the last part of the ARN, which is our owner name by default."""
        return self.arn.rsplit("/", 1)[-1] if "/" in self.arn else self.arn.rsplit(":", 1)[-1]
