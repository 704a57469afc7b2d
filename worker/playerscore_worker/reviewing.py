"""Moments worth a look: where a person's word would change most of the path, who he may be there, and pictures.

What a word is worth is how likely the path is wrong at a moment times the seconds that rest on it. Whoever answers
one fixes the path there, so that each further moment is chosen as if those before it were answered.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore import names
from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.geometry import Box, iou
from playerscore.resources import MAX_CANDIDATES, MAX_REVIEW, Moment, MomentKind, TrackBox
from playerscore.review import LETTERS
from playerscore_worker import boxes
from playerscore_worker.contact_sheet import draw, frame_at, nearest, state_text, write_text
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.detectors.base import drop_other_scales
from playerscore_worker.following.appearance import colour_distance, torso_colours
from playerscore_worker.following.segment import ABSENT, SAME_IOU
from playerscore_worker.frames import Decoder, Image
from playerscore_worker.path import FollowedPath, PathSample, Start

# Less than so many seconds are not worth anybody's time.
WORTH_SEC: Final = 0.1
# Nearer than this, two moments show the same.
APART_SEC: Final = 0.4
SHORTEST_LOSS_SEC: Final = 0.5
# How likely he is in the picture all the same, by why he is lost: guesses, and not fitted to any clip.
IN_PICTURE: Final = {
    "cut": 0.8,
    "ambiguous": 0.8,
    "occluded": 0.6,
    "not-seen": 0.5,
    ABSENT: 0.3,
    "left-picture": 0.2,
}
# Behind an encounter he is somebody else at least this often, however sure its decision was.
UNNOTICED: Final = 0.03
# So long after a cut, or after two have met, people are seen apart.
SETTLED_SEC: Final = 0.5
# Where he stays lost, he is asked for again after so long, and in one shot at most so often.
AGAIN_SEC: Final = 2.0
MOST_OF_SHOT: Final = 8
# Who was shown in a shot is lost in it again this likely.
LOST_AGAIN: Final = 0.3
# A look at a whole picture takes a second or more.
MOST_LOOKS: Final = 2 * MAX_REVIEW
# Where the end of a way is asked about, an encounter on it is still worth so much of its own.
CHECKED: Final = 0.3
# Behind a cut people may be of another size.
CUT_SIZES: Final = (1 / 1.6, 1.0, 1.6)
SEEN_SCORE: Final = 0.3
# Of another kit; farther than `KIT_LIMIT`, because one look is less than many.
OTHER_KIT: Final = 0.5

CELL_PX: Final = (426, 240)
GAP_PX: Final = 4
ASIDE_SEC: Final = 1.0
# The scene around him, in his heights, and around all candidates.
CELL_H: Final = 5.0
MARGIN: Final = 1.3
JPEG_QUALITY: Final = 85
HIS: Final = (96, 220, 64)
COLOURS: Final = ((255, 255, 255), (60, 60, 255), (0, 200, 255), (255, 160, 60))


@dataclass(frozen=True)
class _Open:
    """A moment that could be asked about."""

    time_sec: float
    kind: MomentKind
    backwards: bool
    doubt: float
    certainty: float | None
    """That it is he, whoever was taken; None where nobody was."""
    end_sec: float
    """What rests on it ends here at the latest, going away from the confirmed frame."""
    shown: tuple[Box, ...] = ()
    shot_sec: float | None = None
    """When the shot began in which he is lost."""
    looks_back: bool = False
    """Whether it is the end of a way, so that what lies before rests on it."""


def moments(
    path: FollowedPath,
    log: DecisionLog,
    decoder: Decoder,
    detector: Detector,
    fixed_sec: Sequence[float] = (),
) -> list[Moment]:
    """The moments of a path that are worth a look, the one first that is worth most. Raises VideoError.

    At the moments `fixed_sec` a person has said where he is, besides the confirmed frame.
    """
    eye = _Eye(path, decoder, detector)
    chosen = _chosen(list(_open(path, log)), [path.start.time_sec, *fixed_sec], eye)
    return [
        Moment(
            number=number,
            time_sec=round(moment.time_sec, 4),
            kind=moment.kind,
            doubt=round(moment.doubt, 3),
            stake_sec=round(stake_sec, 2),
            taken=moment.certainty is not None,
            candidates=[_track_box(box) for box in moment.shown[:MAX_CANDIDATES]],
        )
        for number, (moment, stake_sec) in enumerate(chosen, start=1)
    ]


def _open(path: FollowedPath, log: DecisionLog) -> Iterator[_Open]:
    cuts = {_far_sec(d) for d in log.decisions if d.kind is Kind.LOST and "cut" in (d.reason or "")}
    for way in (False, True):
        passed = 0
        for decision in log.decisions[:: -1 if way else 1]:
            if decision.backwards is not way or decision.kind is Kind.DECLINED:
                continue
            if decision.kind is Kind.LOST:
                yield from _loss(path, decision)
            else:
                passed += 1
                yield from _taken(path, decision, cuts, passed)
        yield from _end(path, way, passed)


def _far_sec(decision: Decision) -> float:
    return decision.begin_sec if decision.backwards else decision.end_sec


def _taken(path: FollowedPath, decision: Decision, cuts: set[float], passed: int) -> Iterator[_Open]:
    """Somebody was taken for him, at the so-manyth encounter on that way: it may be the other."""
    sample = nearest(path.samples, decision.settled_sec)
    if sample.box_xywh is None:
        return
    behind = any(abs(sec - sample.time_sec) <= 2.5 / path.fps for sec in cuts)
    found: MomentKind = "cut" if behind else "found-again"
    shown = [sample.box_xywh]
    if decision.rival and iou(decision.rival.box, sample.box_xywh) < SAME_IOU:
        shown.append(decision.rival.box)
    certainty = sample.certainty * (1 - UNNOTICED) ** passed
    yield _Open(
        sample.time_sec,
        found if decision.kind is Kind.FOUND_AGAIN else "crossing",
        decision.backwards,
        1 - certainty,
        certainty,
        path.samples[0 if decision.backwards else -1].time_sec,
        tuple(shown),
    )


def _end(path: FollowedPath, backwards: bool, passed: int) -> Iterator[_Open]:
    """Who is followed at the end of a way: an exchange that nobody noticed shows there at the latest."""
    samples, start_sec = path.samples, path.start.time_sec
    ordered = range(len(samples)) if backwards else range(len(samples) - 1, -1, -1)
    last = next((samples[k] for k in ordered if samples[k].box_xywh is not None), None)
    if not passed or last is None or last.box_xywh is None or (last.time_sec < start_sec) != backwards:
        return
    certainty = last.certainty * (1 - UNNOTICED) ** (passed + 1)
    yield _Open(
        last.time_sec,
        "end",
        backwards,
        1 - certainty,
        certainty,
        last.time_sec,
        (last.box_xywh,),
        looks_back=True,
    )


def _loss(path: FollowedPath, decision: Decision) -> Iterator[_Open]:
    """Nobody was taken for him: somebody may be he. In a long loss, again and again, and in each shot."""
    if decision.end_sec - decision.begin_sec < SHORTEST_LOSS_SEC:
        return
    for begin_sec, end_sec in _shots(path, decision):
        way, lasting = (1 if end_sec > begin_sec else -1), abs(end_sec - begin_sec)
        again_sec = max(AGAIN_SEC, lasting / MOST_OF_SHOT)
        for into in np.arange(min(SETTLED_SEC, lasting / 2), lasting, again_sec).tolist():
            sample = nearest(path.samples, begin_sec + way * into)
            reason = sample.reason or ""
            cut = reason == "cut" or begin_sec != _near_sec(decision)
            yield _Open(
                sample.time_sec,
                "cut" if cut else "declined",
                decision.backwards,
                IN_PICTURE.get(reason, 0.0),
                None,
                end_sec,
                shot_sec=begin_sec,
            )


def _time_sec(sample: PathSample) -> float:
    return sample.time_sec


def _near_sec(decision: Decision) -> float:
    return decision.end_sec if decision.backwards else decision.begin_sec


def _shots(path: FollowedPath, decision: Decision) -> list[tuple[float, float]]:
    """The parts of a loss between cuts, each from where it is entered to where it is left."""
    first, last = (
        bisect_right(path.samples, sec, key=_time_sec) for sec in (decision.begin_sec, decision.end_sec)
    )
    cuts = [s.time_sec for s in path.samples[first:last] if s.camera.inlier_share == 0.0]
    ends = [decision.begin_sec, *cuts, decision.end_sec]
    kept = [ends[0]]
    for sec in ends[1:]:
        if sec - kept[-1] >= SHORTEST_LOSS_SEC:
            kept.append(sec)
    kept[-1] = ends[-1] if len(kept) > 1 else kept[-1]
    parts = list(pairwise(kept))
    return [(end, begin) for begin, end in parts[::-1]] if decision.backwards else parts


def _chosen(found: list[_Open], fixed_sec: Sequence[float], eye: "_Eye") -> list[tuple[_Open, float]]:
    """The best moments with the seconds that rest on each, each as if those before it were answered.

    Where he is lost and nobody is seen who could be he, nothing is asked.
    """
    answered = dict.fromkeys(fixed_sec, 1.0)
    chosen: list[tuple[_Open, float]] = []
    looks = 0
    while found and len(chosen) < MAX_REVIEW and looks < MOST_LOOKS:
        worth = [_worth(moment, answered, [one for one, _ in chosen]) for moment in found]
        best = max(range(len(found)), key=lambda k: worth[k][0])
        if worth[best][0] < WORTH_SEC:
            break
        moment = found.pop(best)
        if moment.certainty is None or moment.looks_back:
            looks += 1
            others = (
                box
                for box in eye.candidates(moment)
                if not any(iou(box, own) >= SAME_IOU for own in moment.shown)
            )
            moment = replace(moment, shown=(*moment.shown, *others))
        if moment.shown:
            chosen.append((moment, worth[best][1]))
            answered[moment.time_sec] = 1.0 if moment.certainty is None else moment.certainty
    return chosen


def _worth(moment: _Open, answered: dict[float, float], chosen: list[_Open]) -> tuple[float, float]:
    """(What an answer is worth, seconds; how many rest on the moment)."""
    if any(abs(sec - moment.time_sec) < APART_SEC for sec in answered):
        return 0.0, 0.0
    way = -1 if moment.backwards else 1
    before = [sec for sec in answered if (sec - moment.time_sec) * way < 0]
    behind = [sec for sec in answered if (sec - moment.time_sec) * way > 0]
    known = answered[max(before, key=lambda sec: sec * way)] if before else 1.0
    end_sec = min([moment.end_sec, *behind], key=lambda sec: sec * way)
    stake_sec = max(0.0, (end_sec - moment.time_sec) * way)
    doubt = moment.doubt
    if moment.looks_back:
        # It went wrong somewhere on the way: in the mean half of it.
        stake_sec = min((abs(moment.time_sec - sec) for sec in before), default=0.0) / 2
    if moment.certainty is not None:
        doubt = 1 - min(1.0, moment.certainty / max(known, 1e-6))
        # Who is he at the end was not exchanged before.
        doubt *= (
            CHECKED if any(one.looks_back and one.backwards is moment.backwards for one in chosen) else 1.0
        )
    elif any(one.shot_sec == moment.shot_sec for one in chosen):
        doubt *= LOST_AGAIN
    return doubt * stake_sec, stake_sec


class _Eye:
    """Who is in the picture where he is lost."""

    def __init__(self, path: FollowedPath, decoder: Decoder, detector: Detector) -> None:
        self._path, self._decoder, self._detector = path, decoder, detector
        self._kit: NDArray[np.float32] | None = None

    def candidates(self, moment: _Open) -> tuple[Box, ...]:
        """Those in a kit like his, the most alike first."""
        frame = frame_at(self._decoder, self._path, moment.time_sec)
        kit = self._colours(self._path.start)
        if frame is None or kit is None:
            return ()
        tall = self._last_seen(moment).h * frame.image.shape[0]
        sizes = CUT_SIZES if moment.kind == "cut" else (1.0,)
        looks = [self._detector.detect_frame(frame.image, [tall * size]) for size in sizes]
        found = drop_other_scales(Detections.merge(looks))
        found = found.pick(found.scores >= SEEN_SCORE)
        if not len(found):
            return ()
        off = colour_distance(kit, torso_colours(frame.image, found.boxes_xyxy))[0]
        height, width = frame.image.shape[:2]
        alike = [k for k in np.argsort(off, kind="stable") if off[k] <= OTHER_KIT]
        return tuple(boxes.to_normalised(found.boxes_xyxy[k], width, height) for k in alike[:MAX_CANDIDATES])

    def _colours(self, start: Start) -> NDArray[np.float32] | None:
        """Of his kit on the confirmed frame, (1, bins)."""
        if self._kit is None and (frame := frame_at(self._decoder, self._path, start.time_sec)):
            height, width = frame.image.shape[:2]
            self._kit = torso_colours(frame.image, boxes.to_pixels(start.box_xywh, width, height)[None])
        return self._kit

    def _last_seen(self, moment: _Open) -> Box:
        """His box before he was lost."""
        samples, way = self._path.samples, -1 if moment.backwards else 1
        place = bisect_left(samples, moment.time_sec, key=_time_sec)
        while 0 <= place < len(samples):
            if box := samples[place].box_xywh:
                return box
            place -= way
        return self._path.start.box_xywh


def _track_box(box: Box) -> TrackBox:
    """Within the picture."""
    x, y = max(0.0, box.x), max(0.0, box.y)
    w, h = min(1.0, box.x + box.w) - x, min(1.0, box.y + box.h) - y
    return TrackBox(x=round(x, 4), y=round(y, 4), w=round(max(0.0, w), 4), h=round(max(0.0, h), 4))


# --- pictures -------------------------------------------------------------------------------------------


def write(decoder: Decoder, path: FollowedPath, told: Sequence[Moment], folder: Path) -> list[Path]:
    """Write a picture of each moment: the scene before, at and after it, the candidates lettered. Raises VideoError."""
    written = []
    for moment in told:
        file = folder / names.review_picture(moment.number)
        cells = [_cell(decoder, path, moment, aside_sec) for aside_sec in (-ASIDE_SEC, 0.0, ASIDE_SEC)]
        gap = np.zeros((CELL_PX[1], GAP_PX, 3), np.uint8)
        picture = np.concatenate([cells[0], gap, cells[1], gap, cells[2]], axis=1)
        cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        written.append(file)
    return written


def _cell(decoder: Decoder, path: FollowedPath, moment: Moment, aside_sec: float) -> Image:
    sample = nearest(path.samples, moment.time_sec + aside_sec)
    shown = [one.box for one in moment.candidates] if aside_sec == 0 else []
    around = _around(path, sample, shown or [one.box for one in moment.candidates])
    scale = min(1.0, 2 * CELL_PX[1] / max(1.0, around.h * path.height))
    frame = frame_at(decoder, path, sample.time_sec, scale)
    if frame is None:
        return np.zeros((CELL_PX[1], CELL_PX[0], 3), np.uint8)
    height, width = frame.image.shape[:2]
    place = boxes.to_pixels(around, width, height)
    zoom = min(CELL_PX[0] / max(1.0, place[2] - place[0]), CELL_PX[1] / max(1.0, place[3] - place[1]))
    shift = np.array(CELL_PX) / 2 - zoom * boxes.centres(place[None])[0]
    window = np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])
    cell = np.asarray(cv2.warpAffine(frame.image, window, CELL_PX, flags=cv2.INTER_AREA), np.uint8)
    if sample.box_xywh is not None and not (shown and moment.taken):
        draw(cell, frame.image, window, sample.box_xywh, HIS)
    for box, colour, letter in zip(shown, COLOURS, LETTERS, strict=False):
        own = HIS if moment.taken and letter == "A" else colour
        left, top = draw(cell, frame.image, window, box, own)
        write_text(cell, letter, (left, max(12, top - 4)))
    write_text(cell, f"{sample.time_sec:.2f} s {state_text(sample)}", (4, CELL_PX[1] - 6))
    return cell


def _around(path: FollowedPath, sample: PathSample, shown: Sequence[Box]) -> Box:
    """What a cell shows: everybody in question, him, and the scene around them; normalised."""
    people = [*shown, *([sample.box_xywh] if sample.box_xywh else [])] or [path.start.box_xywh]
    tall = max(box.h for box in people)
    wide = tall * path.height / path.width
    x1, y1 = min(b.x for b in people), min(b.y for b in people)
    x2, y2 = max(b.x + b.w for b in people), max(b.y + b.h for b in people)
    w, h = max(MARGIN * (x2 - x1), CELL_H * wide), max(MARGIN * (y2 - y1), CELL_H * tall)
    return Box((x1 + x2 - w) / 2, (y1 + y2 - h) / 2, w, h)
