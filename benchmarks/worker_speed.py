"""How fast one player is followed, beside what decoding and the detector alone cost, and a tracker's frames a second.

`make bench-worker-speed` writes `results/worker_speed.json`; quiet machine. Every measurement is a process of its own
with the threads that a worker would take. The match is a rendered minute, its packets repeated: `--minutes`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import machine
import numpy as np
from numpy.typing import NDArray

from playerscore.geometry import Box
from playerscore_clips.match import ClipSettings, render_clip
from playerscore_clips.truth import load_truth
from playerscore_worker.cpus import cpu_limit
from playerscore_worker.detectors import Detections, load
from playerscore_worker.follower import Start, follow
from playerscore_worker.preview import PreviewSettings, add_frames, make_preview

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "worker_speed.json"
WEIGHTS = ROOT.parent / "shared" / "data" / "yolo11n-coco-recovered.pt"
CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
CLIP_SEC: Final = 40.0
TRACKED_FRAMES: Final = 40
Json = dict[str, Any]


class Noting:
    """A detector that remembers which windows it was asked for."""

    def __init__(self) -> None:
        self._detector = load("embedded", None, cpu_limit())
        self.name, self.weights_sha256 = self._detector.name, self._detector.weights_sha256
        self.windows: list[tuple[tuple[int, int], list[float], list[float]]] = []
        """Height and width of the picture, the window (empty: all of it), body heights."""

    def detect_window(
        self, image: NDArray[np.uint8], window_xyxy: NDArray[np.float64], body_height_px: float
    ) -> Detections:
        self.windows.append((image.shape[:2], window_xyxy.tolist(), [body_height_px]))
        return self._detector.detect_window(image, window_xyxy, body_height_px)

    def detect_frame(self, image: NDArray[np.uint8], expected_heights_px: Sequence[float]) -> Detections:
        self.windows.append((image.shape[:2], [], list(expected_heights_px)))
        return self._detector.detect_frame(image, expected_heights_px)


def followed(video: Path, box_xywh: Sequence[float]) -> Json:
    """Frames, seconds, memory in MB of this process and its decoder, and the detector's windows."""
    detector, begun = Noting(), time.perf_counter()
    path = follow(video, Start(0.0, Box(*box_xywh)), detector)
    return {
        "frames": len(path.samples),
        "supported": sum(sample.state.value == "supported" for sample in path.samples),
        "seconds": time.perf_counter() - begun,
        "rss_mb": _peak_mb(resource.RUSAGE_SELF) + _peak_mb(resource.RUSAGE_CHILDREN),
        "windows": detector.windows,
    }


def decoded(video: Path) -> Json:
    """Frames and seconds of FFmpeg's decoder alone, with as many threads as the worker's."""
    begun, frames = time.perf_counter(), 0
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", cpu_limit()
        for _ in container.decode(stream):
            frames += 1
    return {"frames": frames, "seconds": time.perf_counter() - begun}


def detected(windows: Sequence[tuple[list[int], list[float], list[float]]]) -> Json:
    """Seconds of the detector's calls alone, on one picture of noise for each size."""
    detector, dice = load("embedded", None, cpu_limit()), np.random.default_rng(1)
    pictures: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for (height, width), _, _ in windows:
        pictures.setdefault((height, width), dice.integers(0, 255, (height, width, 3), np.uint8))
    begun = time.perf_counter()
    for (height, width), window, heights in windows:
        image = pictures[height, width]
        if window:
            detector.detect_window(image, np.array(window), heights[0])
        else:
            detector.detect_frame(image, heights)
    return {"seconds": time.perf_counter() - begun}


def previewed(video: Path) -> Json:
    """Seconds that a preview of the usual size takes."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        preview = make_preview(
            video,
            PreviewSettings(),
            load("embedded", None, cpu_limit()),
            Path(folder),
            lambda share, message: None,
        )
    return {"frames": len(preview.frames), "seconds": time.perf_counter() - begun}


def extended(video: Path, at_sec: list[float]) -> Json:
    """Seconds that adding frames at those times takes, from the video on the disk to the pictures."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        detector = load("embedded", None, cpu_limit())
        frames = add_frames(video, at_sec, 9, 1000, detector, Path(folder), lambda share, message: None)
    return {"frames": len(frames), "seconds": time.perf_counter() - begun}


def _peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


MEASURES: Final[dict[str, Callable[..., Json]]] = {
    "followed": followed,
    "decoded": decoded,
    "detected": detected,
    "previewed": previewed,
    "extended": extended,
}


def apart(measure: str, *arguments: Any) -> Json:
    """A measurement in a process of its own."""
    order = json.dumps([measure, *arguments])
    answer = subprocess.run(
        [sys.executable, __file__, "--child"], input=order, check=True, stdout=subprocess.PIPE, text=True
    )
    told: Json = json.loads(answer.stdout.splitlines()[-1])
    return told


def child() -> None:
    """Answer one order of `apart`."""
    measure, *arguments = json.loads(sys.stdin.read())
    if measure != "detected":
        arguments[0] = Path(arguments[0])
    print(json.dumps(MEASURES[measure](*arguments)))


