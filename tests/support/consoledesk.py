"""The jobs that the console is shown: real pictures, and the worker played, on a real API server and store."""

import hashlib
import io
import mimetypes
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw
from playwright.sync_api import Page

from apilab import Lab
from builders import (
    make_condition,
    make_frame,
    make_preview,
    make_result,
    make_track,
    manifest,
)
from playerscore import names
from playerscore.decisions import DecisionLog
from playerscore.geometry import Box
from playerscore.names import ConditionType, Step
from playerscore.resources import PreviewStatus, Result, Track

Json = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[2]
AXE: Final = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Desk:
    """A person at the console, and the worker and the operator behind it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.url = f"{lab.url}/console/"

    def job(
        self, name: str, preview: PreviewStatus | None = None, pictures: dict[int, bytes] | None = None
    ) -> None:
        """A job with a preview and its pictures."""
        shown = preview or make_preview(name=name)
        uid = self.lab.created(name, preview=False)
        self.previewed(name, uid, shown, pictures)

    def previewed(
        self, name: str, uid: str, preview: PreviewStatus, pictures: dict[int, bytes] | None = None
    ) -> None:
        """What a preview pod does: store the pictures, or drawn ones, then write the status."""
        self.lab.status(name, {"run": {"previewAttempt": 1}})
        worker = self.lab.client(self.lab.pod_token(f"{names.preview_job_name(uid, 1)}-x1"))
        kind = {"Content-Type": "image/jpeg"}
        for number, frame in enumerate(preview.frames, 1):
            path = f"/worker/jobs/default/{name}/frames/{number}"
            shown = (pictures or {}).get(number) or picture(frame.tracks, frame.width, frame.height)
            answer = worker.put(path, content=shown, headers=kind)
            assert answer.is_success, answer.text
        self.lab.status(name, {"preview": manifest(preview)})

    def extends(self, name: str, time_sec: float, people: list[Track], reason: str = "PreviewStored") -> None:
        """The operator has a further run made, whose pod adds a frame at a time that was asked for."""
        stored = self.lab.stored(name)
        frames, uid = stored["status"]["preview"]["frames"], stored["metadata"]["uid"]
        self.lab.status(name, {"run": {"previewAttempt": 2, "previewAsked": [time_sec]}})
        worker = self.lab.client(self.lab.pod_token(f"{names.preview_job_name(uid, 2)}-x1"))
        number, kind = len(frames) + 1, {"Content-Type": "image/jpeg"}
        path = f"/worker/jobs/default/{name}/frames"
        assert worker.put(f"{path}/1", content=picture(people), headers=kind).status_code == 403
        assert worker.put(f"{path}/{number}", content=picture(people), headers=kind).is_success
        added = manifest(make_frame(number, people, name=name, time_sec=time_sec))
        self.lab.status(name, {"preview": {"frames": [*frames, added], "asked_sec": [time_sec]}})
        self.ready(name, reason, f"{number} frames to pick from")

    def ready(self, name: str, reason: str, message: str) -> None:
        """What the operator says of the preview."""
        self.lab.status(
            name, {"conditions": [condition(ConditionType.PREVIEW_READY, "True", reason, message)]}
        )

    def analyses(self, name: str, percent: int = 40) -> None:
        """The operator has launched it, and its pod runs."""
        self.lab.status(
            name,
            {
                "run": {"attempt": 1, "startTime": "2026-01-01T00:00:00Z"},
                "progress": {"step": Step.ANALYZING, "percent": percent, "message": "following the player"},
                "conditions": [
                    condition(ConditionType.ADMITTED, "True", "Launched"),
                    condition(ConditionType.RUNNING, "True", "PodRunning"),
                ],
            },
        )

    def waits(self, name: str, reason: str, message: str) -> None:
        """The operator has launched it, and its pod cannot run yet."""
        self.lab.status(
            name,
            {
                "run": {"attempt": 1},
                "progress": {"step": Step.QUEUED},
                "conditions": [
                    condition(ConditionType.ADMITTED, "True", "Launched"),
                    condition(ConditionType.RUNNING, "False", reason, message),
                ],
            },
        )

    def failed(self, name: str, code: str, message: str) -> None:
        """It has ended without a result."""
        self.lab.status(
            name,
            {
                "progress": {"step": Step.FAILED},
                "conditions": [
                    condition(ConditionType.SUCCEEDED, "False", code, message),
                    condition(ConditionType.STALLED, "True", code, message),
                ],
            },
        )

    def completed(
        self, name: str, files: dict[str, bytes] | None = None, result: Result | None = None
    ) -> None:
        """It has ended with a result and these files."""
        files = files or {}
        uid = self.lab.stored(name)["metadata"]["uid"]
        worker = self.lab.client(self.lab.pod_token(f"{names.analysis_job_name(uid, 1)}-x1"))
        self.lab.status(name, {"run": {"attempt": 1}})
        listed = []
        for file, content in files.items():
            kind = mimetypes.guess_type(file)[0] or "text/plain"
            path = f"/worker/jobs/default/{name}/artifacts/{file}"
            answer = worker.put(path, content=content, headers={"Content-Type": kind})
            assert answer.is_success, answer.text
            stored = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            listed.append({"name": file, "mediaType": kind} | stored)
        self.lab.status(
            name,
            {
                "progress": {"step": Step.COMPLETED, "percent": 100},
                "result": manifest(result or make_result()),
                "artifacts": listed,
                "conditions": [condition(ConditionType.SUCCEEDED, "True", "Completed")],
            },
        )


def condition(kind: ConditionType, status: str, reason: str, message: str = "") -> Json:
    """A condition as the operator writes it."""
    return manifest(make_condition(kind, status, reason, message))


def picture(tracks: list[Track], width: int = 1280, height: int = 720) -> bytes:
    """A pitch with a figure in each box, as JPEG."""
    image = Image.new("RGB", (width, height), (46, 125, 60))
    draw = ImageDraw.Draw(image)
    for x in range(0, width, width // 8):
        draw.rectangle((x, 0, x + width // 16, height), fill=(52, 138, 68))
    for track in tracks:
        box = track.bbox
        left, top = box.x * width, box.y * height
        right, bottom = left + box.w * width, top + box.h * height
        shirt = (200, 40, 40) if track.track_id % 2 else (30, 60, 190)
        draw.rectangle((left, top + (bottom - top) * 0.2, right, top + (bottom - top) * 0.6), fill=shirt)
        draw.ellipse((left, top, right, top + (bottom - top) * 0.22), fill=(230, 190, 160))
        draw.rectangle((left, top + (bottom - top) * 0.6, right, bottom), fill=(245, 245, 245))
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=80)
    return stored.getvalue()


def crowd(name: str, frames: int = 16, people: int = 48) -> PreviewStatus:
    """The largest preview: so many frames with so many people each."""
    boxes = [Box(0.02 + 0.08 * (n % 12), 0.05 + 0.24 * (n // 12), 0.03, 0.14) for n in range(people)]
    tracks = [make_track(number, box) for number, box in enumerate(boxes, 1)]
    return make_preview([make_frame(number, tracks, name=name) for number in range(1, frames + 1)], name=name)


def log() -> bytes:
    """A log of decisions over twenty seconds."""
    box = {"x": 0.25, "y": 0.25, "w": 0.125, "h": 0.25}
    common = {"backwards": False, "pictured": False}
    told = {
        "width": 1280,
        "height": 720,
        "begin_sec": 0,
        "end_sec": 20,
        "confirmed_sec": 2,
        "confirmed": box,
        "decisions": [
            {"number": 1, "kind": "crossing", "begin_sec": 4, "end_sec": 6, "margin": 3.0} | common,
            {"number": 2, "kind": "lost", "begin_sec": 9, "end_sec": 12, "reason": "left-picture"} | common,
            {"number": 3, "kind": "found-again", "begin_sec": 9, "end_sec": 12.04, "margin": 0.4} | common,
        ],
    }
    return DecisionLog.model_validate(told).model_dump_json(exclude_none=True).encode()


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands."""
    page.evaluate(AXE.read_text() + "; 0")
    # Colours that are on their way are judged as neither.
    page.evaluate(
        "() => Promise.allSettled(document.getAnimations()"
        ".filter(each => each instanceof CSSTransition).map(each => each.finished))"
    )
    found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    return [
        f"{item['id']}: {item['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for item in found["violations"]
        for node in item["nodes"]
    ]
