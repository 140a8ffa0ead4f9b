"""The rules that make windows, against OpenCV's way of letterboxing and, for the centre crop, Pillow's pixels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tundish_kernels import Window

WRONG_SIZE: Any = (2, 2.0)
WRONG_LENGTH: Any = 0.5
WRONG_CENTRE: Any = "PIL"

edges = st.integers(1, 5000)
sizes = st.tuples(edges, edges)


def ultralytics_letterbox(image_size: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The arithmetic of YOLO's pre-processing: unpadded height and width, pixels above and to the left."""
    ratio = min(size[0] / image_size[0], size[1] / image_size[1])
    width, height = round(image_size[1] * ratio), round(image_size[0] * ratio)
    above, beside = (size[0] - height) / 2, (size[1] - width) / 2
    return height, width, round(above - 0.1), round(beside - 0.1)


@settings(max_examples=500, deadline=None)
@given(image_size=sizes, size=sizes)
def test_letterbox(image_size: tuple[int, int], size: tuple[int, int]) -> None:
    height, width, above, beside = ultralytics_letterbox(image_size, size)
    window = Window.letterbox(image_size, size)
    if height and width:
        assert window == Window(height, width, -above, -beside)
    assert 1 <= window.resized_height <= size[0]
    assert 1 <= window.resized_width <= size[1]
    assert window.resized_height == size[0] or window.resized_width == size[1]
    assert Window.letterbox(image_size, size, placement="top_left") == window._replace(top=0, left=0)


def test_letterbox_of_a_video_frame() -> None:
    assert Window.letterbox((1080, 1920), (640, 640)) == Window(360, 640, -140, 0)
    assert Window.letterbox((1920, 1080), (640, 640)) == Window(640, 360, 0, -140)


def test_unknown_placement() -> None:
    with pytest.raises(ValueError, match=r"^placement must be 'centre' or 'top_left', got 'middle'$"):
        Window.letterbox((2, 2), (2, 2), placement="middle")  # type: ignore[arg-type]  # the error under test


@given(image_size=sizes, length=st.integers(1, 500))
def test_shortest_edge_keeps_proportions(image_size: tuple[int, int], length: int) -> None:
    window = Window.shortest_edge(image_size, length)
    resized = (window.resized_height, window.resized_width)
    shorter, longer = np.argsort(image_size, kind="stable")
    assert resized[shorter] == length
    exact = image_size[longer] * length / image_size[shorter]
    assert exact - 1.001 < resized[longer] <= exact
    assert (window.top, window.left) == (0, 0)


@given(resized=sizes, size=sizes)
def test_centre_crop_leaves_as_much_on_both_sides(resized: tuple[int, int], size: tuple[int, int]) -> None:
    window = Window.stretch(resized).centre_crop(size)
    assert (window.resized_height, window.resized_width) == resized
    below, right = resized[0] - size[0] - window.top, resized[1] - size[1] - window.left
    assert below - window.top in (0, 1)
    assert right - window.left in (0, 1)


@given(resized=sizes, size=sizes)
@example(resized=(7, 9), size=(4, 4))  # 3 and 5 are left over: 1.5 is rounded to 2, and 2.5 to 2
@example(resized=(4, 4), size=(7, 9))
def test_torchvision_s_centre_is_the_one_of_its_centercrop(resized: tuple[int, int], size: tuple[int, int]) -> None:
    """Its steps: an image that is smaller is padded first, by half of what is missing, rounded down, on the left."""
    window = Window.stretch(resized).centre_crop(size, centre="torchvision")
    for extent, wanted, begin in zip(resized, size, (window.top, window.left), strict=True):
        padding = max(0, wanted - extent) // 2
        padded = max(extent, wanted)
        assert begin == round((padded - wanted) / 2.0) - padding


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: Window.stretch((2, 2)).centre_crop((1, 1), centre=WRONG_CENTRE),
            ValueError,
            "centre must be 'transformers' or 'torchvision', got 'PIL'",
        ),
        (lambda: Window.stretch((0, 2)), ValueError, "size must be at least 1 each way, got (0, 2)"),
        (lambda: Window.letterbox((0, 2), (2, 2)), ValueError, "image_size must be at least 1 each way, got (0, 2)"),
        (
            lambda: Window.letterbox((3, 2), WRONG_SIZE),
            TypeError,
            "size must be two integers (height, width), got (2, 2.0)",
        ),
        (lambda: Window.shortest_edge((3, -1), 2), ValueError, "image_size must be at least 1 each way, got (3, -1)"),
        (lambda: Window.shortest_edge((3, 1), 0), ValueError, "length must be at least 1, got 0"),
        (lambda: Window.shortest_edge((3, 1), WRONG_LENGTH), TypeError, "length must be an integer, got 0.5"),
        (
            lambda: Window.stretch((2, 2)).centre_crop(WRONG_LENGTH),
            TypeError,
            "size must be two integers (height, width), got 0.5",
        ),
    ],
)
def test_wrong_size(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == sentence
