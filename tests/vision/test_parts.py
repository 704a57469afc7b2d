"""Several files as one video: one time line, one shape, and a cut wherever another recording begins."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from builders import make_target
from matches import Match
from playerscore.errors import VideoError
from playerscore.geometry import Box
from playerscore.resources import Video, VideoPart
from playerscore.tasks import AnalysisTask
from playerscore_worker.checkpoints import key_of
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import SEGMENT_FRAMES, FollowedPath, Start, follow
from playerscore_worker.following.joint import State
from playerscore_worker.frames import Decoder, Frame, Limits, Part
from playerscore_worker.pitch.measuring import _looked_at

SEAM = 100
"""Number of the second half's first picture."""


@pytest.fixture(scope="module")
def halves(match: Match, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """The match in one file, and the very same pictures in two."""
    folder = tmp_path_factory.mktemp("halves")
    whole = folder / "whole.mp4"
    with av.open(str(match.video)) as old, av.open(str(whole), "w") as new:
        stream = new.add_stream("libx264", rate=25, options={"g": "25", "bf": "0", "crf": "16"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        for frame in old.decode(video=0):
            frame.pict_type = 0
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))
    return whole, [_cut(whole, folder / f"{name}.mp4", *span) for name, span in SPANS.items()]


SPANS = {"first": (0, SEAM), "second": (SEAM, 1000)}


def _cut(whole: Path, part: Path, begin: int, end: int) -> Path:
    with av.open(str(whole)) as old, av.open(str(part), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size][begin:end]
        assert packets[0].is_keyframe
        first = packets[0].dts or 0
        for packet in packets:
            packet.pts, packet.dts = (packet.pts or 0) - first, (packet.dts or 0) - first
            packet.stream = stream
            new.mux(packet)
    return part


def _still(file: Path, size: tuple[int, int], fps: int, count: int, grey: int) -> Path:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), grey, np.uint8), "rgb24")
            frame.pts, frame.time_base = k, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def _read(files: Sequence[Path], *, continues: bool = False, **wanted: float) -> list[Frame]:
    limits = Limits(parts=tuple(Part(file, continues) for file in files[1:]))
    with Decoder(files[0], limits) as decoder:
        return list(decoder.read(**wanted))


def test_two_files_are_the_pictures_of_one(halves: tuple[Path, list[Path]]) -> None:
    whole, parts = halves
    for span in ((0.0, 99.0), (3.5, 4.5), (5.0, 5.2)):
        one = _read([whole], start_sec=span[0], end_sec=span[1])
        two = _read(parts, start_sec=span[0], end_sec=span[1])

        assert [frame.index for frame in two] == [frame.index for frame in one]
        assert [frame.time_sec for frame in two] == pytest.approx([f.time_sec for f in one], abs=1e-3)
        assert all(np.array_equal(a.image, b.image) for a, b in zip(one, two, strict=True))
        assert [frame.recording for frame in two] == [int(frame.index >= SEAM) for frame in two]
    assert {frame.recording for frame in _read(parts, continues=True, start_sec=3.0)} == {0}


def test_sizes_and_rates_may_differ(tmp_path: Path) -> None:
    files = [
        _still(tmp_path / "wide.mp4", (64, 36), 25, 50, 200),
        _still(tmp_path / "old.mp4", (96, 72), 50, 50, 200),
        _still(tmp_path / "tiny.mp4", (32, 18), 25, 25, 200),
    ]
    limits = Limits(parts=tuple(Part(file) for file in files[1:]))
    with Decoder(files[0], limits) as decoder:
        assert (decoder.info.width, decoder.info.height, decoder.info.frame_count) == (64, 36, 125)
        assert decoder.info.firsts == (0, 50, 100)
        assert decoder.info.starts_sec == decoder.info.starts_sec[:1] + decoder.seams_sec
        assert decoder.info.starts_sec == pytest.approx((0, 2, 3), abs=1e-6)
        assert decoder.info.duration_sec == pytest.approx(4)
        frames = {frame.index: frame for frame in decoder.read(scale=0.5)}
        # Back again, to a file that was closed meanwhile.
        assert [frame.index for frame in decoder.read(1.0, 1.1)] == [25, 26, 27]

    assert list(frames) == list(range(125))
    assert {frame.image.shape for frame in frames.values()} == {(18, 32, 3)}
    assert frames[60].time_sec == pytest.approx(2.2)
    bright = [(frames[k].image[9] > 150).all(axis=1) for k in (10, 60, 110)]
    assert [int(row.sum()) for row in bright] == [32, 24, 32], "the narrower one stands between black borders"
    assert not bright[1][:3].any()


