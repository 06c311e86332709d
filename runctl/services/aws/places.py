"""Where a service is, in the plain case; None wherever botocore's rules are needed to know.

Sources: AWS SDKs and Tools Reference Guide, "Service-specific endpoints", "Dual-stack and FIPS endpoints", "AWS STS
Regional endpoints"; AWS General Reference, "Service endpoints".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runctl.errors import ConfigurationError
from runctl.services.transfer.site import Profile, find_proxy, parse_endpoint

if TYPE_CHECKING:
    import ssl

Place = tuple[str, str, int, str]
#: Regions of the standard partition, whose hosts are SERVICE.REGION.amazonaws.com.
_STANDARD = re.compile(r"(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d")
_VARIANTS = ("use_fips_endpoint", "use_dualstack_endpoint")


def looks_like_region(region: str) -> bool:
    """Whether a text has the form of a region's name; it goes into host names."""
    return re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d+", region) is not None


def find_place(service: str, region: str, env: Mapping[str, str], profile: Profile) -> Place | None:
    """(scheme, host, port, path prefix) of a service, None when botocore has to find it.

    Raises:
        ConfigurationError: an endpoint that is no URL.
    """
    if any(_word(name, env, profile).lower() == "true" for name in _VARIANTS):
        return None
    if url := own_endpoint(service, env, profile):
        place = parse_endpoint(url)
    elif not _STANDARD.fullmatch(region) or _word("sts_regional_endpoints", env, profile).lower() == "legacy":
        return None
    else:
        place = ("https", f"{service}.{region}.amazonaws.com", 443, "")
    return None if find_proxy(place[0], place[1], env) else place


def _word(name: str, env: Mapping[str, str], profile: Profile) -> str:
    return env.get(f"AWS_{name.upper()}") or profile.words.get(name, "")


def own_endpoint(service: str, env: Mapping[str, str], profile: Profile) -> str:
    """The URL that variables or the config file name for a service, "" for AWS's own."""
    if _word("ignore_configured_endpoint_urls", env, profile).lower() == "true":
        return ""
    return (
        env.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or env.get("AWS_ENDPOINT_URL")
        or profile.nested(service, service=True).get("endpoint_url")
        or profile.words.get("endpoint_url")
        or ""
    )


def trust(env: Mapping[str, str], profile: Profile) -> ssl.SSLContext:
    """Certificates to trust: the bundle that is configured, else the one that botocore brings, as its clients do.

    Raises:
        ConfigurationError: the bundle cannot be read.
    """
    import ssl
    from importlib.util import find_spec
    from pathlib import Path

    bundle = _word("ca_bundle", env, profile) or env.get("REQUESTS_CA_BUNDLE", "")
    if not bundle and (found := find_spec("botocore")) is not None and found.origin:
        bundle = str(Path(found.origin).parent / "cacert.pem")
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        hint = "AWS_CA_BUNDLE names a file of certificates in PEM form"
        raise ConfigurationError(f"certificates of {bundle}: {error.strerror or error}", hint=hint) from error
