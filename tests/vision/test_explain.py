"""Why he is where he is said to be, and what is said of a confirmed box, on rendered matches."""

from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from builders import make_task
from matches import Match
from playerscore.decisions import Kind
from playerscore.geometry import Box, iou
from playerscore.resources import Analysis
from playerscore_worker import clip, contact_sheet, target
from playerscore_worker.decisions import log_of
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import Start, follow
from playerscore_worker.frames import Decoder
from playerscore_worker.source import Footage
from playerscore_worker.work import Analysed, run_analysis

FRAME = 40


def test_who_leaves_is_logged_as_lost_and_pictured(
    leaving_match: Match, detector: Detector, tmp_path: Path
) -> None:
    leaver = leaving_match.truth.leaver
    assert leaver is not None
    inside = leaving_match.truth.in_picture(leaver.id)
    box = leaving_match.box(leaver.id, 10)
    assert box is not None
    path = follow(leaving_match.video, Start(10 / 25, box), detector, max_fps=12.5)

    log = contact_sheet.marked(log_of(path))
    with Decoder(leaving_match.video) as decoder:
        sheet = contact_sheet.write(decoder, path, log, tmp_path / "decisions.jpg")
        made = clip.write(decoder, path, log, tmp_path)

    left_sec = float((~inside).argmax()) / 25
    lost = [d for d in log.decisions if d.kind is Kind.LOST]
    assert any(d.begin_sec - 1 < left_sec < d.end_sec for d in lost), (left_sec, lost)
    assert all(d.reason for d in lost)
    assert made.files[0].stat().st_size > 0
    picture = cv2.imread(str(sheet[0]))
    assert picture.std() > 10, "there is something on it"
    assert sheet[0].stat().st_size < contact_sheet.MAX_BYTES


def _pixel_box(match: Match, person_id: int) -> Box:
    box = match.box(person_id, FRAME)
    assert box is not None
    return box


def _apart(match: Match) -> Box:
    """Somebody who stands alone."""
    all_ = {person.id: match.box(person.id, FRAME) for person in match.truth.people}
    for person_id in match.pickable(FRAME):
        wide = _grown(_pixel_box(match, person_id), 2.0)
        if all(iou(wide, box) == 0 for other, box in all_.items() if box and other != person_id):
            return _pixel_box(match, person_id)
    raise AssertionError("nobody stands alone")


def _grown(box: Box, factor: float) -> Box:
    w, h = box.w * factor, box.h * factor
    return Box(box.x - (w - box.w) / 2, box.y - (h - box.h) / 2, w, h)


def _nowhere(match: Match) -> Box:
    """A box of a man's size on grass, well away from everybody, in the lower half of the picture."""
    size = _apart(match)
    taken = [box for person in match.truth.people if (box := match.box(person.id, FRAME))]
    for row in range(6, 9):
        for column in range(1, 19):
            box = Box(column / 20, row / 10, size.w, size.h)
            if all(iou(_grown(box, 3.0), other) == 0 for other in taken):
                return box
    raise AssertionError("there are people everywhere")


def _codes(match: Match, box: Box, detector: Detector) -> list[str]:
    return [w.code for w in target.warnings(target.look(match.video, Start(FRAME / 25, box), detector))]


def test_a_box_around_one_man_needs_no_warning(match: Match, detector: Detector) -> None:
    boxes = [_pixel_box(match, person_id) for person_id in match.pickable(FRAME)]

    told = [_codes(match, box, detector) for box in boxes]

    assert sum(bool(codes) for codes in told) <= len(told) // 8, told


def test_half_a_man_and_nobody_are_told(match: Match, detector: Detector) -> None:
    man = _apart(match)

    assert _codes(match, man._replace(h=man.h / 2), detector) == ["TARGET_PARTIAL"]
    assert _codes(match, _nowhere(match), detector) == ["TARGET_EMPTY"]


def _analysed(match: Match, box: Box, video: Path | None = None) -> Analysed:
    analysis = Analysis(start_sec=1.0, end_sec=3.0, max_fps=10)
    task = make_task(box, FRAME / 25, target_forced=True, analysis=analysis)
    footage = Footage((video or match.video,), ("c" * 64,))
    return run_analysis(task, footage, lambda share, message: None)


def test_a_box_with_nobody_in_it_scores_nobody(match: Match, tmp_path: Path) -> None:
    analysed = _analysed(match, _nowhere(match))

    result = analysed.result
    assert [warning.code for warning in result.warnings or []] == ["TARGET_EMPTY"]
    assert result.overall_score == result.radar.visibility == result.radar.tracking_quality == 0
    assert {sample.reason for sample in analysed.path.samples} == {"target-empty"}
    written = {file.name for file in analysed.write_artifacts(tmp_path)}
    assert {"decisions.json", "decisions.jpg"} <= written


def test_a_far_man_is_followed_as_far_as_it_can_be_and_told(match: Match, detector: Detector) -> None:
    small = _apart(match)._replace(w=4 / match.truth.width, h=8 / match.truth.height)

    assert _codes(match, small, detector) == ["TARGET_SMALL"]


def test_another_sport_is_never_scored_with_confidence(match: Match, tmp_path: Path) -> None:
    """The same people, as sharp and as easily followed, on the floor of a hall."""
    hall = tmp_path / "hall.mp4"
    with av.open(str(match.video)) as grass, av.open(str(hall), "w") as floor:
        stream = floor.add_stream("libx264", rate=25, width=match.truth.width, height=match.truth.height)
        for frame in islice(grass.decode(video=0), 100):
            hsv = cv2.cvtColor(frame.to_ndarray(format="bgr24"), cv2.COLOR_BGR2HSV)
            hsv[..., 0] = np.where((hsv[..., 0] > 24) & (hsv[..., 0] < 96), 12, hsv[..., 0])
            picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
            floor.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        floor.mux(stream.encode(None))

    on_grass, in_hall = (_analysed(match, _apart(match), video).result for video in (None, hall))

    assert not on_grass.warnings
    assert [warning.code for warning in in_hall.warnings or []] == ["PITCH_UNSEEN"]
    assert on_grass.radar.tracking_quality > 50 >= in_hall.radar.tracking_quality > 0
    assert in_hall.overall_score <= 50
