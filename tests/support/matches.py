"""Rendered matches with their truth, and how well a followed path covers a player of one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playerscore.geometry import Box, iou
from playerscore_clips.match import ClipSettings, load_truth, render_clip
from playerscore_clips.truth import Truth
from playerscore_worker.follower import FollowedPath

# Seeds and sizes are of these tests alone: the detector was trained on other ones.
SIZE = {"width": 960, "height": 540}


@dataclass(frozen=True)
class Match:
    """A rendered video with its truth."""

    video: Path
    truth: Truth

    def box(self, person_id: int, frame: int) -> Box | None:
        """Where he truly is; None where he is outside the picture."""
        found = self.truth.boxes(person_id)[frame]
        return None if np.isnan(found[0]) else Box(*found)

    def pickable(self, frame: int) -> list[int]:
        """People who are wholly in the picture and hidden by nobody on a frame."""
        chosen = []
        for person in self.truth.people:
            box = self.box(person.id, frame)
            whole = box is not None and box.x > 0.02 and box.x + box.w < 0.98
            if whole and self.truth.visible(person.id)[frame] > 0.9:
                chosen.append(person.id)
        return chosen

    def coverage(self, path: FollowedPath, person_id: int) -> float:
        """Share of the frames on which he is visible (over a third of him) where the path has IoU >= .5."""
        hits = []
        for sample in path.samples:
            box = self.box(person_id, sample.index)
            if box is not None and self.truth.visible(person_id)[sample.index] > 0.35:
                hits.append(sample.box_xywh is not None and iou(sample.box_xywh, box) >= 0.5)
        return float(np.mean(hits))


def somebody(truth: Truth) -> dict[str, float]:
    """The box, on the first frame, of the person who is seen best over the whole clip; as `bbox` of a spec."""

    def seen(person_id: int) -> float:
        return float(np.nan_to_num(truth.visible(person_id)).mean()) * bool(truth.in_picture(person_id)[0])

    best = max((person.id for person in truth.people), key=seen)
    x, y, w, h = (round(float(value), 4) for value in truth.boxes(best)[0])
    return {"x": x, "y": y, "w": w, "h": h}


def render(folder: Path, **settings: float) -> Match:
    clip = render_clip(ClipSettings(**SIZE, **settings), folder)  # type: ignore[arg-type]
    return Match(clip.video, load_truth(clip.truth))
