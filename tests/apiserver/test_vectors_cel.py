"""The chart's CEL against the core's Python: the same doubles to the last bit, and room to spare in its budget."""

import functools
import itertools
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import celcost
from admissioncases import CASES, Case
from celcost import OLDEST_KUBERNETES, costs, largest
from cellab import TRACK, CelLab, floats, job, running_cel_lab
from controlplane import ControlPlane
from gates import rendered
from playerscore import names, refusals
from playerscore.admission import judge_create, judge_update
from playerscore.geometry import Box, iou
from playerscore.names import IOU_THRESHOLD
from playerscore.resources import MAX_FRAMES, MAX_TRACKS, ScoringJobSpec, ScoringJobStatus

Pair = tuple[Any, Any]


@pytest.fixture(scope="module")
def cel() -> Iterator[CelLab]:
    with ControlPlane() as plane, running_cel_lab(plane) as found:
        yield found


# --- pairs of boxes -------------------------------------------------------------------------------------

UNIT = st.floats(0, 1) | st.integers(0, 1)
ANY = st.tuples(UNIT, UNIT, UNIT, UNIT)
SIDE = st.floats(2**-10, 0.5)
FITTING = st.tuples(SIDE, SIDE, SIDE, SIDE)
TINY = st.floats(0, 2**-40) | st.sampled_from([5e-324, 2.0**-1022, 2.0**-540, 2.0**-53, 2.0**-52])
SMALL = st.tuples(UNIT, UNIT, TINY, TINY)
HUGE = st.floats(0, 1e70) | st.integers(0, 2**53)
LARGE = st.tuples(HUGE, HUGE, HUGE, HUGE)
ULPS = st.integers(-3, 3)


def nudged(value: float, ulps: int) -> float:
    """The double that many steps further."""
    for _ in range(abs(ulps)):
        value = math.nextafter(value, math.copysign(math.inf, ulps))
    return max(value, 0.0)


def at_threshold(box: Box) -> list[Box]:
    """Boxes whose IoU with it is a fifth, but for rounding: parts of it, around it, and moved."""
    x, y, w, h = box
    return [
        Box(x, y, w / 5, h),
        Box(x, y, w, h * 0.2),
        Box(x, y, w * 5, h),
        Box(x + w * 2 / 3, y, w, h),
        Box(x, y + h - h / 3, w, h),
        Box(x + w / 2, y + h / 2, w, h / 2),
    ]


@st.composite
def boundaries(draw: st.DrawFn) -> Pair:
    """A pair within some last bits of the threshold."""
    box = draw(FITTING)
    near = draw(st.sampled_from(at_threshold(Box(*box))))
    return box, tuple(nudged(value, draw(ULPS)) for value in near)


PAIRS = st.one_of(
    boundaries(),
    st.tuples(ANY, ANY),
    st.tuples(FITTING, FITTING),
    st.tuples(SMALL, SMALL),
    SMALL.map(lambda box: (box, box)),
    st.tuples(ANY, SMALL),
    st.tuples(LARGE, LARGE),
    LARGE.map(lambda box: (box, box)),
)


def expected(pair: Pair) -> tuple[float, str]:
    overlap = iou(*map(floats, pair))
    return overlap, "Coherent" if overlap >= IOU_THRESHOLD else "TARGET_MISMATCH"


@given(st.lists(PAIRS, min_size=1, max_size=40))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_python_and_cel_compute_the_same_double(cel: CelLab, pairs: list[Pair]) -> None:
    assert cel.overlaps(pairs) == [expected(pair) for pair in pairs]


def test_on_both_sides_of_the_threshold_they_agree_bit_by_bit(cel: CelLab) -> None:
    box = Box(0.1, 0.2, 0.1875, 0.3)
    pairs = [
        (box, near._replace(w=nudged(near.w, w), x=nudged(near.x, x)))
        for near in at_threshold(box)
        for w, x in itertools.product(range(-4, 5), range(-1, 2))
    ]
    told = cel.overlaps(pairs)

    assert told == [expected(pair) for pair in pairs]
    assert {verdict for _, verdict in told} == {"Coherent", "TARGET_MISMATCH"}
    assert all(abs(overlap - IOU_THRESHOLD) < 1e-13 for overlap, _ in told)