def test_the_file_that_cannot_be_read_is_named(halves: tuple[Path, list[Path]], tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video at all " * 100)
    for files, code, words in (
        ([halves[0], bad], "VIDEO_NOT_A_VIDEO", "file 2 of 2"),
        ([halves[0], tmp_path / "none"], "VIDEO_NOT_A_VIDEO", "no such file"),
    ):
        with pytest.raises(VideoError, match=words) as told:
            _read(files)
        assert told.value.code == code


def _followed(match: Match, files: Sequence[Path], detector: Detector, *, continues: bool) -> FollowedPath:
    box = match.box(match.pickable(50)[0], 50)
    assert box is not None
    limits = Limits(parts=tuple(Part(file, continues) for file in files[1:]))
    return follow(files[0], Start(2.0, box), detector, end_sec=6.0, limits=limits)


def test_a_player_is_followed_across_chapters_and_not_across_halves(
    match: Match, halves: tuple[Path, list[Path]], detector: Detector
) -> None:
    whole, parts = halves
    one = _followed(match, [whole], detector, continues=False)
    chapters = _followed(match, parts, detector, continues=True)
    assert [sample.box_xywh for sample in chapters.samples] == [sample.box_xywh for sample in one.samples]
    assert one.samples[-1].box_xywh is not None

    separate = _followed(match, parts, detector, continues=False)
    after = [sample for sample in separate.samples if sample.index >= SEAM]
    assert {(sample.state, sample.reason) for sample in after} == {(State.LOST, "cut")}
    assert separate.seams_sec == pytest.approx((SEAM / 25,))
    times = np.array([sample.time_sec for sample in separate.samples])
    broken = _looked_at(separate, times, whole, None, lit=False)[1]
    assert [separate.samples[int(k)].index for k in np.flatnonzero(broken)] == [SEAM]


@pytest.mark.parametrize(("uri", "continues", "same"), [("s3://c/d", None, True), ("s3://a/b", True, False)])
def test_a_checkpoint_goes_on_where_the_cuts_are_the_same(
    uri: str, continues: bool | None, same: bool
) -> None:
    def key(part: VideoPart) -> str:
        known = {
            "namespace": "a",
            "name": "m",
            "uid": "u",
            "image": "i",
            "sources": [],
            "target": make_target(),
        }
        known |= {"attempt": 1, "generation": 1, "start_time_sec": 0.0, "target_forced": False}
        task = AnalysisTask(**known, video=Video(uri="s3://a/a", parts=[part]))
        return key_of(task, "a" * 64, None)

    assert (key(VideoPart(uri=uri, continues=continues)) == key(VideoPart(uri="s3://a/b"))) is same


def test_a_cut_at_a_segments_last_frame_ends_nothing(tmp_path: Path, detector: Detector) -> None:
    files = [
        _still(tmp_path / "first.mp4", (160, 90), 25, SEGMENT_FRAMES - 1, 90),
        _still(tmp_path / "second.mp4", (160, 90), 25, 30, 90),
    ]
    limits = Limits(parts=(Part(files[1]),))

    path = follow(files[0], Start(0.0, Box(0.4, 0.2, 0.1, 0.7)), detector, limits=limits)

    assert [sample.index for sample in path.samples] == list(range(SEGMENT_FRAMES + 29))
