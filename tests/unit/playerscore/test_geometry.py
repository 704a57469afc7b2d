"""The overlap of boxes stays a share, whatever floats do."""

from hypothesis import given
from hypothesis import strategies as st

from playerscore.geometry import Box, iou

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


def test_a_share_of_exactly_a_fifth_is_not_rounded_below_it() -> None:
    # The shares are whole in binary; the quotient is then the double nearest to 1/5, the threshold itself.
    whole, fifth = Box(0, 0, 0.625, 1), Box(0, 0, 0.125, 1)

    assert iou(whole, fifth) == 0.2