def test_boxes_of_a_rounding_step_do_not_overlap_more_than_they_are(cel: CelLab) -> None:
    """0.5 + 0.7 ulp is 0.5 + 1 ulp: uncapped, the union of these would be negative, or nought."""
    step = 2.0**-53
    sizes = [step * factor for factor in (0.5, 0.51, 0.6, 2**-0.5, 0.75, 0.99, 1.0, 1.5)]
    pairs = [((0.5, 0.5, w, h), (0.5, 0.5, w, h)) for w, h in itertools.product(sizes, sizes)]
    told = cel.overlaps(pairs)

    assert told == [expected(pair) for pair in pairs]
    assert {overlap for overlap, _ in told} <= {0.0, 1.0}


# --- its cost -------------------------------------------------------------------------------------------

HIM = (0.5, 0.5, 0.1, 0.1)
NOBODY = (0, 0, 0.1, 0.1)
SIZES = {
    "the largest preview": (MAX_FRAMES, MAX_TRACKS),
    "ten times its frames": (10 * MAX_FRAMES, MAX_TRACKS),
    "ten times its tracks": (MAX_FRAMES, 10 * MAX_TRACKS),
}


@pytest.mark.parametrize(("frames", "tracks"), SIZES.values(), ids=SIZES)
def test_the_last_track_of_the_last_frame_is_judged_within_the_budget(
    cel: CelLab, frames: int, tracks: int
) -> None:
    """Over budget, the API server denies with other words: also what should be allowed."""
    preview = [[HIM] * tracks] * frames
    last = {"frame": frames, "track": TRACK + tracks - 1}
    allowed, denied = cel.judged("whole", [job(HIM, preview, **last), job(NOBODY, preview, **last)])

    assert allowed.status == 201, allowed.body
    assert denied.status == 403, denied.body
    assert "TARGET_MISMATCH: IoU 0.000" in denied.body["message"]


def test_the_largest_enqueue_costs_less_than_a_hundredth_of_the_budget() -> None:
    reviews = [largest(coherent=True), largest(coherent=False), largest(coherent=True, asking=True)]
    found = costs(selection_policy(), reviews)

    assert [item["allowed"] for item in found["verdicts"]] == [True, False, False]
    assert "PREVIEW_FULL" in found["verdicts"][2]["message"]
    for item in found["verdicts"]:
        assert item["matched"]
        assert item["validation_cost"] + item["message_cost"] < found["per_binding_budget"] / 100
        assert item["match_cost"] < found["per_expression_limit"] / 100


@pytest.mark.parametrize("kubernetes", [OLDEST_KUBERNETES, "1.36"])
def test_every_supported_kubernetes_takes_the_policy_and_judges_the_table_alike(kubernetes: str) -> None:
    """With the expressions that a policy may use on that version; older API servers cannot be built here."""
    assert said(selection_policy(), kubernetes) == TOLD


