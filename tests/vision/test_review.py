"""A result asks about what goes wrong, and the answers put it right without following all of it again.

The scene is that in which a mate comes on where the player walks off: left to itself, the following takes the mate.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest

from builders import make_moment, make_task
from matches import Match
from playerscore import names, review
from playerscore.geometry import iou
from playerscore.resources import Analysis, BBox, Moment
from playerscore.review import Answer
from playerscore.tasks import AnalysisTask
from playerscore_worker import reviewing, stored_run
from playerscore_worker.frames import Decoder
from playerscore_worker.source import Footage
from playerscore_worker.work import Analysed, run_analysis

PLAYER, CONFIRMED = 23, 89
FROM_SEC, UNTIL_SEC = 3.5, 7.3
DIGEST = "d" * 64


def task(scene: Match, **more: Any) -> AnalysisTask:
    box = scene.box(PLAYER, CONFIRMED)
    assert box is not None
    analysis = Analysis(start_sec=FROM_SEC, end_sec=UNTIL_SEC)
    return make_task(box, CONFIRMED / scene.truth.fps, analysis=analysis, **more)


def analysed(scene: Match, asked: AnalysisTask, earlier: Path | None = None) -> tuple[Analysed, list[str]]:
    """What was found, and what was told on the way."""
    told: list[str] = []
    footage = Footage((scene.video,), (DIGEST,))
    return run_analysis(asked, footage, lambda share, message: told.append(message), earlier=earlier), told


@pytest.fixture(scope="module")
def first(scene: Match) -> Analysed:
    return analysed(scene, task(scene))[0]


@pytest.fixture(scope="module")
def run(first: Analysed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("run") / names.RUN_FILE
    weights = first.result.provenance.weights_sha256
    return stored_run.write(first.task, first.path, DIGEST, weights, file)


def true_answer(scene: Match, moment: Moment) -> Answer:
    """What somebody says who knows him."""
    his = scene.box(PLAYER, round(moment.time_sec * scene.truth.fps))
    if his is None:
        return Answer(moment=moment.number, absent=True)
    alike = [iou(his, one.box) for one in moment.candidates]
    if max(alike) >= 0.5:
        return Answer(moment=moment.number, candidate=alike.index(max(alike)) + 1)
    return Answer(moment=moment.number, bbox=BBox(x=his.x, y=his.y, w=his.w, h=his.h))


def wrong_frames(scene: Match, done: Analysed) -> int:
    """How many frames have a box that is not his."""
    boxes = [(sample.box_xywh, scene.box(PLAYER, sample.index)) for sample in done.path.samples]
    return sum(box is not None and (his is None or iou(box, his) < 0.1) for box, his in boxes)


def test_the_mate_is_asked_about_and_three_answers_put_it_right(
    scene: Match, first: Analysed, run: Path
) -> None:
    assert wrong_frames(scene, first) > 40
    done, moments, earlier = first, first.result.review or [], run
    anchors: list[Any] = []
    for number in range(3):
        if not moments or wrong_frames(scene, done) == 0:
            break
        anchors += review.anchors_of(moments, [true_answer(scene, moments[0])])
        done, _ = analysed(scene, task(scene, anchors=anchors), earlier)
        earlier = run.with_name(f"{number}.bin")
        stored_run.write(done.task, done.path, DIGEST, done.result.provenance.weights_sha256, earlier)
        moments = done.result.review or []

    assert anchors, "something was asked"
    assert wrong_frames(scene, done) < 5


def test_an_answer_that_agrees_costs_nothing_and_changes_nothing(
    scene: Match, first: Analysed, run: Path
) -> None:
    """Nothing is followed again, and the path is what it was."""
    sample = first.path.samples[len(first.path.samples) // 3]
    assert sample.box_xywh is not None
    x, y, w, h = sample.box_xywh
    (anchor,) = review.anchors_of(
        [make_moment(time_sec=sample.time_sec)], [Answer(moment=1, bbox=BBox(x=x, y=y, w=w, h=h))]
    )
    done, told = analysed(scene, task(scene, anchors=[anchor]), run)

    assert not [words for words in told if words.endswith("frames followed") and int(words.split()[0]) < 95]
    before = [(s.index, s.box_xywh) for s in first.path.samples]
    assert [(s.index, s.box_xywh) for s in done.path.samples] == before


OTHERS = {
    "another player": {"start_time_sec": 4.0},
    "another part": {"analysis": Analysis(start_sec=FROM_SEC, end_sec=6)},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_a_run_of_something_else_is_not_gone_on_from(
    scene: Match, run: Path, first: Analysed, changes: dict[str, Any]
) -> None:
    weights = first.result.provenance.weights_sha256
    assert stored_run.read(run, task(scene), DIGEST, weights)

    assert stored_run.read(run, task(scene).model_copy(update=changes), DIGEST, weights) is None
    assert stored_run.read(run, task(scene), "e" * 64, weights) is None


@pytest.mark.parametrize("spoilt", [b"", b"playerscore run 1\nno", b"playerscore run 9\n"])
def test_a_damaged_run_is_not_gone_on_from(scene: Match, tmp_path: Path, spoilt: bytes) -> None:
    file = tmp_path / "run.bin"
    file.write_bytes(spoilt)

    assert stored_run.read(file, task(scene), DIGEST, "f" * 64) is None


def test_each_moment_has_a_picture_of_the_scene(scene: Match, first: Analysed, tmp_path: Path) -> None:
    asked: Sequence[Moment] = first.result.review or []
    with Decoder(scene.video) as decoder:
        files = reviewing.write(decoder, first.path, asked, tmp_path)

    assert [file.name for file in files] == [names.review_picture(one.number) for one in asked]
    for file in files:
        picture = cv2.imread(str(file))
        assert picture is not None
        assert picture.shape == (240, 3 * 426 + 8, 3)
        assert picture[:, 430:856].std() > 10, "there is something to be seen in the middle"
