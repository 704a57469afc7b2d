"""Judges one followed path against the truth, frame by frame, from the point of view of the one who was picked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from followeval.reference import SEEN_SHARE, Floats, Mask, Reference, iou_xywh

ON_IOU: Final = 0.5
# Less than this with him, and on nobody else: the box is on no person.
OFF_IOU: Final = 0.3
# Shorter absences are flicker of the annotation.
ABSENCE_FRAMES: Final = 5
# An answer after a cut is a box that stays for a fifth of a second.
ANSWER_SEC: Final = 0.2
# Who is covered by another this far shares his box: which of the two it is cannot be told from it.
SHARED_COVER: Final = 0.5


@dataclass(frozen=True)
class Judged:
    """Masks (frames,) of one path; a frame may be in none of them."""

    seen: Mask
    """He is in the picture, enough of him to be judged."""
    on: Mask
    """Seen, and the box is his."""
    near: Mask
    """Seen, and the box is his or sits at his place in a wrong size (IoU >= .3)."""
    wrong: Mask
    """The box is on another person."""
    wrong_kit: Mask
    """And that person is known to wear another kit."""
    off: Mask
    """The box is on nobody, while he is in the picture."""
    ghost: Mask
    """The box is on nobody, while he is not."""
    absent: Mask
    """He is not in the picture."""
    beyond: Mask
    """A box where the truth is not known."""
    beyond_other: Mask
    """Of those, the ones on another person whose identity is certain."""
    lost: Mask
    """No box, where the truth is known."""
    lost_rightly: Mask
    """Lost, and he is not to be seen, or shares his place with another."""


def judge(reference: Reference, target: str, path_xywh: Floats) -> Judged:
    """Judges a path (frames, 4), NaN where it has no box."""
    who = reference.index(target)
    truth, known = reference.boxes_xywh[who], reference.judged[who]
    others = np.delete(np.arange(len(reference.ids)), who)
    seen_xywh = _seen_only(reference)
    given, present = ~np.isnan(path_xywh[:, 0]), ~np.isnan(truth[:, 0])
    mine = iou_xywh(truth, path_xywh)
    other, nearest = _best_other(seen_xywh[others], path_xywh)
    seen = known & present & (reference.visible[who] > SEEN_SHARE)
    hidden = known & present & ~seen
    absent = known & ~present
    his = (seen | hidden) & (mine >= ON_IOU)
    wrong = known & given & ~his & (other >= ON_IOU) & (other > mine)
    kit = reference.kits[who]
    foreign = np.array([None not in (kit, reference.kits[k]) and reference.kits[k] != kit for k in others])
    certain = reference.named[others]
    on_certain = _best_other(seen_xywh[others[certain]], path_xywh)[0] >= ON_IOU
    return Judged(
        seen=seen,
        on=seen & his,
        near=seen & (mine >= OFF_IOU),
        wrong=wrong,
        wrong_kit=wrong & foreign[nearest] if len(others) else wrong,
        off=given & (seen | hidden) & ~his & ~wrong & (mine < OFF_IOU),
        ghost=given & absent & ~wrong,
        absent=absent,
        beyond=given & ~known,
        beyond_other=given & ~known & on_certain,
        lost=known & ~given,
        lost_rightly=known & ~given & (~seen | _shared(truth, seen_xywh[others])),
    )


def _best_other(others_xywh: Floats, path_xywh: Floats) -> tuple[Floats, Any]:
    """The highest IoU with anybody else (frames,), and with whom."""
    if not len(others_xywh):
        return np.zeros(len(path_xywh)), np.zeros(len(path_xywh), int)
    overlap = iou_xywh(others_xywh, path_xywh[None])
    return overlap.max(axis=0), overlap.argmax(axis=0)


def _seen_only(reference: Reference) -> Floats:
    """The boxes (people, frames, 4) of those who are seen: nobody is followed wrongly who is hidden."""
    return np.where((reference.visible > SEEN_SHARE)[..., None], reference.boxes_xywh, np.nan)


def _shared(his_xywh: Floats, others_xywh: Floats) -> Mask:
    """(frames,) where another person's box covers a good part of his."""
    low = np.maximum(his_xywh[..., :2], others_xywh[..., :2])
    high = np.minimum(his_xywh[..., :2] + his_xywh[..., 2:], others_xywh[..., :2] + others_xywh[..., 2:])
    cover = np.prod(np.clip(high - low, 0, None), axis=-1) / np.maximum(
        np.prod(his_xywh[..., 2:], axis=-1), 1e-12
    )
    return np.asarray((np.nan_to_num(cover, nan=0.0) >= SHARED_COVER).any(axis=0))


