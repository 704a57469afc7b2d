"""The rating is total, bounded and monotone."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from builders import make_signals
from playerscore.rating import WEIGHTS, Movement, Signals, rate

share = st.floats(0, 1)
seconds = st.floats(0, 6000)
signals = st.builds(
    Signals,
    analysed_sec=st.floats(0, 6000),
    sampled_frames=st.integers(0, 200_000),
    supported_share=share,
    certain_sec=seconds,
    uncertain_sec=seconds,
    lost_sec=seconds,
    away_sec=seconds,
    certainty=share,
    encounters=st.integers(0, 1000),
    doubtful_encounters=st.integers(0, 1000),
    lost_segments=st.integers(0, 1000),
    lost_segments_per_min=st.floats(0, 500),
    jersey_similarity=share,
    path_agreement=share,
    implausible_motion_share=share,
    speed_mean_h_per_sec=st.floats(0, 50),
    acceleration_p95_h_per_sec2=st.floats(0, 500),
    height_jitter=share,
)
BETTER = {
    "supported_share": 1.0,
    "certainty": 1.0,
    "doubtful_encounters": 0,
    "lost_segments_per_min": 0.0,
    "jersey_similarity": 1.0,
    "path_agreement": 1.0,
    "implausible_motion_share": 0.0,
    "acceleration_p95_h_per_sec2": 0.0,
    "height_jitter": 0.0,
}


def test_the_weights_add_up() -> None:
    assert sum(WEIGHTS.values()) == 1


@given(signals)
def test_every_signal_has_a_rating_within_bounds(measured: Signals) -> None:
    rating = rate(measured)

    assert all(0 <= score <= 100 for score in [rating.overall_score, *rating.radar.model_dump().values()])
    assert rating.overall_score <= min(rating.radar.visibility, rating.radar.tracking_quality)


@given(signals, st.sampled_from(sorted(BETTER)))
def test_better_tracking_lowers_nothing(measured: Signals, name: str) -> None:
    assert_no_score_falls(measured, measured.model_copy(update={name: BETTER[name]}))


@given(signals, share, st.sampled_from(["uncertain_sec", "lost_sec", "away_sec"]))
def test_a_second_that_becomes_certain_lowers_nothing(measured: Signals, part: float, name: str) -> None:
    gained = part * getattr(measured, name)
    better = {name: getattr(measured, name) - gained, "certain_sec": measured.certain_sec + gained}
    if name == "away_sec":
        assume(measured.lost_sec >= gained)
        better["lost_sec"] = measured.lost_sec - gained

    assert_no_score_falls(measured, measured.model_copy(update=better))


@given(signals, share)
def test_a_guess_at_his_place_is_no_worse_than_none(measured: Signals, part: float) -> None:
    gained = part * max(0.0, measured.lost_sec - measured.away_sec)
    better = {"uncertain_sec": measured.uncertain_sec + gained, "lost_sec": measured.lost_sec - gained}

    assert_no_score_falls(measured, measured.model_copy(update=better))


def assert_no_score_falls(worse: Signals, better: Signals) -> None:
    before, after = rate(worse), rate(better)
    assert after.overall_score >= before.overall_score
    for axis, old in before.radar.model_dump().items():
        assert getattr(after.radar, axis) >= old, axis


def test_a_player_who_was_never_seen_has_low_scores_not_none() -> None:
    never = make_signals(
        supported_share=0.0,
        certain_sec=0.0,
        uncertain_sec=0.0,
        lost_sec=60.0,
        certainty=0.0,
        jersey_similarity=0.0,
        path_agreement=0.0,
        speed_mean_h_per_sec=0.0,
    )

    assert rate(never).overall_score == 0


def test_following_another_man_confidently_is_not_quality() -> None:
    other = make_signals(supported_share=1.0, path_agreement=0.1, jersey_similarity=0.5)

    assert rate(other).radar.tracking_quality <= 5


@pytest.mark.parametrize(
    ("worse", "axis", "least_fall"),
    [
        pytest.param({"certainty": 0.75}, "tracking_quality", 20, id="a duel that could be either"),
        pytest.param(
            {"certain_sec": 30.0, "uncertain_sec": 26.0}, "visibility", 35, id="seen, but who is it"
        ),
        pytest.param(
            {"certain_sec": 30.0, "lost_sec": 27.0}, "tracking_quality", 35, id="lost in the picture"
        ),
    ],
)
def test_what_is_not_known_costs_what_it_should(worse: dict[str, float], axis: str, least_fall: int) -> None:
    good, bad = rate(make_signals()), rate(make_signals(**worse))

    assert getattr(good.radar, axis) - getattr(bad.radar, axis) >= least_fall
    assert bad.overall_score < good.overall_score


def test_time_outside_of_the_picture_makes_him_less_visible_but_nobody_else() -> None:
    away = make_signals(certain_sec=30.0, lost_sec=27.0, away_sec=24.0)

    assert rate(away).radar.tracking_quality == pytest.approx(
        rate(make_signals()).radar.tracking_quality, abs=5
    )
    assert rate(away).radar.visibility == 50


moves = st.builds(Movement, st.floats(0, 400), st.floats(0, 100))


@given(signals, moves)
def test_with_metres_only_the_activity_is_another(measured: Signals, moved: Movement) -> None:
    plain, metres = rate(measured), rate(measured, moved)

    assert metres.radar.model_copy(update={"activity_proxy": plain.radar.activity_proxy}) == plain.radar
    assert metres.overall_score <= min(metres.radar.visibility, metres.radar.tracking_quality)


@given(signals, moves, moves)
def test_who_moves_more_is_not_less_active(measured: Signals, one: Movement, other: Movement) -> None:
    more = Movement(*(max(pair) for pair in zip(one, other, strict=True)))

    assert rate(measured, more).radar.activity_proxy >= rate(measured, one).radar.activity_proxy
    assert rate(measured, more).overall_score >= rate(measured, one).overall_score


@given(signals, moves, st.sampled_from(sorted(BETTER)))
def test_better_tracking_lowers_nothing_in_metres_either(
    measured: Signals, moved: Movement, name: str
) -> None:
    worse, better = rate(measured, moved), rate(measured.model_copy(update={name: BETTER[name]}), moved)

    assert better.overall_score >= worse.overall_score
    assert better.radar.tracking_quality >= worse.radar.tracking_quality
