"""Scenarios of jobs on the embedded cloud, through the real binary, killed where the scenario says so.

The machines of that cloud really run the user data, with a metadata service of their own; the supervisor on them is the
shipped file.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.models import record
from tests.e2e.binary import BINARY, runctl
from tests.e2e.lab import BUCKET, SUBMIT, Lab, also, in_state, interrupted_and_resumed, machines, show, wait
from tests.services.jobs.running import until

pytestmark = pytest.mark.e2e


def test_the_newcomers_path_ends_with_a_log_read_after_the_machine_is_gone(lab: Lab) -> None:
    job = lab.started(steps="60", pause="0.02")
    log = runctl("jobs", "logs", "-f", job)
    assert log.out == "".join(f"step={n}/60 loss={1 / n:.6f}\n" for n in range(1, 61))
    over = wait(job, lambda s: s["resource_state"] in ("terminated", "not-found"))
    assert (over["state"], over["exit_code"], over["knowledge"]) == ("SUCCEEDED", 0, "ended")
    assert over["usd_so_far"] > 0
    lab.cloud.advance(2 * 3600)
    gone = wait(job, lambda s: s["resource_state"] == "not-found")
    assert gone["state"] == "SUCCEEDED"
    assert runctl("jobs", "logs", job).out == log.out
    loss = runctl("jobs", "metrics", job, "-o", "json").json()["loss"]
    assert [p["step"] for p in loss] == list(range(1, 61))


def test_a_client_killed_between_the_request_and_its_answer_leaves_one_machine(lab: Lab) -> None:
    """Scenario A."""
    with lab.cloud.faults.active("stall", service="ec2", operation="RunInstances"):
        argv = [str(BINARY), "jobs", "submit", str(lab.project / "train.py"), *SUBMIT, "--", "60", "0.02"]
        client = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        machine = until(machines)[0]
        client.send_signal(signal.SIGKILL)
        client.wait()
    assert runctl("watch", "--rounds", "1", "--yes").code == 0
    over = wait(machine["job"], in_state("SUCCEEDED"))
    assert over["attempts"] == [1]
    assert [m["id"] for m in machines()] in ([machine["id"]], [])


@also
def test_a_slow_spot_machine_is_waited_for_not_doubled(lab: Lab) -> None:
    """Scenario B."""
    lab.cloud.set_timings(pending=4.0)
    job = lab.started("--spot", steps="20", pause="0.02")
    assert wait(job, in_state("SUCCEEDED"))["attempts"] == [1]
    held = [m for m in machines() if m["job"] == job]
    assert len(held) <= 1
    assert all(m["market"] == "spot" for m in held)


def test_an_interruption_is_survived_and_the_step_goes_on(lab: Lab) -> None:
    """Scenario C."""
    interrupted_and_resumed(lab)


def test_a_recommendation_to_leave_ends_a_job_that_wants_it_long_before_a_notice(lab: Lab) -> None:
    for key in ("set/a", "set/deep/b"):
        lab.aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"data")
    job = lab.started("--spot", "--on-rebalance", "stop", "--data", f"s3://{BUCKET}/set/=data", pause="0.02")
    machine = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)["instance_id"]
    lab.cloud.rebalance(machine)
    left = wait(job, in_state("INTERRUPTED"))
    end = left["exit"]
    assert (end["stop_reason"], end["rc"], end["verified"], end["killed"]) == ("rebalance", 0, True, False)
    assert end["newest_complete"]["step"] == end["step"]
    stop = next(e for e in left["events"] if e["kind"] == "stop-requested")
    assert end["at"] - stop["at"] < 110
    assert "recommendation" in left["reason"]
    assert [e["message"] for e in left["events"] if e["kind"] == "data"] == ["2 files of data are here"]
    wait(job, lambda s: s["resource_state"] not in ("pending", "running"))  # it ends itself; nobody takes it


@also
def test_a_machine_ended_by_somebody_is_told_and_never_restarted(lab: Lab) -> None:
    """Scenario D: what a laptop finds that slept: first the reason, later only that it is gone."""
    job = lab.started()
    machine = wait(job, in_state("RUNNING"))["instance_id"]
    lab.aws("ec2").terminate_instances(InstanceIds=[machine])
    told = wait(job, lambda s: s["state"] in ("CANCELLED", "LOST", "FAILED"))
    assert told["state"] == "CANCELLED"
    lab.cloud.advance(3 * 3600)
    later = wait(job, lambda s: s["resource_state"] == "not-found" and s["state"] != "RUNNING")
    assert later["state"] in ("LOST", "CANCELLED")
    lab.cloud.forget_calls()
    assert runctl("watch", "--rounds", "1", "--yes").code == 0
    assert not [c for c in lab.cloud.mutating_calls() if c[0] == "ec2"]


def _supervisors(job: str) -> list[int]:
    """Process ids of a job's supervisors, the guards among them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if job.encode() in words and any(w.endswith(b"/agent.pyz") for w in words):
                found.append(int(path.parent.name))
    return found


