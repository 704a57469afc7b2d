"""The two tasks, from a video file to what the flow stores: the same in a pod and on a desk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playerscore import football, names
from playerscore.decisions import DecisionLog
from playerscore.errors import VideoError
from playerscore.rating import METHOD, Rating, Signals, rate, unsure
from playerscore.resources import (
    Detector as DetectorChoice,
)
from playerscore.resources import (
    Frame,
    PartInfo,
    PreviewStatus,
    Provenance,
    Result,
    Track,
    TrackBox,
    VideoInfo,
)
from playerscore.tasks import AnalysisTask, FurtherTask, PodTask, PreviewTask
from playerscore_worker import artifacts, clip, contact_sheet, reviewing, signals, stored_run, target
from playerscore_worker.anchors import Said
from playerscore_worker.checkpoints import Checkpoints, key_of
from playerscore_worker.cpus import cpu_limit
from playerscore_worker.decisions import log_of
from playerscore_worker.detectors import Detector, load
from playerscore_worker.follower import FollowedPath, Start, follow
from playerscore_worker.frames import Decoder, Limits, Part
from playerscore_worker.pitch import files as football_files
from playerscore_worker.pitch import metrics as football_metrics
from playerscore_worker.pitch.measuring import Measured, measured
from playerscore_worker.preview import PreviewFrame, PreviewSettings, PreviewTrack, add_frames, make_preview
from playerscore_worker.settings import ArtifactSettings
from playerscore_worker.source import Footage

Progress = Callable[[float, str], None]

FOLLOWING_SHARE: Final = 0.9
"""The part of an analysis' time that the following takes; pictures and clip take the rest."""


@dataclass(frozen=True)
class Analysed:
    """A finished analysis: what goes into the status, and what the artifacts are made from."""

    task: AnalysisTask
    result: Result
    path: FollowedPath
    log: DecisionLog
    rating: Rating
    footage: Footage
    on_progress: Progress
    limits: Limits
    in_metres: Measured | None = None

    def write_artifacts(self, folder: Path) -> list[Path]:
        """Write pictures, clip, tracks, timeline and the log of decisions. Raises VideoError."""
        folder.mkdir(parents=True, exist_ok=True)
        with Decoder(self.footage.files[0], self.limits) as decoder:
            return self._written(decoder, folder)

    def _written(self, decoder: Decoder, folder: Path) -> list[Path]:
        path, settings = self.path, ArtifactSettings()
        log = contact_sheet.marked(self.log)
        in_metres = football_files.heatmap(self.in_metres)
        written = [
            artifacts.write_radar(self.rating, folder / "radar.png"),
            artifacts.write_result(decoder, path, self.rating, folder / "result.png", in_metres),
            artifacts.write_heatmap(decoder, path, folder / "heatmap.png", settings.heatmap_width_px),
        ]
        self.on_progress((1 + FOLLOWING_SHARE) / 2, "drawing the clip")
        made = clip.write(decoder, path, log, folder, settings)
        written += made.files
        written += artifacts.write_timeline(path, made.pieces, folder)
        written.append(artifacts.write_mot(path, folder / "track.txt"))
        written.append(artifacts.write_csv(path, folder / "track.csv"))
        written.append(artifacts.write_log(log, folder / names.DECISIONS_FILE))
        written += football_files.write(self.in_metres, folder) if self.in_metres else []
        written += contact_sheet.write(decoder, path, log, folder / names.DECISIONS_SHEET)
        made_of = self.result.provenance
        run = folder / names.RUN_FILE
        written.append(stored_run.write(self.task, path, made_of.video_sha256, made_of.weights_sha256, run))
        written += reviewing.write(decoder, path, self.result.review or [], folder)
        self.on_progress(1.0, "done")
        return written


def run_preview(
    task: PreviewTask,
    footage: Footage,
    folder: Path,
    on_progress: Progress,
    weights: Path | None = None,
) -> PreviewStatus:
    """Write the preview's JPEGs into `folder` and return what belongs into the status. Raises VideoError."""
    chosen = PreviewSettings(
        frames=task.preview.frames or PreviewSettings.frames,
        start_sec=task.preview.start_sec or 0.0,
        end_sec=task.preview.end_sec,
    )
    detector = _detector(task.detector, weights)
    made = make_preview(footage.files[0], chosen, detector, folder, on_progress, _limits(task, footage))
    info = VideoInfo(
        sha256=footage.sha256,
        bytes=sum(file.stat().st_size for file in footage.files),
        duration_sec=made.video.duration_sec,
        fps=made.video.fps,
        width=made.video.width,
        height=made.video.height,
        parts=_parts(footage, made.video.starts_sec),
    )
    return PreviewStatus(video=info, frames=[_frame(task.name, frame) for frame in made.frames])


def run_further(
    task: FurtherTask,
    footage: Footage,
    folder: Path,
    on_progress: Progress,
    weights: Path | None = None,
) -> list[Frame]:
    """Write the JPEGs of further frames into `folder` and return what is added to the preview. Raises VideoError."""
    detector = _detector(task.detector, weights)
    made = add_frames(
        footage.files[0],
        task.at_sec,
        task.first_number,
        task.first_track_id,
        detector,
        folder,
        on_progress,
        _limits(task, footage),
    )
    return [_frame(task.name, frame) for frame in made]


