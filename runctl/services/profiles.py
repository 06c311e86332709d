"""Which AWS profiles are written down, and where credentials are looked for. Reads two small files, imports no AWS.

Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers", "Shared config and credentials files".
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runctl import paths

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """One place where credentials may be: what it is called, and what was found there ("" is nothing)."""

    name: str
    found: str


def config_file(env: Environment) -> Path:
    """AWS's config file."""
    given = env.get("AWS_CONFIG_FILE")
    return Path(given).expanduser() if given else paths.home(env) / ".aws/config"


def credentials_file(env: Environment) -> Path:
    """AWS's shared credentials file."""
    given = env.get("AWS_SHARED_CREDENTIALS_FILE")
    return Path(given).expanduser() if given else paths.home(env) / ".aws/credentials"


def _sections(path: Path) -> tuple[str, ...]:
    """Section names of an ini file; () when it is missing, unreadable or broken."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return ()
    return tuple(parser.sections())


def list_profiles(env: Environment) -> tuple[str, ...]:
    """Profiles of both files, sorted, each once."""
    config = {
        name.removeprefix("profile ").strip()
        for name in _sections(config_file(env))
        if name == "default" or name.startswith("profile ")
    }
    return tuple(sorted(config | set(_sections(credentials_file(env)))))


def credential_places(env: Environment, profile: str | None = None) -> tuple[Place, ...]:
    """What is looked at, in AWS's own order, with what is there. Values of secrets are never read out."""
    named = profile or env.get("AWS_PROFILE", "")
    keys = "set" if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY") else ""
    container = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    metadata = "switched off" if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" else "did not answer"
    return (
        Place("profile (--profile, AWS_PROFILE)", named),
        Place("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", keys),
        Place("web identity (AWS_WEB_IDENTITY_TOKEN_FILE)", "set" if env.get("AWS_WEB_IDENTITY_TOKEN_FILE") else ""),
        Place(str(credentials_file(env)), _words(_sections(credentials_file(env)))),
        Place(str(config_file(env)), _words(_sections(config_file(env)))),
        Place("container credentials", "set" if container else ""),
        Place("the machine's role (instance metadata)", metadata),
    )


def _words(sections: tuple[str, ...]) -> str:
    shown = ", ".join(name.removeprefix("profile ") for name in sections[:4])
    return shown + (f" and {len(sections) - 4} more" if len(sections) > 4 else "")
