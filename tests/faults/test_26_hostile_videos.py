"""The video is malformed, truncated or hostile.

Promise: the worker ends with a VIDEO_ code and the exit code for bad input, within bounded memory and time; the
job fails for good with those words, and its neighbours run on.
"""

import functools
import http.server
import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from builders import IMAGE
from faultlab import FaultLab, invariants
from playerscore.resources import PreviewSettings, Video
from playerscore.tasks import TASK_VARIABLE, Failure, PreviewTask
from playerscore_worker import pod
from playerscore_worker.pod import Pod
from smallvideos import Kind, write
from videofiles import box
from videofuzz import damaged, taken

Json = dict[str, Any]
EXIT_BAD_INPUT = 42
MEMORY_MB = 1200
"""Of the worker and its decoder, each; a match of 1080p takes about as much."""
PATIENCE_SECONDS = 120
"""Several times what an honest short clip takes on a busy machine."""
FPS = 25


# --- the corpus -----------------------------------------------------------------------------------------------


def encoded(file: Path, codec: str, *parts: tuple[int, int, int], shift: int = 0) -> bytes:
    """A video whose parts (width, height, frames) follow one another in one track, each with its own size."""
    with av.open(str(file), "w") as out:
        first_width, first_height, _ = parts[0]
        stream = out.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = first_width, first_height, "yuv420p"
        stream.time_base = Fraction(1, 1000)
        number = 0
        for width, height, frames in parts:
            encoder = stream.codec_context if number == 0 else av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 1000), Fraction(FPS)
            for k in range(frames + 1):
                picture = None if k == frames else _picture(width, height, number + k)
                if picture is not None:
                    picture.pts, picture.time_base = shift + 40 * (number + k), Fraction(1, 1000)
                for packet in encoder.encode(picture):
                    packet.stream = stream
                    out.mux(packet)
            number += frames
    return file.read_bytes()


def _picture(width: int, height: int, number: int) -> Any:
    """Something to compress, and nobody in it."""
    noise = np.random.default_rng(number).integers(0, 255, (min(height, 64), min(width, 64), 3), np.uint8)
    image = np.zeros((height, width, 3), np.uint8)
    image[: noise.shape[0], : noise.shape[1]] = noise
    return av.VideoFrame.from_ndarray(image, "rgb24")


def patched(content: bytes, kind: bytes, offset: int, new: bytes) -> bytes:
    """The same with other bytes at that place of the body of the first box of a kind."""
    at = content.index(kind) + 4 + offset
    return content[:at] + new + content[at + len(new) :]


def floated(content: bytes, value: float) -> bytes:
    """A Matroska whose Duration is that number."""
    at = content.index(b"\x44\x89\x88")
    return content[: at + 3] + struct.pack(">d", value) + content[at + 11 :]


@dataclass(frozen=True)
class Corpus:
    """Honest files to damage."""

    mp4: bytes
    fast: bytes
    """With its index in front, as servers write it."""
    webm: bytes
    mkv: bytes
    others: list[bytes]
    """In the containers of recorders, players and editors."""
    folder: Path

    def sized(self, *parts: tuple[int, int, int]) -> bytes:
        """Pictures of one size after those of another, within one track."""
        return encoded(self.folder / "sized.webm", "libvpx-vp9", *parts)

    def lies(self) -> bytes:
        """The index says 64 x 48, the pictures are beyond the limit."""
        honest = encoded(self.folder / "lies.mp4", "libx264", (4800, 2400, 2))
        return honest.replace(struct.pack(">HH", 4800, 2400), struct.pack(">HH", 64, 48))

    def speck(self) -> bytes:
        return encoded(self.folder / "speck.webm", "libvpx-vp9", (1, 1, 50))

    def late(self) -> bytes:
        """Its first picture comes after 23 days."""
        return encoded(self.folder / "late.mkv", "libx264", (64, 48, 50), shift=2_000_000_000)


