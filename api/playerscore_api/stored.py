"""ScoringJobs as Kubernetes sends them, read as far as the flat form of a job needs them.

Nine tenths of a stored job are the people of its preview's frames. Frames that the answer does not depend on
are skipped unread: msgspec passes over them at 1 GB/s, where a parser that makes an object of each number
takes 20 times as long, and models of them longer still.
"""

from typing import Any, Final, NamedTuple

import msgspec
import orjson

from playerscore.errors import PlayerscoreError

Document = dict[str, Any]
STATUS: Final[tuple[str, ...]] = (
    "observedGeneration",
    "progress",
    "conditions",
    "run",
    "result",
    "artifacts",
)


class Page(NamedTuple):
    """A page of jobs, and where the next begins."""

    items: list[Document]
    version: str
    next: str | None


class Change(NamedTuple):
    """What a watch tells: of one job, or (BOOKMARK) only how far it has come."""

    kind: str
    name: str
    version: int
    body: bytes


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815  # Kubernetes' word


class _Job(msgspec.Struct):
    metadata: _Metadata
    spec: Any = None
    status: dict[str, msgspec.Raw] | None = None


class _ListMetadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815
    next: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    items: list[_Job]
    metadata: _ListMetadata


class _RawPage(msgspec.Struct):
    items: list[msgspec.Raw]
    metadata: _ListMetadata


class _Preview(msgspec.Struct):
    video: Any
    frames: msgspec.Raw


class _Frame(msgspec.Struct):
    frame_key: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_JOB: Final = msgspec.json.Decoder(_Job)
_PAGE: Final = msgspec.json.Decoder(_Page)
_RAW_PAGE: Final = msgspec.json.Decoder(_RawPage)
_PREVIEW: Final = msgspec.json.Decoder(_Preview)
_FRAMES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FRAME: Final = msgspec.json.Decoder(_Frame)
_NAMED: Final = msgspec.json.Decoder(_Named)
_EVENT: Final = msgspec.json.Decoder(_Event)


def job(raw: bytes | msgspec.Raw, *frames: str) -> Document:
    """A job without its managed fields, and of its preview only the target's frame and those that are named.

    One that is not of the usual shape comes whole. Raises CLUSTER_UNAVAILABLE when it is no object at all.
    """
    try:
        return _shown(_JOB.decode(raw), frames)
    except msgspec.DecodeError:
        return whole(raw)


def whole(raw: bytes | msgspec.Raw) -> Document:
    """All of a JSON object. Raises CLUSTER_UNAVAILABLE."""
    try:
        found = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise PlayerscoreError("CLUSTER_UNAVAILABLE", "What came from Kubernetes is no object")
    return found


def page(raw: bytes) -> Page:
    """A page of jobs, each as `job` reads it. Raises CLUSTER_UNAVAILABLE."""
    try:
        usual = _PAGE.decode(raw)
        return _page([_shown(item) for item in usual.items], usual.metadata)
    except msgspec.DecodeError:
        pass
    try:
        found = _RAW_PAGE.decode(raw)
    except msgspec.DecodeError as error:
        raise PlayerscoreError("CLUSTER_UNAVAILABLE", "What came from Kubernetes is no list") from error
    return _page([job(item) for item in found.items], found.metadata)


def change(line: bytes) -> Change:
    """A line of a watch. Raises EXPIRED when Kubernetes ends the watch by it, CLUSTER_UNAVAILABLE."""
    try:
        event = _EVENT.decode(line)
        if event.type == "ERROR":
            raise PlayerscoreError("EXPIRED", str(whole(event.object).get("message")))
        about = _NAMED.decode(event.object).metadata
        return Change(event.type, about.name, int(about.resourceVersion), bytes(event.object))
    except ValueError as error:  # a DecodeError is one
        raise PlayerscoreError("CLUSTER_UNAVAILABLE", "What came from Kubernetes is no event") from error


def _page(items: list[Document], metadata: _ListMetadata) -> Page:
    return Page(items, metadata.resourceVersion, metadata.next or None)


def _shown(found: _Job, frames: tuple[str, ...] = ()) -> Document:
    """Raises msgspec.DecodeError when the status has another shape."""
    raw = found.status or {}
    status: Document = {key: msgspec.json.decode(raw[key]) for key in STATUS if key in raw}
    if "preview" in raw:
        status["preview"] = _preview(raw["preview"], {*frames, _targeted(found.spec)} - {None})
    metadata = {"name": found.metadata.name, "namespace": found.metadata.namespace, "uid": found.metadata.uid}
    version = {"resourceVersion": found.metadata.resourceVersion}
    return {"metadata": metadata | version, "spec": found.spec, "status": status}


def _targeted(spec: Any) -> str | None:
    """The frame on which the target is: the only one on which the step depends."""
    target = spec.get("target") if isinstance(spec, dict) else None
    key = target.get("frame_key") if isinstance(target, dict) else None
    return key if isinstance(key, str) else None


def _preview(raw: msgspec.Raw, keys: set[str | None]) -> Document:
    found = _PREVIEW.decode(raw)
    frames = _FRAMES.decode(found.frames) if keys else []
    kept = [msgspec.json.decode(frame) for frame in frames if _FRAME.decode(frame).frame_key in keys]
    return {"video": found.video, "frames": kept}
