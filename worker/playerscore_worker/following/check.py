"""Follow a segment, follow it back, and follow again when the way back leads to somebody else.

A confident follower is supported by detections also while it is on the wrong man. The way back is the best
single test that is known: from where the target was last seen clearly, it should end at the box it began with.
When it ends at another person, that person is made known as a neighbour, and the segment is followed again.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.following.joint import Follower, Sight, State
from playerscore_worker.following.scene import Scene

Floats = NDArray[np.float64]

MAX_RETRIES: Final = 2
AGREE_IOU: Final = 0.3
AGREE_SHIFT_H: Final = 0.5


@dataclass(frozen=True)
class Run:
    """A segment that was followed and checked."""

    sights: list[Sight]
    """One for each position."""
    agreement: list[bool | None]
    """Whether the way back was at the same place; None where it says nothing (lost, or not yet compared)."""
    at_commit: Follower
    """The follower's state at the position that was asked for."""
    returned: bool
    """Whether the way back ended at the segment's first box."""
    stranger_xyxy: Floats | None
    """Where the way back ended instead, if at somebody else."""

    @property
    def worth(self) -> tuple[bool, float]:
        """Runs that returned are better; then those that agree more often."""
        known = [agrees for agrees in self.agreement if agrees is not None]
        return self.returned, sum(known) / max(1, len(self.sights))


def follow_checked(scene: Scene, begin: Follower, first: Sight, commit: int) -> Run:
    """Follow a scene from position 0, where `begin` stands and `first` was seen; the best run of up to three."""
    best = _run(scene, begin.copy(), first, commit)
    last, candidate = best, begin.copy()
    for _ in range(MAX_RETRIES):
        if last.returned or last.stranger_xyxy is None:
            break
        if not candidate.add_neighbour(scene, 0, last.stranger_xyxy):
            break
        last = _run(scene, candidate.copy(), first, commit)
        if last.worth > best.worth:
            best = last
    return best


def _run(scene: Scene, follower: Follower, first: Sight, commit: int) -> Run:
    sights, at_commit = [first], follower.copy()
    for position in range(1, len(scene)):
        sights.append(follower.advance(scene, position - 1, position))
        if position == commit:
            at_commit = follower.copy()
    agreement: list[bool | None] = [None] * len(sights)
    returned, stranger = True, None
    for begin, end in _pieces(sights):
        back = _way_back(scene, sights, begin, end)
        for position, other in back.items():
            agreement[position] = agrees(sights[position], other)
        if begin == 0 and back:
            returned = bool(agreement[0])
            stranger = None if returned or back[0] is None else back[0].box_xyxy
    return Run(sights, agreement, at_commit, returned, stranger)


def _pieces(sights: list[Sight]) -> list[tuple[int, int]]:
    """Stretches without loss, as (first, last) positions."""
    pieces, begin = [], None
    for position, sight in enumerate([*sights, None]):
        followed = sight is not None and sight.state != State.LOST
        if followed and begin is None:
            begin = position
        if not followed and begin is not None:
            pieces.append((begin, position - 1))
            begin = None
    return pieces


def _way_back(scene: Scene, sights: list[Sight], begin: int, end: int) -> dict[int, Sight | None]:
    """What following back from the last clear sight saw, by position; None where it had lost him."""
    start = _last_clear(sights, begin, end)
    if start is None or start == begin:
        return {}
    box = sights[start].box_xyxy
    assert box is not None
    follower = Follower.start(scene, start, box)
    back: dict[int, Sight | None] = {start: sights[start]}
    for position in range(start - 1, begin - 1, -1):
        sight = follower.advance(scene, position + 1, position)
        if sight.state == State.LOST:
            back.update(dict.fromkeys(range(begin, position + 1)))
            break
        back[position] = sight
    return back


def _last_clear(sights: list[Sight], begin: int, end: int) -> int | None:
    supported = [k for k in range(begin, end + 1) if sights[k].state == State.SUPPORTED]
    clear = [k for k in supported if not sights[k].overlapped_by]
    best = clear or supported
    return best[-1] if best else None


def agrees(there: Sight, back: Sight | None) -> bool | None:
    """Whether two sights are one place; None when the first is not a supported one."""
    if there.state != State.SUPPORTED or there.box_xyxy is None:
        return None
    if back is None or back.box_xyxy is None:
        return False
    iou = boxes.iou_matrix(there.box_xyxy[None], back.box_xyxy[None])[0, 0]
    pair = np.stack([there.box_xyxy, back.box_xyxy])
    shift = np.hypot(*np.diff(boxes.centres(pair), axis=0)[0])
    return bool(iou >= AGREE_IOU or shift < AGREE_SHIFT_H * (pair[0, 3] - pair[0, 1]))
