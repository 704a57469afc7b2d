"""What is followed: the real development clips beside the checkout, and rendered scenes; who is picked, and when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from followeval.reference import SEEN_SHARE, Floats, Reference, from_annotation, from_truth, iou_xywh
from playerscore_clips.match import Clip, load_truth

Json = dict[str, Any]

# Rendered pictures are 16:9; a box wider than this for its height is a person who lies or dives.
ASPECT: Final = 16 / 9
LYING: Final = 0.9
TOUCHING_IOU: Final = 0.1
# Shares of the picture's height between which somebody is confirmed: from 12 pixels to half a close-up.
TALL: Final = (0.022, 0.45)
LEAST_SEEN: Final = 0.3
# A tracker needs some frames to make a track of a person; its id is held from one of these on.
PICK_FRAMES: Final = 10


@dataclass(frozen=True)
class Pick:
    """Who is confirmed, and on which frame."""

    target: str
    start: int


@dataclass(frozen=True)
class Case:
    """One video, its truth, and whom to follow in it."""

    kind: str
    """real or rendered."""
    name: str
    video: Path
    reference: Reference
    picks: tuple[Pick, ...]

    def order(self) -> Json:
        """What the process that runs the product is told."""
        return {
            "video": str(self.video),
            "picks": [_told(self.reference, pick) for pick in self.picks],
            "preview": True,
        }


def _told(reference: Reference, pick: Pick) -> Json:
    row = reference.boxes_xywh[reference.index(pick.target)]
    near = [None if np.isnan(box[0]) else box.tolist() for box in row[pick.start :][:PICK_FRAMES]]
    return {
        "target": pick.target,
        "start": pick.start,
        "time_sec": pick.start / reference.fps,
        "box": near[0],
        "boxes": near,
    }


def real_cases(folder: Path, extra: bool = False) -> Iterator[Case]:
    """The annotated clips of a folder, with the picks that their list names."""
    for name, about in json.loads((folder / "clips.json").read_text()).items():
        reference = from_annotation(name, folder / f"{name}.csv", about)
        picks = [Pick(target, start) for target, starts in about["picks"].items() for start in starts]
        if extra:
            more = about.get("extra", {})
            picks += [Pick(target, start) for target, starts in more.items() for start in starts]
        yield Case("real", name, folder / f"{name}.mp4", reference, tuple(picks))


def rendered_case(name: str, seed: int, clip: Clip, picks: int) -> Case:
    """A rendered scene, with picks that its truth and seed decide."""
    reference = from_truth(f"{name}-{seed}", load_truth(clip.truth))
    return Case(
        "rendered", reference.name, clip.video, reference, tuple(chosen_picks(reference, seed, picks))
    )


def chosen_picks(reference: Reference, seed: int, count: int) -> list[Pick]:
    """Up to `count` picks: people who go through something hard, and last one who does not.

    Hard is to be overlapped, to lie, or to be away and come back; who is barely in the clip, too small or never
    seen wholly cannot be picked. Frames to start from are drawn, so that the way goes in both directions.
    """
    chance = np.random.default_rng([seed, count])
    hard = hardness(reference)
    free = [who for who in np.argsort(-hard, kind="stable").tolist() if len(_starts(reference, who))]
    if not free:
        return []
    # Of the hardest twice as many as are wanted, so that not only the very worst is followed.
    among = free[: 2 * (count - 1)]
    drawn = chance.permutation(len(among))[: count - 1] if count > 1 else []
    people = [among[k] for k in sorted(drawn)] + [who for who in free[::-1] if who not in among][:1]
    return [Pick(reference.ids[who], int(chance.choice(_starts(reference, who)))) for who in people[:count]]


def hardness(reference: Reference) -> Floats:
    """Seconds of hard moments of each person (people,)."""
    boxes = reference.boxes_xywh
    present = ~np.isnan(boxes[..., 0])
    lying = present & (boxes[..., 2] * ASPECT > LYING * boxes[..., 3])
    hard = np.zeros(len(boxes))
    for who in range(len(boxes)):
        overlap = iou_xywh(boxes[who], np.delete(boxes, who, axis=0)).max(axis=0) > TOUCHING_IOU
        there = np.flatnonzero(present[who])
        away = ~present[who, there[0] : there[-1]] if len(there) else np.zeros(0)
        hard[who] = (overlap | lying[who]).sum() + away.sum()
    return hard / reference.fps


def _starts(reference: Reference, who: int) -> NDArray[np.intp]:
    """Frames on which he could be confirmed: on the pitch, wholly seen, neither tiny nor a close-up."""
    tall = reference.boxes_xywh[who, :, 3]
    fit = (reference.visible[who] > 0.9) & reference.on_pitch[who] & (tall > TALL[0]) & (tall < TALL[1])
    if (reference.visible[who] > SEEN_SHARE).mean() < LEAST_SEEN:
        return np.zeros(0, np.intp)
    return np.flatnonzero(fit)
