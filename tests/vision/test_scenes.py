"""Hard scenes: the truth fits the pixels, and what a scene's name promises does happen in it."""

from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from playerscore_clips.scenes import SCENES, SETS, load_truth, plan_scene, render_scene, scene_film
from playerscore_clips.staging import FPS
from playerscore_clips.truth import Truth

SEED = 3000


def _drawn(name: str, numbers: list[int], seed: int = SEED) -> tuple[dict[int, np.ndarray], Truth]:
    """Some frames of a scene, and the truth of these."""
    film = scene_film(name, seed)
    return dict(zip(numbers, film.frames(numbers), strict=True)), film.truth()


def _boxes_px(truth: Truth, frame: int) -> dict[int, np.ndarray]:
    """Left, top, width, height of everybody in the picture."""
    scale = np.array([truth.width, truth.height] * 2)
    found = {p.id: truth.boxes(p.id)[frame] * scale for p in truth.people}
    return {who: box for who, box in found.items() if not np.isnan(box[0])}


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[np.ndarray], Truth]:
    """A clip with cuts, as it comes back from its files."""
    clip = render_scene("cuts", SEED, tmp_path_factory.mktemp("scene"))
    capture = cv2.VideoCapture(str(clip.video))
    frames = []
    while True:
        more, frame = capture.read()
        if not more:
            return frames, load_truth(clip.truth)
        frames.append(cv2.resize(frame, (96, 54), interpolation=cv2.INTER_AREA).astype(float))


def test_the_picture_changes_most_where_the_truth_says_that_it_is_cut(
    cuts: tuple[list[np.ndarray], Truth],
) -> None:
    frames, truth = cuts
    changes = [float(np.abs(now - before).mean()) for before, now in pairwise(frames)]
    most = sorted(np.argsort(changes)[-len(truth.cuts) :] + 1)

    assert len(frames) == truth.frames
    assert truth.cuts
    assert most == list(truth.cuts)


def test_after_a_cut_the_ground_is_the_new_cameras(cuts: tuple[list[np.ndarray], Truth]) -> None:
    _, truth = cuts
    asked = 0
    for frame in (0, *truth.cuts, truth.frames - 1):
        for who, (x, y, w, h) in _boxes_px(truth, frame).items():
            if truth.visible(who)[frame] > 0.95:
                u, v, q = truth.ground_to_image[frame] @ [*truth.pitch(who)[frame], 1.0]
                assert q > 0
                assert x - 0.4 * h <= u / q <= x + w + 0.4 * h
                assert abs(v / q - (y + h)) < 0.25 * h
                asked += 1

    assert asked > 20


def test_a_shot_shows_people_at_twice_the_height(cuts: tuple[list[np.ndarray], Truth]) -> None:
    _, truth = cuts
    highest = [max(box[3] for box in _boxes_px(truth, frame).values()) for frame in (0, *truth.cuts)]

    assert max(highest[1:]) > 2 * highest[0]


def test_the_same_name_and_seed_give_the_same_film() -> None:
    first, truth = _drawn("knot", [0, 70])
    again, same = _drawn("knot", [0, 70])
    other, _ = _drawn("knot", [0], seed=SEED + 1)

    assert all(np.array_equal(first[k], again[k]) for k in (0, 70))
    assert all(np.array_equal(truth.boxes(p.id), same.boxes(p.id), equal_nan=True) for p in truth.people)
    assert first[0].shape != other[0].shape or not np.array_equal(first[0], other[0])


def test_the_sets_share_no_seed() -> None:
    for one, other in combinations(SETS.values(), 2):
        assert not set(one) & set(other)


def test_an_unknown_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="waltz"):
        render_scene("waltz", 1, tmp_path)


def test_people_who_meet_hide_each_other_and_part_again() -> None:
    numbers = list(range(0, 180, 12))
    _, truth = _drawn("duel-mates", numbers)
    freed = 0
    for person in truth.people:
        seen = truth.visible(person.id)[numbers][truth.in_picture(person.id)[numbers]]
        freed += bool((seen < 0.6).any() and (seen > 0.9).sum() >= 3)

    assert freed >= 3


def test_who_goes_away_comes_back() -> None:
    numbers = list(range(0, 225, 10))
    _, truth = _drawn("away", numbers)
    returned, cut_by_border = 0, 0
    for person in truth.people:
        inside = truth.in_picture(person.id)[numbers]
        seen = np.nonzero(inside)[0]
        returned += bool(len(seen)) and not inside[seen[0] : seen[-1]].all()
        cut_by_border += bool(((truth.visible(person.id)[numbers] < 0.8) & inside).any())

    assert returned >= 2
    assert cut_by_border >= 2