def spans(mask: Mask) -> list[tuple[int, int]]:
    """The runs of a mask as half-open ranges.

    >>> spans(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def absences(reference: Reference, judged: Judged, start: int) -> list[tuple[int, int, float | None]]:
    """Each absence and cut, as (begin, end, seconds until his box is on him again; None is never).

    It is walked away from the start, in either direction: he was there before and is seen again behind it.
    """
    found = []
    for begin, end in _gaps(reference, judged):
        if begin > start:
            order = range(end, len(judged.on))
        elif end <= start:
            order = range(begin - 1, -1, -1)
        else:
            continue
        if not judged.seen[list(order)].any():
            continue
        hit = next((k for k in order if judged.on[k]), None)
        found.append((begin, end, None if hit is None else round(abs(hit - order[0]) / reference.fps, 2)))
    return found


def _gaps(reference: Reference, judged: Judged) -> list[tuple[int, int]]:
    """Absences of some length, and cuts that no absence touches, as empty ranges."""
    away = [span for span in spans(judged.absent) if span[1] - span[0] >= ABSENCE_FRAMES]
    bare = [(cut, cut) for cut in reference.cuts if not any(a <= cut <= b for a, b in away)]
    return sorted(away + bare)


def answers_after_cuts(reference: Reference, judged: Judged, start: int) -> dict[str, int]:
    """In how many of the other shots he was answered rightly, wrongly, or not at all.

    A shot of which nothing is known counts only where the box is on somebody else whose identity is certain.
    """
    told = {"right": 0, "wrong": 0, "none": 0}
    given_wrong = judged.wrong | judged.off | judged.ghost | judged.beyond_other
    least = ANSWER_SEC * reference.fps
    for begin, end in _shots(reference):
        if begin <= start < end:
            continue
        right, wrong = int(judged.on[begin:end].sum()), int(given_wrong[begin:end].sum())
        if right + wrong >= least:
            told["right" if right >= wrong else "wrong"] += 1
        elif (judged.seen | judged.absent)[begin:end].any():
            told["none"] += 1
    return told


def _shots(reference: Reference) -> Iterator[tuple[int, int]]:
    edges = [0, *reference.cuts, reference.frames]
    yield from pairwise(edges)


def path_array(samples: Sequence[Mapping[str, Any]], fps: float, frames: int) -> Floats:
    """Samples of {"t": seconds, "box": xywh or None} as a path (frames, 4)."""
    path = np.full((frames, 4), np.nan)
    for sample in samples:
        k = round(sample["t"] * fps)
        if sample["box"] is not None and k < frames:
            path[k] = sample["box"]
    return path


def summary(reference: Reference, judged: Judged, start: int) -> dict[str, Any]:
    """The figures of one pick; counts are frames."""
    after = judged.seen & (np.arange(reference.frames) >= start)
    return {
        "coverage": _mean(judged.on[judged.seen]),
        "coverage_after": _mean(judged.on[after]),
        "coverage_loose": _mean(judged.near[judged.seen]),
        **{name: int(getattr(judged, name).sum()) for name in COUNTED},
        "absences": absences(reference, judged, start),
        "cuts": answers_after_cuts(reference, judged, start),
        "wrong_spans": spans(judged.wrong),
        "miss_spans": spans(judged.seen & ~judged.on),
    }


COUNTED: Final = (
    "seen", "wrong", "wrong_kit", "off", "ghost", "beyond", "beyond_other", "lost", "lost_rightly"
)  # fmt: skip


def _mean(values: Mask) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
