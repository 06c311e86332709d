"""From a script to a job: what would be sent is known before anything is, and shown with --dry-run."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runctl.errors import InputError
from runctl.models import record
from runctl.models.record import CodeRef, Spec
from runctl.services.jobs import attempts, code
from runctl.services.jobs.attempts import Order
from runctl.services.jobs.code import Archive, Limits, Preview
from runctl.services.jobs.fields import is_secret_name
from runctl.services.jobs.leaks import looks_secret
from runctl.services.jobs.providers import Intent, Started
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.service import Jobs
from runctl.services.jobs.spec import Job
from runctl.services.jobs.stores import ConflictError, exists


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job is submitted from.

    Args:
        directory: the present directory; a script is found from here.
        home: the user's home directory.
        environment: values of `env_from`.
        region: where machines are started.
        bucket: where the record lies, None for this computer.
    """

    directory: Path
    home: Path
    environment: Mapping[str, str]
    region: str | None = None
    bucket: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that would be sent.

    Args:
        job: its record, not yet written.
        spec: the specification.
        preview: what goes up; None for a command without code.
        archive: the code, None without.
        known: the same code is there already.
        intent: where it would run, at what price.
        ttl_at: when it would end itself.
        warnings: what a person should hear first.
    """

    job: JobRecord
    spec: Spec
    preview: Preview | None
    archive: Archive | None
    known: bool
    intent: Intent
    ttl_at: float | None
    warnings: tuple[str, ...] = ()


def prepare(jobs: Jobs, job: Job, place: Place) -> Submission:
    """Look at everything that a submit needs; nothing is written or started.

    Raises:
        InputError: the code may not go up, a value is missing, or the place forbids it.
        RunctlError: the place cannot be asked.
    """
    if not job.script and not job.command:
        raise InputError("nothing to run", allowed="a script, or command in job.toml",
                         example="runctl jobs submit train.py --type g5.xlarge")  # fmt: skip
    preview, job = _code(job, place)
    archive = code.pack(preview.root.path, preview.files) if preview is not None else None
    entry = jobs.record(job.provider, record.job_id(int(jobs.clock.now().timestamp() * 1000), os.urandom(10)))
    spec = job.to_record(
        entry.job,
        at=entry.now(),
        code=_reference(archive, preview) if archive is not None and preview is not None else None,
        env=_values(job, place.environment),
    )
    spec |= {"owner": jobs.owner or None, "region": place.region, "bucket": place.bucket}
    known = archive is not None and exists(entry.store, record.code_key(archive.sha256))
    intent, ttl_at = attempts.intend(entry, jobs.providers[job.provider], spec, Order(1, "submit"))
    return Submission(entry, spec, preview, archive, known, intent, ttl_at, (*intent.warnings, *_doubts(job)))


def submit(jobs: Jobs, ready: Submission) -> Started:
    """Send it: code, specification, event, then the first attempt.

    Raises:
        RunctlError: it could not be written or started; what is written stands in the record.
    """
    job, archive = ready.job, ready.archive
    if archive is not None and not ready.known:
        with contextlib.suppress(ConflictError):  # somebody was faster with the same content: the key is its digest
            job.store.put(record.code_key(archive.sha256), archive.data, absent=True)
    job.create(ready.spec)
    job.say(1, "submitted", f"by {jobs.owner or 'somebody'}: {' '.join(ready.spec['command'])}"[:500])
    provider = jobs.providers[ready.spec["provider"]]
    return attempts.begin(job, provider, ready.spec, Order(1, "submit"), (ready.intent, ready.ttl_at))


def _code(job: Job, place: Place) -> tuple[Preview | None, Job]:
    """What goes up, and the job with its script as it is named from the root."""
    limits = Limits(allowed=frozenset(job.allow_files))
    root = (place.directory / job.root) if job.root else None
    if not job.script:
        if root is None:
            return None, job if job.name else replace_name(job, Path(job.command[0]).name)
        seen = code.preview(None, home=place.home, root=root, limits=limits)
        seen.check()
        return seen, job if job.name else replace_name(job, Path(job.command[0]).name)
    script = place.directory / job.script
    seen = code.preview(script, home=place.home, root=root, limits=limits)
    seen.check()
    inside = script.resolve().relative_to(seen.root.path).as_posix()
    named = job if job.name else replace_name(job, script.stem)
    return seen, named.model_copy(update={"script": inside})


def replace_name(job: Job, text: str) -> Job:
    """The job with a name made from a file's."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text).strip("-._")
    return job.model_copy(update={"name": kept[:63] or "job"})


def _values(job: Job, environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in job.env_from:
        if name not in environment:
            raise InputError(f"--env {name}: it is not set here", allowed="a variable that is set, or NAME=VALUE")
        if is_secret_name(name) or looks_secret(environment[name]):
            raise InputError(
                f"--env {name} looks like a secret, which is never written down",
                allowed="a reference to it", example=f"--secret {name}=ssm:/ml/{name.lower()}",
            )  # fmt: skip
        found[name] = environment[name]
    return found


def _reference(archive: Archive, preview: Preview) -> CodeRef:
    commit, dirty = _git(preview.root.path)
    return {
        "sha256": archive.sha256,
        "bytes": len(archive.data),
        "root": preview.root.path.name,
        "commit": commit,
        "dirty": dirty,
    }


def _git(root: Path) -> tuple[str | None, bool | None]:
    """Commit and whether files differ from it; (None, None) without git."""

    def git(*argv: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *argv], capture_output=True, text=True, check=False, timeout=10,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "--verify", "-q", "HEAD")
    changes = git("status", "--porcelain", "--", ".") if commit else None
    return commit or None, None if changes is None else bool(changes)


def _doubts(job: Job) -> tuple[str, ...]:
    """What may go wrong although nothing forbids it."""
    said = []
    if job.resources.market != "on-demand" and job.provider == "ec2" and job.retry.attempts == 1:
        said.append("spot with one attempt: an interruption ends the job")
    if job.limits.budget is None and job.provider == "ec2":
        said.append("no budget: only the time to live limits what it costs")
    return tuple(said)
