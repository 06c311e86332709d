"""What a transfer deletes in S3 is written into the journal of changes before it is sent, like every other change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runctl.errors import NetworkError, RunctlError, ServiceError
from runctl.models.plan import Verb
from runctl.models.s3 import TaggedBucket
from runctl.services.case import Actor, Around, Case
from runctl.services.journal import Journal, Stamp
from runctl.services.policy import judge


@dataclass(slots=True)
class Record:
    """The journal, and who acts; that is asked of AWS when the first deletion comes, and not before.

    Args:
        journal: the record of changes.
        who: asks for our account and the rules of the profile.
    """

    journal: Journal
    who: Callable[[], tuple[Stamp, Actor]]
    _known: tuple[Stamp, Actor] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _identity(self) -> tuple[Stamp, Actor]:
        with self._lock:
            if self._known is None:
                self._known = self.who()
            return self._known

    def refusal(self, verb: Verb, now: datetime, bucket: TaggedBucket) -> str:
        """What the policy engine has against it, rule and reason; "" for nothing.

        Args:
            verb: what is done to objects of the bucket, whose place a person has named.
            now: the time.
            bucket: with its tags, which say whose everything in it is.

        Raises:
            CloudError: AWS does not say who we are; nothing is done in the name of nobody.
        """
        case = Case(verb, bucket, self._identity()[1], now, Around(named=True))
        return next((f"{refusal.reason} [{refusal.rule}]" for refusal in judge(case)), "")

    @contextmanager
    def change(
        self, verb: Verb, kind: str, resource: str, region: str, operation: str, request: Mapping[str, Any]
    ) -> Iterator[Callable[[str], None]]:
        """Written and on disk before the block runs, with its outcome after it.

        The block may call what it is given with what went wrong.

        Raises:
            JournalError: it cannot be written: the block does not run.
            CloudError: AWS does not say who we are.
        """
        stamp, _ = self._identity()
        entry = self.journal.begin(
            stamp, operation, request, verb=verb.value, kind=kind, resource=resource, region=region
        )
        problems: list[str] = []
        try:
            yield problems.append
        except RunctlError as error:
            outcome = "unknown" if isinstance(error, NetworkError | ServiceError) else "failed"
            self.journal.finish(entry, outcome, message=str(error))
            raise
        except BaseException as error:
            self.journal.finish(entry, "unknown", message=f"{type(error).__name__}: {error}")
            raise
        told = "; ".join(p for p in problems if p)
        self.journal.finish(entry, "failed" if told else "done", message=told)
