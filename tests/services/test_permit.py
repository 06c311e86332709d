"""The ticket to a change: who may make one, what it covers, and that nothing in the package goes round it."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

import runctl
from runctl.config import DEFAULTS
from runctl.config.settings import ProfileRules
from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Verb
from runctl.services.aws.backend import open_backend
from runctl.services.aws.session import READS
from runctl.services.case import Around, Case
from runctl.services.permit import OPERATIONS, ForbiddenError, Permit, Request, check, grant
from runctl.services.policy import ALLOWED_WHEN_PROTECTED
from tests.services.acting import EAST, NOW, disk, machine
from tests.services.test_policy import ZOE

SOURCES = sorted(Path(runctl.__file__).parent.rglob("*.py"))


def permit(verb: Verb = Verb.STOP) -> Permit:
    made = grant(Case(verb, machine(), ZOE, NOW), EAST)
    assert isinstance(made, Permit)
    return made


def test_nobody_makes_a_permit_by_hand() -> None:
    with pytest.raises(TypeError, match="granted"):
        Permit(Verb.STOP, EAST, frozenset({"i-1"}), object())
    with pytest.raises(TypeError):
        replace(permit(), ids=frozenset({"i-2"}), seal=None)


def test_a_refused_case_has_no_permit() -> None:
    refused = grant(Case(Verb.STOP, machine(tags={}), ZOE, NOW), EAST)
    assert isinstance(refused, tuple)
    assert refused


def test_a_permit_covers_its_verb_its_region_and_what_was_judged() -> None:
    one = machine().id
    check(permit(), Request("ec2", "StopInstances", EAST, {"InstanceIds": [one]}), read_only=False, protected=False)
    for request, said in (
        (Request("ec2", "TerminateInstances", EAST, {"InstanceIds": [one]}), "may not send ec2:TerminateInstances"),
        (Request("ec2", "StopInstances", "eu-west-1", {"InstanceIds": [one]}), "not in eu-west-1"),
        (Request("ec2", "StopInstances", EAST, {"InstanceIds": [one, "i-2"]}), "i-2, which nobody judged"),
    ):
        with pytest.raises(ForbiddenError, match=said):
            check(permit(), request, read_only=False, protected=False)


def test_both_ends_of_an_attachment_are_judged() -> None:
    host = machine(2)
    made = grant(Case(Verb.ATTACH, disk(), ZOE, NOW, Around(machine=host)), EAST)
    assert isinstance(made, Permit)
    assert made.ids == {disk().id, host.id}


@pytest.mark.parametrize("verb", list(Verb))
def test_the_session_refuses_by_its_own_table(verb: Verb) -> None:
    """Even with a permit in hand: read-only refuses all, a protected profile all but what adds."""
    given = permit()
    object.__setattr__(given, "verb", verb)
    for action in OPERATIONS[verb]:
        service, operation = action.split(":")
        request = Request(service, operation, EAST)
        with pytest.raises(ForbiddenError, match="read-only"):
            check(given, request, read_only=True, protected=False)
        if verb in ALLOWED_WHEN_PROTECTED:
            check(given, request, read_only=False, protected=True)
        else:
            with pytest.raises(ForbiddenError, match="protected"):
                check(given, request, read_only=False, protected=True)


def _changing_operations() -> set[str]:
    """Every operation of EC2, IAM and Systems Manager that is no read, from botocore's own models."""
    import botocore.loaders

    loader = botocore.loaders.Loader()
    found = set()
    for service in ("ec2", "iam", "ssm"):
        names = loader.load_service_model(service, "service-2")["operations"]
        found |= {f"{service}:{n}" for n in names if not n.startswith(READS)}
    return found


def test_every_changing_call_of_aws_needs_a_permit_that_names_it(cloud: DemoCloud) -> None:
    """Walks every operation of EC2, IAM and Systems Manager: `call` sends none, `change` only what the verb lists."""
    session = open_backend(DEFAULTS).session
    every = _changing_operations()
    assert len(every) > 400
    assert {o for names in OPERATIONS.values() for o in names if not o.startswith("s3:")} <= every
    cloud.forget_calls()
    given = permit()
    for action in sorted(every - OPERATIONS[given.verb]):
        service, operation = action.split(":")
        with pytest.raises(ForbiddenError):
            session.call(service, operation, EAST)
        with pytest.raises(ForbiddenError):
            session.change(Request(service, operation, EAST), given)
    assert cloud.calls() == {}


def test_a_read_only_or_protected_session_sends_nothing_whoever_asks(cloud: DemoCloud) -> None:
    protected = replace(DEFAULTS, profiles={"default": ProfileRules(protected=True)})
    for settings in (replace(DEFAULTS, read_only=True), protected):
        backend = open_backend(settings)
        with pytest.raises(ForbiddenError):
            backend.session.change(Request("ec2", "StopInstances", EAST, {"InstanceIds": [machine().id]}), permit())
    assert cloud.changes() == []


def test_only_the_door_changes_anything() -> None:
    """In the package, `.change(` of a session is called by the writer alone, `.change(` of a writer by `Task.send`."""
    callers: dict[str, set[str]] = {"change": set(), "grant": set(), "_sent": set()}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
                wanted = {"change": ("cloud", "session", "writer"), "_sent": ("self", "session")}.get(name)
                if name in callers and (wanted is None or owner.endswith(wanted)):
                    callers[name].add(str(path.relative_to(SOURCES[0].parent)))
    assert callers["change"] == {"services/aws/write.py", "services/verbs/row.py"}
    assert callers["grant"] == {
        "services/actions.py", "services/launch/attempts.py", "services/jobs/foundation.py",
    }  # fmt: skip
    assert callers["_sent"] == {"services/aws/session.py"}


def test_the_table_is_complete() -> None:
    assert set(OPERATIONS) == set(Verb)
    assert json.dumps(sorted(OPERATIONS[Verb.SHELL])) == "[]", "a shell is the user's own program"
