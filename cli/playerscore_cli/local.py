"""The whole flow on one machine, without a cluster: the same rules and the same worker."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from playerscore import flow, names, readiness, review, sources
from playerscore.coherence import find_track
from playerscore.errors import FlowError, NotReadyError, PlayerscoreError
from playerscore.names import NOT_READY_MESSAGE, frame_number
from playerscore.resources import (
    MAX_ARTIFACTS,
    Analysis,
    Anchor,
    BBox,
    Detector,
    Frame,
    Pitch,
    PlayerRef,
    PreviewSettings,
    PreviewStatus,
    Result,
    ScoringJobSpec,
    ScoringJobStatus,
    Target,
    Track,
    Video,
    VideoPart,
)
from playerscore.review import Answer
from playerscore.tasks import AnalysisTask, PreviewTask
from playerscore_cli import output
from playerscore_cli.console import Tell
from playerscore_cli.files import read as read_file
from playerscore_cli.picture import draw_preview
from playerscore_worker import container, source
from playerscore_worker.work import best_pick, run_analysis, run_preview

IMAGE = "local"
RESULT_FILE = "result.json"
TASK_FILE = "task.json"
"""What a run was asked to do, for who goes on from it."""
RUN_NAME = "run"
"""What a run is called where it is shown as a job."""
ARTIFACT_KINDS = frozenset({*sources.MEDIA_TYPES, ".bin"})
NO_ARTIFACT = frozenset({RESULT_FILE, TASK_FILE, "preview.png"})


class Preview(NamedTuple):
    """What a person picks from."""

    status: PreviewStatus
    picture: Path
    """Every frame with the numbers of the people on it."""


class Given(NamedTuple):
    """A video of one's own, checked."""

    common: dict[str, Any]
    """What every task knows about the job."""
    footage: source.Footage
    weights: Path | None
    """The detector's file."""


def given(
    videos: Sequence[Path],
    out: Path,
    detector: Detector,
    weights: Path | None = None,
    track: int | None = None,
    continues: bool = False,
) -> Given:
    """Check the files, one video; `track` is that of `spec.video`. Raises VideoError.

    `continues`: each file goes on where the one before it ends, without a gap.
    """
    files = tuple(_file(video, out, number) for number, video in enumerate(videos))
    for number, file in enumerate(files):
        container.check(file, container.OWN_LIMITS, sources.file_field(number))
    footage = source.Footage(files, tuple(map(source.digest_of, files)))
    uris = [file.resolve().as_uri() for file in files]
    parts = [
        VideoPart(uri=uri, sha256=sha256, continues=continues or None)
        for uri, sha256 in zip(uris[1:], footage.digests[1:], strict=True)
    ]
    common: dict[str, Any] = {
        "namespace": "local",
        "name": "local",
        "uid": "local",
        "image": IMAGE,
        "video": Video(uri=uris[0], sha256=footage.digests[0], track=track, parts=parts or None),
        "video_limits": container.OWN_LIMITS,
        "sources": uris,
        "detector": detector,
    }
    return Given(common, footage, weights)


def preview(video: Given, out: Path, settings: PreviewSettings, tell: Tell) -> Preview:
    """Make the preview of a video. Raises VideoError."""
    frames = out / "frames"
    shutil.rmtree(frames, ignore_errors=True)
    status = run_preview(
        PreviewTask(**video.common, preview=settings), video.footage, frames, tell, video.weights
    )
    drawn = draw_preview(status, lambda number: _jpeg(frames, number), out / "preview.png")
    return Preview(status, drawn)


def _file(video: Path, out: Path, number: int) -> Path:
    """The video, or what came through a pipe (`/dev/stdin`), as a file: it is read more than once."""
    if video.is_file():
        return video
    out.mkdir(parents=True, exist_ok=True)
    kept = out / ("video" if number == 0 else f"video-{number + 1}")
    with video.open("rb") as pipe, kept.open("wb") as file:
        shutil.copyfileobj(pipe, file)
    return kept


def _jpeg(frames: Path, number: int) -> bytes:
    return (frames / f"frame_{number:04d}.jpg").read_bytes()


def choose(made: Preview, frame: int | None, track: int | None) -> tuple[Frame, Track, bool]:
    """The asked-for player, or the most usable one; the last value says whether it was our choice.

    Raises FlowError: FRAME_NOT_FOUND, TRACK_NOT_FOUND.
    """
    frames = [item for item in made.status.frames if frame in (None, frame_number(item.frame_key))]
    if not frames:
        raise FlowError("FRAME_NOT_FOUND", f"The preview has no frame {frame}", field="--frame")
    if track is None:
        return *best_pick(made.status.model_copy(update={"frames": frames})), True
    for item in frames:
        if person := find_track(item, track):
            return item, person, False
    where = "" if frame is None else f" on frame {frame}"
    raise FlowError("TRACK_NOT_FOUND", f"The preview has no track {track}{where}", field="--player")


def picked(
    video: Given, made: Preview, frame: Frame, track: Track
) -> tuple[ScoringJobSpec, ScoringJobStatus]:
    """The spec of the chosen player, with his box as the draft of the target."""
    status = ScoringJobStatus(preview=made.status)
    spec = ScoringJobSpec(video=video.common["video"])
    return flow.pick(spec, status, frame.frame_key, track.track_id).spec, status


