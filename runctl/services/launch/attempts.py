"""Trying candidates one after the other: journal, send, and decide by the class of the error what comes next.

capacity, price, not offered    the next candidate
quota                           the next candidate that another quota limits
denied, credentials, bad request, throttled    stop: the next would fail in the same way
unknown                         stop: there may be a machine, and a second one would be one too many
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runctl import errors
from runctl.errors import CloudError
from runctl.models.launch import Attempt, AttemptClass, Candidate, LaunchRequest, LaunchResult, Offer
from runctl.models.plan import Kind, Plan, PlanItem, Verb
from runctl.services.case import Case
from runctl.services.launch.earlier import ADOPTED, Machines, find_by_token, machines_of, open_launches, reconcile
from runctl.services.launch.parameters import run_parameters
from runctl.services.launch.quarantine import Place, Quarantine
from runctl.services.launch.request import token_of
from runctl.services.permit import Permit, grant
from runctl.services.verbs.row import Ground, Live, Task

Tell = Callable[[Attempt], None]

#: What comes next after each class: whether another candidate is tried.
_GOES_ON = frozenset({AttemptClass.CAPACITY, AttemptClass.NOT_OFFERED, AttemptClass.PRICE, AttemptClass.QUOTA})
_QUARANTINED = frozenset({AttemptClass.CAPACITY, AttemptClass.NOT_OFFERED})
#: EC2 API reference, "Error codes": codes that say more than their class.
_BY_CODE = {
    "Unsupported": AttemptClass.NOT_OFFERED,
    "SpotMaxPriceTooLow": AttemptClass.PRICE,
    "IdempotentParameterMismatch": AttemptClass.UNKNOWN,
}
_BY_ERROR: tuple[tuple[type[CloudError], AttemptClass], ...] = (
    (errors.CapacityError, AttemptClass.CAPACITY),
    (errors.QuotaError, AttemptClass.QUOTA),
    (errors.DeniedError, AttemptClass.DENIED),
    (errors.CredentialsError, AttemptClass.CREDENTIALS),
    (errors.ClockError, AttemptClass.CREDENTIALS),
    (errors.ThrottledError, AttemptClass.THROTTLED),
    (errors.RequestError, AttemptClass.REQUEST),
)
_EXIT = {AttemptClass.REQUEST: 1, AttemptClass.CREDENTIALS: 3}


def class_of(error: CloudError) -> AttemptClass:
    """What an error of RunInstances means for the launch. Silence and faults mean that nobody knows."""
    if found := _BY_CODE.get(error.site.code):
        return found
    return next((c for kind, c in _BY_ERROR if isinstance(error, kind)), AttemptClass.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Launches what an offer shows.

    Args:
        ground: cloud, journal, actor, clock.
        quarantine: where refused places are remembered.
        tell: hears each attempt when it is over.
        cancelled: asked between attempts.
    """

    ground: Ground
    quarantine: Quarantine
    tell: Tell = lambda _: None
    cancelled: Callable[[], bool] = lambda: False

    def launch(self, offer: Offer) -> LaunchResult:
        """Try the candidates until one works. What an earlier try of the same request launched is found, not doubled.

        Raises:
            CloudError: EC2 could not be asked about an earlier try.
            JournalError: nothing can be written down, so nothing was sent.
            InputError: the disk or the user data does not fit.
        """
        request = offer.request
        if offer.refusals:
            return LaunchResult(request, refusals=offer.refusals, exit_code=1)
        case = Case(Verb.LAUNCH, None, self.ground.actor, self.ground.clock.now())
        permit = grant(case, request.region)
        if not isinstance(permit, Permit):
            return LaunchResult(request, refusals=permit, exit_code=1)
        if (earlier := self._earlier(request)) is not None:
            return earlier
        if (order := self._in_order(offer)) is None:
            return LaunchResult(request, pending=True, exit_code=2)
        return self._tried(request, order, permit)

    def _earlier(self, request: LaunchRequest) -> LaunchResult | None:
        """The result of an earlier try of the same request, None when it launched nothing."""
        settled = reconcile(self.ground, request.id)
        known = [e for e in self.ground.journal.entries() if e.plan == request.id and e.verb == Verb.LAUNCH and e.made]
        if not known:
            return None
        adopted = next((s.machines for s in settled if s.outcome == ADOPTED), Machines(known[-1].made))
        return LaunchResult(request, adopted.ids, adopted.spot_requests, adopted=True)

    def _in_order(self, offer: Offer) -> tuple[Candidate, ...] | None:
        """The candidates to try; None when an earlier try may still bring a machine that no candidate would find.

        What an earlier try may be bringing comes first: its token brings that machine, never a second one.
        """
        request = offer.request
        pending = {e.resource for e in open_launches(self.ground, request.id)}
        first = tuple(c for c in offer.candidates if _token(request, c) in pending)
        if len(first) < len(pending):
            return None
        return first + tuple(c for c in offer.open_candidates if c not in first)

    def _tried(self, request: LaunchRequest, candidates: Iterable[Candidate], permit: Permit) -> LaunchResult:
        attempts: list[Attempt] = []
        spent: set[str] = set()
        for candidate in candidates:
            if candidate.quota is not None and candidate.quota.code in spent:
                continue
            if self.cancelled():
                break
            attempt, machines = self._try(request, candidate, permit)
            attempts.append(attempt)
            self.tell(attempt)
            if machines.ids:
                found = bool(attempt.code)
                return LaunchResult(
                    request, machines.ids, machines.spot_requests, tuple(attempts), candidate, adopted=found
                )
            if attempt.came_to is AttemptClass.QUOTA and candidate.quota is not None:
                spent.add(candidate.quota.code)
            if attempt.came_to not in _GOES_ON:
                break
        return LaunchResult(request, attempts=tuple(attempts), exit_code=_exit_code(attempts))

    def _try(self, request: LaunchRequest, candidate: Candidate, permit: Permit) -> tuple[Attempt, Machines]:
        """One candidate. After silence the same token is sent once more: it brings the same machine or an answer."""
        attempt, machines = self._once(request, candidate, permit)
        if attempt.came_to is AttemptClass.UNKNOWN and attempt.code not in _BY_CODE:
            attempt, machines = self._once(request, candidate, permit)
        if machines.ids:
            _close(self.ground, request, machines, attempt.token)
        return attempt, machines

    def _once(self, request: LaunchRequest, candidate: Candidate, permit: Permit) -> tuple[Attempt, Machines]:
        ground, token = self.ground, _token(request, candidate)
        parameters = run_parameters(request, candidate, ground.actor.owner)
        began = ground.clock.monotonic()
        attempt = Attempt(candidate, AttemptClass.LAUNCHED, token)
        try:
            answer = self._send(request, token, permit, parameters)
        except CloudError as error:
            took = ground.clock.monotonic() - began
            attempt = replace(
                attempt, came_to=class_of(error), code=error.site.code, message=error.message, took_s=took
            )
            return self._after(request, attempt)
        return replace(attempt, took_s=ground.clock.monotonic() - began), machines_of(answer.get("Instances") or ())

    def _send(
        self, request: LaunchRequest, token: str, permit: Permit, parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Through the door: journalled, on disk, before it is sent. The entry carries the request's id as its plan."""
        ground = self.ground
        item = PlanItem(Verb.LAUNCH, Kind.INSTANCE, token, request.region, name=request.name)
        stamp = ground.stamp
        plan = Plan(request.id, ground.clock.now(), "launch", stamp.account, stamp.profile, (item,))
        return Task(item, plan, Live(None), permit, ground).send("ec2", "RunInstances", **parameters)

    def _after(self, request: LaunchRequest, attempt: Attempt) -> tuple[Attempt, Machines]:
        """A refusal is remembered; a doubt is looked into at once."""
        candidate = attempt.candidate
        if attempt.came_to in _QUARANTINED:
            account = self.ground.stamp.account
            self.quarantine.add(Place(account, candidate.type, candidate.zone, candidate.market))
        if attempt.came_to is not AttemptClass.UNKNOWN:
            return attempt, Machines()
        found = self._looked_for(request.region, attempt.token)
        return (replace(attempt, came_to=AttemptClass.LAUNCHED), found) if found.ids else (attempt, found)

    def _looked_for(self, region: str, token: str) -> Machines:
        try:
            return find_by_token(self.ground, region, [token]).get(token, Machines())
        except CloudError:
            return Machines()


def _close(ground: Ground, request: LaunchRequest, found: Machines, token: str) -> None:
    """Write down which doubtful sends of a token brought its machine."""
    for entry in open_launches(ground, request.id):
        if entry.resource == token:
            ground.journal.finish(entry.id, ADOPTED, message="found by its client token", made=found.ids)


def _token(request: LaunchRequest, candidate: Candidate) -> str:
    return token_of(request, candidate.type, candidate.zone, candidate.market)


def _exit_code(attempts: Iterable[Attempt]) -> int:
    """1 when the request was wrong, 3 for credentials, else 2: AWS had none, or nothing was tried."""
    return max((_EXIT.get(a.came_to, 0) for a in attempts), default=0) or 2
