"""What a launch would be: candidates with prices, what speaks against it, what a person should hear first."""

from __future__ import annotations

from collections.abc import Iterator

from runctl.models.launch import Candidate, LaunchRequest, Offer
from runctl.models.plan import Refusal, Verb
from runctl.services.case import Case
from runctl.services.launch.candidates import Facts, candidates_of, nothing_left
from runctl.services.launch.quarantine import Quarantine
from runctl.services.launch.request import check_request
from runctl.services.launch.survey import Surveyor
from runctl.services.launch.user_data import user_data
from runctl.services.policy import brake, judge
from runctl.services.prices import PriceBook
from runctl.services.verbs.row import Ground


def make_offer(
    ground: Ground, request: LaunchRequest, book: PriceBook, quarantine: Quarantine, *, regions: tuple[str, ...] = ()
) -> Offer:
    """Look at everything that concerns a request.

    Args:
        ground: cloud, clock, actor and the brakes.
        request: what is asked for.
        book: prices and hardware.
        quarantine: places that were refused a moment ago.
        regions: where our running machines are counted, beside the request's own region.

    Raises:
        InputError: a bad value, or a request that leaves nowhere to launch.
        CloudError: AWS cannot be asked.
    """
    check_request(request, book.types(), ground.clock.now())
    user_data(request.user_data, request.expires_at)  # too long is said now
    facts = Surveyor(ground, request, book, quarantine, regions).facts()
    candidates = candidates_of(request, facts, book)
    if (nowhere := nothing_left(request, candidates)) is not None:
        raise nowhere
    refusals, warnings = _brakes(ground, request, facts)
    warnings += tuple(dict.fromkeys((*facts.warnings, *_doubts(request, candidates))))
    return Offer(request, candidates, facts.running, warnings, refusals)


def _brakes(ground: Ground, request: LaunchRequest, facts: Facts) -> tuple[tuple[Refusal, ...], tuple[str, ...]]:
    """(what forbids it, what slows it)."""
    forbidden, warning = brake(facts.running, request.count, ground.launch.warn_running, ground.launch.refuse_running)
    rules = judge(Case(Verb.LAUNCH, None, ground.actor, ground.clock.now()))
    return (*rules, *((forbidden,) if forbidden else ())), (warning,) if warning else ()


def _doubts(request: LaunchRequest, candidates: tuple[Candidate, ...]) -> Iterator[str]:
    """What may go wrong although nothing forbids it."""
    for candidate in candidates:
        if candidate.image is not None and candidate.image.note:
            yield f"{candidate.type}: {candidate.image.note}"
        quota, each = candidate.quota, candidate.hardware.vcpus
        if quota is None or quota.left is None or each is None:
            continue
        if quota.left < each * request.count:
            yield (
                f"the {candidate.market} quota {quota.code} has {quota.left:g} of {quota.limit:g} vCPUs left, and "
                f"{request.count} × {candidate.type} needs {each * request.count}"
            )
    if request.expires_at is None and not request.job:
        yield "no --ttl: it runs, and bills, until somebody ends it"
