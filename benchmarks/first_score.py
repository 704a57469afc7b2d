"""The figures of one job, end to end: how long the demo takes, how soon a pod runs, how soon a score is there.

`make bench-first-score` runs the demo on the project's cluster and writes `results/first_score.json`. With
`--cold` the demo and then all tests run with empty caches first (half an hour); else the last cold figures stay. `ratios.worker_of_decode` is the follower against the bare
decoder on the same clip, in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine

from playerscore_clips.match import ClipSettings, render_clip
from playerscore_worker import frames
from playerscore_worker.cpus import cpu_limit
from playerscore_worker.detectors import load
from playerscore_worker.follower import Start, follow
from playerscore_worker.preview import PreviewSettings, make_preview

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "first_score.json"
NAMESPACE = "scoring"
Json = dict[str, Any]


def demo(environment: dict[str, str] | None = None) -> Json:
    """Seconds of a whole demo and of its phases."""
    seconds = _timed(["make", "demo"], environment)
    lines = (ROOT / "out" / "demo" / "phases.txt").read_text().split("\n")
    phases = {name: int(spent) for name, spent in (line.split() for line in lines if line)}
    return {"seconds": seconds, "phases": phases}


def cold() -> Json:
    """The demo and then every test, with empty caches of our own, of Go and of Python; Debian's packages stay."""
    with tempfile.TemporaryDirectory(prefix="playerscore-cold-", ignore_cleanup_errors=True) as folder:
        caches = {"PLAYERSCORE_CACHE": "own", "GOCACHE": "go", "GOMODCACHE": "mod", "UV_CACHE_DIR": "uv"}
        environment = {**os.environ, **{name: f"{folder}/{place}" for name, place in caches.items()}}
        first = demo(environment)
        tests = _timed(["make", "test"], environment)
        _timed(["make", "demo-down"], environment)
    return {
        "demo_cold_seconds": first["seconds"],
        "demo_cold_phases": first["phases"],
        "test_cold_seconds": tests,
    }


def _timed(command: list[str], environment: dict[str, str] | None) -> int:
    begin = time.monotonic()
    subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - begin)


class Kubectl:
    """The project's cluster."""

    def __init__(self) -> None:
        self.config = _output(str(ROOT / "cluster" / "kind.sh"), "kubeconfig").strip()
        cache = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
        self.program = str(cache / "bin" / "kubectl")

    def __call__(self, *arguments: str) -> str:
        return _output(self.program, f"--kubeconfig={self.config}", "-n", NAMESPACE, *arguments)

    def get(self, *what: str) -> Json:
        found: Json = json.loads(self("get", *what, "-o", "json"))
        return found


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def _until(what: Callable[[], Any], seconds: float = 300.0) -> tuple[Any, float]:
    """The first true answer, and when it came (monotonic)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer, time.monotonic()
        time.sleep(0.05)
    raise TimeoutError(str(what))


def latencies() -> Json:
    """Enqueue to running pod, and the end of the analysis to the result in the status, seconds."""
    kubectl = Kubectl()
    newest = max(kubectl.get("sj")["items"], key=lambda job: str(job["metadata"]["creationTimestamp"]))
    name = f"bench-{int(time.time())}"
    spec = {"video": newest["spec"]["video"]}
    body = {
        "apiVersion": newest["apiVersion"],
        "kind": "ScoringJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    _apply(kubectl, body)
    preview, _ = _until(lambda: kubectl.get("sj", name).get("status", {}).get("preview"))
    kubectl("patch", "sj", name, "--type=merge", "-p", json.dumps({"spec": _selection(preview)}))
    begin = time.monotonic()
    kubectl("patch", "sj", name, "--type=merge", "-p", json.dumps({"spec": {"suspend": False}}))
    uid = kubectl.get("sj", name)["metadata"]["uid"]
    _, running = _until(lambda: _state(kubectl, uid, "running"))
    _until(lambda: kubectl.get("sj", name).get("status", {}).get("result"))
    reported = datetime.now(UTC)
    _until(lambda: kubectl.get("sj", name)["status"]["progress"]["step"] == "COMPLETED")
    completed = datetime.now(UTC)
    terminated, _ = _until(lambda: _state(kubectl, uid, "terminated"))
    # Kubernetes tells whole seconds, so this is up to a second too long.
    ended = datetime.fromisoformat(terminated["finishedAt"])
    return {
        "enqueue_to_pod_running_seconds": round(running - begin, 2),
        "pod_end_to_status_seconds": round(max(0.0, (reported - ended).total_seconds()), 2),
        "pod_end_to_completed_seconds": round((completed - ended).total_seconds(), 2),
    }


def _apply(kubectl: Kubectl, body: Json) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(body, file)
        file.flush()
        kubectl("apply", "-f", file.name)


def _selection(preview: Json) -> Json:
    frame, track = max(
        ((frame, track) for frame in preview["frames"] for track in frame["tracks"]),
        key=lambda pair: pair[1]["score"],
    )
    return {
        "player_ref": {"frame_key": frame["frame_key"], "track_id": track["track_id"]},
        "target": {"frame_key": frame["frame_key"], "bbox": track["bbox"], "confirmed": True},
    }


def _state(kubectl: Kubectl, uid: str, state: str) -> Json | None:
    pods = kubectl.get("pods", "-l", f"playerscore.dev/uid={uid},playerscore.dev/attempt=1")["items"]
    for pod in pods:
        for container in pod["status"].get("containerStatuses", []):
            if container["name"] == "analyze" and state in container["state"]:
                found: Json = container["state"][state]
                return found
    return None


def speed() -> Json:
    """Frames a second of following and of decoding alone, on one rendered clip."""
    with tempfile.TemporaryDirectory() as folder:
        clip = render_clip(ClipSettings(seed=41, seconds=12), Path(folder), lambda done, total: None)
        begin = time.monotonic()
        count = sum(1 for _ in frames.read(clip.video, 0.0, None))
        decoding = count / (time.monotonic() - begin)
        detector = load("embedded", None, cpu_limit())
        preview = make_preview(
            clip.video, PreviewSettings(frames=2), detector, Path(folder), lambda s, m: None
        )
        pairs = [(frame, track) for frame in preview.frames for track in frame.tracks]
        frame, track = max(pairs, key=lambda pair: pair[1].score)
        begin = time.monotonic()
        path = follow(clip.video, Start(frame.time_sec, track.bbox), detector)
        following = len(path.samples) / (time.monotonic() - begin)
    return {"worker_fps": round(following, 1), "decode_fps": round(decoding, 1)}


def image_sizes() -> Json:
    """Megabytes that the images add to their base."""
    sizes: Json = json.loads(_output(str(ROOT / "images" / "build.sh"), "sizes"))
    return sizes


def _cold_before() -> Json:
    """The cold figures of the last run that measured them."""
    known: Json = json.loads(RESULT.read_text())["figures"] if RESULT.exists() else {}
    return {name: value for name, value in known.items() if "_cold_" in name}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="first demo and tests with empty caches")
    chosen = parser.parse_args()
    figures: Json = cold() if chosen.cold else _cold_before()
    warm = demo()
    figures |= {"demo_warm_seconds": warm["seconds"], "demo_warm_phases": warm["phases"]}
    figures |= latencies() | speed() | image_sizes()
    ratio = round(figures["worker_fps"] / figures["decode_fps"], 3)
    written = {
        "command": "make bench-first-score",
        "machine": machine.described(),
        "figures": figures,
        "ratios": {"worker_of_decode": ratio},
    }
    RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(RESULT.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
