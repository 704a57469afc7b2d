"""Each frame's camera: fitted to the clicked points, carried by the picture's motion, held by the pitch's lines.

Within a shot an extended Kalman filter runs over the frames. It predicts by the camera's motion that the follower
measured, and is corrected by clicked points and by ridges matched to lines, each correction iterated with robust
weights. The Rauch-Tung-Striebel recursion then carries what later frames knew back to earlier ones. The recursion is
written out here because each step's model is the camera's own; what filterpy, which had its last release in 2018, adds
to numpy is one line of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from playerscore.landmarks import Markings, landmarks
from playerscore.resources import PitchMoment
from playerscore_worker.camera import CameraStep
from playerscore_worker.pitch import lines, view
from playerscore_worker.pitch.lines import Model, Ridges
from playerscore_worker.pitch.view import SIZE, Floats

CLICK_SHARE: Final = 0.002
"""How exactly people click: two thousandths of the picture's width, 2.5 pixels of 1280."""
LINE_SHARE: Final = 0.0012
"""How far a ridge is off its line: the paint's width, the lens and the encoder."""
LINE_POINTS: Final = 24.0
"""Ridges of one picture err alike: no more than so many count as independent."""
MIN_RIDGES: Final = 30
"""With fewer ridges on lines a picture does not say where it is."""
GATE_SHARE: Final = 0.015
"""A ridge that is farther than this from its line, of the picture's width, is something else."""
LOST_SHARE: Final = 0.02
"""Where it is not known to this part of the width where a line is, the nearest line may be another."""
FLOW_SHARE: Final = 0.00015
"""Error of a measured motion from frame to frame, of the picture's width."""
FLOW_SLOPE: Final = 0.03
"""And of its size: parallax, people, and what a similarity cannot say."""
FLOW_LENGTH: Final = 0.08
"""That error keeps its sign for about so many radians of a pan, or so much of a zoom."""
BLIND_TURN: Final = np.array([0.03, 0.01, 0.005, 0.03])
"""What may happen in a step that was not measured: radians, and parts of the focal length."""
TRIPOD_M: Final = 0.02
"""How far the camera's place may wander in a second; what no tripod holds is told by the moments."""
PRIOR: Final = np.array([np.inf, np.inf, 0.1, 1.5, np.inf, np.inf, np.inf, 0.12])
"""Before any point is seen: cameras are held level, lenses bend little."""


@dataclass(frozen=True)
class Moment:
    """Clicked points of one moment: pixels from the picture's middle and metres from the pitch's, both (n, 2)."""

    time_sec: float
    pixels: Floats
    points: Floats
    names: tuple[str, ...]


@dataclass
class Track:
    """The cameras of all samples."""

    states: Floats
    """(samples, 8); NaN where there is none."""
    covariances: Floats
    """(samples, 8, 8)."""
    line_points: NDArray[np.int64]
    """How many ridges held each sample's camera; 0 where none was looked at."""
    checks: list[tuple[float, float, float]] = field(default_factory=list)
    """At each later moment of a shot: when, seconds since the last one, and how far off the carried camera was, m."""

    def known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.states[:, 0])


def moment_of(given: PitchMoment, marks: Markings, width: int, height: int) -> Moment:
    """The moment in the calibration's units."""
    names = landmarks(marks)
    places = []
    for point in given.points:
        if point.landmark:
            places.append(names[point.landmark])
        else:
            places.append((point.pitch_x or 0.0, point.pitch_y or 0.0))
    pixels = [((point.image_x - 0.5) * width, (point.image_y - 0.5) * height) for point in given.points]
    points = (np.array(places) - [marks.length / 2, marks.width / 2]) * [1.0, -1.0]
    told = tuple(p.landmark or f"({p.pitch_x:g}, {p.pitch_y:g})" for p in given.points)
    return Moment(given.time_sec, np.array(pixels), points, told)


