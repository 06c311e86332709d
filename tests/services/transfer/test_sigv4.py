"""Our signature is botocore's, for every kind of request."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from runctl.services.transfer.sigv4 import EMPTY_SHA256, UNSIGNED, Keys, Signer

_AT = datetime(2026, 11, 24, 2, 3, 4, tzinfo=UTC)
_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    key=st.lists(_text.filter(bool), min_size=1, max_size=3).map("/".join),
    query=st.dictionaries(st.text("abcdefgh-XYZ", min_size=1, max_size=6), _text, max_size=4),
    extra=st.dictionaries(st.text("abc-", min_size=1, max_size=6), st.text("abc =;", max_size=9), max_size=3),
    token_and_payload=st.sampled_from([(t, p) for t in ("", "session/token==") for p in (EMPTY_SHA256, UNSIGNED)]),
)
def test_it_is_botocores(
    method: str, key: str, query: dict[str, str], extra: dict[str, str], token_and_payload: tuple[str, str]
) -> None:
    token, payload = token_and_payload
    path = "/bucket/" + quote(key, safe="/~")
    pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in query.items())
    text = "&".join(f"{k}={v}" for k, v in pairs)
    headers = {f"x-amz-{k}": v for k, v in extra.items()}
    ours = {"host": "s3.example.com", **headers}
    keys = Keys("AKID", "secret", token)
    Signer("eu-west-1").sign(method, path, text, ours, payload=payload, keys=keys, now=_AT)
    url = f"https://s3.example.com{path}" + (f"?{text}" if text else "")
    request = AWSRequest(method, url, headers={**headers, "X-Amz-Content-SHA256": payload})
    auth = S3SigV4Auth(Credentials("AKID", "secret", token or None), "s3", "eu-west-1")
    with (
        mock.patch("botocore.auth.get_current_datetime", return_value=_AT.replace(tzinfo=None)),
        mock.patch.object(auth, "payload", return_value=payload),
    ):
        auth.add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
