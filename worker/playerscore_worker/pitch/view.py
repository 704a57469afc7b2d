"""One camera: a pinhole with a radial lens, as eight numbers, and how it turns when the picture moves.

A state is (8,): pan, tilt, roll (radians), log of the focal length in pixels, the camera's place x, y, z (metres), and
k1, the radial term of OpenCV's lens model (x_distorted = x (1 + k1 r^2) in units of the focal length).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIZE: Final = 8
TURNING: Final = slice(0, 4)
"""What a tripod's camera changes: pan, tilt, roll and zoom."""
STEPS: Final = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-3, 1e-3, 1e-3, 1e-4])
"""Of the numeric derivatives."""


def rotation(state: Floats) -> Floats:
    """(3, 3): from pitch axes to the camera's right, down and forward."""
    (cp, ct, cr), (sp, st, sr) = np.cos(state[:3]), np.sin(state[:3])
    level = np.array([[cp, -sp, 0.0], [-sp * st, -cp * st, -ct], [sp * ct, cp * ct, -st]])
    return np.asarray(np.array([[cr, sr, 0.0], [-sr, cr, 0.0], [0.0, 0.0, 1.0]]) @ level)


def project(state: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Pixels (n, 2) and depths (n,), metres, of pitch points (n, 2) or (n, 3); NaN where none can be seen."""
    place = np.zeros((len(points), 3))
    place[:, : points.shape[1]] = points
    seen = (place - state[4:7]) @ rotation(state).T
    return lens(state, seen), seen[:, 2]


def lens(state: Floats, rays: Floats) -> Floats:
    """Pixels (n, 2) of rays (n, 3) in the camera's axes; NaN behind it and where the lens would fold over."""
    with np.errstate(divide="ignore", invalid="ignore"):
        plane = rays[:, :2] / rays[:, 2:]
        squared = (plane**2).sum(1)
        # Beyond its turning point the polynomial brings far points back into the picture.
        bad = (rays[:, 2] < 0.5) | (1 + 3 * state[7] * squared < 0.1)
        pixels = plane * (1 + state[7] * squared)[:, None] * np.exp(state[3])
    pixels[bad] = np.nan
    return np.asarray(pixels)


def rays(state: Floats, pixels: Floats) -> Floats:
    """Rays (n, 3) in the camera's axes, of depth 1, on which pixels (n, 2) lie."""
    bent = pixels / np.exp(state[3])
    plane = bent
    for _ in range(8 if state[7] else 0):
        plane = bent / np.maximum(1 + state[7] * (plane**2).sum(1), 0.3)[:, None]
    return np.column_stack([plane, np.ones(len(plane))])


def ground(state: Floats, pixels: Floats) -> Floats:
    """Pitch metres (n, 2) seen at pixels (n, 2); NaN at and above the horizon."""
    directions = rays(state, pixels) @ rotation(state)
    down = np.where(directions[:, 2] < -1e-3, directions[:, 2], np.nan)
    return np.asarray(state[4:6] - directions[:, :2] * (state[6] / down)[:, None])


def derivative(function: Any, state: Floats, which: slice = slice(0, SIZE)) -> Floats:
    """(m, k): how `function(state)`, flattened to (m,), changes with the chosen parts of the state."""
    here, columns = function(state), []
    for index in range(SIZE)[which]:
        step = np.zeros(SIZE)
        step[index] = STEPS[index]
        columns.append((function(state + step) - here).ravel() / STEPS[index])
    return np.column_stack(columns)


def turned(state: Floats, moved: Floats, width: float, height: float) -> Floats:
    """The state after the picture moved by the similarity `moved` (2, 3), pixels from the picture's middle.

    The similarity is the follower's best for the whole picture; the turn and zoom that move a grid of its pixels most
    alike are looked for, which is a pan's own shift and not the mean that a wide lens makes of it.
    """
    x, y = np.meshgrid(np.linspace(-0.4, 0.4, 5) * width, np.linspace(-0.4, 0.4, 4) * height)
    grid = np.column_stack([x.ravel(), y.ravel()])
    world = rays(state, grid) @ rotation(state)
    goal = grid @ moved[:, :2].T + moved[:, 2]
    new = state.copy()

    def seen(at: Floats) -> Floats:
        return lens(at, world @ rotation(at).T)

    for _ in range(2):
        slope = derivative(seen, new, TURNING)
        missing = (goal - seen(new)).ravel()
        known = np.isfinite(missing) & np.isfinite(slope).all(1)
        if known.sum() < 8:
            return state
        new[TURNING] += np.linalg.lstsq(slope[known], missing[known], rcond=None)[0]
    return new