def test_who_lies_has_a_broad_box_that_holds_him() -> None:
    numbers = list(range(40, 170, 10))
    frames, truth = _drawn("falls", numbers)
    contrasts = []
    for frame in numbers:
        boxes = _boxes_px(truth, frame)
        for who, (x, y, w, h) in boxes.items():
            aside = np.array([x - 1.2 * w, y, w, h])
            if w > 1.4 * h and not any(_overlap(aside, other) for q, other in boxes.items() if q != who):
                contrasts.append((_contrast(frames[frame], boxes[who]), _contrast(frames[frame], aside)))

    assert len(contrasts) >= 3
    on, off = np.median(contrasts, axis=0)
    assert on > 2 * off


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one[:2] < other[:2] + other[2:]).all() and (other[:2] < one[:2] + one[2:]).all())


def _contrast(frame: np.ndarray, box: np.ndarray) -> float:
    x, y, w, h = (max(0, round(float(value))) for value in box)
    return float(frame[y : y + h, x : x + w].astype(float).std((0, 1)).max())


def test_a_caption_hides_who_is_behind_it() -> None:
    film = scene_film("captions", SEED)
    broad = max(film.effects.captions, key=lambda caption: caption.picture.size)
    number = (broad.first + broad.last) // 2
    list(film.frames([number]))
    truth = film.truth()
    x0, y0 = broad.left, broad.top
    x1, y1 = x0 + broad.picture.shape[1], y0 + broad.picture.shape[0]
    behind = []
    for who, (x, y, w, h) in _boxes_px(truth, number).items():
        share = max(0.0, min(x + w, x1) - max(x, x0)) * max(0.0, min(y + h, y1) - max(y, y0)) / (w * h)
        if share > 0.6:
            behind.append(truth.visible(who)[number])

    assert behind
    assert max(behind) < 0.6


def test_a_screen_that_is_filmed_moves_boxes_and_ground_with_it() -> None:
    film = scene_film("screen", SEED)
    assert film.effects.screen is not None
    frame = next(iter(film.frames([50])))
    truth = film.truth()
    contrasts = []
    for who, (x, y, w, h) in _boxes_px(truth, 50).items():
        if truth.visible(who)[50] > 0.95:
            _, v, q = truth.ground_to_image[50] @ [*truth.pitch(who)[50], 1.0]
            assert abs(v / q - (y + h)) < 0.25 * h
            contrasts.append(_contrast(frame, np.array([x, y, w, h])))

    assert len(contrasts) > 5
    assert np.median(contrasts) > 12


def test_who_comes_on_was_beside_the_pitch_and_who_goes_off_is_then() -> None:
    truth = scene_film("substitution", SEED).truth()
    players = [p for p in truth.people if p.role == "player"]
    on = [p for p in players if not truth.on_pitch(p.id)[0] and truth.on_pitch(p.id)[-1]]
    off = [p for p in players if truth.on_pitch(p.id)[0] and not truth.on_pitch(p.id)[-1]]
    beside = [p for p in truth.people if p.role in ("coach", "ballboy", "spectator")]

    assert {p.kit for p in on} == {p.kit for p in off} == {0, 1}
    assert {p.role for p in beside} == {"coach", "ballboy", "spectator"}
    assert not any(truth.on_pitch(p.id).any() for p in beside)


@pytest.mark.parametrize("name", SCENES)
def test_nobody_is_faster_than_people_are(name: str) -> None:
    plan = plan_scene(name, SEED)
    steps_m = np.linalg.norm(np.diff(plan.moved.place, axis=0), axis=2)
    within = np.delete(steps_m, [cut - 1 for cut in plan.cuts], axis=0)

    assert len(plan.cameras) == len(plan.moved.place)
    assert within.max() * FPS < 10


def test_team_mates_share_a_kit_that_nobody_else_wears() -> None:
    by_kit: dict[int, set[tuple[int | None, str]]] = {}
    for person in plan_scene("goalmouth", SEED).moved.people:
        by_kit.setdefault(person.kit, set()).add((person.team, person.role))

    assert by_kit[0] == {(0, "player")}
    assert by_kit[1] == {(1, "player")}
    assert all(len(wearers) == 1 for wearers in by_kit.values())
    assert sum("goalkeeper" in role for wearers in by_kit.values() for _, role in wearers) == 2