@also
def test_a_silent_machine_is_asked_and_what_it_holds_is_left_to_a_person(lab: Lab) -> None:
    """Row 5 of the table, with the shipped supervisor: first it hangs, then it is gone, and watch ends nothing."""
    job = lab.started()
    wait(job, lambda s: s["state"] == "RUNNING" and s["step"])
    for pid in _supervisors(job):
        os.kill(pid, signal.SIGSTOP)
    hung = wait(job, lambda s: "do not arrive" in (s["reason"] or ""))
    assert (hung["state"], hung["action"]) == ("RUNNING", "none")
    for pid in _supervisors(job):
        os.kill(pid, signal.SIGKILL)
    dead = wait(job, in_state("FAILED"))
    assert dead["reason"].startswith("supervisor: it ended without an exit record")
    lab.cloud.forget_calls()
    assert runctl("watch", "--rounds", "1", "--yes").code == 0
    assert not [c for c in lab.cloud.mutating_calls() if c[0] == "ec2"]
    assert [m["state"] for m in machines(job)] == ["running"]
    assert runctl("jobs", "retry", job, "--fresh", "--dry-run").code == 0


@also
def test_expired_credentials_make_it_unknown_and_nothing_is_done(lab: Lab) -> None:
    """Scenario E."""
    job = lab.started()
    wait(job, in_state("RUNNING"))
    lab.cloud.forget_calls()
    with lab.cloud.faults.active("expired"):
        blind = runctl("watch", "--rounds", "1", "--yes")
        assert blind.code != 0
        assert runctl("jobs", "show", job).code == 3
        assert runctl("jobs", "list").code == 3
    assert not [c for c in lab.cloud.mutating_calls() if c[0] == "ec2"]
    wait(job, in_state("RUNNING"))  # its machine was as blind as we were, and trained on
    assert runctl("jobs", "stop", job, "--wait", "--yes").code == 0


@also
def test_full_zones_a_quota_and_a_denial_are_three_messages(lab: Lab) -> None:
    """Scenario F."""
    with lab.cloud.faults.active("capacity"):
        full = lab.submit("-o", "json")
    assert (full.code, full.json()[0]["rule"]) == (2, "capacity")
    assert "it waits" in full.err
    assert show(full.json()[0]["id"])["state"] == "PENDING"
    with lab.cloud.faults.active("denied", service="ec2", operation="RunInstances"):
        denied = lab.submit("-o", "json", "--type", "g6.xlarge")
    assert denied.json()[0]["rule"] == "denied"
    assert show(denied.json()[0]["id"])["state"] == "FAILED"
    lab.cloud.set_quota("L-DB2E81BA", 0)
    quota = lab.submit("-o", "json", "--type", "g6.xlarge")
    assert quota.json()[0]["rule"] == "quota"
    assert show(quota.json()[0]["id"])["reason"].startswith("quota")
    assert machines() == []


@also
def test_of_two_laptops_that_resume_at_once_one_wins(lab: Lab) -> None:
    """Scenario J, over S3's conditional writes."""
    job = lab.started(steps="20", pause="0.02")
    wait(job, in_state("SUCCEEDED"))
    argv = [str(BINARY), "jobs", "retry", job, "--fresh", "--yes"]
    clients = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    codes = [c.wait() for c in clients]
    for client in clients:
        client.communicate()
    assert codes.count(0) == 1, codes
    over = wait(job, lambda s: s["attempt"] == 2 and s["state"] == "SUCCEEDED")
    assert over["attempts"] == [1, 2]


@also
def test_of_a_laptop_that_stops_and_one_that_resumes_at_once_one_wins(lab: Lab) -> None:
    """Scenario J: who wrote last what is wanted has it; there is one machine at work, or none."""
    job = lab.started("--spot", pause="0.02")
    running = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)
    lab.cloud.interrupt(running["instance_id"], notice_s=120)
    wait(job, in_state("INTERRUPTED"))
    lab.cloud.advance(130)
    verbs = ("stop", "resume")
    clients = [subprocess.Popen([str(BINARY), "jobs", verb, job, "--yes"], stderr=subprocess.PIPE) for verb in verbs]
    said = [client.communicate()[1].decode() for client in clients]
    assert clients[0].returncode == 0, said
    wanted = json.loads(lab.aws("s3").get_object(Bucket=BUCKET, Key=record.control_key(job))["Body"].read())
    if wanted["desired"] == "stop":
        over = wait(job, lambda s: s["state"] == "CANCELLED" and s["resource_state"] not in ("pending", "running"))
        assert over["attempt"] == (2 if clients[1].returncode == 0 else 1), said
    else:
        assert clients[1].returncode == 0, said
        assert wait(job, in_state("RUNNING"))["attempt"] == 2
        assert len([m for m in machines(job) if m["state"] in ("pending", "running")]) == 1
        assert runctl("jobs", "stop", job, "--yes").code == 0
    until(lambda: not [m for m in machines(job) if m["state"] in ("pending", "running")], pause=1.0)


