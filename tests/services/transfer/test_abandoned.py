"""Unfinished uploads of many buckets on a real server: sizes, prices, what does not answer, and bounds."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from runctl.models.s3 import Bucket
from runctl.services.prices import PriceBook
from runctl.services.transfer import abandoned
from runctl.services.transfer.abandoned import find_abandoned
from runctl.services.transfer.client import Bytes, Request
from runctl.services.transfer.wire import parse_field
from tests.services.transfer import servers

PRICE = PriceBook().s3_usd_per_month
MIB = 2**20


def test_parts_are_counted_priced_where_the_book_knows_and_bounded(
    plain_moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = servers.client_of(plain_moto)
    names = [servers.make_bucket(client, n) for n in ("abandoned-east", "abandoned-west")]
    for name in names:
        for key in ("a.pt", "b.pt"):
            reply = client.call(Request("CreateMultipartUpload", "POST", name, key, query={"uploads": ""}))
            query = {"uploadId": parse_field(reply.body, "UploadId"), "partNumber": "1"}
            client.call(Request("UploadPart", "PUT", name, key, query=query, body=Bytes(b"x" * MIB)))
    buckets = [Bucket(names[0], "us-east-1"), Bucket(names[1], "eu-west-3"), Bucket("abandoned-gone", "us-east-1")]
    soon = datetime.now(UTC) + timedelta(days=1)

    found = find_abandoned(client, buckets, PRICE, before=soon, timeout_s=60)
    assert [(u.bucket, u.key, u.bytes) for u in found.uploads] == [(n, k, MIB) for n in names for k in ("a.pt", "b.pt")]
    east, west = found.uploads[0], found.uploads[2]
    assert east.usd_per_month == pytest.approx(0.023 / 1024)
    assert west.usd_per_month is None, "the book has no price of S3 there"
    assert [name for name, _ in found.unknown] == ["abandoned-gone"]

    young = find_abandoned(client, buckets[:1], PRICE, before=datetime(2001, 1, 1, tzinfo=UTC), timeout_s=60)
    assert [(u.bytes, u.usd_per_month) for u in young.uploads] == [(None, None)] * 2

    monkeypatch.setattr(abandoned, "MOST_COUNTED", 1)
    few = find_abandoned(client, buckets[:1], PRICE, before=soon, timeout_s=60)
    assert sorted(str(u.bytes) for u in few.uploads) == [str(MIB), "None"]
    assert few.unknown == ((names[0], "1 more uploads not counted"),)


def test_who_never_answers_is_named_and_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = servers.client_of(f"http://127.0.0.1:{mute.getsockname()[1]}")
        late = find_abandoned(client, [Bucket("mute", "us-east-1")], PRICE, before=datetime.now(UTC), timeout_s=0.2)
    assert late.uploads == ()
    assert late.unknown == (("mute", "no answer within 0.2 s"),)