def fitted(moment: Moment, width: float) -> Floats | None:
    """The camera (8,) that sees the clicked points best; None where no camera does.

    OpenCV's planar pose for each of many focal lengths begins, scipy's least squares ends.
    """
    starts = []
    for share in np.geomspace(0.4, 12, 18):
        lens = np.array([[share * width, 0, 0], [0, share * width, 0], [0, 0, 1.0]])
        objects = np.column_stack([moment.points, np.zeros(len(moment.points))])
        count, turns, shifts, errors = cv2.solvePnPGeneric(
            objects, moment.pixels, lens, None, flags=cv2.SOLVEPNP_IPPE
        )
        for turn, shift, error in zip(turns[:count], shifts[:count], np.ravel(errors)[:count], strict=True):
            state = _from_pose(cv2.Rodrigues(turn)[0], shift.ravel(), share * width)
            if state is not None:
                starts.append((float(error), state))
    starts.sort(key=lambda item: item[0])
    fits = [_refined(moment, state, width) for _, state in starts[:4]]
    found = min((fit for fit in fits if fit), key=lambda fit: fit[0], default=None)
    return found[1] if found else None


def _from_pose(turn: Floats, shift: Floats, focal: float) -> Floats | None:
    place = -turn.T @ shift
    if place[2] < 0.5 or not np.isfinite(place).all():
        return None
    forward = turn[2]
    pan, tilt = np.arctan2(forward[0], forward[1]), np.arcsin(np.clip(-forward[2], -1, 1))
    level = view.rotation(np.array([pan, tilt, 0, 0, 0, 0, 0, 0], float))
    roll = np.arctan2(turn[0] @ level[1], turn[0] @ level[0])
    return np.array([pan, tilt, roll, np.log(focal), *place, 0.0])


def _refined(moment: Moment, start: Floats, width: float) -> tuple[float, Floats] | None:
    sigma = CLICK_SHARE * width
    usual = np.array([0, 0, 0, np.log(1.5 * width), 0, 0, 0, 0])

    def errors(state: Floats) -> Floats:
        seen, _ = view.project(state, moment.points)
        off = np.nan_to_num((seen - moment.pixels) / sigma, nan=1e3).ravel()
        return np.concatenate([off, (state - usual)[[2, 3, 7]] / PRIOR[[2, 3, 7]]])

    low, high = np.full(SIZE, -np.inf), np.full(SIZE, np.inf)
    low[6], low[7], high[7] = 0.5, -0.6, 0.6
    scale = np.array([0.01, 0.01, 0.01, 0.1, 5, 5, 5, 0.1])
    found = least_squares(errors, np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), x_scale=scale)
    return (float(found.cost), found.x) if np.isfinite(found.cost) else None


def worst(moment: Moment, state: Floats) -> tuple[str, float]:
    """The clicked point that its camera sees farthest off, and by how many metres."""
    off = np.hypot(*(view.ground(state, moment.pixels) - moment.points).T)
    index = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
    return moment.names[index], float(np.nan_to_num(off[index], nan=np.inf))


def followed(
    times: Floats,
    steps: Sequence[CameraStep],
    broken: NDArray[np.bool_],
    moments: Sequence[tuple[int, Moment, Floats]],
    ridges: dict[int, Ridges],
    marks: Markings,
    size: tuple[int, int],
) -> Track:
    """The camera of every sample that a moment's shot reaches.

    times (n,) seconds; `steps[i]` leads from sample i - 1 to i, in pixels of the whole picture; broken (n,) says where
    a cut lies before a sample; moments are (sample, clicked points, fitted camera); ridges are by sample.
    """
    count = len(times)
    track = Track(np.full((count, SIZE), np.nan), np.zeros((count, SIZE, SIZE)), np.zeros(count, np.int64))
    moved = [_about_middle(step, size) for step in steps]
    follower = _Follower(
        times,
        moved,
        {index: (moment, state) for index, moment, state in moments},
        ridges,
        lines.model(marks),
        size,
        track,
    )
    bounds = [0, *np.flatnonzero(broken).tolist(), count]
    for begin, end in pairwise(bounds):
        here = sorted(index for index, _, _ in moments if begin <= index < end)
        if here:
            follower.shot(begin, end, here[0])
    return track


