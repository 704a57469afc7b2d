"""The overlap of boxes stays a share, whatever floats do."""

from hypothesis import given
from hypothesis import strategies as st

from playerscore.geometry import Box, iou, overlaps_enough

UNIT = st.floats(0, 1, allow_nan=False)
BOXES = st.builds(Box, UNIT, UNIT, UNIT, UNIT)


@given(BOXES, BOXES)
def test_iou_is_a_share_and_has_no_order(a: Box, b: Box) -> None:
    assert 0 <= iou(a, b) <= 1
    assert iou(a, b) == iou(b, a)


def test_a_box_overlaps_itself_wholly_although_floats_round() -> None:
    # Without the cap this is 1.0000000000000002, which a result must not hold.
    box = Box(0.1083, 0.2111, 0.0145, 0.1108)

    assert iou(box, box) == 1.0


@given(BOXES, st.floats(0, 0.1))
def test_a_box_moved_a_little_overlaps_enough_or_shares_too_little(box: Box, by: float) -> None:
    moved = box._replace(x=box.x + by)

    assert overlaps_enough(box, moved, 0.2) == (iou(box, moved) >= 0.2) or abs(iou(box, moved) - 0.2) < 1e-9
