"""What is true of a clip, real or rendered, in the one form that the measures take."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from playerscore_clips.truth import Truth

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Somebody of whom less than this is seen is neither judged as found nor as missed (as in tests/vision).
SEEN_SHARE: Final = 0.35
# Where the real development clips change their picture; their list of clips says it in words only.
REAL_CUTS: Final[Mapping[str, tuple[int, ...]]] = {"goal_cut": (161, 212, 260)}
ON_PITCH: Final = frozenset({"player", "goalkeeper", "referee"})


@dataclass(frozen=True)
class Reference:
    """Everybody of a clip on every frame."""

    name: str
    fps: float
    ids: Sequence[str]
    kits: Sequence[str | None]
    """Equal words are equal kits; None is an unknown one."""
    named: Mask
    """(people,) whose identity is certain; the others are only good for "he is on somebody else"."""
    on_pitch: Mask
    """(people, frames) players, goalkeepers and referees while they are on it."""
    boxes_xywh: Floats
    """(people, frames, 4), normalised to 0..1; NaN where he is not in the picture."""
    visible: Floats
    """(people, frames), share of him that is seen, 0..1."""
    judged: Mask
    """(people, frames) where his place is known, or known to be nowhere."""
    cuts: tuple[int, ...] = ()
    """First frames of the shots after the first."""

    @property
    def frames(self) -> int:
        return int(self.boxes_xywh.shape[1])

    def index(self, target: str) -> int:
        """The row of a person."""
        return list(self.ids).index(target)


def iou_xywh(a: Floats, b: Floats) -> Floats:
    """IoU of boxes (..., 4) that broadcast, range [0, 1]; 0 where one of them is NaN.

    >>> iou_xywh(np.array([0.0, 0.0, 2.0, 1.0]), np.array([1.0, 0.0, 2.0, 1.0])).round(3).item()
    0.333
    """
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - common
    return np.nan_to_num(common / np.maximum(union, 1e-12), nan=0.0)


def kit_of_team(team: str) -> str | None:
    """The kit that an annotation names, without the shirt's number.

    >>> kit_of_team("stripes #2"), kit_of_team("auto")
    ('stripes', None)
    """
    word = re.sub(r"\s*#.*", "", team).strip()
    return None if word in ("", "auto") else word


def from_annotation(name: str, table: Path, about: Mapping[str, Any]) -> Reference:
    """A real clip's truth: rows of `frame,id,x,y,w,h,cls,team,src`, and what clips.json says about the clip."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    teams = {row["id"]: row["team"] for row in rows}
    ids = sorted(teams)
    place = {name: k for k, name in enumerate(ids)}
    boxes = np.full((len(ids), about["frames"], 4), np.nan)
    for row in rows:
        if int(row["frame"]) < about["frames"]:
            boxes[place[row["id"]], int(row["frame"])] = [float(row[key]) for key in "xywh"]
    return Reference(
        name=name,
        fps=about["fps"],
        ids=ids,
        kits=[kit_of_team(teams[person]) for person in ids],
        named=np.array([not person.startswith("o") for person in ids]),
        on_pitch=np.ones(boxes.shape[:2], bool),
        boxes_xywh=boxes,
        visible=np.where(np.isnan(boxes[..., 0]), 0.0, 1.0),
        judged=np.array([_judged(about, person) for person in ids]),
        cuts=REAL_CUTS.get(name, ()),
    )


def _judged(about: Mapping[str, Any], person: str) -> Mask:
    """(frames,) inside his span and outside what is skipped, both with their last frame."""
    judged = np.zeros(about["frames"], bool)
    first, last = about.get("span", {}).get(person, (0, about["frames"] - 1))
    judged[first : last + 1] = True
    for begin, end in about.get("skip", {}).get(person, ()):
        judged[begin : end + 1] = False
    return judged


def from_truth(name: str, truth: Truth) -> Reference:
    """A rendered clip's truth."""
    people = truth.people
    return Reference(
        name=name,
        fps=truth.fps,
        ids=[str(person.id) for person in people],
        kits=[str(person.kit) for person in people],
        named=np.ones(len(people), bool),
        on_pitch=np.array([truth.on_pitch(person.id) & (person.role in ON_PITCH) for person in people]),
        boxes_xywh=np.array([truth.boxes(person.id) for person in people]),
        visible=np.array([truth.visible(person.id) for person in people]),
        judged=np.ones((len(people), truth.frames), bool),
        cuts=truth.cuts,
    )
