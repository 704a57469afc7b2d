"""HDR pictures (HLG and PQ, in BT.2020's colours) for eyes and detectors that know SDR.

Light of 100 nits is SDR's white. Up to four fifths of it a picture stays as it is; what is brighter is bent so
that 1000 nits, the peak of the usual screen, becomes white: the curve that tone mappers call Möbius.
"""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SDR_NITS: Final = 100.0
PEAK_NITS: Final = 1000.0
KNEE: Final = 0.8
DISPLAY_GAMMA: Final = 2.4
HLG_GAMMA: Final = 1.2
# ITU-R BT.2087, for columns in the order B, G, R.
TO_BT709_BGR: Final = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)
LUMA_BGR: Final = np.array([[0.0593, 0.6780, 0.2627]], np.float32)
STEPS: Final = 1 << 16


def _hlg_light() -> Floats:
    """Light of the scene, 0..1, for each 16 bit code: the inverse of BT.2100's HLG OETF."""
    signal = np.arange(STEPS) / (STEPS - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)


def _pq_light() -> Floats:
    """Light of the display as a share of the peak, at most 1, for each 16 bit code: BT.2100's PQ EOTF."""
    signal = (np.arange(STEPS) / (STEPS - 1)) ** (1 / 78.84375)
    light = (np.maximum(signal - 0.8359375, 0) / (18.8515625 - 18.6875 * signal)) ** (1 / 0.1593017578125)
    return np.minimum(light * 10_000 / PEAK_NITS, 1).astype(np.float32)


def _bent() -> NDArray[np.uint8]:
    """8 bit codes for light between 0 and the peak, in steps that are even in its square root."""
    light = (np.arange(STEPS) / (STEPS - 1)) ** 2 * PEAK_NITS / SDR_NITS
    peak = PEAK_NITS / SDR_NITS
    a = -(KNEE**2) * (peak - 1) / (KNEE**2 - 2 * KNEE + peak)
    b = (KNEE**2 - 2 * KNEE * peak + peak) / (peak - 1)
    bent = (b**2 + 2 * b * KNEE + KNEE**2) / (b - a) * (light + a) / (light + b)
    shown = np.where(light <= KNEE, light, bent).clip(0, 1) ** (1 / DISPLAY_GAMMA)
    return np.rint(255 * shown).astype(np.uint8)


HLG: Final = _hlg_light()[None]
PQ: Final = _pq_light()[None]
BENT: Final = _bent()[None]


def from_hlg(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """SDR of an HLG picture, (height, width, 3) uint16 BGR."""
    light = cv2.LUT(codes, HLG)
    bright = cv2.pow(np.maximum(cv2.transform(light, LUMA_BGR), 1e-6), HLG_GAMMA - 1)
    return _shown(light * bright.reshape(*light.shape[:2], 1))


def from_pq(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """SDR of a PQ picture, (height, width, 3) uint16 BGR."""
    return _shown(cv2.LUT(codes, PQ))


def _shown(light: NDArray[Any]) -> NDArray[np.uint8]:
    narrow = cv2.transform(light, TO_BT709_BGR).clip(0, 1)
    return np.asarray(cv2.LUT((cv2.sqrt(narrow) * (STEPS - 1)).astype(np.uint16), BENT), np.uint8)


cv2.setNumThreads(1)
CURVES: Final[dict[int, Callable[[NDArray[Any]], NDArray[np.uint8]]]] = {16: from_pq, 18: from_hlg}
"""By FFmpeg's number of the transfer characteristic."""
