"""Good videos damaged at random, and what the worker makes of them."""

import random
from pathlib import Path

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore_worker import container
from playerscore_worker.frames import Decoder, Limits

PATIENCE_SEC = 60.0
"""The longest silence of a decoder, on a busy machine."""
LIMITS = Limits(frame_timeout_sec=PATIENCE_SEC, memory_bytes=1 << 30, cpu_sec=60)


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Up to 80 bytes changed, most of them where the index is (a decoder forgives a dozen); sometimes a piece cut out, doubled, or cut off."""
    made = bytearray(content)
    index = content.find(b"moov")
    for _ in range(dice.randint(1, 80)):
        inside = index > 0 and dice.random() < 0.7
        at = dice.randrange(index, min(len(made), index + 900)) if inside else dice.randrange(len(made))
        made[at] = dice.choice([0, 0xFF, 0x7F, dice.randrange(256)])
    begin, end = sorted(dice.randrange(len(made)) for _ in range(2))
    what = dice.random()
    if what < 0.15:
        del made[begin:end]
    elif what < 0.25:
        made[end:end] = made[begin:end]
    elif what < 0.4:
        del made[end:]
    return bytes(made)


def taken(path: Path) -> str:
    """What the worker's own preflight and decoding say: a code, or nothing when all of it could be decoded."""
    try:
        container.check(path, VideoLimits())
        with Decoder(path, LIMITS) as decoder:
            for _ in decoder.read():
                pass
    except VideoError as error:
        return error.code
    return ""


def fault(path: Path) -> tuple[str, str]:
    """The code as of `taken`, and what is wrong: a hang, or an end without a code; empty when nothing is."""
    try:
        container.check(path, VideoLimits())
        with Decoder(path, LIMITS) as decoder:
            middle = decoder.info.duration_sec / 2
            for _ in decoder.read():
                pass
            for _ in decoder.read(middle):
                pass
    except VideoError as error:
        endless = error.code == "VIDEO_DECODE_TIMEOUT" or "signal 24" in error.message
        return error.code, f"{error.code}: {error.message}" if endless else ""
    except Exception as error:  # noqa: BLE001 - whatever else comes is what is looked for
        return "", f"{type(error).__name__}: {error}"
    return "", ""