def pointed(video: Given, at_sec: float, box: BBox) -> tuple[ScoringJobSpec, ScoringJobStatus]:
    """The spec of whoever is in that box at that time, without a preview."""
    key = names.frame_key("local", 1)
    spec = ScoringJobSpec(
        video=video.common["video"],
        preview=PreviewSettings(disabled=True),
        player_ref=PlayerRef(frame_key=key, time_sec=at_sec),
        target=Target(frame_key=key, time_sec=at_sec, bbox=flow.checked(box, "--box")),
    )
    return spec, ScoringJobStatus()


def analyse(
    video: Given,
    spec: ScoringJobSpec,
    status: ScoringJobStatus,
    out: Path,
    tell: Callable[[float, str], None],
    pitch: Pitch | None = None,
    anchors: Sequence[Anchor] = (),
) -> tuple[Result, list[Path]]:
    """Confirm, check and score; returns the result and the written files. Raises PlayerscoreError.

    A run that was ended on its way is gone on with where its last checkpoint in `out` is.
    """
    if pitch is not None:
        spec = flow.set_pitch(spec, status, pitch).spec
    if anchors:
        said = flow.add_anchors(spec, status, list(anchors))
        spec = said.spec
        for text in said.warnings:
            output.warn(text)
    drafted = spec.target
    confirmed = flow.confirm(
        spec,
        status,
        frame_key=drafted.frame_key if drafted else None,
        time_sec=drafted.time_sec if drafted else None,
    )
    target = confirmed.spec.target
    if (missing := readiness.missing(confirmed.spec)) or target is None:
        raise NotReadyError(missing, NOT_READY_MESSAGE)
    task = AnalysisTask(
        **video.common,
        attempt=1,
        generation=1,
        target=target,
        start_time_sec=target.time_sec or 0.0,
        target_forced=False,
        target_iou=confirmed.verdict.iou if confirmed.verdict else None,
        analysis=spec.analysis or Analysis(),
        pitch=pitch,
        anchors=confirmed.spec.anchors,
    )
    return _scored(task, video.footage, video.weights, out, tell)


def _scored(
    task: AnalysisTask,
    footage: source.Footage,
    weights: Path | None,
    out: Path,
    tell: Callable[[float, str], None],
    earlier: Path | None = None,
) -> tuple[Result, list[Path]]:
    """Analyse, and write what was found, and what `refine` needs to go on from it."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = out / "checkpoints"
    done = run_analysis(task, footage, tell, weights, checkpoints, earlier)
    written = done.write_artifacts(out)
    result = out / RESULT_FILE
    result.write_text(done.result.model_dump_json(by_alias=True, exclude_none=True, indent=2))
    kept = {"task": task.model_dump_json(exclude_none=True), "weights": weights and str(weights.resolve())}
    (out / TASK_FILE).write_text(json.dumps(kept))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return done.result, [*written, result]


def refine(
    folder: Path, answers: Sequence[Answer], out: Path, tell: Callable[[float, str], None]
) -> tuple[Result, list[Path]]:
    """Go on from the run in `folder` with what was answered, into another folder. Raises PlayerscoreError.

    The video has to lie where it lay, with the same bytes.
    """
    if out.resolve() == folder.resolve():
        raise FlowError("INVALID", "a run is never changed: choose another folder", field="--out")
    task, weights = kept(folder)
    spec = ScoringJobSpec(video=task.video, analysis=task.analysis, anchors=task.anchors)
    said = review.anchors_of(read_result(folder).review or [], answers)
    anchors = flow.add_anchors(spec, None, said).spec.anchors
    files = tuple(Path(unquote(urlsplit(file.uri).path)) for file in task.video.files)
    if absent := [file for file in files if not file.is_file()]:
        raise PlayerscoreError("NOT_FOUND", f"The video is not there any more: {absent[0]}")
    footage = source.Footage(files, tuple(map(source.digest_of, files)))
    source.check_digest(task, footage)
    again = task.model_copy(update={"anchors": anchors, "generation": task.generation + 1})
    return _scored(again, footage, weights, out, tell, folder / names.RUN_FILE)


def read_result(folder: Path) -> Result:
    """The result in a folder of `run`. Raises PlayerscoreError: NOT_FOUND, INVALID."""
    return read_file(folder / RESULT_FILE, Result, "result")


def artifacts(folder: Path) -> list[Path]:
    """The files of a run that a job would list as its artifacts."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in ARTIFACT_KINDS)
    return [path for path in files if path.name not in NO_ARTIFACT][:MAX_ARTIFACTS]


def kept(folder: Path) -> tuple[AnalysisTask, Path | None]:
    """The task of the run in a folder, and the detector's file. Raises PlayerscoreError: NOT_FOUND, INVALID."""
    file = folder / TASK_FILE
    try:
        content = json.loads(file.read_text())
        return AnalysisTask.model_validate_json(content["task"]), content["weights"] and Path(
            content["weights"]
        )
    except FileNotFoundError as error:
        raise PlayerscoreError("NOT_FOUND", f"There is no {file}: it was not made by `run`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PlayerscoreError("INVALID", f"{file} is no task that this version reads") from error