def run_analysis(
    task: AnalysisTask,
    footage: Footage,
    on_progress: Progress,
    weights: Path | None = None,
    checkpoints: Path | None = None,
    earlier: Path | None = None,
) -> Analysed:
    """Follow the confirmed player, measure and rate. Raises VideoError.

    In the folder `checkpoints` lies what was followed so far; what earlier attempts left there is taken over.
    `earlier` is the run that this one refines: what the anchors do not touch is taken from it.
    """
    detector = _detector(task.detector, weights, task.memory_failures or 0)
    start, said = Start(task.start_time_sec, task.target.bbox.box), _said(task)
    video, limits = footage.files[0], _limits(task, footage)
    seen, *others = target.looks(video, [start, *said.starts], detector, limits)
    warnings, empty = target.warnings(seen), target.nobody_at(others, said.starts)
    said = replace(said, starts=tuple(one for one in said.starts if one not in empty))
    run = stored_run.read(earlier, task, footage.sha256, detector.weights_sha256) if earlier else None
    key = key_of(task, footage.sha256, detector.weights_sha256, run.digest if run else None)
    kept = Checkpoints(checkpoints, key) if checkpoints else None
    path = _followed(task, video, limits, start, said, detector, on_progress, kept, run)
    if target.is_empty(warnings):
        path = target.disowned(path)
    found = signals.measure(path)
    metres = measured(path, task.pitch, video, limits) if task.pitch else None
    rating, method = _rated(found, metres)
    rating = unsure(rating) if target.is_foreign(warnings) else rating
    warnings += target.of_anchors(empty, path.unreached_sec)
    warnings += metres.warnings if metres else []
    log = log_of(path)
    with Decoder(video, limits) as decoder:
        review = reviewing.moments(path, log, decoder, detector, _fixed_sec(task))
    result = Result(
        overall_score=rating.overall_score,
        radar=rating.radar,
        method=method,
        signals=found,
        metrics=metres.metrics if metres else None,
        target_forced=task.target_forced,
        target_iou=task.target_iou,
        anchors=len(task.anchors) if task.anchors else None,
        review=review or None,
        generation=task.generation,
        provenance=Provenance(
            image=task.image,
            weights_sha256=detector.weights_sha256,
            video_sha256=footage.sha256,
            video_parts=_parts(footage, path.starts_sec),
        ),
        warnings=warnings or None,
    )
    return Analysed(task, result, path, log, rating, footage, on_progress, limits, metres)


def _rated(found: Signals, metres: Measured | None) -> tuple[Rating, str]:
    """The rating and its method: in metres where enough of the time is calibrated."""
    if metres is None or metres.metrics is None or not football_metrics.counts(metres.metrics):
        return rate(found), METHOD
    return rate(found, football_metrics.movement(metres.metrics)), football.METHOD


def _followed(
    task: AnalysisTask,
    video: Path,
    limits: Limits,
    start: Start,
    said: Said,
    detector: Detector,
    on_progress: Progress,
    kept: Checkpoints | None,
    run: stored_run.Run | None,
) -> FollowedPath:
    return follow(
        video,
        start,
        detector,
        task.analysis.start_sec or 0.0,
        task.analysis.end_sec,
        task.analysis.max_fps,
        lambda share, message: on_progress(FOLLOWING_SHARE * share, message),
        limits,
        task.memory_failures or 0,
        kept,
        said,
        run,
    )


def _said(task: AnalysisTask) -> Said:
    """A person's words about further moments."""
    anchors = task.anchors or []
    starts = tuple(Start(anchor.time_sec, anchor.bbox.box) for anchor in anchors if anchor.bbox)
    return Said(starts, tuple(anchor.time_sec for anchor in anchors if anchor.absent))


def _fixed_sec(task: AnalysisTask) -> list[float]:
    return [anchor.time_sec for anchor in task.anchors or []]


def _detector(choice: DetectorChoice, weights: Path | None, memory_failures: int = 0) -> Detector:
    return load(choice.name, weights, cpu_limit(), memory_failures, choice.onnx)


def _limits(task: PodTask, footage: Footage) -> Limits:
    limits, more = task.video_limits, zip(footage.files[1:], task.video.parts or [], strict=True)
    return Limits(
        max_pixels=limits.pixels,
        max_duration_sec=limits.duration_seconds,
        track=task.video.track,
        parts=tuple(Part(path, bool(part.continues)) for path, part in more),
    )


def _parts(footage: Footage, starts_sec: Sequence[float]) -> list[PartInfo] | None:
    """Its files, where it is of several."""
    if len(footage.files) == 1:
        return None
    told = zip(footage.digests, starts_sec, strict=True)
    return [PartInfo(sha256=sha256, start_sec=round(start, 4)) for sha256, start in told]


def _frame(job_name: str, frame: PreviewFrame) -> Frame:
    return Frame(
        frame_key=names.frame_key(job_name, frame.number),
        time_sec=frame.time_sec,
        width=frame.width,
        height=frame.height,
        tracks=[_track(track) for track in frame.tracks],
    )


def _track(track: PreviewTrack) -> Track:
    x, y, w, h = track.bbox
    return Track(track_id=track.track_id, bbox=TrackBox(x=x, y=y, w=w, h=h), score=track.score)


def best_pick(preview: PreviewStatus) -> tuple[Frame, Track]:
    """The most usable player of a preview, for who does not choose himself. Raises VideoError."""
    found = [(frame, track) for frame in preview.frames for track in frame.tracks]
    if not found:
        raise VideoError("VIDEO_NO_PERSON", "No person was found in the previewed part of the video")
    return max(found, key=lambda pair: pair[1].score)
