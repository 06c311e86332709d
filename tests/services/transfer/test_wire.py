"""S3's XML as S3 and its imitators write it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.services.transfer import wire

PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix>
<NextContinuationToken>a&amp;b==</NextContinuationToken><KeyCount>2</KeyCount><EncodingType>url</EncodingType>
<IsTruncated>true</IsTruncated>
<Contents><Key>p/a+b%2Bc%0A</Key><LastModified>2026-11-24T02:16:52.000Z</LastModified>
<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><Size>5</Size><StorageClass>STANDARD_IA</StorageClass></Contents>
<CommonPrefixes><Prefix>p/x+y/</Prefix></CommonPrefixes>
<Contents><Key>p/%C3%BC</Key><LastModified>2026-11-24T02:16:53.500Z</LastModified><ETag>"x-2"</ETag><Size>0</Size></Contents>
<CommonPrefixes><Prefix>p/z/</Prefix></CommonPrefixes></ListBucketResult>
"""


def test_a_page() -> None:
    page = wire.parse_page(PAGE.strip())
    assert [(f.key, f.size, f.etag, f.storage_class) for f in page.files] == [
        ("p/a b+c\n", 5, "5d41402abc4b2a76b9719d911017c592", "STANDARD_IA"),
        ("p/ü", 0, "x-2", ""),
    ]
    assert page.files[1].modified - page.files[0].modified == 1.5
    assert sorted(page.prefixes) == ["p/x y/", "p/z/"]
    assert page.token == "a&b=="


_FILES = st.lists(
    st.builds(
        wire.RemoteFile,
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
        st.integers(0, 5 << 40),
        st.integers(0, 4_000_000_000).map(float),
        st.sampled_from(["", "5d41402abc4b2a76b9719d911017c592", "5d41402abc4b2a76b9719d911017c592-12"]),
        st.sampled_from(["", "STANDARD", "GLACIER_IR"]),
    ),
    max_size=6,
)


@given(_FILES, st.sampled_from(['"', "&quot;", "&#34;"]), st.booleans(), st.booleans())
def test_pages_of_every_writer_say_the_same(
    files: list[wire.RemoteFile], mark: str, encoded: bool, reversed_fields: bool
) -> None:
    """AWS, SeaweedFS, moto and MinIO order the fields differently, quote ETags differently, and leave some out."""
    blocks = []
    for file in files:
        stamp = datetime.fromtimestamp(file.modified, UTC).isoformat().replace("+00:00", "Z")
        fields = [
            f"<Key>{quote_plus(file.key) if encoded else escape(file.key)}</Key>",
            f"<LastModified>{stamp}</LastModified>",
            f"<ETag>{mark}{file.etag}{mark}</ETag>" if file.etag else "",
            f"<Size>{file.size}</Size>",
            f"<StorageClass>{file.storage_class}</StorageClass>" if file.storage_class else "",
            "<Owner><ID>75aa</ID><DisplayName>Key</DisplayName></Owner>",
        ]
        blocks.append(f"<Contents>{''.join(fields[::-1] if reversed_fields else fields)}</Contents>")
    kind = "<EncodingType>url</EncodingType>" if encoded else ""
    head = f"<ListBucketResult><KeyCount>{len(files)}</KeyCount><Prefix>p</Prefix>{kind}"
    page = wire.parse_page(f"{head}{''.join(blocks)}</ListBucketResult>".encode())
    assert page.files == files


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", PAGE[:300]])
def test_what_is_no_listing(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a listing"):
        wire.parse_page(body)


def test_errors_and_parts() -> None:
    body = b"<Error><Code>PermanentRedirect</Code><Message>a &lt;b&gt;</Message><Region>eu-west-1</Region></Error>"
    assert wire.parse_error(body) == ("PermanentRedirect", "a <b>", "eu-west-1")
    assert wire.parse_error(b"<x/>") == ("", "", "")
    parts, marker = wire.parse_parts(
        b"<R><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>"
        b'<Part><PartNumber>2</PartNumber><ETag>"e"</ETag><Size>7</Size></Part></R>'
    )
    assert (parts, marker) == ([wire.Part(2, 7, "e")], "2")


def test_keys_survive_being_written() -> None:
    body = wire.delete_body(["a&b<c>", "line\nfeed\r"])
    assert b"a&amp;b&lt;c&gt;" in body
    assert b"line&#10;feed&#13;" in body