def _traces(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """Everything that runs leave in the cloud and on this computer, with where it lies."""
    s3, ec2, ssm = lab.aws("s3"), lab.aws("ec2"), lab.aws("ssm")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for found in page.get("Contents", []):
                body = s3.get_object(Bucket=bucket["Name"], Key=found["Key"])["Body"].read()
                yield found["Key"], gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    for machine in (i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]):
        sent = ec2.describe_instance_attribute(InstanceId=machine["InstanceId"], Attribute="userData")["UserData"]
        yield "user data", base64.b64decode(sent.get("Value", ""))
        yield "machine", json.dumps(machine, default=str).encode()
    yield "tags", json.dumps(ec2.describe_tags()["Tags"]).encode()
    yield "commands", json.dumps(ssm.list_commands()["Commands"], default=str).encode()
    ran = ssm.list_command_invocations(Details=True)["CommandInvocations"]
    yield "what commands said", json.dumps(ran, default=str).encode()
    for path in Path(os.environ["HOME"]).rglob("*"):  # journal, plans, caches, crash reports
        if path.is_file():
            yield str(path), path.read_bytes()


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def test_a_secret_is_in_nothing_that_its_run_leaves_anywhere(lab: Lab) -> None:
    value = "s3cr3t-" + os.urandom(8).hex()
    lab.aws("ssm").put_parameter(Name="/runctl/token", Value=value, Type="SecureString")
    (lab.project / "train.py").write_text("""
import os, time
token, folder = os.environ["TOKEN"], os.environ["RUNCTL_CHECKPOINT_DIR"]
assert len(token) == 23
print("step=1 loss=0.5 token", token, flush=True)
open(f"{folder}/step-1.json", "w").write("{}")
while not os.path.exists(os.environ["RUNCTL_STOP_FILE"]): time.sleep(0.05)
raise RuntimeError("it died of " + token)
""")
    job = lab.started("--secret", "TOKEN=ssm:/runctl/token", "--env", "MODE=quiet", steps="1")
    wait(job, lambda s: s["step"] == 1 and s["checkpoint_age_s"] is not None)
    assert not [line for line in _command_lines() if value.encode() in line]
    assert runctl("jobs", "stop", job, "--wait", "--yes", "--reason", "enough").code == 0
    shown = [runctl("jobs", *words, job) for words in (("show",), ("show", "-o", "json"), ("logs",), ("metrics",))]
    assert "it died of ***" in shown[2].out
    traces = [*_traces(lab), *(("answer", f"{s.out}{s.err}".encode()) for s in shown)]
    places = [name for name, _ in traces]
    assert {"user data", "tags", "commands"} <= set(places)
    assert any(name.endswith("exit.json") for name in places)
    assert any("journal" in name for name in places)
    assert [name for name, body in traces if b"ssm:/runctl/token" in body]  # the reference is what is written
    assert [name for name, body in traces if value.encode() in body] == []


def test_a_job_on_a_machine_that_runs_already_leaves_it_running(lab: Lab) -> None:
    """By Systems Manager, where the machine has a profile and is online; the reason is shown where not."""
    lab.cloud.set_timings(pending=0.5, agent_online=0.5)
    lab.aws("ec2").run_instances(
        ImageId="resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        InstanceType="g5.xlarge",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": "runctl-job"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "runctl:managed", "Value": "1"}]}],
    )
    (machine,) = until(lambda: [m["id"] for m in machines() if m["state"] == "running"])
    lab.cloud.advance(30)
    refused = lab.submit("--on", "i-0123456789abcdef0")
    assert refused.code == 1
    assert "no such machine" in refused.err
    planned = runctl(
        "jobs", "submit", str(lab.project / "train.py"), *SUBMIT, "--on", machine, "--dry-run", "--", "20", "0.02"
    )
    assert f"by Systems Manager on {machine}, which has a profile and is online" in planned.out, planned.err
    value = "s3cr3t-" + os.urandom(8).hex()
    lab.aws("ssm").put_parameter(Name="/runctl/token", Value=value, Type="SecureString")
    job = lab.started("--on", machine, "--secret", "TOKEN=ssm:/runctl/token", steps="20", pause="0.02")
    over = wait(job, in_state("SUCCEEDED"))
    assert (over["instance_id"], over["resource_state"]) == (machine, "running")
    assert runctl("jobs", "logs", job).out.count("\n") == 20
    assert [j["state"] for j in runctl("jobs", "list", "-o", "json").json() if j["id"] == job] == ["SUCCEEDED"]
    assert runctl("watch", "--rounds", "1", "--yes").code == 0
    assert [m["state"] for m in machines()] == ["running"]
    traces = list(_traces(lab))
    assert next(name for name, body in traces if b"runctl job " + job.encode() in body) == "commands"
    assert [name for name, body in traces if value.encode() in body] == []
