"""Video files made by hand, box by box: small, and wrong where a test wants them wrong."""

import struct

from playerscore_worker import container


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def track(handler: bytes = b"vide", codec: bytes = b"avc1", width: int = 1280, height: int = 720) -> bytes:
    mdhd = box(b"mdhd", b"\0" * 12 + struct.pack(">II", 1000, 20_000) + b"\0" * 4)
    hdlr = box(b"hdlr", b"\0" * 8 + handler + b"\0" * 13)
    entry = struct.pack(">I4s", 86, codec) + b"\0" * 24 + struct.pack(">HH", width, height) + b"\0" * 50
    stsd = box(b"stsd", struct.pack(">II", 0, 1) + entry)
    return box(b"trak", box(b"mdia", mdhd + hdlr + box(b"minf", box(b"stbl", stsd))))


def movie(*tracks: bytes, data: bytes = b"12345678") -> bytes:
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", b"".join(tracks)) + box(b"mdat", data)


GOOD = movie(track(), track(handler=b"soun", codec=b"mp4a"))


def element(identity: bytes, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return identity + (size | 1 << 56).to_bytes(8, "big") + body


def matroska(doc_type: bytes = b"webm", length: int | None = None) -> bytes:
    header = element(container.EBML, b"\x42\x82" + bytes([0x80 | len(doc_type)]) + doc_type)
    return header + element(container.SEGMENT, b"\0" * 64, length)