MUTANTS = {
    "at the threshold is below it": ("variables.iou >= 0.2 ?", "variables.iou > 0.2 ?"),
    "the threshold is a little higher": ("variables.iou >= 0.2 ?", "variables.iou >= 0.2000001 ?"),
    "the threshold is a little lower": ("variables.iou >= 0.2 ?", "variables.iou >= 0.1999999 ?"),
    "boxes that are apart both ways overlap": ("variables.width > 0.0 && variables.height > 0.0", "true"),
    "what is shared is counted twice": ("variables.areas[1] - variables.shared", "variables.areas[1]"),
    "the overlap is rounded": ("double(int(variables.iou * 1000.0)) / 1000.0", "variables.iou"),
    "any frame is the confirmed one": ("f.frame_key == variables.frameKey", "true"),
    "any track is the picked one": ("t.track_id == variables.trackId.orValue(-1)", "true"),
    "nobody on the frame is a mismatch": ("variables.tracks.size() == 0 ||", ""),
    "no track picked is a mismatch": ("|| !variables.trackId.hasValue()", ""),
    "a stale force counts": ("&& !variables.staleForce", ""),
    "force is stale beside another box": ("object.spec.?target.?bbox == variables.old.?target.?bbox", "true"),
    "force is stale on another frame": (
        "object.spec.?target.?frame_key == variables.old.?target.?frame_key",
        "true",
    ),
    "force is stale for the same player": (
        "variables.trackId != variables.old.?player_ref.?track_id",
        "true",
    ),
    "a new force is stale": ("&& variables.old.?target.?force.orValue(false)", ""),
    "a change of the target is not judged": ("object.spec.?target != variables.old.?target", "false"),
    "a change of the player is not judged": ("object.spec.?player_ref != variables.old.?player_ref", "false"),
    "an enqueue is not judged": ("variables.created || variables.enqueued || ", "variables.created || "),
    "a queued job is enqueued by every write": ("variables.wasSuspended && !object", "!object"),
    "a draft is ready": ("object.spec.?target.?confirmed.orValue(false)", "has(object.spec.target)"),
    "a pause thaws": ("!variables.ended && !variables.wasSuspended", "!variables.ended"),
    "a job in its first attempt is not running": ("attempt.orValue(0) != 0", "attempt.orValue(0) > 1"),
    "a failed job goes on": ("['COMPLETED', 'FAILED']", "['COMPLETED']"),
    "the runtime does not freeze": (", 'runtimeName'", ""),
    "the pitch does not freeze": (", 'pitch']", "]"),
    "the anchors do not freeze": (", 'anchors'", ""),
    "anchors of one time may differ": ("a.?bbox != b.?bbox", "false"),
    "an anchor may lie before the range": ("double(a.time_sec) < variables.range[0]", "false"),
    "an anchor may lie behind the range": ("double(a.time_sec) > variables.range[1]", "false"),
    "an anchor may be on anybody": ("o[1] < 0.2", "o[1] < 0.0"),
    "an anchor at the threshold is below it": ("o[1] < 0.2", "o[1] <= 0.2"),
    "he may be absent where he is seen": ("o[1] < 0.2", "o[1] < 0.2 && o[1] >= 0.0"),
    "an anchor is of every frame": ("double(a.time_sec) - double(f.time_sec) <= 0.001", "true"),
    "force waives no anchor": ("|| object.spec.?target.?force.orValue(false) ? [] :", "? [] :"),
    "anchors are judged with the target alone": (
        "variables.asked || object.spec.?anchors",
        "variables.asked || false && object.spec.?anchors",
    ),
    "a new range judges no anchors": ("object.spec.?analysis != variables.old.?analysis", "false"),
    "force for another player waits for the preview": (
        "variables.staleForce && variables.trackId.hasValue() ? 'TARGET_MISMATCH'",
        "false ? 'TARGET_MISMATCH'",
    ),
    "an ended job can be paused": (
        "variables.ended && object.spec.?suspend",
        "false && object.spec.?suspend",
    ),
    "another video is taken": ("object.spec.video != variables.old.video", "false"),
    "another controller is taken": ("object.spec.?managedBy != variables.old.?managedBy", "false"),
    "a time may be at the end": ("t >= variables.duration", "t > variables.duration"),
    "a seventeenth frame is taken": ("variables.unanswered.size() > 16", "variables.unanswered.size() > 17"),
    "a frame that is there needs room": ("max() <= variables.near", "max() < 0.0"),
    "a frame is near for longer": ("+ 0.001", "+ 0.02"),
    "an answered time needs room": ("exists(a, double(a) == t)", "exists(a, false)"),
    "to take a time back is judged": ("variables.times.exists(t, !(t in variables.before))", "true"),
    "times are asked for while an attempt runs": (
        "attempt.orValue(0) != 0 ? ['JOB_LAUNCHED",
        "attempt.orValue(0) > 1 ? ['JOB_LAUNCHED",
    ),
    "times are asked for although no preview is wanted": (
        "object.spec.?preview.?disabled.orValue(false) ? [] : object",
        "false ? [] : object",
    ),
    "coherence is said before readiness": (
        "variables.readiness + variables.coherence",
        "variables.coherence + variables.readiness",
    ),
}


