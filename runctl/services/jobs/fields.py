"""The values of `job.toml` and of the flags of `jobs submit`: durations, sizes, money, names, references.

Each function takes what a person writes and raises ValueError with a sentence; who calls it adds where it was written.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from runctl.format import parse_duration

_SIZE = re.compile(r"(\d+)\s*(?:(g|gi|gib|gb)|(t|ti|tib|tb))?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY)$",
    re.IGNORECASE,
)
#: Parameter Store: hierarchical names and characters (Systems Manager API reference, "PutParameter"); Secrets Manager:
#: characters of a name ("CreateSecret"), or an ARN, then optionally #KEY of a JSON value.
_REFERENCE = re.compile(r"(?:ssm:/?[A-Za-z0-9_.\-/]+|secretsmanager:[A-Za-z0-9/_+=.@:-]+(?:#[^#\s]+)?)")


def parse_ttl(text: str | int | float, *, least_s: float = 60.0) -> float:
    """Seconds of "8h"; a bare number is refused, since nobody means seconds.

    Raises:
        ValueError: no duration, without its unit, or shorter than `least_s`.
    """
    if not isinstance(text, str) or text.strip().replace(".", "", 1).isdecimal():
        raise ValueError(f"{text} what? write the unit, for example {text}h")
    seconds = parse_duration(text)
    if seconds < least_s:
        raise ValueError(f"{text!r} is shorter than {least_s:.0f} s")
    return seconds


def parse_size_gib(text: str | int) -> int:
    """GiB of "100GiB", "1TiB" or 100.

    Raises:
        ValueError: not a size that a disk can have.
    """
    match = _SIZE.fullmatch(str(text).strip())
    size = int(match[1]) * (1024 if match[3] else 1) if match else 0
    if not 1 <= size <= 65_536:
        raise ValueError(f"{text!r} is not the size of a disk; write for example 100GiB (1 GiB to 64 TiB)")
    return size


def check_name(text: str) -> str:
    """A job's name as it is.

    Raises:
        ValueError: no name.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a name; letters, digits, '.', '_' and '-', at most 63, for example vit-small"
        )
    return text


def check_variable(text: str) -> str:
    """A variable's name as it is.

    Raises:
        ValueError: no name of a variable, or one of ours.
    """
    if not _VARIABLE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a variable; for example WANDB_MODE")
    if text.startswith("RUNCTL_"):
        raise ValueError(f"{text} belongs to runctl, which sets it on the machine")
    return text


def is_secret_name(text: str) -> bool:
    """Whether a variable of this name would hold a secret."""
    return _SECRET_NAME.search(text) is not None


def check_reference(text: str) -> str:
    """A reference to a secret as it is: `ssm:/path` or `secretsmanager:name#key`.

    Raises:
        ValueError: anything else, which may be the secret itself and is therefore not repeated.
    """
    if not _REFERENCE.fullmatch(text):
        raise ValueError("a secret is named, never written: ssm:/path/of/parameter or secretsmanager:name#key")
    return text


def check_target(text: str) -> str:
    """A path below the working directory, normalised.

    Raises:
        ValueError: absolute, out of it, or empty.
    """
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\0" in text or "\\" in text or not path.parts:
        raise ValueError(f"{text!r} must lie below the job's directory; for example data/train")
    return path.as_posix()


def parse_best(text: str) -> tuple[str, str]:
    """("loss", "min") of "loss"; ("accuracy", "max") of "accuracy:max".

    Raises:
        ValueError: another word after the colon.
    """
    metric, _, mode = text.partition(":")
    if not metric or mode not in ("", "min", "max"):
        raise ValueError(f"{text!r}: write METRIC, METRIC:min or METRIC:max; for example val_accuracy:max")
    return metric, mode or "min"
