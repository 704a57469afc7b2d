"""Which packets of an H.264 track are the second half of a picture.

Camcorders and broadcasters code some or all pictures field by field (PAFF), and containers then hold a packet for
each field. Only the bit stream says so: its sequence parameters (SPS) whether fields may come, the head of each
slice whether this is one (ITU-T H.264, 7.3.2.1, 7.3.2.2 and 7.3.3).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

SLICES: Final = frozenset({1, 2, 5})
SPS, PPS = 7, 8
# Profiles that say more about their samples.
HIGH: Final = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244})
# Of a slice's head so many bytes are looked at, of parameters so many.
HEAD_BYTES: Final = 24
PARAMETER_BYTES: Final = 1024
# Before a picture's first slice.
MAX_UNITS: Final = 40
MAX_CYCLE: Final = 255


class _Sequence(NamedTuple):
    """What of the sequence parameters the head of a slice is read by."""

    frame_num_bits: int
    fields: bool
    three_planes: bool


class _Field(NamedTuple):
    frame_num: int
    bottom: bool


class Fields:
    """Looks at the packets of one track, in the order of decoding."""

    def __init__(self, extradata: bytes | None) -> None:
        data = extradata or b""
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}
        self._first: _Field | None = None
        # An MP4's avcC: units have their length in front.
        self._length_bytes = (data[4] & 3) + 1 if len(data) > 6 and data[0] == 1 else 0
        for unit in _boxed(data) if self._length_bytes else _marked(data):
            self._learn(unit)

    def completes(self, packet: memoryview, key: bool) -> bool:
        """Whether this is the second field of the picture that the packet before began."""
        if not key and not any(sequence.fields for sequence in self._sequences.values()):
            return False
        field = self._field(packet)
        first, self._first = self._first, field
        second = (
            field is not None
            and first is not None
            and field.bottom != first.bottom
            and field.frame_num == first.frame_num
        )
        if second:
            self._first = None
        return second

    def _field(self, packet: memoryview) -> _Field | None:
        """The field that a packet begins with; None when it is a frame, or cannot be read."""
        units = _measured(packet, self._length_bytes) if self._length_bytes else _marked(packet)
        for _, unit in zip(range(MAX_UNITS), units, strict=False):
            if unit and unit[0] & 31 in SLICES:
                try:
                    return self._of_slice(_Reader(unit[1:HEAD_BYTES]))
                except (IndexError, ValueError, KeyError):
                    return None
            self._learn(unit)
        return None

    def _of_slice(self, bits: "_Reader") -> _Field | None:
        bits.ue()
        bits.ue()
        sequence = self._sequences[self._sequence_of[bits.ue()]]
        if not sequence.fields:
            return None
        bits.u(2 if sequence.three_planes else 0)
        frame_num = bits.u(sequence.frame_num_bits)
        return _Field(frame_num, bool(bits.u(1))) if bits.u(1) else None

    def _learn(self, unit: bytes) -> None:
        """Remember parameters; others, and those that cannot be read, say nothing."""
        kind = unit[0] & 31 if unit else 0
        if kind not in {SPS, PPS}:
            return
        bits = _Reader(unit[1:PARAMETER_BYTES])
        try:
            if kind == SPS:
                number, sequence = _sequence(bits)
                self._sequences[number] = sequence
            else:
                self._sequence_of[bits.ue()] = bits.ue()
        except (IndexError, ValueError):
            return


def _sequence(bits: "_Reader") -> tuple[int, _Sequence]:
    """Number and contents of sequence parameters."""
    profile = bits.u(24) >> 16
    number, three_planes = bits.ue(), False
    if profile in HIGH:
        chroma = bits.ue()
        three_planes = chroma == 3 and bool(bits.u(1))
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            for k in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _skip_scaling(bits, 16 if k < 6 else 64)
    frame_num_bits = bits.ue() + 4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.ue()
        bits.ue()
        for _ in range(min(bits.ue(), MAX_CYCLE)):
            bits.ue()
    bits.ue()
    bits.u(1)
    bits.ue()
    bits.ue()
    return number, _Sequence(min(frame_num_bits, 16), not bits.u(1), three_planes)


def _skip_scaling(bits: "_Reader", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.ue()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last


class _Reader:
    """Bits of a unit, from the left. Raises IndexError at its end."""

    def __init__(self, unit: bytes) -> None:
        plain = unit.replace(b"\0\0\3", b"\0\0")
        self._bits, self._at = "".join(format(byte, "08b") for byte in plain), 0

    def u(self, length: int) -> int:
        """A number of so many bits."""
        begin, self._at = self._at, self._at + length
        if self._at > len(self._bits):
            raise IndexError
        return int(self._bits[begin : self._at] or "0", 2)

    def ue(self) -> int:
        """An Exp-Golomb code; a signed one reads as the number of its code. Raises ValueError for none."""
        one = self._bits.find("1", self._at)
        if one < 0 or one - self._at > 32:
            raise ValueError
        zeros, self._at = one - self._at, one
        return self.u(zeros + 1) - 1


def _marked(data: "bytes | memoryview") -> Iterator[bytes]:
    """Units between start codes, cut to what is looked at."""
    found = bytes(data)
    at = found.find(b"\0\0\1")
    while at >= 0:
        begin = at + 3
        # A slice is the last that is asked for: where it ends need not be looked for.
        if begin < len(found) and found[begin] & 31 in SLICES:
            yield found[begin : begin + HEAD_BYTES]
        at = found.find(b"\0\0\1", begin)
        yield found[begin : at if at >= 0 else len(found)][:PARAMETER_BYTES]


def _measured(data: memoryview, length_bytes: int) -> Iterator[bytes]:
    """Units with their length in front, cut to what is looked at."""
    at = 0
    while at + length_bytes < len(data):
        length = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        yield bytes(data[at : at + min(length, PARAMETER_BYTES)])
        at += length


def _boxed(avcc: bytes) -> Iterator[bytes]:
    """The parameters in an avcC: the SPS by number, then the PPS."""
    at = 5
    for mask in (31, 255):
        count = avcc[at] & mask if at < len(avcc) else 0
        at += 1
        for _ in range(count):
            length = int.from_bytes(avcc[at : at + 2], "big")
            yield avcc[at + 2 : at + 2 + length]
            at += 2 + length
