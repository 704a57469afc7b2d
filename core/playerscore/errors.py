"""What can go wrong, as one tree and one catalogue.

    PlayerscoreError            base; a stable code, a message, details
      FlowError                 a person asked for what the flow does not allow
        NotReadyError             NOT_READY, with `missing`
        TargetMismatchError       TARGET_MISMATCH, with `iou` and `threshold`
      VideoError                the video cannot be analysed (VIDEO_*); exit code 42
      SourceError               the video may not or cannot be fetched (SOURCE_*)
      WorkerError               the machine failed, not the input; retried

`CATALOGUE` says for each code what HTTP status the API answers and what it means.
"""

from typing import Any, Final, NamedTuple


class Entry(NamedTuple):
    """One line of the error catalogue."""

    http_status: int
    meaning: str


CATALOGUE: Final[dict[str, Entry]] = {
    "TARGET_MISMATCH": Entry(409, "The confirmed box does not belong to the picked player on that frame."),
    "NOT_READY": Entry(409, "The job lacks a selection that an analysis needs; `missing` names it."),
    "PREVIEW_NOT_READY": Entry(409, "The preview is not there yet; wait for condition PreviewReady."),
    "FRAME_NOT_FOUND": Entry(404, "The preview has no such frame."),
    "TRACK_NOT_FOUND": Entry(404, "The frame has no such track."),
    "JOB_RUNNING": Entry(409, "The selection is frozen while an attempt runs; pause the job first."),
    "JOB_FINISHED": Entry(409, "The job has ended; create a new one."),
    "VIDEO_IMMUTABLE": Entry(409, "spec.video never changes; create a new job."),
    "INVALID": Entry(422, "A field has a value that is not allowed; `field` names it."),
    "UNAUTHENTICATED": Entry(401, "No valid bearer token came with the request."),
    "FORBIDDEN": Entry(403, "Kubernetes' access rules do not allow this to the caller."),
    "JOB_NOT_FOUND": Entry(404, "There is no such ScoringJob, or the caller may not see it."),
    "NOT_FOUND": Entry(404, "There is no such thing."),
    "METHOD_NOT_ALLOWED": Entry(405, "That address does not take this method."),
    "ALREADY_EXISTS": Entry(409, "A ScoringJob of that name exists."),
    "CONFLICT": Entry(409, "The job changed meanwhile; read it and try again."),
    "TOO_LARGE": Entry(413, "The body is larger than allowed."),
    "TOO_MANY_REQUESTS": Entry(429, "Slow down and try again."),
    "INTERNAL": Entry(500, "The program failed; its log says more."),
    "CLUSTER_UNAVAILABLE": Entry(503, "Kubernetes does not answer; try again."),
    "STORE_UNAVAILABLE": Entry(503, "The object store does not answer; try again."),
    "VIDEO_EMPTY": Entry(422, "The file is empty."),
    "VIDEO_NOT_A_VIDEO": Entry(422, "The file is not a video of an allowed kind."),
    "VIDEO_TRUNCATED": Entry(422, "The file ends before its video does."),
    "VIDEO_UNSUPPORTED": Entry(422, "The container or codec is not on the allow-list."),
    "VIDEO_TOO_LARGE": Entry(422, "The video exceeds a limit on bytes, pixels or duration."),
    "VIDEO_DECODE_FAILED": Entry(422, "The video cannot be decoded."),
    "VIDEO_DECODE_CRASH": Entry(422, "The decoder crashed on this video."),
    "VIDEO_DECODE_TIMEOUT": Entry(422, "The decoder made no progress on this video."),
    "VIDEO_NO_PERSON": Entry(422, "No person was found in the previewed part of the video."),
    "VIDEO_CHANGED": Entry(422, "The video's sha256 differs from the one the preview pinned."),
    "VIDEO_RANGE_EMPTY": Entry(422, "The requested time range holds no frame of the video."),
    "SOURCE_DENIED": Entry(422, "The runtime does not allow videos from there."),
    "SOURCE_NOT_FOUND": Entry(422, "There is no video at that address."),
    "SOURCE_UNAVAILABLE": Entry(503, "The video's address does not answer."),
    "SOURCE_TOO_SLOW": Entry(503, "The download took longer than allowed."),
    "OUT_OF_MEMORY": Entry(503, "The worker ran out of memory."),
    "WORKER_FAILED": Entry(503, "The worker failed; its last words are in the message."),
    "NO_RESULT": Entry(503, "The worker ended without a result."),
}


class PlayerscoreError(Exception):
    """Base of all errors: a stable `code`, a readable message, and `details` for the answer's body."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    @property
    def http_status(self) -> int:
        """The status that the API answers; 500 for a code outside the catalogue."""
        entry = CATALOGUE.get(self.code)
        return entry.http_status if entry else 500

    def body(self) -> dict[str, Any]:
        """The one error body of the API."""
        return {"error": {"code": self.code, **self.details, "message": self.message}}


class FlowError(PlayerscoreError):
    """A person asked for what the flow does not allow."""


class NotReadyError(FlowError):
    """Enqueue without the needed selections."""

    def __init__(self, missing: list[str], message: str) -> None:
        super().__init__("NOT_READY", message, missing=missing)


class TargetMismatchError(FlowError):
    """The confirmed box does not belong to the picked player."""

    def __init__(self, message: str, iou: float, threshold: float) -> None:
        super().__init__("TARGET_MISMATCH", message, iou=iou, threshold=threshold)


class VideoError(PlayerscoreError):
    """The video cannot be analysed, now or later; exit code 42."""


class SourceError(PlayerscoreError):
    """The video may not or cannot be fetched."""


class WorkerError(PlayerscoreError):
    """The machine failed, not the input."""
