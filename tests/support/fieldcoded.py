"""H.264 whose pictures are coded field by field (PAFF), as camcorders write it and no encoder at hand does.

Macroblocks are uncoded samples (I_PCM), so that the syntax around them is all there is to it.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from smallvideos import Picture, picture

FIELD_TICKS = 1800
"""Of 90 kHz: 50 fields a second."""
KEY_EVERY = 10


class _Bits:
    """A bit string, written from the left."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, length: int) -> "_Bits":
        self.text += format(value, f"0{length}b") if length else ""
        return self

    def ue(self, *values: int) -> "_Bits":
        for value in values:
            code = format(value + 1, "b")
            self.text += "0" * (len(code) - 1) + code
        return self

    def aligned(self) -> bytes:
        """The whole bytes so far, after zeros up to the next one."""
        text = self.text + "0" * (-len(self.text) % 8)
        return int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:]


def _nal(head: int, body: bytes) -> bytes:
    return b"\0\0\0\1" + bytes([head]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", body)


def _parameters(width: int, height: int, timed: bool) -> bytes:
    """Sequence and picture parameters: fields are allowed, macroblocks of both are not."""
    sps = _Bits().u(77, 8).u(0, 8).u(30, 8).ue(0, 4, 0, 4, 4).u(0, 1)
    sps.ue(width // 16 - 1, height // 32 - 1).u(0, 1).u(0, 1).u(1, 1).u(0, 1)
    sps.u(1, 1).u(0, 4).u(timed, 1)
    if timed:
        sps.u(1, 32).u(50, 32).u(1, 1)
    sps.u(0, 3).u(1, 1).u(1, 1).ue(0, 0, 10, 10, 1, 4)
    pps = _Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(1, 1).u(0, 2)
    return _nal(0x67, sps.u(1, 1).aligned()) + _nal(0x68, pps.u(1, 1).aligned())


def _slice(image: Sequence[NDArray[np.uint8]], key: bool, reference: bool, frame_num: int, poc: int, field: int | None) -> bytes:  # fmt: skip
    """One slice with all macroblocks of a field (0 top, 1 bottom) or of a frame (None)."""
    idr, intra = key and field != 1, key
    bits = _Bits().ue(0, 7 if intra else 5, 0).u(frame_num, 8)
    bits.u(field is not None, 1)
    if field is not None:
        bits.u(field, 1)
    if idr:
        bits.ue(0)
    bits.u(poc & 255, 8)
    if not intra:
        bits.u(0, 2)
    if reference:
        bits.u(0, 2 if idr else 1)
    bits.ue(0, 1)
    planes = [plane if field is None else plane[field::2] for plane in image]
    body = b""
    for row in range(planes[0].shape[0] // 16):
        for column in range(planes[0].shape[1] // 16):
            if not intra:
                bits.ue(0)
            head = bits.ue(25 if intra else 30).aligned()
            bits = _Bits()
            body += head + b"".join(_block(p, row, column, 16 if k == 0 else 8) for k, p in enumerate(planes))
    body += bits.u(1, 1).aligned()
    return _nal((0x65 if idr else 0x41) if reference else 0x01, body)


def _block(plane: NDArray[np.uint8], row: int, column: int, side: int) -> bytes:
    return plane[row * side : (row + 1) * side, column * side : (column + 1) * side].tobytes()


def _planes(image: Picture) -> list[NDArray[np.uint8]]:
    """Y, U and V, without zeros, which would need escapes."""
    height, width = image.shape[:2]
    flat = av.VideoFrame.from_ndarray(image, "rgb24").to_ndarray(format="yuv420p").clip(16, 240)
    chroma = flat[height:].reshape(2, height // 2, width // 2)
    return [flat[:height], chroma[0], chroma[1]]


def write_fields(
    file: Path,
    pictures: int = 30,
    adaptive: bool = False,
    reordered: bool = False,
    timed: bool = True,
    size: tuple[int, int] = (160, 96),
    joined: bool = False,
    **opening: Any,
) -> Path:
    """The numbered pictures, each of two fields with a packet of their own, 25 a second.

    `adaptive`: every third picture is coded as a frame. `reordered`: every second one is decoded after its
    successor. `stamps`: whether the packets of first and second fields bear a time.
    """
    units: list[tuple[bytes, int, bool, bool]] = []
    frame_num = 0
    for number in _order(pictures, reordered):
        key, reference = number % KEY_EVERY == 0, not reordered or number % 2 == 0
        frame_num = 0 if key else frame_num
        planes, poc = _planes(picture(number, size)), 2 * (number % KEY_EVERY)
        whole = adaptive and number % 3 == 1
        for field in (None,) if whole else (0, 1):
            head = b"\0\0\0\1\x09\xf0" + (_parameters(*size, timed) if key and not field else b"")
            unit = head + _slice(planes, key, reference, frame_num, poc + (field or 0), field)
            if joined and field == 1:
                units[-1] = (units[-1][0] + unit, *units[-1][1:3], False)
            else:
                units.append((unit, 2 * number + (field or 0), key and not field, field is not None))
        frame_num = (frame_num + reference) % 256
    return _muxed(file, units, reordered, opening)


def _order(pictures: int, reordered: bool) -> list[int]:
    if not reordered:
        return list(range(pictures))
    return sorted(range(pictures), key=lambda n: n + 1.5 if n % 2 and (n + 1) % KEY_EVERY else n)


def _muxed(
    file: Path,
    units: list[tuple[bytes, int, bool, bool]],
    reordered: bool,
    opening: dict[str, Any],
) -> Path:
    raw = file.with_suffix(".h264")
    raw.write_bytes(units[0][0])
    delay = 2 if reordered else 0
    with av.open(str(raw), format="h264") as old, av.open(str(file), "w", **opening) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        decoded = 0
        for unit, shown, key, halves in units:
            packet = av.Packet(unit)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 90_000), key
            packet.pts, packet.dts = (shown + delay + 10) * FIELD_TICKS, (decoded + 10) * FIELD_TICKS
            decoded += 1 if halves else 2
            new.mux(packet)
    raw.unlink()
    return file
