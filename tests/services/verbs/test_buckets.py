"""Pruning checkpoints and aborting uploads through the door: only what was judged, nothing that has to stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runctl import paths
from runctl.config.settings import ProfileRules, Settings
from runctl.demo.cloud import DemoCloud
from runctl.errors import CloudError, InputError
from runctl.models.plan import ItemResult, Outcome, Plan, Rule, Verb
from runctl.models.s3 import Upload, upload_name
from runctl.services.actions import Actions
from runctl.services.permit import ForbiddenError, Permit, Request, grant
from runctl.services.transfer import operations
from runctl.services.transfer.journal import Ends, Journal
from runctl.services.verbs.buckets import checkpoints_below, find_bucket
from runctl.services.verbs.tags import release_parameters
from tests.services.acting import NOW, upload
from tests.services.buckets import begin_upload, keys, make_bucket, put, s3_of, tag, uploads
from tests.services.doors import EAST, OURS, ZOE, open_door

NEW = frozenset({Rule.YOUNGER_THAN})
BUCKET = "lab"
RUN = {f"run/ck/epoch={n}-loss=0.{9 - n}.ckpt" for n in range(1, 5)}
ARCHIVE = {"run/ck-archive/epoch=0-loss=0.9.ckpt", "run/ck/INDEX.json"}
SETTINGS: dict[str, Settings] = {
    "read-only": replace(ZOE, read_only=True),
    "protected-profile": replace(ZOE, profiles={"default": ProfileRules(protected=True)}),
}


@pytest.fixture
def lab(cloud: DemoCloud) -> DemoCloud:
    cloud.reset(fleet="empty")
    make_bucket(cloud, BUCKET)
    put(cloud, BUCKET, RUN | ARCHIVE)
    put(cloud, BUCKET, ["run/ck/INDEX.json"], b"[]")
    cloud.forget_calls()
    return cloud


def pruning(door: Actions, overrides: frozenset[Rule] = NEW, *, where: str = "s3://lab/run/ck", **more: Any) -> Plan:
    parameters = {"where": where, "keep_last": 1, "keep_best": "", "named": True} | more
    going = [c for c in checkpoints_below(door.ground, parameters) if not c.stays]
    return door.draft_on(Verb.PRUNE, going, parameters, overrides)


def told(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(r.item.name[:7], r.outcome.value, r.rule) for r in plan.results.values()]


def test_the_old_ones_go_one_by_one_and_the_last_and_the_neighbours_stay(lab: DemoCloud) -> None:
    door = open_door()
    plan = pruning(door)
    assert [(i.verb, i.id) for i in plan.items] == [
        (Verb.PRUNE, f"s3://lab/run/ck/epoch={n}-loss=0.{9 - n}.ckpt") for n in (3, 2, 1)
    ]
    assert lab.mutating_calls() == {}
    done = door.apply(plan)
    assert told(done) == [("epoch=3", "done", None), ("epoch=2", "done", None), ("epoch=1", "done", None)]
    assert keys(lab, BUCKET) == ARCHIVE | {"run/ck/epoch=4-loss=0.5.ckpt"}
    assert lab.mutating_calls() == {("s3", "DeleteObjects", EAST): 3}
    entries = door.ground.journal.entries()
    assert {(e.verb, e.kind, e.operation, e.plan, e.outcome) for e in entries} == {
        ("prune", "checkpoint", "s3:DeleteObjects", plan.id, "done")
    }
    assert entries[0].request == {"Bucket": BUCKET, "Keys": ["run/ck/epoch=3-loss=0.6.ckpt"]}
    assert told(door.apply(door.plans.load(plan.id))) == told(done), "done once"
    assert lab.mutating_calls() == {("s3", "DeleteObjects", EAST): 3}


def test_what_the_index_says_counts_and_an_index_that_cannot_be_read_stops_everything(lab: DemoCloud) -> None:
    """Of four the newest is not whole: without its word the only whole one that is kept would go."""
    door, at = open_door(), ["run/ck/INDEX.json"]
    put(lab, BUCKET, at, b'{"checkpoints": [{"name": "epoch=4-loss=0.5.ckpt", "complete": false}]}')
    assert "epoch=3" not in {i.name[:7] for i in pruning(door).items}
    with lab.faults.active("denied", service="s3", operation="GetObject"), pytest.raises(CloudError):
        pruning(door)
    put(lab, BUCKET, at, b'{"checkpoints": [{"na')
    with pytest.raises(InputError, match="is not JSON"):
        pruning(door)


def test_what_was_written_a_moment_ago_is_spared(lab: DemoCloud) -> None:
    door = open_door()
    assert {r.rule for r in door.apply(pruning(door, frozenset())).results.values()} == {Rule.YOUNGER_THAN}
    assert keys(lab, BUCKET) == RUN | ARCHIVE


def test_who_became_the_best_the_last_or_another_since_the_plan_stays(lab: DemoCloud) -> None:
    door = open_door()
    best = pruning(door, keep_best="loss:max")  # 0.8 of the first epoch is kept, and the newest
    assert [i.name[:7] for i in best.items] == ["epoch=3", "epoch=2"]
    s3_of(lab).delete_object(Bucket=BUCKET, Key="run/ck/epoch=1-loss=0.8.ckpt")
    s3_of(lab).delete_object(Bucket=BUCKET, Key="run/ck/epoch=4-loss=0.5.ckpt")
    done = door.apply(best)
    assert told(done) == [("epoch=3", "refused", "changed"), ("epoch=2", "refused", "changed")]
    reasons = [r.reason for r in done.results.values()]
    assert "stays: none → last: number 1 of the newest 1" in reasons[0]
    assert "stays: none → best: loss 0.7 is the highest" in reasons[1]
    again = pruning(door, where="s3://lab/run/ck/")
    put(lab, BUCKET, ["run/ck/epoch=2-loss=0.7.ckpt"], b"another")
    assert told(door.apply(again)) == [("epoch=2", "refused", "changed")]
    assert keys(lab, BUCKET) == ARCHIVE | {"run/ck/epoch=2-loss=0.7.ckpt", "run/ck/epoch=3-loss=0.6.ckpt"}


@pytest.mark.parametrize(
    ("tags", "rule"),
    [
        (OURS | {"runctl:owner": "mallory"}, Rule.OTHER_OWNER),
        ({"runctl:owner": "mallory"}, Rule.OTHER_OWNER),
        ({"runctl:protected": "true"}, Rule.PROTECTED),
        (None, Rule.TAGS_UNREADABLE),
    ],
)
def test_a_bucket_of_others_or_protected_or_that_does_not_tell_is_left_alone(
    lab: DemoCloud, tags: dict[str, str] | None, rule: Rule
) -> None:
    begin_upload(lab, BUCKET, "big")
    door = open_door()
    plans = pruning(door), aborting(door, *found_uploads(door))
    if tags is None:
        lab.faults.add("denied", operation="GetBucketTagging")
    else:
        tag(lab, BUCKET, tags)
    lab.forget_calls()
    for plan in (*plans, pruning(door), aborting(door, *found_uploads(door))):
        assert {r.rule for r in door.apply(plan).results.values()} == {rule}
    assert lab.mutating_calls() == {}


@pytest.mark.parametrize("mode", SETTINGS)
def test_read_only_and_protected_profiles_delete_nothing(lab: DemoCloud, mode: str) -> None:
    begin_upload(lab, BUCKET, "big")
    plan = pruning(open_door())
    lab.forget_calls()
    door = open_door(SETTINGS[mode])
    for refused in (plan, pruning(door), aborting(door, *found_uploads(door))):
        assert {r.rule for r in door.apply(replace(refused, results={})).results.values()} == {Rule(mode)}
    assert lab.mutating_calls() == {}


def test_a_delete_that_ended_half_way_is_taken_up_again_and_a_new_file_stops_it(
    lab: DemoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "DELETE_BATCH", 2)
    parts = {f"run/sharded/step-1/part-{n}" for n in range(4)}
    put(lab, BUCKET, parts | {"run/sharded/step-2/part-0"})
    door = open_door()
    plan = pruning(door, where="s3://lab/run/sharded/")
    real, sent = operations.delete, []

    def once(*args: Any) -> Any:
        sent.append(args)
        if len(sent) == 2:
            return [(args[2][0], "InternalError: not now")]
        return real(*args)

    monkeypatch.setattr(operations, "delete", once)
    half = door.apply(plan)
    assert [(r.outcome, r.reason) for r in half.results.values()] == [
        (Outcome.FAILED, "run/sharded/step-1/part-2: InternalError: not now")
    ]
    assert [e.outcome for e in door.ground.journal.entries()] == ["done", "unknown"]
    left = keys(lab, BUCKET) & parts
    assert len(left) == 2
    whole = door.apply(door.plans.load(plan.id))
    assert [r.outcome for r in whole.results.values()] == [Outcome.DONE]
    assert not keys(lab, BUCKET) & parts
    put(lab, BUCKET, ["run/sharded/step-1/part-9"])
    assert told(door.apply(replace(plan, results={}))) == [("step-1", "refused", "changed")]


def test_no_answer_is_no_failure_where_the_deletion_happened(lab: DemoCloud) -> None:
    door = open_door()
    plan = pruning(door, where="s3://lab/run/ck/", keep_last=3)
    lab.faults.add("reset", operation="DeleteObjects", times=1)
    done = door.apply(plan)
    assert [r.outcome for r in done.results.values()] == [Outcome.DONE]
    assert len(keys(lab, BUCKET) & RUN) == 3


# -- unfinished uploads ------------------------------------------------------------------------------------------------


def found_uploads(door: Actions) -> list[Upload]:
    assert door.ground.s3 is not None
    listed = operations.list_uploads(door.ground.s3.client, BUCKET, "")
    return [Upload(BUCKET, u.key, u.upload_id, EAST, NOW) for u in listed]


def aborting(door: Actions, *found: Upload, named: bool = True) -> Plan:
    return door.draft_on(Verb.ABORT, found, {"named": named}, NEW)


def results(door: Actions, plan: Plan) -> list[ItemResult]:
    return list(door.apply(plan).results.values())


def test_an_upload_is_aborted_once_with_its_price_shown_before(lab: DemoCloud) -> None:
    upload_id = begin_upload(lab, BUCKET, "a?uploadId=/odd key.pt", b"x" * 2**20)
    begin_upload(lab, BUCKET, "another")
    door = open_door()
    odd = next(u for u in found_uploads(door) if u.upload_id == upload_id)
    lab.forget_calls()
    plan = aborting(door, odd)
    (item,) = plan.items
    assert (item.id, item.name) == (upload_name(BUCKET, odd.key, upload_id), odd.key)
    assert item.about["size"] == "1.0 MiB"
    assert item.saves_usd_per_month == pytest.approx(0.023 / 1024)
    assert item.typed == "abort 1"
    (result,) = results(door, plan)
    assert result.outcome is Outcome.DONE
    assert uploads(lab, BUCKET) == {"another"}
    assert lab.mutating_calls() == {("s3", "AbortMultipartUpload", EAST): 1}
    (entry,) = door.ground.journal.entries()
    assert entry.request == {"Bucket": BUCKET, "Key": odd.key, "UploadId": upload_id}
    assert results(door, replace(plan, results={}))[0].reason == "it is gone already"


def test_nobodys_bucket_is_refused_where_no_person_named_the_place(lab: DemoCloud) -> None:
    begin_upload(lab, BUCKET, "big")
    door = open_door()
    assert [r.rule for r in results(door, aborting(door, *found_uploads(door), named=False))] == [Rule.NOT_OURS]
    tag(lab, BUCKET, OURS | {"runctl:project": "vision"})
    plan = aborting(door, *found_uploads(door), named=False)
    assert (plan.items[0].about["owner"], plan.items[0].about["project"]) == ("zoe", "vision")
    assert [r.outcome for r in results(door, plan)] == [Outcome.DONE]


def test_one_that_grew_since_the_plan_or_is_being_sent_from_here_is_left_alone(lab: DemoCloud) -> None:
    upload_id = begin_upload(lab, BUCKET, "big")
    door = open_door()
    plan = aborting(door, *found_uploads(door))
    s3_of(lab).upload_part(Bucket=BUCKET, Key="big", UploadId=upload_id, PartNumber=2, Body=b"more")
    assert [r.rule for r in results(door, plan)] == [Rule.CHANGED]
    transfers = Journal(paths.state_dir() / "transfers")
    record = transfers.open(Ends("upload", "", BUCKET, "big", "big", 10, "v", 5))
    assert record is not None
    record.created(upload_id)
    (result,) = results(door, aborting(door, *found_uploads(door)))
    assert (result.rule, uploads(lab, BUCKET)) == (Rule.STATE, {"big"})
    record.close(done=False)
    assert [r.outcome for r in results(door, aborting(door, *found_uploads(door)))] == [Outcome.DONE]
    assert list(transfers.left_over()) == [], "nobody looks for it any more"


def test_a_permit_covers_the_keys_that_were_judged_and_no_other(lab: DemoCloud) -> None:
    door = open_door()
    (judged,) = [c for c in checkpoints_below(door.ground, {"where": "s3://lab/run/ck", "keep_last": 3}) if not c.stays]
    task = door.begin(pruning(door, keep_last=3).items[0], pruning(door, keep_last=3))
    assert not isinstance(task, ItemResult)
    assert task.permit.ids == set(judged.keys)
    with pytest.raises(ForbiddenError, match="nobody judged"):
        task.send("s3", "DeleteObjects", Bucket=BUCKET, Keys=["run/ck-archive/epoch=0-loss=0.9.ckpt"])
    with pytest.raises(ForbiddenError, match="may not send"):
        task.send("s3", "DeleteBucket", Bucket=BUCKET)
    assert lab.mutating_calls() == {}
    assert isinstance(task.permit, Permit)


def test_an_uploads_permit_is_for_its_id(lab: DemoCloud) -> None:
    door = open_door()
    from runctl.services.case import Case

    permit = grant(Case(Verb.ABORT, upload(), door.ground.actor, NOW), EAST)
    assert isinstance(permit, Permit)
    assert door.ground.s3 is not None
    wrong = Request("s3", "AbortMultipartUpload", EAST, {"Bucket": BUCKET, "Key": "x", "UploadId": "another"})
    with pytest.raises(ForbiddenError, match="nobody judged"):
        door.ground.s3.change(wrong, permit)


# -- whose a bucket is -------------------------------------------------------------------------------------------------


def test_a_bucket_is_adopted_with_the_tags_it_has_and_given_up_again(lab: DemoCloud) -> None:
    tag(lab, BUCKET, {"team": "vision & <co>", "Owner": "mallory"})
    lab.forget_calls()
    door = open_door()
    plan = door.draft_on(Verb.ADOPT, [find_bucket(door.ground, BUCKET)], {"project": "vit"})
    assert (plan.items[0].id, plan.items[0].region) == ("s3://lab", EAST)
    (result,) = results(door, plan)
    assert (result.outcome, result.inverse) == (Outcome.DONE, f"runctl adopt s3://lab --release --region {EAST}")
    assert find_bucket(door.ground, BUCKET).tags == OURS | {
        "runctl:project": "vit", "team": "vision & <co>", "Owner": "mallory",
    }  # fmt: skip
    assert lab.mutating_calls() == {("s3", "PutBucketTagging", EAST): 1}
    assert [r.reason for r in results(door, replace(plan, results={}))] == ["ours already"]
    released = door.draft_on(Verb.TAG, [find_bucket(door.ground, BUCKET)], release_parameters())
    assert [r.inverse for r in results(door, released)] == [f"runctl adopt s3://lab --owner zoe --region {EAST}"]
    left = find_bucket(door.ground, BUCKET).tags
    assert left == {"runctl:project": "vit", "team": "vision & <co>", "Owner": "mallory"}


@pytest.mark.parametrize(
    ("tags", "rule"), [({"runctl:owner": "mallory"}, Rule.OTHER_OWNER), (None, Rule.TAGS_UNREADABLE)]
)
def test_another_owners_bucket_or_one_that_does_not_tell_is_not_adopted(
    lab: DemoCloud, tags: dict[str, str] | None, rule: Rule
) -> None:
    door = open_door()
    if tags is None:
        lab.faults.add("denied", operation="GetBucketTagging")
    else:
        tag(lab, BUCKET, tags)
    lab.forget_calls()
    plan = door.draft_on(Verb.ADOPT, [find_bucket(door.ground, BUCKET)])
    assert [r.rule for r in results(door, plan)] == [rule]
    assert lab.mutating_calls() == {}


def test_a_bucket_without_any_tag_left_has_none(lab: DemoCloud) -> None:
    tag(lab, BUCKET, OURS)
    door = open_door()
    released = door.draft_on(Verb.TAG, [find_bucket(door.ground, BUCKET)], release_parameters())
    assert [r.outcome for r in results(door, released)] == [Outcome.DONE]
    assert find_bucket(door.ground, BUCKET).tags == {}
    task = door.begin(released.items[0], released)
    assert isinstance(task, ItemResult), "nothing is left to do"
    adopting = door.draft_on(Verb.ADOPT, [find_bucket(door.ground, BUCKET)])
    task = door.begin(adopting.items[0], adopting)
    assert not isinstance(task, ItemResult)
    with pytest.raises(ForbiddenError, match="nobody judged"):
        task.send("s3", "PutBucketTagging", Bucket="another", Tags={})
