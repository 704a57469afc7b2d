"""A whole match, as a pod works on it: its memory over time, how right its percent is, and what a kill costs.

`make bench-match` loops a rendered clip to `--minutes` of video without coding it again, follows a player through it
once undisturbed and once killed half-way, and writes `results/whole_match.json`. The clip runs forwards and then
backwards, so that he can be followed over every seam. `rss_mb` is the worker and its decoder together, `rss_mb_early`
in the second tenth of the time and `rss_mb_late` in the last. `percent_error` is the worst of
|estimate of the whole time / whole time - 1| from its first tenth on.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import machine

from playerscore.resources import Analysis, BBox, Target, Video
from playerscore.tasks import TASK_VARIABLE, AnalysisTask
from playerscore_clips.match import ClipSettings, load_truth, render_clip
from playerscore_worker import pod
from playerscore_worker.pod import Pod

ROOT: Final = Path(__file__).parents[1]
RESULT: Final = ROOT / "benchmarks" / "results" / "whole_match.json"
CLIP: Final = ClipSettings(width=640, height=360, seed=521, seconds=10, person_px=30)
FRAME: Final = 100
"""Where the player is confirmed, in the clip."""
DIGEST: Final = "e" * 64
EVERY_SEC: Final = 0.5
Json = dict[str, Any]


@dataclass
class Watched:
    """One attempt as it was seen from outside."""

    seconds: float = 0.0
    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, MB)."""
    percent: list[tuple[float, int]] = field(default_factory=list)


def there_and_back(clip: Path, out: Path) -> Path:
    """The clip forwards and then backwards."""
    with av.open(str(clip)) as source:
        frames = [frame.reformat(format="yuv420p") for frame in source.decode(video=0)]
    with av.open(str(out), "w") as made:
        stream = made.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = CLIP.width, CLIP.height, "yuv420p"
        for number, frame in enumerate([*frames, *reversed(frames)]):
            frame.pts, frame.time_base = number, 1 / stream.rate
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return out


def looped(clip: Path, out: Path, seconds: float) -> None:
    """The clip again and again, packets copied, until it is so long."""
    with av.open(str(out), "w") as made:
        stream = None
        begin = 0
        while True:
            with av.open(str(clip)) as source:
                track = source.streams.video[0]
                assert track.time_base is not None
                stream = stream or made.add_stream_from_template(track)
                last = 0
                for packet in source.demux(track):
                    if packet.pts is None or packet.dts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + begin, packet.dts + begin, stream
                    made.mux(packet)
                begin += last
                if begin * track.time_base >= seconds:
                    return


def order(clip: Path, truth: Path, max_fps: int | None) -> AnalysisTask:
    """What the operator tells the pod."""
    known = load_truth(truth)
    person = next(p.id for p in known.people if known.visible(p.id)[FRAME] > 0.9)
    x, y, w, h = known.boxes(person)[FRAME].tolist()
    return AnalysisTask(
        namespace="default",
        name="match",
        uid="u",
        image="local",
        video=Video(uri=clip.resolve().as_uri()),
        sources=[],
        attempt=1,
        generation=1,
        target=Target(
            frame_key="jobs/match/frames/frame_0001.jpg", bbox=BBox(x=x, y=y, w=w, h=h), confirmed=True
        ),
        start_time_sec=FRAME / known.fps,
        target_forced=False,
        analysis=Analysis(max_fps=max_fps),
    )


def work(files: Pod, task: AnalysisTask, kill_at: int | None = None) -> Watched:
    """One attempt in a pod's folder; it is killed when it has told that percent."""
    files.out.mkdir(parents=True, exist_ok=True)
    pod.write(files.fetched, {"sha256": [DIGEST], "bytes": files.video().stat().st_size})
    settings = {
        TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True),
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
    }
    begin, seen = time.monotonic(), Watched()
    command = [sys.executable, "-m", "playerscore_worker", "analyze"]
    process = subprocess.Popen(command, env=os.environ | settings)
    while process.poll() is None:
        now = time.monotonic() - begin
        seen.rss_mb.append((now, sum(map(_rss_mb, _family(process.pid)))))
        percent = int(pod.read(files.progress)["percent"]) if files.progress.exists() else 0
        seen.percent.append((now, percent))
        if kill_at is not None and percent >= kill_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(EVERY_SEC)
    seen.seconds = time.monotonic() - begin
    if kill_at is None and process.returncode:
        raise RuntimeError(files.termination.read_text())
    return seen


def _family(pid: int) -> list[int]:
    """The process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *map(int, children)]


def _rss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def percent_error(seen: Watched) -> float:
    """How far the estimate of the whole time was off at worst, from the first tenth on."""
    told = [(at, percent) for at, percent in seen.percent if at >= seen.seconds / 10]
    return max(abs(at / max(percent, 1) * 100 / seen.seconds - 1) for at, percent in told)


def measure(folder: Path, minutes: float, max_fps: int | None) -> Json:
    clip = render_clip(CLIP, folder)
    video = folder / "match.mp4"
    looped(there_and_back(clip.video, folder / "loop.mp4"), video, minutes * 60)
    task = order(video, clip.truth, max_fps)
    files = {name: Pod(folder / name, folder / "said") for name in ("undisturbed", "killed")}
    for each in files.values():
        each.folder.mkdir()
        each.video.symlink_to(video)

    whole = work(files["undisturbed"], task)
    work(files["killed"], task, kill_at=50)
    killed_at = time.time()
    last = max(file.stat().st_mtime for file in files["killed"].checkpoints.iterdir())
    again = work(files["killed"], task)
    same = files["killed"].result.read_bytes() == files["undisturbed"].result.read_bytes()

    late = [mb for at, mb in whole.rss_mb if at > 0.9 * whole.seconds]
    early = [mb for at, mb in whole.rss_mb if 0.1 * whole.seconds < at < 0.2 * whole.seconds]
    sizes = [file.stat().st_size for file in files["undisturbed"].checkpoints.iterdir()]
    figures = {
        "video_minutes": round(minutes, 1),
        "frames": int(json.loads(files["undisturbed"].result.read_text())["signals"]["sampled_frames"]),
        "seconds": round(whole.seconds),
        "rss_mb_max": round(max(mb for _, mb in whole.rss_mb)),
        "rss_mb_early": round(max(early)),
        "rss_mb_late": round(max(late)),
        "percent_error": round(percent_error(whole), 3),
        "checkpoints": len(sizes),
        "checkpoint_kb_max": round(max(sizes) / 1024),
        "resume_lost_seconds": round(killed_at - last, 1),
        "seconds_after_the_kill": round(again.seconds),
        "same_result_after_the_kill": same,
    }
    return {"machine": machine.described(), "settings": {"max_fps": max_fps}, "figures": figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--max-fps", type=int)
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.minutes, chosen.max_fps)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["figures"], indent=1))


if __name__ == "__main__":
    main()