def _about_middle(step: CameraStep, size: tuple[int, int]) -> tuple[Floats, bool]:
    """The similarity in pixels from the picture's middle, and whether it was measured."""
    middle = np.array(size) / 2
    matrix = step.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ middle - middle
    return matrix, step.inlier_share > 0


@dataclass
class _Follower:
    """Filters one shot at a time."""

    times: Floats
    moved: list[tuple[Floats, bool]]
    moments: dict[int, tuple[Moment, Floats]]
    ridges: dict[int, Ridges]
    lines: Model
    size: tuple[int, int]
    track: Track

    def shot(self, begin: int, end: int, first: int) -> None:
        """Forwards from the first moment, then backwards from it, each smoothed."""
        _, state = self.moments[first]
        loose = np.diag([0.3, 0.3, 0.1, 0.7, 40, 40, 20, 0.12]) ** 2
        self._sweep(list(range(first, end)), state, loose)
        self._sweep(
            list(range(first, begin - 1, -1)), self.track.states[first], self.track.covariances[first]
        )

    def _sweep(self, order: list[int], state: Floats, covariance: Floats) -> None:
        """Filter along the samples in that order, smooth back, and keep all but what was known before."""
        known = bool(np.isfinite(self.track.states[order[0], 0]))
        states, covs, before = [], [], []
        since = order[0]
        for position, sample in enumerate(order):
            if position:
                state, covariance = self._predicted(order[position - 1], sample, state, covariance)
            before.append((state, covariance))
            if sample in self.moments and not (known and position == 0):
                if position:
                    self._check(sample, since, state)
                    since = sample
                state, covariance = self._corrected(sample, state, covariance)
            elif sample in self.ridges:
                state, covariance = self._corrected(sample, state, covariance)
            states.append(state)
            covs.append(covariance)
        for position in range(len(order) - 2, -1, -1):
            ahead, spread = before[position + 1]
            gain = covs[position] @ np.linalg.pinv(spread, hermitian=True)
            change = states[position + 1] - ahead
            covs[position] = covs[position] + gain @ (covs[position + 1] - spread) @ gain.T
            states[position] = states[position] + gain @ change
        for position, sample in enumerate(order):
            if not (known and position == 0):
                self.track.states[sample] = states[position]
                self.track.covariances[sample] = covs[position]

    def _predicted(self, last: int, now: int, state: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        matrix, measured = self.moved[max(last, now)]
        elapsed = abs(self.times[now] - self.times[last])
        if now < last:
            matrix = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        new = view.turned(state, matrix, *self.size) if measured else state
        noise = np.zeros(SIZE)
        noise[4:7] = TRIPOD_M**2 * elapsed
        noise[7] = 0.002**2 * elapsed
        if measured:
            turn = np.abs(new - state)[:4]
            angle = FLOW_SHARE * self.size[0] / np.exp(state[3])
            noise[:4] = [angle**2, angle**2, (2 * FLOW_SHARE) ** 2, (2 * FLOW_SHARE) ** 2]
            noise[:2] += FLOW_SLOPE**2 * turn.max() * FLOW_LENGTH
            noise[2:4] += FLOW_SLOPE**2 * turn.max() * FLOW_LENGTH / 4
        else:
            noise[:4] = BLIND_TURN**2
        return new, covariance + np.diag(noise)

    def _check(self, sample: int, since: int, state: Floats) -> None:
        moment, _ = self.moments[sample]
        off = np.hypot(*(view.ground(state, moment.pixels) - moment.points).T)
        off = off[np.isfinite(off)]
        told = float(np.sqrt(np.mean(off**2))) if len(off) else float("inf")
        self.track.checks.append(
            (float(self.times[sample]), float(abs(self.times[sample] - self.times[since])), told)
        )

    def _corrected(self, sample: int, state: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        """The state after the sample's clicked points and lines."""
        clicked = self.moments.get(sample)
        begin = state
        if clicked and self._off_px(clicked[0], state) > LOST_SHARE * self.size[0]:
            begin = clicked[1]  # The carried camera is far off: the fitted one is nearer to the solution.
        state, covariance = self._solved(begin, state, covariance, sample, clicked)
        return state, covariance

    def _off_px(self, moment: Moment, state: Floats) -> float:
        seen, _ = view.project(state, moment.points)
        return float(np.nan_to_num(np.abs(seen - moment.pixels), nan=1e6).max())

    def _solved(
        self,
        begin: Floats,
        prior: Floats,
        covariance: Floats,
        sample: int,
        clicked: tuple[Moment, Floats] | None,
    ) -> tuple[Floats, Floats]:
        """Gauss-Newton on prior, clicked points and, once these agree, lines with a closing gate."""
        weight = np.asarray(np.linalg.inv(covariance), np.float64)
        state, information = begin, weight
        width = self.size[0]
        gates: list[float | None] = [None] * (4 if clicked else 0)
        if sample in self.ridges and (clicked or self._spread_px(prior, covariance) < LOST_SHARE * width):
            gates += [GATE_SHARE * width, GATE_SHARE * width / 3]
        for gate in gates:
            information, pull = weight.copy(), weight @ (prior - state)
            if clicked:
                information, pull = self._with_points(clicked[0], state, information, pull)
            if gate:
                found = self._with_lines(sample, state, gate, information, pull)
                if found is None:
                    if not clicked:
                        return prior, covariance
                else:
                    information, pull = found
            state = np.asarray(state + np.linalg.solve(information, pull), np.float64)
        return state, np.asarray(np.linalg.inv(information), np.float64)

    def _spread_px(self, state: Floats, covariance: Floats) -> float:
        """How far off, in pixels, a line in the picture's middle may be."""
        focal = float(np.exp(state[3]))
        middle = view.ground(state, np.array([[0.0, self.size[1] * 0.15]]))
        if not np.isfinite(middle).all():
            return float(focal * np.sqrt(covariance[0, 0] + covariance[1, 1]))
        slope = view.derivative(lambda at: view.project(at, middle)[0], state)
        return float(np.sqrt(np.trace(slope @ covariance @ slope.T)))

    def _with_points(self, moment: Moment, state: Floats, information: Floats, pull: Floats) -> tuple[Floats, Floats]:  # fmt: skip
        def seen(at: Floats) -> Floats:
            return view.project(at, moment.points)[0]

        slope = view.derivative(seen, state)
        off = (moment.pixels - seen(state)).ravel()
        good = np.isfinite(off) & np.isfinite(slope).all(1)
        return _added(slope[good], off[good], CLICK_SHARE * self.size[0], 1.0, information, pull)

    def _with_lines(self, sample: int, state: Floats, gate: float, information: Floats, pull: Floats) -> tuple[Floats, Floats] | None:  # fmt: skip
        points, pixels, normals = lines.matched(self.lines, self.ridges[sample], state, self.size, gate)
        self.track.line_points[sample] = len(points)
        if len(points) < MIN_RIDGES:
            self.track.line_points[sample] = 0
            return None

        def across(at: Floats) -> Floats:
            return np.asarray((view.project(at, points)[0] * normals).sum(1))

        slope = view.derivative(across, state)
        off = (pixels * normals).sum(1) - across(state)
        good = np.isfinite(off) & np.isfinite(slope).all(1)
        share = min(1.0, LINE_POINTS / max(1, good.sum()))
        return _added(slope[good], off[good], LINE_SHARE * self.size[0], share, information, pull)


def _added(slope: Floats, off: Floats, sigma: float, share: float, information: Floats, pull: Floats) -> tuple[Floats, Floats]:  # fmt: skip
    """Huber's weights: what is far off pulls no harder than what is two sigmas off."""
    weight = share / sigma**2 * np.minimum(1.0, 2 * sigma / np.maximum(np.abs(off), 1e-9))
    weighted = slope * weight[:, None]
    return information + weighted.T @ slope, pull + weighted.T @ off
