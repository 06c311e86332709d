"""What a job is: `job.toml` with the flags over it, checked as a whole before anything is sent.

The models refuse unknown keys. An error names the file, the line and the nearest key, as the settings do; a flag's
error names the flag. `Job.to_record` makes the `spec.json` of docs/job-record.md.
"""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from runctl.config.toml_lines import key_lines, line_of
from runctl.errors import InputError
from runctl.models import record
from runctl.services.jobs import fields
from runctl.services.jobs.leaks import looks_secret
from runctl.services.transfer.uri import parse_s3

JOB_FILE = "job.toml"
DAY_S = 86400.0

Ttl = Annotated[float, BeforeValidator(fields.parse_ttl)]
Span = Annotated[float, BeforeValidator(lambda v: fields.parse_ttl(v, least_s=1.0))]
Size = Annotated[int, BeforeValidator(fields.parse_size_gib)]
Target = Annotated[str, AfterValidator(fields.check_target)]
Variable = Annotated[str, AfterValidator(fields.check_variable)]
Reference = Annotated[str, AfterValidator(fields.check_reference)]
Usd = Annotated[float, Field(gt=0, le=1e6)]


def _check_source(text: str) -> str:
    try:
        parse_s3(text)
    except InputError as error:
        raise ValueError(error.message) from error
    return text


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(_Model):
    """The machine: types in the order they are tried, market, disk, image."""

    types: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")], ...] = ()
    market: Literal["on-demand", "spot", "spot-or-on-demand"] = "on-demand"
    disk: Size | None = None
    image: str = ""
    region: str | None = None
    zones: tuple[str, ...] = ()
    max_usd_per_hour: Usd | None = None
    profile: str = ""
    on: Annotated[str, Field(pattern=r"^(i-[0-9a-f]{8,17})?$")] = ""
    nodes: Literal[1] = 1


class Data(_Model):
    """One input: an object or a prefix in S3, and where it lies below the working directory."""

    source: Annotated[str, AfterValidator(_check_source)]
    target: Target


class Checkpoints(_Model):
    """Which files are checkpoints and which are kept."""

    dir: Target = "checkpoints"
    pattern: Annotated[str, Field(min_length=1)] = "*"
    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    best: str | None = None
    stable: Span = 2.0

    @model_validator(mode="after")
    def _best(self) -> Checkpoints:
        if self.best is not None:
            fields.parse_best(self.best)
        return self

    def to_record(self) -> record.CheckpointRule:
        """Its part of `spec.json`."""
        metric, mode = fields.parse_best(self.best) if self.best else (None, "min")
        return {
            "dir": self.dir,
            "pattern": self.pattern,
            "keep": self.keep,
            "best_metric": metric,
            "best_mode": mode,
            "stable_s": self.stable,
        }


class Limits(_Model):
    """What ends the job by itself; enforced on the machine."""

    budget: Usd | None = None
    ttl: Ttl = DAY_S
    idle: Ttl | None = 1800.0
    grace: Span = 120.0
    upload: Span = 1800.0
    on_rebalance: Literal["save", "stop"] = "save"

    def to_record(self) -> record.Limits:
        """Its part of `spec.json`."""
        return {
            "budget_usd": self.budget,
            "ttl_s": self.ttl,
            "idle_s": self.idle,
            "grace_s": self.grace,
            "upload_s": self.upload,
            "on_rebalance": self.on_rebalance,
        }