RESIZED = {"VIDEO_UNSUPPORTED", "VIDEO_NO_PERSON"}
CASES: dict[str, tuple[Callable[[Corpus], bytes], set[str]]] = {
    "nothing": (lambda c: b"", {"VIDEO_EMPTY"}),
    "a text": (lambda c: b"Dear Sirs, please find attached the match.", {"VIDEO_NOT_A_VIDEO"}),
    "a playlist": (
        lambda c: b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/x.ts\n",
        {"VIDEO_NOT_A_VIDEO"},
    ),
    "half of it": (lambda c: c.fast[: len(c.fast) // 2], {"VIDEO_NO_PERSON"}),
    "half of it, its index at the end": (lambda c: c.mp4[: len(c.mp4) // 2], {"VIDEO_TRUNCATED"}),
    "half of a Matroska": (lambda c: c.mkv[: len(c.mkv) // 2], {"VIDEO_NO_PERSON"}),
    "its data replaced by noise": (
        lambda c: patched(c.fast, b"mdat", 0, random.Random(1).randbytes(4000)),
        {"VIDEO_DECODE_FAILED", "VIDEO_TRUNCATED", "VIDEO_NO_PERSON", "VIDEO_DECODE_CRASH"},
    ),
    "an index that says 16k": (
        lambda c: c.mp4.replace(struct.pack(">HH", 64, 48), struct.pack(">HH", 16_000, 16_000)),
        {"VIDEO_TOO_LARGE", "VIDEO_NO_PERSON"},
    ),
    "an index that says less than is there": (lambda c: c.lies(), {"VIDEO_TOO_LARGE"}),
    # They are brought to the first one's size, and then there is nobody in them.
    "pictures that grow": (lambda c: c.sized((64, 48, 30), (128, 96, 30)), RESIZED),
    "pictures that shrink": (
        lambda c: c.sized((128, 96, 30), (64, 48, 30)),
        RESIZED | {"VIDEO_DECODE_CRASH"},
    ),
    "pictures that grow beyond the limit": (
        lambda c: c.sized((64, 48, 30), (4800, 2400, 2)),
        RESIZED | {"VIDEO_TOO_LARGE"},
    ),
    "one pixel": (lambda c: c.speck(), {"VIDEO_NO_PERSON", "VIDEO_UNSUPPORTED", "VIDEO_NOT_A_VIDEO"}),
    "a duration that is no number": (
        lambda c: floated(c.mkv, float("nan")),
        {"VIDEO_NO_PERSON", "VIDEO_RANGE_EMPTY", "VIDEO_UNSUPPORTED", "VIDEO_DECODE_FAILED"},
    ),
    "a duration without end": (
        lambda c: floated(c.mkv, float("inf")),
        {"VIDEO_NO_PERSON", "VIDEO_RANGE_EMPTY", "VIDEO_TOO_LARGE", "VIDEO_TRUNCATED", "VIDEO_UNSUPPORTED"},
    ),
    "a duration before its start": (
        lambda c: floated(c.mkv, -1e300),
        {"VIDEO_NO_PERSON", "VIDEO_RANGE_EMPTY", "VIDEO_UNSUPPORTED", "VIDEO_DECODE_FAILED"},
    ),
    "a duration of a thousand years": (
        lambda c: floated(c.mkv, 3e13),
        {"VIDEO_TOO_LARGE", "VIDEO_NO_PERSON"},
    ),
    "a clock without ticks": (
        lambda c: patched(c.mp4, b"mdhd", 12, struct.pack(">I", 0)),
        {"VIDEO_NO_PERSON", "VIDEO_NOT_A_VIDEO", "VIDEO_UNSUPPORTED", "VIDEO_TRUNCATED"},
    ),
    "pictures that last for ever": (
        lambda c: patched(c.mp4, b"stts", 12, b"\x7f\xff\xff\xff"),
        {"VIDEO_TOO_LARGE", "VIDEO_NO_PERSON", "VIDEO_RANGE_EMPTY", "VIDEO_TRUNCATED"},
    ),
    "a first picture after three weeks": (
        lambda c: c.late(),
        {"VIDEO_RANGE_EMPTY", "VIDEO_TOO_LARGE", "VIDEO_NO_PERSON", "VIDEO_TRUNCATED"},
    ),
    "a movie whose pictures are elsewhere": (
        lambda c: patched(c.mp4, b"url ", 0, b"\0\0\0\0"),
        {"VIDEO_UNSUPPORTED"},
    ),
    "samples without end": (
        lambda c: patched(c.mp4, b"stsz", 8, b"\xff\xff\xff\xff"),
        {"VIDEO_NOT_A_VIDEO", "VIDEO_TRUNCATED", "VIDEO_DECODE_FAILED", "VIDEO_UNSUPPORTED"},
    ),
    "boxes without end": (lambda c: c.mp4 + box(b"free") * 30_000, {"VIDEO_NO_PERSON"}),
    "two videos": (lambda c: c.mp4 + c.mp4, {"VIDEO_NO_PERSON", "VIDEO_NOT_A_VIDEO"}),
}
"""How it is made, and the codes of which one must come."""


OTHERS = [
    *(Kind("a.mov", "mpeg4"), Kind("a.ts"), Kind("a.m2ts", "libx265"), Kind("a.mpg", "mpeg2video")),
    *(Kind("a.avi", "mpeg4"), Kind("a.flv", "flv"), Kind("a.mxf", "mpeg2video"), Kind("b.mp4", "libsvtav1")),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    part = (64, 48, 50)
    mp4 = encoded(folder / "a.mp4", "libx264", part)
    with (
        av.open(str(folder / "a.mp4")) as old,
        av.open(str(folder / "fast.mp4"), "w", options={"movflags": "faststart"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    fast = (folder / "fast.mp4").read_bytes()
    assert fast.index(b"moov") < fast.index(b"mdat") < len(fast) // 2
    webm = encoded(folder / "a.webm", "libvpx-vp9", part)
    mkv = encoded(folder / "a.mkv", "libx264", part)
    others = [write(kind, folder).read_bytes() for kind in OTHERS]
    return Corpus(mp4, fast, webm, mkv, others, folder)


# --- the worker -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How a container ended."""

    code: int
    words: Failure | None
    peak_mb: float
    """The most that one of its processes has had in memory."""


def resident_mb(pid: int) -> float:
    """The peak so far; 0 when it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Store:
    """Serves the corpus as a store does; the worker's verbs run on what they fetch there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True

    def work(self, name: str, content: bytes) -> End:
        """Run `fetch`, and `preview` when that let the file in."""
        (self.folder / name).write_bytes(content)
        folder = self.folder / f"pod-{name}"
        files = Pod(folder, folder / "termination-log")
        files.out.mkdir(parents=True)
        url = f"http://127.0.0.1:{self.server.server_port}/{name}"
        pod.write(files.source, {"files": [{"url": url, "store": False}]})
        ended = self._verb("fetch", url, files)
        return ended if ended.code else self._verb("preview", url, files)

    def _verb(self, verb: str, url: str, files: Pod) -> End:
        common: Json = {"namespace": "default", "name": "x", "uid": "u", "image": IMAGE}
        sources = [url.rsplit("/", 1)[0]]
        task = PreviewTask(**common, video=Video(uri=url), sources=sources, preview=PreviewSettings(frames=3))
        settings = {
            TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True),
            "PLAYERSCORE_WORK": str(files.folder),
            "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
        }
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "playerscore_worker", verb],
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak_mb = 0.0
        while process.poll() is None:
            peak_mb = max(peak_mb, *(resident_mb(pid) for pid in (process.pid, *children(process.pid))))
            if time.monotonic() > began + PATIENCE_SECONDS:
                process.kill()
            time.sleep(0.05)
        words = None
        if files.termination.exists():
            words = Failure.model_validate_json(files.termination.read_text())
        return End(process.returncode, words, peak_mb)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing to tell."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path)
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def judged(store: Store, corpus: Corpus, names: list[str]) -> dict[str, str]:
    """What is wrong with how the worker took each; empty when all is as promised."""
    wrong = {}
    for name in names:
        make, codes = CASES[name]
        end = store.work(str(list(CASES).index(name)), make(corpus))
        said = end.words.code if end.words else "no words"
        if (end.code, said in codes) != (EXIT_BAD_INPUT, True):
            wrong[name] = f"exit {end.code}, {said}: {end.words and end.words.message[:200]}"
        elif end.peak_mb > MEMORY_MB:
            wrong[name] = f"{end.peak_mb:.0f} MB"
    return wrong


def test_a_few_of_them_end_with_their_code(store: Store, corpus: Corpus, dice: random.Random) -> None:
    assert judged(store, corpus, dice.sample(list(CASES), 3)) == {}


@pytest.mark.long
def test_each_of_them_ends_with_its_code(store: Store, corpus: Corpus) -> None:
    assert judged(store, corpus, list(CASES)) == {}


@pytest.mark.parametrize(
    "count", [pytest.param(15, id="15"), pytest.param(250, id="250", marks=pytest.mark.long)]
)
def test_no_damage_hangs_or_ends_otherwise_than_with_a_code(
    corpus: Corpus, dice: random.Random, count: int, tmp_path: Path
) -> None:
    told: dict[str, int] = {}
    slowest = 0.0
    for number in range(count):
        path = tmp_path / f"{number}"
        path.write_bytes(
            damaged(dice.choice([corpus.mp4, corpus.fast, corpus.webm, corpus.mkv, *corpus.others]), dice)
        )
        began = time.monotonic()
        code = taken(path)
        slowest = max(slowest, time.monotonic() - began)
        told[code] = told.get(code, 0) + 1
        path.unlink()
    print(told, slowest)

    assert all(code.startswith("VIDEO_") for code in told if code), told
    assert len(told) > 2, "the damage is too mild"
    assert slowest < PATIENCE_SECONDS


def test_the_job_fails_for_good_in_the_workers_words_and_its_neighbour_completes(
    lab: FaultLab, store: Store, corpus: Corpus, dice: random.Random
) -> None:
    name = dice.choice(list(CASES))
    end = store.work("hostile", CASES[name][0](corpus))
    assert end.words is not None
    lab.start_operator()
    uid = lab.create_job("hostile")
    lab.pod_runs(f"sj-{uid}-p1")
    lab.pod_ends(f"sj-{uid}-p1", end.code, end.words.model_dump_json())
    lab.all_at("FAILED", ["hostile"])
    lab.create_job("neighbour", lab.ready("neighbour"))
    with lab.kubelet():
        lab.all_at("COMPLETED", ["neighbour"])

    assert lab.condition("hostile", "Succeeded") == ("False", end.words.code)
    assert end.words.message in lab.conditions("hostile")["Succeeded"]["message"]
    assert lab.get("job", f"sj-{uid}-p2") == {}
    invariants(lab)
