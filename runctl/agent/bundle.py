"""The supervisor as one file: a zip that Python runs, the same bytes for the same version."""

from __future__ import annotations

import io
import zipfile
from importlib import resources

#: What travels, by package. `bundle` and `bootstrap` are the client's half.
_CLIENT = frozenset(("bundle.py", "bootstrap.py"))
_MAIN = b"import sys\n\nfrom runctl.agent.main import main\n\nsys.exit(main())\n"
#: The earliest moment a zip can carry: times of files must not change its digest.
_WHEN = (1980, 1, 1, 0, 0, 0)


def build() -> bytes:
    """The supervisor, stored and sorted, so that no version of zlib changes its digest."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, body in sorted(_files().items()):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, body)
    return out.getvalue()


def _files() -> dict[str, bytes]:
    package = resources.files("runctl")
    out = {"__main__.py": _MAIN, "runctl/__init__.py": (package / "__init__.py").read_bytes()}
    for name in ("__init__.py", "record.py", "record_shapes.py"):
        out[f"runctl/models/{name}"] = (package / "models" / name).read_bytes()
    for entry in (package / "agent").iterdir():
        if entry.name.endswith(".py") and entry.name not in _CLIENT:
            out[f"runctl/agent/{entry.name}"] = entry.read_bytes()
    return out