class Retry(_Model):
    """What is worth another attempt."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    interruption: bool = True
    exit_codes: tuple[Annotated[int, Field(ge=1, le=255)], ...] = ()


class Job(_Model):
    """One job, as `job.toml` and the flags say it."""

    name: Annotated[str, AfterValidator(fields.check_name)] = ""
    project: str = ""
    script: str = ""
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    provider: Literal["ec2", "local"] = "ec2"
    dependencies: Literal["auto", "none"] = "auto"
    outputs: tuple[Target, ...] = ()
    metrics_file: Target | None = None
    at_end: Literal["terminate", "stop", "keep"] = "terminate"
    root: str = ""
    allow_files: tuple[str, ...] = ()
    resources: Resources = Resources()
    data: tuple[Data, ...] = ()
    checkpoints: Checkpoints = Checkpoints()
    env: Mapping[Variable, str] = Field(default_factory=dict)
    env_from: tuple[Variable, ...] = ()
    secrets: Mapping[Variable, Reference] = Field(default_factory=dict)
    limits: Limits = Limits()
    retry: Retry = Retry()

    @model_validator(mode="after")
    def _fits_together(self) -> Job:
        for name, value in self.env.items():
            if fields.is_secret_name(name) or looks_secret(value):
                raise ValueError(f"env.{name} looks like a secret, which is never written down: name it under secrets")
        for word in (*self.args, *self.command):
            if kind := looks_secret(word):
                raise ValueError(f"an argument looks like {kind}: arguments are kept in S3; name it under secrets")
        if self.command and self.script:
            raise ValueError("both script and command are given: one of them starts the job")
        if self.at_end == "stop" and self.resources.market != "on-demand" and not self.resources.on:
            raise ValueError("at_end is stop, and a spot machine cannot be stopped: terminate it, or buy on-demand")
        return self

    @property
    def argv(self) -> tuple[str, ...]:
        """What is started: the command, or the script by its ending with its arguments."""
        if self.command:
            return (*self.command, *self.args)
        first = {".py": ("python3", "-u"), ".sh": ("bash",)}.get(Path(self.script).suffix, ())
        return (*first, self.script if first else f"./{self.script}", *self.args)

    def to_record(self, job: str, *, at: float, code: record.CodeRef | None, env: Mapping[str, str]) -> record.Spec:
        """`spec.json` without owner, region and bucket, which the submit adds.

        Args:
            job: its id.
            at: seconds since 1970.
            code: the archive.
            env: the values of `env_from`.
        """
        return {
            "v": record.VERSION,
            "id": job,
            "name": self.name,
            "created_at": at,
            "project": self.project or None,
            "provider": self.provider,
            "command": list(self.argv),
            "env": {**env, **self.env},
            "secrets": dict(self.secrets),
            "code": code,
            "data": [{"source": d.source, "target": d.target} for d in self.data],
            "outputs": list(self.outputs),
            "checkpoints": self.checkpoints.to_record(),
            "metrics_file": self.metrics_file,
            "dependencies": self.dependencies,
            "limits": self.limits.to_record(),
            "retry": {
                "max_attempts": self.retry.attempts,
                "on_interruption": self.retry.interruption,
                "on_exit": list(self.retry.exit_codes),
            },
            "resources": self.resources.model_dump(mode="json"),
            "nodes": [{"rank": 0}],
            "at_end": "keep" if self.resources.on else self.at_end,
        }


def read_job_file(path: Path) -> tuple[dict[str, Any], str]:
    """The tables of a `job.toml`, and its text for the lines of errors.

    Raises:
        InputError: it cannot be read, or is not TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", example="runctl jobs submit train.py") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}", example='name = "vit-small"') from error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables joined key by key; anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = merge(before, value) if isinstance(value, Mapping) and isinstance(before, Mapping) else value
    return merged


def build_job(given: Mapping[str, Any], *, path: Path | None = None, flags: Mapping[str, str] | None = None) -> Job:
    """A job of a file, if any, with the flags over it.

    Args:
        given: what the flags said, nested like the file.
        path: a `job.toml`.
        flags: dotted name to the flag that sets it, for messages.

    Raises:
        InputError: a bad value or an unknown key, with the line it stands on.
    """
    data, text = read_job_file(path) if path is not None else ({}, "")
    try:
        return Job.model_validate(merge(data, given))
    except ValidationError as error:
        raise _explained(error, path, text, given, flags or {}) from error


def _explained(
    error: ValidationError, path: Path | None, text: str, given: Mapping[str, Any], flags: Mapping[str, str]
) -> InputError:
    first = error.errors(include_input=False, include_url=False)[0]
    keys = tuple(str(part) for part in first["loc"] if not isinstance(part, int) and part != "[key]")
    name = ".".join(keys)
    where = f"--{flags.get(name, '-'.join(keys))}" if _given(given, keys) else ""
    if not where and path is not None:
        line = line_of(key_lines(text), keys) if keys else None
        where = f"{path}:{line}" if line else str(path)
    where = where or "the job"
    if first["type"] == "extra_forbidden":
        valid = _keys_at(keys[:-1])
        near = difflib.get_close_matches(keys[-1], valid, n=1, cutoff=0.5)
        hint = f"{near[0]} is the nearest" if near else ""
        said = f"{where}: unknown key {name}" + (f"; did you mean {near[0]}?" if near else "")
        return InputError(said, allowed=", ".join(valid), example=hint)
    message = first["msg"].removeprefix("Value error, ")
    return InputError(f"{where}: {f'{name}: ' if name else ''}{message[:1].lower()}{message[1:]}")


def _given(given: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    here: Any = given
    for key in keys:
        if not isinstance(here, Mapping) or key not in here:
            return False
        here = here[key]
    return bool(keys)


def _keys_at(keys: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Job
    for key in keys:
        hint = model.model_fields[key].annotation if key in model.model_fields else None
        inner = next((a for a in (hint, *typing.get_args(hint)) if isinstance(a, type) and issubclass(a, _Model)), None)
        if inner is None:
            break
        model = inner
    return sorted(model.model_fields)