@pytest.mark.parametrize(("right", "wrong"), MUTANTS.values(), ids=MUTANTS)
def test_the_table_notices_when_the_rule_is_another(right: str, wrong: str) -> None:
    text = json.dumps(selection_policy())
    assert right in text

    assert said(json.loads(text.replace(right, wrong))) != TOLD


ASKED = [case for case in CASES if case.before is None or case.after != case.before["spec"]]
"""A policy is asked when the spec differs."""
TOLD = {case.name: refusals.words(case.deny) for case in ASKED}


def said(policy: Any, kubernetes: str = OLDEST_KUBERNETES) -> dict[str, str]:
    """What the policy says to every case; empty where it allows."""
    verdicts = costs(policy, [review(case) for case in ASKED], kubernetes)["verdicts"]
    return {case.name: item["message"] for case, item in zip(ASKED, verdicts, strict=True)}


@functools.cache
def selection_policy() -> Any:
    return next(item for item in rendered("policy") if item["metadata"]["name"].endswith("-selection"))


def review(case: Case) -> Any:
    """As the API server asks: the status is the stored one, before and after."""
    if case.before is None:
        return {"object": celcost.job(case.after)}
    status = case.before["status"]
    return {"object": celcost.job(case.after, status), "oldObject": celcost.job(case.before["spec"], status)}


# --- whole jobs at random -------------------------------------------------------------------------------

FRAMES = [names.frame_key("match-1", number) for number in (1, 2, 3)]
TRACK_IDS = [0, 7, 9]
PLACES = [
    dict(zip("xywh", box, strict=True))
    for box in [(0, 0, 1, 1), (0, 0, 1, 0.2), (0.25, 0.25, 0.125, 0.25), (0.25, 0.25, 0.125, 0.05)]
]
VIDEO = {"sha256": "a" * 64, "bytes": 1, "duration_sec": 9.25, "fps": 25, "width": 9, "height": 9}
EDITED = {
    "player_ref": 0.4,
    "target": 0.3,
    "suspend": 0.3,
    "anchors": 0.2,
    "analysis": 0.1,
    "runtimeName": 0.1,
    "ttlSecondsAfterFinished": 0.1,
    "video": 0.05,
    "managedBy": 0.15,
    "refines": 0.1,
    "preview": 0.4,
}
"""How often a write changes each field."""


