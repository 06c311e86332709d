"""Files that look like secrets: by their name, or by what is written in them. Found before it leaves here.

Shapes of keys: IAM User Guide, "IAM identifiers" (AKIA, ASIA); RFC 7468 (private keys); the issuers' own pages for the
others. A value that ends in EXAMPLE is the documentation's own.
"""

from __future__ import annotations

import re
from pathlib import Path

_NAMES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example$|sample$|template$|dist$)[^/]*)?|\.netrc|\.pypirc|\.htpasswd|\.git-credentials"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:p12|pfx|jks|kdbx|keystore)|\.aws/credentials|\.docker/config\.json"
    r"|[^/]*service[-_]account[^/]*\.json|client_secret[^/]*\.json)$",
    re.IGNORECASE,
)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_CONTENTS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("an AWS access key id", re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    (
        "an AWS secret key",
        re.compile(rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"),
    ),
    ("a private key", _PRIVATE_KEY),
    ("a GitHub token", re.compile(rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})")),
    ("a Hugging Face token", re.compile(rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}(?![A-Za-z0-9])")),
    ("a Slack token", re.compile(rb"xox[abprs]-[A-Za-z0-9-]{20,}")),
    ("an OpenAI or Anthropic key", re.compile(rb"(?<![A-Za-z0-9])sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}")),
    ("a Google API key", re.compile(rb"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
)
#: Keys live in small texts; megabytes of data are not searched.
_MOST_READ = 2 << 20


def looks_secret(text: str) -> str:
    """What kind of secret a value looks like ("an AWS access key id"), "" for none."""
    return _in_bytes(text.encode("utf-8", "surrogateescape"))[0]


def find_leak(root: Path, path: str) -> str:
    """Why a file must not go up ("line 3: an AWS access key id"), "" when nothing speaks against it.

    Args:
        root: the project.
        path: the file below it, with slashes.
    """
    if _NAMES.search(path):
        return "the name of a secrets file"
    try:
        with (root / path).open("rb") as file:
            data = file.read(_MOST_READ)
    except OSError:
        return ""
    if b"\0" in data[:8192]:
        return ""
    kind, at = _in_bytes(data)
    line = data.count(b"\n", 0, at) + 1
    return f"line {line}: {kind}" if kind else ""


def _in_bytes(data: bytes) -> tuple[str, int]:
    for kind, shape in _CONTENTS:
        for found in shape.finditer(data):
            if not found.group().rstrip(b"\"'").endswith((b"EXAMPLE", b"EXAMPLEKEY")):
                return kind, found.start()
    return "", 0
