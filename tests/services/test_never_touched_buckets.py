"""As `test_never_touched`, for checkpoints and unfinished uploads; the judges are docs/safety.md and docs/s3.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Outcome, Plan, Rule, Verb
from runctl.models.s3 import Bucket, Upload, upload_name
from runctl.services.actions import Actions
from runctl.services.cleanup import CleanupRules, Seen, candidates
from runctl.services.cleanup_plan import draft_cleanup, look_further
from runctl.services.verbs.buckets import checkpoints_below
from tests.services.buckets import begin_upload, keys, make_bucket, put, s3_of, tag, uploads
from tests.services.doors import EAST, OURS
from tests.services.test_never_touched import CASES, TAGS, door
from tests.services.test_never_touched_disks import MODE, ONE_CASE, OVERRIDES

#: Nothing in the embedded S3 is old, so that most cases set that rule aside.
NEW = OVERRIDES.flatmap(lambda o: st.sampled_from((o, o | {Rule.YOUNGER_THAN}, o | {Rule.YOUNGER_THAN})))
NEIGHBOURS = {"run/ck-archive/step=1.pt", "run/ck.pt", "run/other/step=1.pt"}
INDEX = "run/ck/INDEX.json"


@dataclass(frozen=True)
class Saved:
    """One checkpoint as it was drawn.

    Args:
        files: how many objects; 0 for one file of its own.
        loss: in its name.
        named: a word of its name that protects it.
        meanwhile: what somebody else does to it between plan and apply.
    """

    files: int
    loss: int
    named: str
    meanwhile: str

    def name(self, step: int) -> str:
        return f"{self.named}step={step}-loss=0.{self.loss}" + ("" if self.files else ".pt")

    def keys(self, step: int) -> set[str]:
        base = f"run/ck/{self.name(step)}"
        return {f"{base}/part-{n}" for n in range(self.files)} or {base}


SAVED = st.builds(
    Saved,
    files=st.sampled_from((0, 1, 3)),
    loss=st.integers(1, 9),
    named=st.sampled_from(("", "", "", "", "best-", "latest_")),
    meanwhile=st.sampled_from(("", "", "", "", "rewritten", "grown", "deleted")),
)


def barred(tags: Mapping[str, str], mode: str, overrides: frozenset[Rule], *, named: bool) -> bool:
    """Whether docs/safety.md protects everything in a bucket with these tags."""
    kept = any(tags.get(f"runctl:{w}") in ("true", "1") for w in ("protected", "important", "persistent"))
    nobodys = tags.get("runctl:managed") != "1" and not named
    young = Rule.YOUNGER_THAN not in overrides
    return mode != "normal" or young or nobodys or kept or tags.get("runctl:owner", "zoe") != "zoe"


def staying(saved: Mapping[int, Saved], keep_last: int, *, best: bool) -> set[int]:
    """The steps that docs/s3.md keeps."""
    newest = set(sorted(saved)[-keep_last:])
    losses = {step: one.loss for step, one in saved.items()}
    # Of equally good ones the newest is kept.
    lowest = {max(s for s in losses if losses[s] == min(losses.values()))} if best and losses else set()
    return newest | lowest | {step for step, one in saved.items() if one.named}


def disturb(cloud: DemoCloud, saved: Mapping[int, Saved]) -> dict[int, Saved]:
    """What somebody else does; what is left."""
    for step, one in saved.items():
        if one.meanwhile == "rewritten":
            put(cloud, "lab", sorted(one.keys(step))[:1], b"something else")
        elif one.meanwhile == "grown" and one.files:
            put(cloud, "lab", [f"run/ck/{one.name(step)}/more"])
        elif one.meanwhile == "deleted":
            for key in one.keys(step):
                s3_of(cloud).delete_object(Bucket="lab", Key=key)
    return {step: one for step, one in saved.items() if one.meanwhile != "deleted"}


@pytest.mark.timeout(120 + CASES * 15)
@ONE_CASE
@given(drawn=st.lists(SAVED, min_size=1, max_size=6), keep_last=st.integers(1, 3), best=st.booleans(),
       tags=st.sampled_from(TAGS), later=st.sampled_from((None, None, None, OURS | {"runctl:protected": "true"})),
       mode=MODE, overrides=NEW)  # fmt: skip
def test_checkpoints_that_have_to_stay_are_never_deleted(
    cloud: DemoCloud, *, drawn: list[Saved], keep_last: int, best: bool, tags: dict[str, str],
    later: dict[str, str] | None, mode: str, overrides: frozenset[Rule],
) -> None:  # fmt: skip
    cloud.reset(fleet="empty")
    saved = dict(enumerate(drawn, start=1))
    make_bucket(cloud, "lab", tags)
    put(cloud, "lab", NEIGHBOURS.union(*(one.keys(step) for step, one in saved.items())))
    put(cloud, "lab", [INDEX], b'{"checkpoints": []}')
    acting = door(mode)
    parameters = {
        "where": "s3://lab/run/ck",
        "keep_last": keep_last,
        "keep_best": "loss" if best else "",
        "named": True,
    }
    going = [c for c in checkpoints_below(acting.ground, parameters) if not c.stays]
    planned = set(saved) - staying(saved, keep_last, best=best)
    assert {c.name for c in going} == {saved[s].name(s) for s in planned}
    if not going:
        return
    plan = acting.draft_on(Verb.PRUNE, going, parameters, overrides)
    left = disturb(cloud, saved)
    if later is not None:
        tag(cloud, "lab", later)
    before = keys(cloud, "lab")
    cloud.forget_calls()
    results = {r.item.name: r for r in acting.apply(plan).results.values()}
    now = tags if later is None else later
    may = not barred(now, mode, overrides, named=True)
    untouched = {s for s, o in left.items() if o.meanwhile == "" or (o.meanwhile == "grown" and not o.files)}
    gone = (planned & untouched) - staying(left, keep_last, best=best) if may else set()
    assert before - keys(cloud, "lab") == set().union(*(saved[s].keys(s) for s in gone))
    for step in planned:
        done = results[saved[step].name(step)].outcome is Outcome.DONE
        assert done == (step in gone or step not in left), "what is gone already is done"
    assert sum(cloud.mutating_calls().values()) == len(gone), "one request for each"


@pytest.mark.timeout(120 + CASES * 15)
@ONE_CASE
@given(drawn=st.lists(st.sampled_from(TAGS), min_size=1, max_size=4), named=st.booleans(),
       protect=st.lists(st.booleans(), min_size=4, max_size=4), mode=MODE, overrides=NEW)  # fmt: skip
def test_uploads_in_buckets_that_are_not_ours_are_never_aborted(
    cloud: DemoCloud, *, drawn: list[dict[str, str]], named: bool, protect: list[bool], mode: str,
    overrides: frozenset[Rule],
) -> None:  # fmt: skip
    cloud.reset(fleet="empty")
    by_bucket = {f"half-{n}": tags for n, tags in enumerate(drawn)}
    ids = {}
    for name, tags in by_bucket.items():
        make_bucket(cloud, name, tags)
        ids[name] = begin_upload(cloud, name, "model.pt")
    acting = door(mode)
    plan = _named(acting, ids, overrides) if named else _cleanup(acting, by_bucket, overrides)
    later = dict(by_bucket)
    for (name, tags), protects in zip(by_bucket.items(), protect, strict=False):
        if protects:
            later[name] = tags | {"runctl:protected": "true"}
            tag(cloud, name, later[name])
    cloud.forget_calls()
    acting.apply(plan)
    gone = {name for name in by_bucket if not uploads(cloud, name)}
    old = overrides | {Rule.YOUNGER_THAN}  # the embedded S3 says that all of them were begun years ago
    assert gone == {n for n, tags in later.items() if not barred(tags, mode, old, named=named)}
    assert cloud.mutating_calls().get(("s3", "AbortMultipartUpload", EAST), 0) == len(gone)


def _named(acting: Actions, ids: Mapping[str, str], overrides: frozenset[Rule]) -> Plan:
    found = [Upload(b, "model.pt", i, EAST, acting.ground.clock.now()) for b, i in ids.items()]
    assert [u.id for u in found] == [upload_name(b, "model.pt", i) for b, i in ids.items()]
    return acting.draft_on(Verb.ABORT, found, {"named": True}, overrides)


def _cleanup(acting: Actions, buckets: Mapping[str, object], overrides: frozenset[Rule]) -> Plan:
    seen = Seen(acting.ground.clock.now(), "zoe")
    held = [Bucket(name, EAST) for name in buckets]
    seen, notes = look_further(acting.ground, seen, held, CleanupRules(), timeout_s=60)
    assert notes == ()
    return draft_cleanup(acting, candidates(seen), overrides)
