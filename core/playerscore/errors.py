"""What can go wrong, as one tree and one catalogue.

    PlayerscoreError            base; a stable code, a message, details
      FlowError                 a person asked for what the flow does not allow
        NotReadyError             NOT_READY, with `missing`
        TargetMismatchError       TARGET_MISMATCH, with `iou` and `threshold`
      VideoError                the video cannot be analysed (VIDEO_*); exit code 42
      SourceError               the video may not or cannot be fetched (SOURCE_*)
      WorkerError               the machine failed, not the input; retried

`CATALOGUE` says for each code what HTTP status the API answers, what it means and what to do; docs/errors.md is
made of it (`make docs`).
"""

from typing import Any, Final, NamedTuple


class Entry(NamedTuple):
    """One line of the error catalogue."""

    http_status: int
    """What the API answers with; for a reason of a condition, the kind of trouble: 4xx the input, 503 the machine."""
    meaning: str
    todo: str = ""
    """What the reader does about it."""


CATALOGUE: Final[dict[str, Entry]] = {
    "TARGET_MISMATCH": Entry(
        409,
        "The confirmed box does not belong to the picked player on that frame.",
        "Draw the box around the picked player, pick the player whose box it is, or repeat with `force` if the box is right.",
    ),
    "TARGET_EMPTY": Entry(
        422,
        "A warning of the result: no person is in the confirmed box, so nobody was scored.",
        "Confirm a box around a person in a new job; one from the preview is a safe choice.",
    ),
    "TARGET_SHARED": Entry(
        422,
        "A warning of the result: the confirmed box holds several people; one of them was followed.",
        "Confirm a box around one person, on a frame on which he stands apart, in a new job.",
    ),
    "TARGET_PARTIAL": Entry(
        422,
        "A warning of the result: the confirmed box holds only a part of a person.",
        "Confirm a box around the whole person in a new job.",
    ),
    "TARGET_SMALL": Entry(
        422,
        "A warning of the result: the confirmed person is too small in the picture to be told from others.",
        "Use a video of a higher resolution, or confirm him where the camera is nearer.",
    ),
    "TARGET_LARGE": Entry(
        422,
        "A warning of the result: the confirmed person fills the picture, so little around him is seen.",
        "Confirm him on a wider picture.",
    ),
    "ANCHOR_CONFLICT": Entry(
        422,
        "Two anchors of `spec.anchors` say different things about one moment.",
        "Leave one of the two out.",
    ),
    "ANCHOR_OUTSIDE": Entry(
        422,
        "An anchor of `spec.anchors` is not in the analysed part of the video.",
        "Choose a moment inside of `spec.analysis` and of the video.",
    ),
    "ANCHOR_MISMATCH": Entry(
        409,
        "An anchor of `spec.anchors` is elsewhere than the picked player, whom the preview saw at that moment.",
        "Draw its box around the picked player, or leave it out; where the preview is wrong, confirm the target with `force`.",
    ),
    "ANCHOR_UNREACHED": Entry(
        422,
        "A warning of the result: following from the neighbours of these anchors does not lead to them, so the way between is open.",
        "Look at the moments that it names; a further anchor between them closes the gap, in a new job.",
    ),
    "ANCHOR_EMPTY": Entry(
        422,
        "A warning of the result: no person is in the box of these anchors.",
        "Draw the boxes around him in a new job; where he is not in the picture, say `absent: true`.",
    ),
    "PITCH_UNSEEN": Entry(
        422,
        "A warning of the result: no grass is seen around the confirmed person, so it may be another sport.",
        "Confirm him on a frame that shows the pitch; on snow, sand or a hall's floor, read the scores with care.",
    ),
    "PITCH_INCOHERENT": Entry(
        422,
        "The points of `spec.pitch` cannot belong to one pitch: mirrored, on one line, or more than 3 m apart from what any camera sees.",
        "Click the point that the message names again, or leave it out; four points are needed of which no three are on a line.",
    ),
    "PITCH_LANDMARK": Entry(
        422,
        "`spec.pitch` names a landmark that a pitch of that format has not.",
        "Choose another landmark, or the right `format`; 9- and 7-a-side pitches have no goal areas and no penalty arcs.",
    ),
    "PITCH_MOMENT_OUTSIDE": Entry(
        422,
        "A moment of `spec.pitch` is not in the analysed part of the video.",
        "Choose a moment inside of `spec.analysis` and of the video.",
    ),
    "PITCH_CUT": Entry(
        422,
        "A warning of the result: there are no metres behind a cut, because no moment of `spec.pitch` lies in that shot.",
        "Give each shot a moment of its own in a new job.",
    ),
    "PITCH_UNSUPPORTED": Entry(
        422,
        "A warning of the result: the camera could not be carried far enough from the moments of `spec.pitch`, so the score rests on the picture alone.",
        "Give more moments, not more than a minute apart, on frames that show many lines.",
    ),
    "NOT_READY": Entry(
        409,
        "The job lacks a selection that an analysis needs; `missing` names it.",
        "Pick a player, confirm the target, then enqueue.",
    ),
    "PREVIEW_NOT_READY": Entry(
        409,
        "The preview is not there yet; wait for condition PreviewReady.",
        "Follow the job's events, or `kubectl wait --for=condition=PreviewReady`, then repeat.",
    ),
    "FRAME_NOT_FOUND": Entry(
        404,
        "The preview has no such frame.",
        "Take a `frame_key` (or a time near a frame) from the job's preview.",
    ),
    "TRACK_NOT_FOUND": Entry(
        404, "The frame has no such track.", "Take a `track_id` that the preview lists on that frame."
    ),
    "JOB_RUNNING": Entry(
        409,
        "The selection is frozen while an attempt runs; pause the job first.",
        "Pause the job, change the selection, enqueue again: a new attempt starts.",
    ),
    "JOB_LAUNCHED": Entry(
        409,
        "An attempt was launched; further preview frames are asked for before that.",
        "Create a new job from the same video, and ask for the frames before you enqueue it.",
    ),
    "PREVIEW_TIME_OUTSIDE": Entry(
        422,
        "A time of `spec.preview.atSec` is not in the video; no frame is added.",
        "Ask for a time below the video's duration (`status.preview.video.duration_sec`), and take the wrong one back.",
    ),
    "PREVIEW_FULL": Entry(
        409,
        "The preview would have more than 16 frames; none is added.",
        "Ask for fewer times; where all 16 are there, create a new job from the same video.",
    ),
    "NOT_COMPLETED": Entry(
        409,
        "The job has no result that another one could go on from.",
        "Wait until it is COMPLETED; of a job that failed, create a new one.",
    ),
    "MOMENT_NOT_FOUND": Entry(
        422,
        "The result has no moment of that number in its `review`.",
        "Answer the moments that the job's review lists.",
    ),
    "CANDIDATE_NOT_FOUND": Entry(
        422,
        "The moment has no candidate of that number.",
        "Choose one of its candidates, or give the box in which he is.",
    ),
    "JOB_FINISHED": Entry(
        409, "The job has ended; create a new one.", "Create a new job from the same video."
    ),
    "VIDEO_IMMUTABLE": Entry(
        409, "spec.video never changes; create a new job.", "Create a new job with the other video."
    ),
    "MANAGED_BY_IMMUTABLE": Entry(
        409,
        "spec.managedBy never changes; create a new job.",
        "Create a new job that names its controller from the beginning.",
    ),
    "INVALID": Entry(
        422,
        "A field has a value that is not allowed; `field` names it.",
        "Correct the field that `field` names; `problems` lists all of them where there are several.",
    ),
    "UNAUTHENTICATED": Entry(
        401,
        "No valid bearer token came with the request.",
        "Send `Authorization: Bearer <token>` with a token that this cluster accepts and that has not expired.",
    ),
    "FORBIDDEN": Entry(
        403,
        "Kubernetes' access rules do not allow this to the caller.",
        "Ask the platform team for a role in that namespace; `kubectl auth can-i` shows what is missing.",
    ),
    "JOB_NOT_FOUND": Entry(
        404,
        "There is no such ScoringJob, or the caller may not see it.",
        "Check the id and `?namespace=`; the job may have been deleted.",
    ),
    "NOT_FOUND": Entry(
        404,
        "There is no such thing.",
        "Check the address; what the job does not have yet may come later (the message says which).",
    ),
    "METHOD_NOT_ALLOWED": Entry(
        405, "That address does not take this method.", "Use a method of the header `Allow`."
    ),
    "ALREADY_EXISTS": Entry(
        409, "A ScoringJob of that name exists.", "Choose another id, or read the job that exists."
    ),
    "CONFLICT": Entry(
        409,
        "The job changed meanwhile; read it and try again.",
        "Read the job again, look at what changed, and repeat.",
    ),
    "TOO_LARGE": Entry(
        413, "The body is larger than allowed.", "Send less; the message says how much is taken."
    ),
    "TOO_SLOW": Entry(408, "The body did not arrive in time.", "Repeat; send less where the line is slow."),
    "TOO_MANY_REQUESTS": Entry(
        429, "Slow down and try again.", "Wait as long as the header `Retry-After` says, then repeat."
    ),
    "INTERNAL": Entry(
        500,
        "The program failed; its log says more.",
        "Repeat later; if it stays, give the log of the API to its maintainers.",
    ),
    "UPLOAD_INCOMPLETE": Entry(
        409,
        "Parts of the upload are missing; `missing` names them.",
        "GET the upload's address for requests that send the missing parts, send them, complete it again.",
    ),
    "RANGE_INVALID": Entry(
        416,
        "The file has no such range of bytes.",
        "Ask for a range within the file's length, or for all of it.",
    ),
    "CLUSTER_UNAVAILABLE": Entry(
        503,
        "Kubernetes does not answer; try again.",
        "Repeat later (the header `Retry-After` says when, if Kubernetes said so); a write may have been done, so read first.",
    ),
    "STORE_UNAVAILABLE": Entry(
        503,
        "The object store does not answer; try again.",
        "Repeat later; if it stays, look at the store's pod and volume.",
    ),
    "PRECONDITION_FAILED": Entry(
        412,
        "The job is not the version that `If-Match` names.",
        "Read the job, look at what changed, and repeat with its new ETag.",
    ),
    "IDEMPOTENCY_MISMATCH": Entry(
        422,
        "The Idempotency-Key was used before with another body; nothing was created.",
        "Use a new key for a new request, and repeat a request exactly.",
    ),
    "ARTIFACT_LOST": Entry(
        410,
        "The analysis made this file, but it could not be stored, or the store has lost it.",
        "The result stands without it. Create a new job from the same video to have the file made again.",
    ),
    "EXPIRED": Entry(
        410,
        "The `continue` token is too old to go on with the same list.",
        "Start the list again without `continue`.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Entry(
        415,
        "The body's Content-Type is not one that this address takes.",
        "Send `Content-Type: application/json`.",
    ),
    "RUNTIME_NOT_FOUND": Entry(
        409,
        "There is no such ScoringRuntime, or no default one; the job waits.",
        "`kubectl get scoringruntimes`; name one in `spec.runtimeName`.",
    ),
    "RUNTIME_FORBIDDEN": Entry(
        409,
        "The ScoringRuntime does not allow this namespace; the job waits.",
        "Use another runtime, or ask for the namespace in its `allowedNamespaces`.",
    ),
    "TEMPLATE_FORBIDDEN": Entry(
        422,
        "A ScoringRuntime's `template` has a field that is not on its list; the words name it.",
        "Leave it out; `kubectl explain scoringruntime.spec.template` and docs/runtimes.md have the list.",
    ),
    "TEMPLATE_RESERVED": Entry(
        422,
        "A ScoringRuntime's `template` sets a label, annotation or variable that is the operator's or the worker's own.",
        "Choose another name.",
    ),
    "TASK_UNREADABLE": Entry(
        503,
        "The worker's image cannot read what the operator tells it: they are more than one release apart.",
        "Give the runtime an `image` of the operator's release, or of one beside it; then create a new job.",
    ),
    "START_DEADLINE_EXCEEDED": Entry(
        503,
        "No pod of the attempt ran before `startDeadlineSeconds`.",
        "The message has the pod's own reason: the image, the node's resources, or the queue.",
    ),
    "ACTIVE_DEADLINE_EXCEEDED": Entry(
        503,
        "The attempt ran longer than `activeDeadlineSeconds`.",
        "Analyse a shorter range, or raise the deadline in a new job.",
    ),
    "IMAGE_PULL_FAILED": Entry(
        503,
        "The pod's image cannot be pulled.",
        "Check the runtime's `image` and the pull secrets; the message has the registry's words.",
    ),
    "POD_CONFIG_INVALID": Entry(
        503,
        "The pod cannot be started as it is configured.",
        "The message has the node's own words: a missing secret, volume or program.",
    ),
    "CREATE_REFUSED": Entry(
        503,
        "The cluster refuses the attempt's Job or pod for good.",
        "The message says which policy or rule refuses; the platform team changes it or the runtime.",
    ),
    "QUOTA_EXCEEDED": Entry(
        503,
        "The namespace's quota has no room for the attempt; it waits.",
        "Wait for other jobs to end, or ask for more quota.",
    ),
    "VIDEO_EMPTY": Entry(422, "The file is empty.", "Upload the video again and create a new job."),
    "VIDEO_NOT_A_VIDEO": Entry(
        422,
        "The file is not a video of an allowed kind.",
        "Use a file that plays and has a video track; docs/videos.md lists the kinds.",
    ),
    "VIDEO_TRUNCATED": Entry(
        422,
        "The file was cut off: it lacks its index, or not even its first picture is whole.",
        "Upload the whole file again and create a new job.",
    ),
    "VIDEO_UNSUPPORTED": Entry(
        422,
        "The container or codec is not on the allow-list.",
        "Convert it: `ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -c:a aac OUT.mp4`; docs/videos.md says more.",
    ),
    "VIDEO_TOO_LARGE": Entry(
        422,
        "The video exceeds a limit on bytes, pixels or duration.",
        "Cut or scale the video, or ask for a runtime with wider `videoLimits`.",
    ),
    "VIDEO_DECODE_FAILED": Entry(
        422, "The video cannot be decoded.", "Play it from start to end; transcode it if it is damaged."
    ),
    "VIDEO_DECODE_CRASH": Entry(
        422,
        "The decoder crashed on this video.",
        "Transcode the video; report the file if it is an ordinary one.",
    ),
    "VIDEO_DECODE_TIMEOUT": Entry(
        422,
        "The decoder made no progress on this video.",
        "Transcode the video; report the file if it is an ordinary one.",
    ),
    "VIDEO_NO_PERSON": Entry(
        422,
        "No person was found in the previewed part of the video.",
        "Move the previewed part with `spec.preview.startSec` and `endSec` in a new job.",
    ),
    "VIDEO_TRACK_NOT_FOUND": Entry(
        422,
        "The file has no picture track with that number.",
        "Leave `spec.video.track` out for the largest, or name one that the message counts, from 1.",
    ),
    "VIDEO_CHANGED": Entry(
        422,
        "The video's sha256 differs from the one the preview pinned.",
        "Keep the file at its address unchanged, or create a new job for the new file.",
    ),
    "VIDEO_RANGE_EMPTY": Entry(
        422,
        "The requested time range holds no frame of the video.",
        "Choose a range within the video's duration (`status.preview.video.duration_sec`).",
    ),
    "SOURCE_DENIED": Entry(
        422,
        "The runtime does not allow videos from there.",
        "Upload the video through the API, or ask for the prefix in the runtime's `sources`.",
    ),
    "SOURCE_NOT_FOUND": Entry(
        422, "There is no video at that address.", "Check `spec.video.uri`; upload the video first."
    ),
    "SOURCE_UNAVAILABLE": Entry(
        503,
        "The video's address does not answer.",
        "It is retried; check that the address answers from inside the cluster.",
    ),
    "SOURCE_TOO_SLOW": Entry(
        503,
        "The download took longer than allowed.",
        "It is retried; bring the video nearer, or raise `videoLimits.download_seconds` of the runtime.",
    ),
    "OUT_OF_MEMORY": Entry(
        503,
        "The worker ran out of memory.",
        "It is retried smaller; then raise the runtime's memory, or set `spec.analysis.maxFps`.",
    ),
    "DISRUPTED_TOO_OFTEN": Entry(
        503,
        "The cluster took the job's pod away again and again: evicted, preempted, drained.",
        "Read why in the message: more memory or disk in the runtime's resources, or a higher priority.",
    ),
    "WORKER_FAILED": Entry(
        503,
        "The worker failed; its last words are in the message.",
        "It is retried; then read the message and the pod's log.",
    ),
    "NO_RESULT": Entry(
        503,
        "The worker ended without a result.",
        "It is retried; then look at the node and the pod's events.",
    ),
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
