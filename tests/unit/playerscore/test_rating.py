"""The rating is total, bounded and monotone."""

from hypothesis import given
from hypothesis import strategies as st

from builders import make_signals
from playerscore.rating import WEIGHTS, Signals, rate

share = st.floats(0, 1)
signals = st.builds(
    Signals,
    analysed_sec=st.floats(0, 6000),
    sampled_frames=st.integers(0, 200_000),
    supported_share=share,
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
    assert rating.overall_score <= rating.radar.visibility


@given(signals, st.sampled_from(sorted(BETTER)))
def test_better_tracking_lowers_nothing(measured: Signals, name: str) -> None:
    before, after = rate(measured), rate(measured.model_copy(update={name: BETTER[name]}))

    assert after.overall_score >= before.overall_score
    assert all(
        new >= old
        for new, old in zip(
            after.radar.model_dump().values(), before.radar.model_dump().values(), strict=True
        )
    )


def test_a_player_who_was_never_seen_has_low_scores_not_none() -> None:
    never = make_signals(
        supported_share=0.0, jersey_similarity=0.0, path_agreement=0.0, speed_mean_h_per_sec=0.0
    )

    assert rate(never).overall_score == 0


def test_following_another_man_confidently_is_not_quality() -> None:
    other = make_signals(supported_share=1.0, path_agreement=0.1, jersey_similarity=0.5)

    assert rate(other).radar.tracking_quality <= 5