class Dice:
    """Jobs and writes that come close to every rule: few places, frames and tracks, so that they meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def write(self) -> tuple[Any, Any, Any]:
        """A stored spec (None for a create), the one that is written instead, and the stored status."""
        old, other = self._spec(), self._spec()
        if self._often(0.1):
            return None, other, {}
        edited = {key for key, share in EDITED.items() if self._often(share)}
        keys = {key for key in EDITED if key in (other if key in edited else old)}
        return old, {key: (other if key in edited else old)[key] for key in keys}, self._status()

    def _often(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, share: float, **made: Any) -> Any:
        return {key: value for key, value in made.items() if self._often(share)}

    def _spec(self) -> Any:
        choice = self._random.choice
        player = {"frame_key": choice(FRAMES), **self._some(0.9, track_id=choice(TRACK_IDS))}
        target = {"frame_key": choice(FRAMES), "bbox": choice(PLACES), "confirmed": self._often(0.8)}
        target |= self._some(0.5, force=self._often(0.9), time_sec=1)
        free = self._some(
            0.5, analysis=choice([{"startSec": 1}, {"startSec": 1.0}, {"maxFps": 5}]), runtimeName="gpu"
        )
        kept = self._some(0.9, player_ref=player, target=target) | self._some(0.5, ttlSecondsAfterFinished=60)
        video = {"uri": choice(["s3://a/b", "s3://a/c"])}
        free |= self._some(0.5, anchors=[self._anchor() for _ in range(self._random.randint(0, 4))])
        managed = self._some(0.3, refines=choice(["match-1", "match-2"])) | self._some(
            0.4, managedBy=choice(["example.com/one", "example.com/other"])
        )
        return {"video": video, "suspend": self._often(0.6)} | free | kept | managed | self._asked()

    def _asked(self) -> Any:
        places = [0, 0.02, 0.0211, 1, 2.5, 7.0, 8.99, 9, 9.25, 80]
        times = self._random.sample(places, self._random.randint(0, 6))
        if self._often(0.5):
            times = [1, *(3 + number / 4 for number in range(14))]
        preview = self._some(0.9, atSec=times) | self._some(0.1, disabled=self._often(0.8))
        return self._some(0.5, preview=preview)

    def _anchor(self) -> Any:
        at = self._random.choice([0, 0.0, 0.0005, 1, 8.999, 9, 9.5, 3.25])
        return {"time_sec": at} | (
            {"absent": True} if self._often(0.3) else {"bbox": self._random.choice(PLACES)}
        )

    def _status(self) -> Any:
        choice, number = self._random.choice, self._random.randint
        tracks = [
            [
                {"track_id": choice(TRACK_IDS), "bbox": choice(PLACES), "score": 0.9}
                for _ in range(number(0, 4))
            ]
            for _ in range(number(0, 5))
        ]
        size = {"time_sec": 0, "width": 9, "height": 9}
        preview = {
            "video": VIDEO,
            "frames": [{"frame_key": choice(FRAMES), "tracks": item, **size} for item in tracks],
        }
        preview |= self._some(0.3, asked_sec=self._random.sample([1, 2.5, 7, 9], 2))
        run = self._some(0.7, attempt=number(0, 2), previewAttempt=1)
        return self._some(0.9, preview=preview) | self._some(
            0.5, run=run, progress={"step": str(choice([*names.Step]))}
        )


def by_python(old: Any, new: Any, status: Any) -> str:
    after = ScoringJobSpec.model_validate(new)
    if old is None:
        return refusals.words(judge_create(after).violations)
    before, known = ScoringJobSpec.model_validate(old), ScoringJobStatus.model_validate(status)
    return refusals.words(judge_update(before, after, known).violations)


@given(st.integers())
@settings(max_examples=6, deadline=None)
def test_jobs_and_edits_at_random_are_judged_alike_word_for_word(seed: int) -> None:
    dice = Dice(seed)
    asked = [dice.write() for _ in range(500)]
    reviews = [
        {"object": celcost.job(new, status)} | ({"oldObject": celcost.job(old, status)} if old else {})
        for old, new, status in asked
    ]

    told = [item["message"] for item in costs(selection_policy(), reviews)["verdicts"]]
    assert told == [by_python(*write) for write in asked]
    for code in (
        "TARGET_MISMATCH",
        "FRAME_NOT_FOUND",
        "NOT_READY",
        "JOB_RUNNING",
        "ANCHOR_CONFLICT",
        "ANCHOR_OUTSIDE",
        "ANCHOR_MISMATCH",
        "JOB_FINISHED",
        "JOB_LAUNCHED",
        "PREVIEW_TIME_OUTSIDE",
        "PREVIEW_FULL",
        "MANAGED_BY_IMMUTABLE",
        "another player",
    ):
        assert any(code in text for text in told), f"{code} never came up"
