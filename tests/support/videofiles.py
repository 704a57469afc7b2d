"""Video files made by hand, box by box: small, and wrong where a test wants them wrong."""

import struct

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def track(codec: bytes = b"avc1", width: int = 1280, height: int = 720, external: bool = False) -> bytes:
    mdhd = box(b"mdhd", b"\0" * 12 + struct.pack(">II", 1000, 20_000) + b"\0" * 4)
    hdlr = box(b"hdlr", b"\0" * 8 + b"vide" + b"\0" * 13)
    entry = struct.pack(">I4s", 86, codec) + b"\0" * 24 + struct.pack(">HH", width, height) + b"\0" * 50
    stsd = box(b"stsd", struct.pack(">II", 0, 1) + entry)
    reference = box(b"url ", b"\0\0\0\0http://192.0.2.1/x\0" if external else b"\0\0\0\1")
    dinf = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1) + reference))
    return box(b"trak", box(b"mdia", mdhd + hdlr + box(b"minf", dinf + box(b"stbl", stsd))))


def movie(*tracks: bytes, data: bytes = b"12345678") -> bytes:
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", b"".join(tracks)) + box(b"mdat", data)


GOOD = movie(track())


def element(identity: bytes, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return identity + (size | 1 << 56).to_bytes(8, "big") + body


def matroska(doc_type: bytes = b"webm", length: int | None = None) -> bytes:
    header = element(EBML, b"\x42\x82" + bytes([0x80 | len(doc_type)]) + doc_type)
    return header + element(SEGMENT, b"\0" * 64, length)
