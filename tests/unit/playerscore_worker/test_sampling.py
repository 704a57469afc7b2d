"""Which frames the preview samples, and what joins them."""

import numpy as np
import pytest

from playerscore.errors import VideoError
from playerscore_worker.preview import MAX_FRAMES, PreviewSettings, runs, sampled_parts


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(PreviewSettings(frames=2), [(0, 5), (5, 10)], id="halves"),
        pytest.param(PreviewSettings(frames=2, start_sec=4, end_sec=8), [(4, 6), (6, 8)], id="of a range"),
        pytest.param(
            PreviewSettings(frames=1, start_sec=8, end_sec=99), [(8, 10)], id="range beyond the end"
        ),
        pytest.param(
            PreviewSettings(frames=9, end_sec=0.1), [(0, 0.05), (0.05, 0.1)], id="fewer frames than wanted"
        ),
    ],
)
def test_the_range_is_cut_into_equal_parts(
    settings: PreviewSettings, expected: list[tuple[float, float]]
) -> None:
    parts = sampled_parts(settings, 10.0, 25.0)

    assert np.array(parts) == pytest.approx(np.array(expected))


def test_no_more_than_the_flow_allows() -> None:
    assert len(sampled_parts(PreviewSettings(frames=99), 100.0, 25.0)) == MAX_FRAMES


@pytest.mark.parametrize(("start", "end"), [(10.0, None), (5.0, 5.0), (6.0, 4.0)])
def test_an_empty_range_is_refused(start: float, end: float | None) -> None:
    with pytest.raises(VideoError) as refused:
        sampled_parts(PreviewSettings(start_sec=start, end_sec=end), 10.0, 25.0)

    assert refused.value.code == "VIDEO_RANGE_EMPTY"


def test_only_bursts_that_touch_are_one_run_of_the_tracker() -> None:
    assert runs([1.0, 1.3, 1.6, 5.0], reach_sec=0.2) == [[1.0, 1.3, 1.6], [5.0]]
