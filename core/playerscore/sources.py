"""Where a video or a model may come from, and what a stored file is: rules that worker and API share.

The runtime's prefixes are the allow-list: scheme and host are compared whole, the path by whole segments, so
that a longer host or a neighbour's folder never passes. A uri that two readers could take for two places is
taken for none.
"""

from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from playerscore import lenient, names
from playerscore.errors import SourceError
from playerscore.resources import ScoringRuntime

STORE_SCHEME: Final = "s3"
WEIGHTS_PREFIX: Final = "_weights/"
"""Where the platform team puts models into the store; no namespace can have that name."""
VIDEO_FIELD: Final = "spec.video.uri"
# Named here and not looked up in the system's table, which a slim image lacks.
MEDIA_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webm": "video/webm",
    ".mp4": "video/mp4",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
}


class StorePlace(NamedTuple):
    """An object of a store."""

    bucket: str
    key: str


def media_type(name: str) -> str:
    """What a stored file is, by its name alone: nobody's word decides what a browser takes it for."""
    return MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def file_field(number: int) -> str:
    """The field of a video's file by its place, from 0."""
    return VIDEO_FIELD if number == 0 else f"spec.video.parts[{number - 1}].uri"


def check_allowed(uri: str, prefixes: list[str], field: str = VIDEO_FIELD) -> str:
    """The prefix that allows this uri. Raises SourceError SOURCE_DENIED."""
    if not tricky(uri):
        for prefix in prefixes:
            if (folder := _split(prefix)) and _under(urlsplit(uri), folder):
                return prefix
    raise denied(f"{field} {uri} is not under an allowed source: {', '.join(prefixes) or 'none'}", field)


def denied(message: str, field: str = VIDEO_FIELD) -> SourceError:
    """A video from where none may come."""
    return SourceError("SOURCE_DENIED", message, field=field)


def store_place(uri: str) -> StorePlace:
    """The object that an s3 uri names, literally. Raises SourceError SOURCE_DENIED.

    Nothing is decoded; a key with an empty, a "." or a ".." segment is refused, because small S3 servers keep
    keys as paths and would clean it into another one.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    odd = any(part in ("", ".", "..") for part in key.split("/")) or tricky(uri)
    if scheme != STORE_SCHEME or not bucket or odd:
        raise denied(f"{uri} names no object of a store")
    return StorePlace(bucket, key)


def upload_place(uri: str, bucket: str) -> StorePlace | None:
    """The upload of that bucket which the uri names, of whichever namespace; None when it names none."""
    try:
        place = store_place(uri)
    except SourceError:
        return None
    namespace = place.key.partition("/")[0]
    inside = place.bucket == bucket and place.key.startswith(names.upload_prefix(namespace))
    return place if inside else None


def tricky(uri: str) -> bool:
    """Whether two readers could take this uri for two places, or for none."""
    decoded = uri
    while (further := unquote(decoded)) != decoded:
        decoded = further
    literal, parts = _split(uri), _split(decoded)
    if literal is None or parts is None:
        return True
    # A key may hold these; for who reads a uri the path ends there.
    cut = literal.scheme == STORE_SCHEME and any(mark in decoded for mark in "?#")
    climbs = any(segment in (".", "..") for segment in parts.path.split("/"))
    odd = any(not character.isprintable() or character == "\\" for character in decoded)
    return cut or climbs or odd or "@" in parts.netloc or not literal.netloc


def _split(uri: str) -> SplitResult | None:
    """Its parts; None where it has none, such as a host `[x`."""
    try:
        return urlsplit(uri)
    except ValueError:
        return None


def _under(uri: SplitResult, prefix: SplitResult) -> bool:
    if uri.scheme != prefix.scheme or (prefix.netloc and uri.netloc.lower() != prefix.netloc.lower()):
        return False
    folder = prefix.path.rstrip("/")
    return uri.path == folder or uri.path.startswith(f"{folder}/")


def filled_in(prefixes: list[str], namespace: str) -> list[str]:
    """A runtime's prefixes for the jobs of one namespace."""
    return [prefix.replace("{namespace}", namespace) for prefix in prefixes]


def choose_runtime(runtimes: list[dict[str, Any]], name: str | None) -> ScoringRuntime | None:
    """The named runtime, or the one marked as default; None when there is none."""
    for item in runtimes:
        annotations = item["metadata"].get("annotations") or {}
        default = annotations.get(names.DEFAULT_RUNTIME_ANNOTATION) == "true"
        if item["metadata"]["name"] == name or (name is None and default):
            return lenient.known(ScoringRuntime, item)
    return None
