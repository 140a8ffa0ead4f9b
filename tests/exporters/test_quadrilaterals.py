"""How much turned boxes overlap, by NumPy on many at a time, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.oriented_boxes import MARGIN, corners_of, rotated_overlap

from tundish_exporters.quadrilaterals import oriented_corners, overlaps

places, sides = st.floats(-20, 20, width=32), st.floats(1, 40, width=32)
boxes = st.tuples(places, places, sides, sides, st.floats(-7, 7, width=32))


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=4), boxes)
def test_overlaps_are_those_of_plain_loops(others: list[tuple[float, ...]], one: tuple[float, ...]) -> None:
    made = oriented_corners(np.array([one, *others], np.float32))
    np.testing.assert_allclose(made[0], corners_of(one), atol=1e-4)
    found = overlaps(made[0], made[1:])
    np.testing.assert_allclose(found, [rotated_overlap(one, other) for other in others], atol=MARGIN)
    np.testing.assert_allclose(found, [overlaps(other, made[:1])[0] for other in made[1:]], atol=1e-9)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((5, 5, 10, 6, 0), 1),
        ((5, 5, 6, 10, np.pi / 2), 1),  # the same, by another name
        ((5, 5, 10, 6, np.pi), 1),
        ((5, 5, 4, 3, 0.3), 12 / 60),  # within
        ((10, 5, 10, 6, 0), 1 / 3),
        ((15, 5, 10, 6, 0), 0),  # edge to edge
        ((99, 5, 10, 6, 1), 0),
        ((5, 5, 0, 6, 0), 0),  # empty
        ((5, 5, -10, 6, 0), 0),  # inside out
    ],
)
def test_overlaps_that_are_known(other: tuple[float, ...], expected: float) -> None:
    first, second = oriented_corners(np.array([(5, 5, 10, 6, 0), other], np.float32))
    assert overlaps(first, [second])[0] == pytest.approx(expected, abs=1e-5)
    assert overlaps(second, [first])[0] == pytest.approx(expected, abs=1e-5)
