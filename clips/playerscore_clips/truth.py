"""What is true of a clip: who is where in every frame, in the picture and on the pitch."""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

VERSION = 2

TOUCHLINE_M = (52.5, 34.0)
"""Half of a pitch's length and width."""
MARGIN_M = 1.0
"""This far beyond a line somebody still counts as on the pitch: who throws in, or a keeper in his goal."""


PLAYING = ("player", "goalkeeper", "referee")
"""Roles of those whose place is on the pitch; all others belong beside it."""


@dataclass(frozen=True)
class Person:
    """One person who is drawn: who plays, and who stands beside the pitch."""

    id: int
    team: int | None
    """0 or 1; None for who belongs to no team."""
    role: str
    """``player``, ``goalkeeper``, ``referee``, ``spectator``, ``coach`` or ``ballboy``."""
    kit: int
    """Equal numbers wear equal colours: team mates do, a keeper and a referee have their own."""
    leaves: bool = False
    """Whether he walks out of the picture, by the clip's settings, and stays away."""


@dataclass(frozen=True)
class Truth:
    """Everything is per frame; people are addressed by their id."""

    fps: float
    width: int
    height: int
    seed: int
    people: tuple[Person, ...]
    ground_to_image: Numbers
    """Homographies (frames, 3, 3) from pitch metres to pixels, of the camera that films each frame."""
    cuts: tuple[int, ...]
    """The first frame of each new shot; the clip's first frame is none."""
    _boxes: dict[int, Numbers] = field(repr=False)
    _visible: dict[int, Numbers] = field(repr=False)
    _pitch: dict[int, Numbers] = field(repr=False)
    lens: Numbers | None = None
    """The radial term k1 and the focal length in pixels (frames, 2) of a lens that bends lines; None without one."""

    @property
    def frames(self) -> int:
        return len(self.ground_to_image)

    def boxes(self, person_id: int) -> Numbers:
        """Return x, y, w, h (frames, 4), normalised to 0..1 and clipped to the picture; NaN where he is outside.

        The box is the whole figure's, also where others hide parts of it.
        """
        return self._boxes[person_id]

    def visible(self, person_id: int) -> Numbers:
        """Return which share of his figure is seen (frames,): not hidden by others or captions, nor outside."""
        return self._visible[person_id]

    def in_picture(self, person_id: int) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self._boxes[person_id][:, 0])

    def pitch(self, person_id: int) -> Numbers:
        """Return where he stands (frames, 2) in metres: x along the pitch, y across, from the middle.

        x grows to the right as the camera sees it, y away from the camera.
        """
        return self._pitch[person_id]

    def seen_at(self, frame: int, points: Numbers) -> Numbers:
        """Return the pixels (n, 2) at which pitch metres (n, 2) are seen on a frame; NaN where none can be."""
        seen = np.column_stack([points, np.ones(len(points))]) @ self.ground_to_image[frame].T
        pixels = np.where(seen[:, 2:] > 0, seen[:, :2] / seen[:, 2:], np.nan)
        if self.lens is not None:
            k1, focal = self.lens[frame]
            middle = np.array([self.width, self.height]) / 2
            plane = (pixels - middle) / focal
            squared = (plane**2).sum(1, keepdims=True)
            # Far outside of the picture the polynomial turns back.
            pixels = np.where(1 + 3 * k1 * squared > 0.1, middle + plane * (1 + k1 * squared) * focal, np.nan)
        bent: Numbers = pixels
        return bent

    def on_pitch(self, person_id: int) -> npt.NDArray[np.bool_]:
        """Return whether he is on the pitch (frames,), in the picture or not."""
        beyond = np.abs(self._pitch[person_id]) - TOUCHLINE_M
        inside: npt.NDArray[np.bool_] = np.max(beyond, axis=1) <= MARGIN_M
        return inside

    @property
    def leaver(self) -> Person | None:
        return next((person for person in self.people if person.leaves), None)


def save_truth(truth: Truth, path: Path) -> None:
    """Write a truth as gzipped JSON; equal truths give equal bytes."""
    document = {
        "version": VERSION,
        "fps": truth.fps,
        "size": [truth.width, truth.height],
        "seed": truth.seed,
        "frames": truth.frames,
        "cuts": list(truth.cuts),
        "ground_to_image": [[[float(f"{v:.7g}") for v in row] for row in h] for h in truth.ground_to_image],
        "people": [_person_document(truth, person) for person in truth.people],
    }
    if truth.lens is not None:
        document["lens"] = truth.lens.round(6).tolist()
    data = json.dumps(document, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(data, 6, mtime=0))


def _person_document(truth: Truth, person: Person) -> dict[str, Any]:
    boxes = truth.boxes(person.id)
    return {
        "id": person.id,
        "team": person.team,
        "role": person.role,
        "kit": person.kit,
        "leaves": person.leaves,
        "boxes": [None if np.isnan(box[0]) else box.round(6).tolist() for box in boxes],
        "visible": truth.visible(person.id).round(3).tolist(),
        "in_picture": truth.in_picture(person.id).tolist(),
        "pitch": truth.pitch(person.id).round(3).tolist(),
    }


def load_truth(path: Path) -> Truth:
    """Read what ``save_truth`` wrote.

    Raises:
        ValueError: the file is of another version.
    """
    document = json.loads(gzip.decompress(path.read_bytes()))
    if document["version"] != VERSION:
        raise ValueError(f"{path} is a truth of version {document['version']}, not {VERSION}")
    people = document["people"]
    nowhere = [float("nan")] * 4
    return Truth(
        fps=document["fps"],
        width=document["size"][0],
        height=document["size"][1],
        seed=document["seed"],
        people=tuple(Person(p["id"], p["team"], p["role"], p["kit"], p["leaves"]) for p in people),
        ground_to_image=np.array(document["ground_to_image"]),
        cuts=tuple(document["cuts"]),
        _boxes={p["id"]: np.array([box or nowhere for box in p["boxes"]]) for p in people},
        _visible={p["id"]: np.array(p["visible"]) for p in people},
        _pitch={p["id"]: np.array(p["pitch"]) for p in people},
        lens=np.array(document["lens"]) if "lens" in document else None,
    )
