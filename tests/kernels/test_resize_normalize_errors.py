"""Every argument that resize_normalize refuses, with the sentence that it says; nothing is written."""

from typing import Any

import numpy as np
import pytest

from tundish_kernels import ImageOutput, Quantization, Window, resize_normalize, resize_normalize_into

IMAGE = np.zeros((8, 9, 3), dtype=np.uint8)
WINDOW = Window(4, 5, 0, 0)
VALID: dict[str, Any] = {
    "images": [IMAGE, IMAGE],
    "windows": [WINDOW, WINDOW],
    "filter": "bilinear",
    "scale": 1 / 255,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "pad": 0,
}
IMAGES = "images[1] must be [height, width, 3] uint8"
DESTINATION = "destination must be [2, 3, height, width] float32"


def second_image(image: object) -> dict[str, Any]:
    return {"images": [IMAGE, image]}


def second_window(**fields: object) -> dict[str, Any]:
    return {"windows": [WINDOW, WINDOW._replace(**fields)]}  # type: ignore[arg-type]  # the error under test


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"images": 3}, TypeError, "images must be a sequence, got int"),
        ({"images": [], "windows": []}, ValueError, "images must hold at least one image, got none"),
        (second_image([[0]]), TypeError, f"{IMAGES}, got list"),
        (second_image(IMAGE[0]), ValueError, f"{IMAGES}, got (9, 3) uint8"),
        (second_image(IMAGE[..., :1]), ValueError, f"{IMAGES}, got (8, 9, 1) uint8"),
        (second_image(IMAGE.astype(np.float32)), ValueError, f"{IMAGES}, got (8, 9, 3) float32"),
        (second_image(IMAGE[:0]), ValueError, f"{IMAGES} and not empty, got (0, 9, 3)"),
        (
            second_image(IMAGE[:, ::2]),
            ValueError,
            f"{IMAGES} with adjacent pixels in a row, got strides (27, 6, 1)",
        ),
        (
            second_image(IMAGE[..., ::-1]),
            ValueError,
            f"{IMAGES} with adjacent pixels in a row, got strides (27, 3, -1)",
        ),
        (
            second_image(np.broadcast_to(IMAGE[:1], (65537, 9, 3))),
            ValueError,
            "the height of images[1] must be between 1 and 65536, got 65537",
        ),
        (
            second_image(np.zeros((1, 65537, 3), dtype=np.uint8)),
            ValueError,
            "the width of images[1] must be between 1 and 65536, got 65537",
        ),
        ({"windows": [WINDOW]}, ValueError, "windows must be as many as images (2), got 1"),
        ({"windows": None}, TypeError, "windows must be a sequence, got NoneType"),
        ({"windows": [WINDOW, (4, 5)]}, TypeError, "windows[1] must be a Window, got (4, 5)"),
        (second_window(top=0.5), TypeError, "windows[1].top must be an integer, got 0.5"),
        (
            second_window(resized_height=0),
            ValueError,
            "windows[1].resized_height must be between 1 and 65536, got 0",
        ),
        (
            second_window(resized_width=65537),
            ValueError,
            "windows[1].resized_width must be between 1 and 65536, got 65537",
        ),
        (
            second_window(top=-65537),
            ValueError,
            "windows[1].top must be between -65536 and 65536, got -65537",
        ),
        (second_window(left=2**63), ValueError, f"windows[1].left must fit in 64 bits, got {2**63}"),
        ({"filter": 2}, TypeError, "filter must be a string, got 2"),
        (
            {"filter": "box"},
            ValueError,
            "filter must be 'nearest', 'bilinear', 'bicubic' or 'lanczos', got 'box'",
        ),
        ({"scale": None}, TypeError, "scale must be a number, got None"),
        ({"scale": float("inf")}, ValueError, "scale must be finite, got inf"),
        ({"scale": 10**400}, ValueError, "scale must be finite, got an integer above every float"),
        ({"mean": 0.5}, TypeError, "mean must be a sequence, got float"),
        ({"mean": (0.5,)}, ValueError, "mean must be three numbers, one a channel, got 1"),
        ({"mean": (0.5, 0.5, float("nan"))}, ValueError, "mean[2] must be finite, got nan"),
        ({"mean": (0.5, "a", 0.5)}, TypeError, "mean[1] must be a number, got 'a'"),
        ({"std": (0.5, 0.0, 0.5)}, ValueError, "std[1] must be finite and above 0, got 0"),
        ({"std": (-1e-9, 1.0, 1.0)}, ValueError, "std[0] must be finite and above 0, got -1e-09"),
        (
            {"std": (1.0, 1e-300, 1.0)},
            ValueError,
            "scale, mean and std must normalise every pixel to a finite float32 in channel 1, got a value out of range",
        ),
        ({"pad": 256}, ValueError, "pad must be between 0 and 255, got 256"),
        ({"pad": -1}, ValueError, "pad must be between 0 and 255, got -1"),
        ({"pad": 1.5}, TypeError, "pad must be an integer, got 1.5"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    arguments = VALID | changed
    images, windows = arguments.pop("images"), arguments.pop("windows")
    with pytest.raises(error) as of_op:
        resize_normalize(images, windows, size=(6, 7), **arguments)
    assert str(of_op.value) == sentence

    batch = len(images) if isinstance(images, list) else 2
    destination = np.full((batch, 3, 6, 7), 42.0, dtype=np.float32)
    with pytest.raises(error) as of_op_into:
        resize_normalize_into(destination, images, windows, **arguments)
    assert str(of_op_into.value) == sentence
    assert np.all(destination == 42.0)


@pytest.mark.parametrize(
    ("size", "error", "sentence"),
    [
        (7, TypeError, "size must be two integers (height, width), got 7"),
        ((6, 7, 8), TypeError, "size must be two integers (height, width), got (6, 7, 8)"),
        ((6.0, 7), TypeError, "size must be two integers (height, width), got (6.0, 7)"),
        ((0, 7), ValueError, "size must be between 1 and 65536 each way, got (0, 7)"),
        ((6, 65537), ValueError, "size must be between 1 and 65536 each way, got (6, 65537)"),
    ],
)
def test_wrong_size(size: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        resize_normalize(size=size, **VALID)
    assert str(raised.value) == sentence


def read_only() -> np.ndarray[Any, Any]:
    destination = np.zeros((2, 3, 6, 7), dtype=np.float32)
    destination.flags.writeable = False
    return destination


@pytest.mark.parametrize(
    ("destination", "error", "sentence"),
    [
        (None, TypeError, f"{DESTINATION}, got NoneType"),
        (np.zeros((2, 3, 6, 7)), ValueError, f"{DESTINATION}, got (2, 3, 6, 7) float64"),
        (np.zeros((2, 3, 6, 7), ">f4"), ValueError, f"{DESTINATION}, got (2, 3, 6, 7) >f4"),
        (np.zeros((3, 3, 6, 7), np.float32), ValueError, f"{DESTINATION}, got (3, 3, 6, 7) float32"),
        (np.zeros((2, 6, 7, 3), np.float32), ValueError, f"{DESTINATION}, got (2, 6, 7, 3) float32"),
        (
            np.zeros((2, 3, 6, 14), np.float32)[..., ::2],
            ValueError,
            f"{DESTINATION} in aligned C order, got strides (1008, 336, 56, 8)",
        ),
        (
            np.zeros(2 * 3 * 6 * 7 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(2, 3, 6, 7),
            ValueError,
            f"{DESTINATION} in aligned C order, got strides (504, 168, 28, 4)",
        ),
        (
            np.zeros((2, 3, 0, 7), np.float32),
            ValueError,
            "the height of destination must be between 1 and 65536, got 0",
        ),
        (read_only(), ValueError, f"{DESTINATION} and writable, got a read-only array"),
    ],
)
def test_wrong_destination(destination: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        resize_normalize_into(destination, **VALID)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("reverse", [False, True])
def test_destination_that_overlaps_an_image(reverse: bool) -> None:
    memory = np.zeros(2 * 3 * 6 * 7, dtype=np.float32)
    image = memory.view(np.uint8)[-24:].reshape(2, 4, 3)
    arguments = VALID | {"images": [IMAGE, image[::-1] if reverse else image]}
    with pytest.raises(ValueError, match=r"must not overlap an image, got memory shared with images\[1\]$"):
        resize_normalize_into(memory.reshape(2, 3, 6, 7), **arguments)


NV12 = "images[0] must be [height * 3 / 2, width] uint8"


def grey(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("pixel_format", "image", "error", "sentence"),
    [
        ("grey", grey(4, 4, 3), ValueError, "images[0] must be [height, width] uint8, got (4, 4, 3) uint8"),
        ("bayer_rggb", grey(0, 4), ValueError, "images[0] must be [height, width] uint8 and not empty, got (0, 4)"),
        (
            "bayer_rggb",
            grey(2, 4),
            ValueError,
            "images[0] must have at least 3 x 3 pixels to interpolate a Bayer pattern, got 4 x 2",
        ),
        (
            "grey",
            grey(4, 8)[:, ::2],
            ValueError,
            "images[0] must be [height, width] uint8 with adjacent pixels in a row, got strides (8, 2)",
        ),
        ("yuyv", grey(4, 4), ValueError, "images[0] must be [height, width, 2] uint8, got (4, 4) uint8"),
        (
            "uyvy",
            grey(4, 5, 2),
            ValueError,
            "images[0] must have an even width, since two pixels share their chroma, got 5 x 4",
        ),
        ("nv12", "frame", TypeError, f"{NV12}, got str"),
        ("nv12", grey(6, 4, 1), ValueError, f"{NV12}, got (6, 4, 1) uint8"),
        ("nv12", grey(7, 4), ValueError, f"{NV12} with a whole height, got (7, 4) uint8"),
        (
            "nv12",
            grey(6, 5),
            ValueError,
            "images[0] must have an even width and height, since four pixels share their chroma, got 5 x 4",
        ),
        (
            "i420",
            grey(6, 8)[:, :4],
            ValueError,
            "images[0] must be in C order, or separate planes y, u and v, got an array with strides (8, 1)",
        ),
        (
            "i420",
            [grey(4, 4), grey(2, 2)],
            ValueError,
            "images[0] must be one array or the planes y, u, v, got 2 planes",
        ),
        (
            "nv12",
            (grey(4, 4), grey(2, 2)),
            ValueError,
            "images[0][1] must be [2, 4] uint8, got (2, 2) uint8",
        ),
        (
            "nv12",
            (grey(3, 4), grey(2, 4)),
            ValueError,
            "images[0] must have an even width and height, since four pixels share their chroma, got 4 x 3",
        ),
    ],
)
def test_wrong_camera_image(pixel_format: Any, image: Any, error: type[Exception], sentence: str) -> None:
    destination = np.full((1, 3, 6, 7), 42.0, np.float32)
    with pytest.raises(error) as raised:
        resize_normalize_into(destination, [image], [WINDOW], format=pixel_format, filter="bilinear")
    assert str(raised.value) == sentence
    assert np.all(destination == 42.0)


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        (
            {"format": "yuv"},
            ValueError,
            "format must be one of rgb, bgr, grey, nv12, i420, yuyv, uyvy, bayer_rggb, bayer_bggr, bayer_grbg, "
            "bayer_gbrg, got 'yuv'",
        ),
        ({"antialias": 0}, TypeError, "antialias must be True or False, got 0"),
        (
            {"antialias": False, "filter": "lanczos"},
            ValueError,
            "filter must be 'nearest', 'bilinear' or 'bicubic' without antialias, got 'lanczos'",
        ),
        ({"pad": (1, 2)}, ValueError, "pad must be one integer or three, one a channel, got 2"),
        ({"pad": (1, 256, 3)}, ValueError, "pad[1] must be between 0 and 255, got 256"),
        ({"output": "float32"}, TypeError, "output must be an ImageOutput, got str"),
        (
            {"output": ImageOutput(dtype="float16"), "scale": 200.0},
            ValueError,
            "scale, mean and std must normalise every pixel to a finite float16 in channel 0, got a value out of range",
        ),
        (
            {"output": ImageOutput(dtype="uint8", quantization=Quantization(0.0, 0))},
            ValueError,
            "the quantisation's scale must be a finite float32 above 0, got 0",
        ),
        (
            {"output": ImageOutput(dtype="uint8", quantization=Quantization(float("nan"), 0))},
            ValueError,
            "the quantisation's scale must be a finite float32 above 0, got nan",
        ),
        (
            {"output": ImageOutput(dtype="uint8", quantization=Quantization(1e-46, 0))},
            ValueError,
            "the quantisation's scale must be a finite float32 above 0, got 1e-46",
        ),
        (
            {"output": ImageOutput(dtype="int8", quantization=Quantization(1.0, 128))},
            ValueError,
            "the quantisation's zero_point must be between -128 and 127, got 128",
        ),
    ],
)
def test_wrong_option(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    arguments = VALID | changed
    with pytest.raises(error) as raised:
        resize_normalize(size=(6, 7), **arguments)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("fields", "error", "sentence"),
    [
        ({"dtype": "float64"}, ValueError, "dtype must be one of float32, float16, uint8, int8, got 'float64'"),
        ({"layout": "nchw"}, ValueError, "layout must be one of chw, hwc, got 'nchw'"),
        ({"order": "grb"}, ValueError, "order must be one of rgb, bgr, got 'grb'"),
        (
            {"quantization": Quantization(1.0, 0)},
            ValueError,
            "dtype must be uint8 or int8 to be quantised, got float32",
        ),
        (
            {"dtype": "int8", "quantization": 0.5},
            TypeError,
            "quantization must be a Quantization, got 0.5",
        ),
        (
            {"dtype": "int8", "quantization": ("a", 0)},
            TypeError,
            "quantization.scale must be a number, got 'a'",
        ),
        (
            {"dtype": "int8", "quantization": (0.5, 0.5)},
            TypeError,
            "quantization.zero_point must be an integer, got 0.5",
        ),
    ],
)
def test_wrong_output(fields: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        ImageOutput(**fields)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("destination", "sentence"),
    [
        (np.zeros((2, 3, 6, 7), np.int8), "got (2, 3, 6, 7) int8"),
        (np.zeros((2, 6, 7, 3), np.float32), "got (2, 6, 7, 3) float32"),
        (np.zeros((6, 7, 3), np.int8), "got (6, 7, 3) int8"),
        (np.zeros((2, 6, 7, 3), np.int8)[:, ::-1], "in aligned C order, got strides (126, -21, 3, 1)"),
    ],
)
def test_destination_that_is_not_the_output(destination: np.ndarray[Any, Any], sentence: str) -> None:
    expected = "destination must be [2, height, width, 3] int8"
    with pytest.raises(ValueError, match="destination") as raised:
        resize_normalize_into(destination, **VALID, output=ImageOutput(dtype="int8", layout="hwc"))
    assert str(raised.value) == f"{expected}{' ' if sentence.startswith('in') else ', '}{sentence}"


def test_destination_that_overlaps_a_plane() -> None:
    memory = np.zeros(3 * 6 * 7 + 8, np.uint8)
    chroma = memory[3 * 6 * 7 - 1 :][:8].reshape(2, 4)
    destination = memory[: 3 * 6 * 7].reshape(1, 3, 6, 7)
    with pytest.raises(ValueError, match=r"must not overlap an image, got memory shared with images\[0\]$"):
        resize_normalize_into(
            destination,
            [(np.zeros((4, 4), np.uint8), chroma)],
            [WINDOW],
            format="nv12",
            filter="bilinear",
            output=ImageOutput(dtype="uint8"),
        )
