"""Which uris name an object of a store, and where weights and videos may come from."""

import pytest

from playerscore import sources
from playerscore.errors import PlayerscoreError
from playerscore.sources import StorePlace


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://bucket/a/uploads/x.mp4", StorePlace("bucket", "a/uploads/x.mp4")),
        ("s3://bucket/a/my%20match.mp4", StorePlace("bucket", "a/my%20match.mp4")),
        ("s3://bucket/a..b/x..mp4", StorePlace("bucket", "a..b/x..mp4")),
    ],
)
def test_a_uri_names_its_key_literally(uri: str, place: StorePlace) -> None:
    assert sources.store_place(uri) == place


WRONG = {
    "another scheme": "https://bucket/x",
    "no key": "s3://bucket",
    "an empty key": "s3://bucket/",
    "no bucket": "s3:///x",
    "an empty part": "s3://bucket/a//x",
    "a folder": "s3://bucket/a/",
    "a dot": "s3://bucket/./x",
    "two dots": "s3://bucket/a/../b",
    "two dots, encoded": "s3://bucket/a/%2e%2e/b",
    "two dots, encoded twice": "s3://bucket/a/%252e%252e/b",
    "a slash, encoded": "s3://bucket/a/..%2fb",
    "a backslash": "s3://bucket/a\\..\\b",
    "a NUL": "s3://bucket/a\0b",
    "a line break, encoded": "s3://bucket/a%0ab",
    "a user": "s3://user@bucket/a",
    "a question mark": "s3://bucket/team?x/secret.mp4",
    "a number sign": "s3://bucket/team#1/secret.mp4",
    "a question mark, encoded": "s3://bucket/team%3fx/secret.mp4",
    "an open bracket": "s3://[bucket/a",
    "an open bracket, encoded": "s3://%5Bbucket/a",
    "a host that normalizes to two": "s3://a\u2100b/x",
}


@pytest.mark.parametrize("uri", WRONG.values(), ids=WRONG)
def test_a_uri_of_two_meanings_names_nothing(uri: str) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        sources.store_place(uri)

    assert refused.value.code == "SOURCE_DENIED"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("radar.png", "image/png"),
        ("clip.webm", "video/webm"),
        ("a/b/frame_0001.jpg", "image/jpeg"),
        ("tracks.txt", "text/plain"),
        ("page.html", "application/octet-stream"),
        ("image.svg", "application/octet-stream"),
        ("png", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_name_says_and_never_a_page(name: str, expected: str) -> None:
    assert sources.media_type(name) == expected