def clip_of(height: int, seconds: float, folder: Path) -> tuple[Path, list[float]]:
    """A rendered match at that size, and the box, at its beginning, of who is longest in the picture."""
    settings = ClipSettings(
        seconds=seconds, width=height * 16 // 9, height=height, person_px=height / 20, crf=26
    )
    clip = render_clip(settings, folder / str(height))
    truth = load_truth(clip.truth)
    there = [
        person.id for person in truth.people if person.role == "player" and truth.in_picture(person.id)[0]
    ]
    best = max(there, key=lambda number: int(truth.in_picture(number).sum()))
    return clip.video, truth.boxes(best)[0].tolist()


def as_hevc(video: Path, height: int) -> Path:
    """The clip enlarged and encoded anew: what a drone writes."""
    out = video.with_name(f"{video.stem}-{height}.mp4")
    with av.open(str(video)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream(
            "libx265", rate=25, options={"preset": "ultrafast", "x265-params": "log-level=0"}
        )
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            large = frame.reformat(stream.width, stream.height, "yuv420p")
            large.pts, large.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(large))
        target.mux(stream.encode())
    return out


def repeated(video: Path, minutes: float) -> Path:
    """The clip's packets again and again, until it is that long."""
    out = video.with_name(f"{video.stem}-{minutes:g}min.mp4")
    with av.open(str(out), "w") as target:
        stream, shift = None, 0
        while stream is None or shift * stream.time_base < minutes * 60:
            with av.open(str(video)) as source:
                track = source.streams.video[0]
                stream = stream or target.add_stream_from_template(track)
                length = 0
                for packet in source.demux(track):
                    if packet.dts is None:
                        continue
                    length = max(length, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
                shift += length
    return out


def tracker_fps(video: Path) -> float | None:
    """Frames a second of ultralytics at 1280 with ByteTrack, on the checkpoint beside the checkout; None without.

    The tracker is the one of `bench-following`: ultralytics' own needs a package that it installs by itself.
    """
    python = CACHE / "venv-ultralytics" / "bin" / "python"
    if not python.exists() or not WEIGHTS.exists():
        print(f"no tracker: {python} or {WEIGHTS.name} is missing", file=sys.stderr)
        return None
    script = (
        "import sys, time\nimport supervision\nfrom trackers import ByteTrackTracker\nfrom ultralytics import YOLO\n"
        "model, tracker, count = YOLO(sys.argv[1]), ByteTrackTracker(frame_rate=25), int(sys.argv[3])\n"
        "asked = dict(stream=True, imgsz=1280, classes=[0], verbose=False)\n"
        "for k, found in enumerate(model.predict(sys.argv[2], **asked)):\n"
        "    tracker.update(supervision.Detections.from_ultralytics(found))\n"
        "    if k == 5: begun = time.perf_counter()\n"
        "    if k == 5 + count: break\n"
        "print(count / (time.perf_counter() - begun))\n"
    )
    command = [str(python), "-c", script, str(WEIGHTS), str(video), str(TRACKED_FRAMES)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(answer.stdout.splitlines()[-1])


def fps(told: Json) -> float:
    return float(told["frames"] / told["seconds"])


def measured(minutes: float, folder: Path) -> Json:
    """Figures and ratios."""
    full_hd, box = clip_of(1080, CLIP_SEC, folder)
    hd, hd_box = clip_of(720, CLIP_SEC, folder)
    whole, bare = apart("followed", str(full_hd), box), apart("decoded", str(full_hd))
    calls = apart("detected", whole.pop("windows"))
    small = apart("followed", str(hd), hd_box)
    uhd = apart("followed", str(as_hevc(full_hd, 2160)), box)
    tracker = tracker_fps(full_hd)
    match = repeated(full_hd, minutes)
    preview, match_run = apart("previewed", str(match)), apart("followed", str(match), box)
    return {
        "figures": {
            "fps_1080p": fps(whole),
            "fps_720p": fps(small),
            "fps_2160p_hevc": fps(uhd),
            "fps_decode_1080p": fps(bare),
            "supported_share": whole["supported"] / whole["frames"],
            "minutes": minutes,
            "rss_mb_90min": match_run["rss_mb"],
            "rss_mb_40sec": whole["rss_mb"],
            "preview_seconds_90min": preview["seconds"],
        },
        "ratios": {
            "of_decode": fps(whole) / fps(bare),
            "of_floor": (bare["seconds"] + calls["seconds"]) / whole["seconds"],
            "vs_ultralytics_track_1280": None if tracker is None else fps(whole) / tracker,
            "of_match_time": match_run["seconds"] / (match_run["frames"] / 25),
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=90.0, help="how long the whole match is")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        told = measured(options.minutes, Path(folder))
    document = {"command": "make bench-worker-speed", "machine": machine.described(), **_rounded(told)}
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))
    return 0


def _rounded(told: Json) -> Json:
    return {
        part: {name: value if value is None else round(value, 3) for name, value in values.items()}
        for part, values in told.items()
    }


if __name__ == "__main__":
    sys.exit(main())
