"""Decoding of real files, good and bad, in the confined child."""

import ctypes
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
import pytest

from matches import Match
from playerscore.errors import VideoError
from playerscore_worker.frames import Decoder, Limits, probe, read
from playerscore_worker.video.confinement import landlock_version


def _write_video(file: Path, times_ms: list[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A video whose frames have the given time stamps; frame k is grey of 10 k."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, time_ms in enumerate(times_ms):
            image = np.full((size[1], size[0], 3), 10 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def test_the_header_is_as_rendered(match: Match) -> None:
    info = probe(match.video)

    assert (info.width, info.height, info.frame_count) == (960, 540, 200)
    assert info.fps == pytest.approx(25)
    assert info.duration_sec == pytest.approx(8)


def test_every_frame_comes_once_in_order(match: Match) -> None:
    frames = [(frame.index, frame.time_sec) for frame in read(match.video)]

    assert [index for index, _ in frames] == list(range(200))
    assert [time for _, time in frames] == pytest.approx([k / 25 for k in range(200)], abs=1e-3)


@pytest.mark.parametrize(
    ("begin", "end", "max_fps", "indices"),
    [
        pytest.param(0.0, 0.12, None, [0, 1, 2], id="the beginning"),
        pytest.param(5.0, 5.1, None, [125, 126, 127], id="after a seek"),
        pytest.param(2.0, 2.5, 10.0, [50, 53, 55, 58, 60], id="fewer frames a second"),
        pytest.param(7.9, 99.0, None, [198, 199], id="the end"),
        pytest.param(20.0, 30.0, None, [], id="after the end"),
    ],
)
def test_a_range_holds_exactly_its_frames(
    match: Match, begin: float, end: float, max_fps: float | None, indices: list[int]
) -> None:
    assert [frame.index for frame in read(match.video, begin, end, max_fps)] == indices


def test_one_decoder_serves_many_ranges_in_any_order_with_the_same_pixels(match: Match) -> None:
    with Decoder(match.video) as decoder:
        forwards = {frame.index: frame.image for frame in decoder.read(0, 4)}
        abandoned = decoder.read(0, 8)
        next(abandoned)
        for begin in (3.0, 2.0, 1.0):
            for frame in decoder.read(begin, begin + 1):
                assert np.array_equal(frame.image, forwards[frame.index])


def test_a_scale_shrinks_the_frames(match: Match) -> None:
    assert next(read(match.video, scale=0.5)).image.shape == (270, 480, 3)


def test_times_come_from_the_container_where_the_rate_varies(tmp_path: Path) -> None:
    times_ms = [0, 40, 80, 400, 440, 1000, 1500]
    video = _write_video(tmp_path / "phone.mp4", times_ms)

    frames = list(read(video))

    assert [frame.time_sec for frame in frames] == pytest.approx([t / 1000 for t in times_ms], abs=2e-3)
    assert [round(frame.image.mean() / 10) for frame in frames] == list(range(7))


def _truncated(match: Match, folder: Path) -> Path:
    whole = match.video.read_bytes()
    file = folder / "cut.mp4"
    file.write_bytes(whole[: len(whole) // 2])
    return file


def test_a_truncated_video_is_used_as_far_as_it_goes(match: Match, tmp_path: Path) -> None:
    with Decoder(_truncated(match, tmp_path)) as decoder:
        last = max(frame.index for frame in decoder.read())

        assert 60 < last < 140
        assert decoder.info.missing_sec == pytest.approx((199 - last) / 25, abs=0.2)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "VIDEO_EMPTY", id="empty"),
        pytest.param(b"hello, world\n" * 100, "VIDEO_NOT_A_VIDEO", id="text"),
        pytest.param(
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
            "VIDEO_NOT_A_VIDEO",
            id="a playlist that names a host",
        ),
        pytest.param(
            b"ffconcat version 1.0\nfile '/etc/passwd'\n", "VIDEO_NOT_A_VIDEO", id="a list of local files"
        ),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "upload.mp4"
    file.write_bytes(content)

    with pytest.raises(VideoError) as refused:
        probe(file)

    assert refused.value.code == code


@pytest.mark.parametrize(
    "limits",
    [Limits(max_pixels=640 * 360), Limits(max_frames=10), Limits(max_duration_sec=5)],
    ids=["pixels", "frames", "duration"],
)
def test_a_video_beyond_a_limit_is_refused(match: Match, limits: Limits) -> None:
    with pytest.raises(VideoError) as refused:
        list(read(match.video, limits=limits))

    assert refused.value.code == "VIDEO_TOO_LARGE"


@pytest.mark.parametrize(
    ("blow", "code"),
    [(signal.SIGSEGV, "VIDEO_DECODE_CRASH"), (signal.SIGSTOP, "VIDEO_DECODE_TIMEOUT")],
    ids=["a crash", "a hang"],
)
def test_a_decoder_that_fails_is_noticed_and_leaves_nothing_behind(
    match: Match, blow: signal.Signals, code: str
) -> None:
    decoder = Decoder(match.video, Limits(frame_timeout_sec=3))
    os.kill(decoder.pid, blow)

    with pytest.raises(VideoError) as refused:
        list(decoder.read())
    decoder.close()

    assert refused.value.code == code
    assert not Path(f"/proc/{decoder.pid}").exists()


def test_an_order_that_was_not_heard_does_not_hide_why_the_decoder_died(match: Match) -> None:
    decoder = Decoder(match.video)
    os.kill(decoder.pid, signal.SIGKILL)
    os.waitid(os.P_PID, decoder.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(VideoError, match="signal 9") as refused, decoder:
        list(decoder.read())

    assert refused.value.code == "VIDEO_DECODE_CRASH"


TAKEN_OVER = """
import sys, playerscore_worker.decoding as decoding
decoding.serve = lambda: print(sys.argv[1], flush=True)
decoding.main()
"""


@pytest.mark.parametrize(
    "answer",
    [
        *("no JSON", "[1]", '{"info": {"fps": 1}}', '{"error": "5"}'),
        '{"frame": 99, "index": 0, "time": 0, "width": 64, "height": 48}',
    ],
    ids=[
        "no JSON",
        "a list",
        "half an answer",
        "an error of another kind",
        "a slot elsewhere",
    ],
)
def test_a_decoder_that_was_taken_over_ends_as_one_that_crashed(
    match: Match, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(memory_fd: int, last_words: IO[bytes]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-c", TAKEN_OVER, answer]
        return subprocess.Popen(command, stdin=-1, stdout=-1, stderr=last_words, pass_fds=(memory_fd,))

    monkeypatch.setattr("playerscore_worker.frames._start", start)
    with pytest.raises(VideoError) as refused:
        probe(match.video)

    assert refused.value.code == "VIDEO_DECODE_CRASH"


CONFINED = """
import os, socket, subprocess, sys, threading
from playerscore_worker.video import confinement
confinement.confine([sys.argv[1]], 4 << 30, 60)
attempts = {
    "video": lambda: open(sys.argv[1], "rb").read(1),
    "file": lambda: open("/etc/passwd"),
    "write": lambda: open(sys.argv[1], "ab"),
    "tcp": socket.socket,
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "program": lambda: subprocess.run(["/bin/true"]),
    "thread": lambda: threading.Thread(target=int).start(),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        print(name, end=" ")
"""


def test_a_decoder_has_no_network_no_programs_and_one_file(match: Match) -> None:
    command = [sys.executable, "-I", "-c", CONFINED, str(match.video)]
    refused = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    files = ["file", "write"] if landlock_version(ctypes.CDLL(None)) else []

    assert refused == [*files, "tcp", "udp", "fork", "exec", "program"]
