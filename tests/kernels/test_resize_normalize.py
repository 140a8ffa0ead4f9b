"""resize_normalize against Pillow and NumPy: pixels to the bit, normalised values to one rounding."""

import threading
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from support.kernels import outputs_by_isa

from tundish_kernels import Filter, Window, resize_normalize, resize_normalize_into

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

RESAMPLING: dict[Filter, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
UNTOUCHED: dict[str, Any] = {"scale": 1.0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
PILLOW_MAJOR = int(PIL.__version__.split(".")[0])


def random_image(height: int, width: int, seed: int = 0) -> Pixels:
    """Noise, or black and white only: the sharpest edges make filters overshoot the most."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.where(image > 127, np.uint8(255), np.uint8(0)) if seed % 2 else image


def pillow_resize(image: Pixels, height: int, width: int, filter_name: Filter) -> Pixels:
    """Width, then height: what one call did before Pillow 13, which chooses the order by the sizes."""
    picture = Image.fromarray(image)
    resampling = RESAMPLING[filter_name]
    if filter_name != "nearest":
        picture = picture.resize((width, picture.height), resampling)
    return np.asarray(picture.resize((width, height), resampling))


def expected_pixels(image: Pixels, window: Window, size: tuple[int, int], filter_name: Filter, pad: int) -> Pixels:
    resized = pillow_resize(image, window.resized_height, window.resized_width, filter_name)
    output = np.full((*size, 3), pad, dtype=np.uint8)
    rows = np.arange(size[0]) + window.top
    columns = np.arange(size[1]) + window.left
    shown_rows = (rows >= 0) & (rows < resized.shape[0])
    shown_columns = (columns >= 0) & (columns < resized.shape[1])
    output[np.ix_(shown_rows, shown_columns)] = resized[np.ix_(rows[shown_rows], columns[shown_columns])]
    return output.transpose(2, 0, 1)


def resized_pixels(image: Pixels, height: int, width: int, filter_name: Filter) -> Pixels:
    output = resize_normalize(
        [image], [Window(height, width, 0, 0)], size=(height, width), filter=filter_name, **UNTOUCHED
    )
    pixels: Pixels = output[0].transpose(1, 2, 0).astype(np.uint8)
    return pixels


def test_every_filter_is_compared() -> None:
    assert set(get_args(Filter)) == set(RESAMPLING)


@settings(max_examples=400, deadline=None)
@given(
    source=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    resized=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    filter_name=st.sampled_from(get_args(Filter)),
    seed=st.integers(0, 2**32),
)
def test_pixels_equal_pillows(
    source: tuple[int, int], resized: tuple[int, int], filter_name: Filter, seed: int
) -> None:
    image = random_image(*source, seed)
    np.testing.assert_array_equal(
        resized_pixels(image, *resized, filter_name), pillow_resize(image, *resized, filter_name)
    )


@pytest.mark.parametrize("filter_name", get_args(Filter))
@pytest.mark.parametrize(
    ("source", "resized"),
    [
        ((1, 1), (1, 1)),
        ((1, 1), (300, 200)),
        ((512, 512), (256, 256)),  # weights of few bits
        ((130, 74), (65, 37)),
        ((260, 148), (65, 37)),
        ((33, 37), (66, 74)),
        ((74, 65), (37, 130)),
        ((480, 640), (256, 341)),
        ((1200, 900), (1, 1)),
        ((3000, 70), (5, 300)),  # the window is wider than a strip
        ((70, 3000), (300, 5)),
        ((9, 4000), (9, 3999)),  # height unchanged
        ((333, 17), (100, 17)),  # width unchanged
        ((64, 48), (64, 48)),  # both unchanged
        ((2, 3), (700, 1100)),
        ((65536, 1), (3, 2)),
        ((1, 65536), (2, 3)),
        ((1, 2), (1, 65536)),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_pixels_equal_pillows_at_chosen_sizes(
    source: tuple[int, int], resized: tuple[int, int], filter_name: Filter, seed: int
) -> None:
    image = random_image(*source, seed)
    np.testing.assert_array_equal(
        resized_pixels(image, *resized, filter_name), pillow_resize(image, *resized, filter_name)
    )


@pytest.mark.parametrize("filter_name", get_args(Filter))
@pytest.mark.parametrize("resized", [(224, 224), (256, 341), (600, 800), (480, 100)])
def test_pixels_equal_one_call_of_pillow(resized: tuple[int, int], filter_name: Filter) -> None:
    """Sizes at which every version of Pillow begins with the width."""
    image = random_image(480, 640)
    expected = np.asarray(Image.fromarray(image).resize(resized[::-1], RESAMPLING[filter_name]))
    np.testing.assert_array_equal(resized_pixels(image, *resized, filter_name), expected)


@pytest.mark.skipif(PILLOW_MAJOR >= 13, reason="Pillow 13 begins with the height for this image")
def test_pixels_equal_one_call_of_pillow_for_a_tall_image() -> None:
    image = random_image(900, 100)
    expected = np.asarray(Image.fromarray(image).resize((96, 96), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resized_pixels(image, 96, 96, "bicubic"), expected)


@settings(max_examples=300, deadline=None)
@given(
    source=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    window=st.builds(Window, st.integers(1, 90), st.integers(1, 90), st.integers(-60, 100), st.integers(-60, 100)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    filter_name=st.sampled_from(get_args(Filter)),
    pad=st.integers(0, 255),
)
def test_windows_crop_and_pad(
    source: tuple[int, int], window: Window, size: tuple[int, int], filter_name: Filter, pad: int
) -> None:
    image = random_image(*source, seed=pad)
    output = resize_normalize([image], [window], size=size, filter=filter_name, pad=pad, **UNTOUCHED)
    np.testing.assert_array_equal(output[0], expected_pixels(image, window, size, filter_name, pad))


def mixed_batch() -> tuple[list[Pixels], list[Window]]:
    sizes = [(300, 400), (17, 5), (224, 224), (300, 400), (1, 1), (90, 1000)]
    windows = [
        Window(256, 341, 16, 58),
        Window(40, 12, -92, -106),
        Window(224, 224, 0, 0),
        Window(256, 341, 16, 58),
        Window(300, 500, 20, 20),
        Window(224, 2489, 0, 1132),
    ]
    return [random_image(*size, seed) for seed, size in enumerate(sizes)], windows


@pytest.mark.parametrize("filter_name", get_args(Filter))
def test_batch_of_mixed_sizes_is_normalised(filter_name: Filter) -> None:
    images, windows = mixed_batch()
    scale, size = 1 / 255, (224, 224)
    output = resize_normalize(images, windows, size=size, filter=filter_name, scale=scale, mean=MEAN, std=STD, pad=114)
    assert output.shape == (len(images), 3, *size)
    assert output.dtype == np.float32
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (MEAN, STD))
    for index, (image, window) in enumerate(zip(images, windows, strict=True)):
        pixels = expected_pixels(image, window, size, filter_name, pad=114)
        exact = (pixels.astype(np.float64) * scale - mean) / std
        # Rounding the two constants and the result costs half a unit in the last place of each term.
        bound = np.finfo(np.float32).eps / 2 * (pixels * scale / std + mean / std + np.abs(exact))
        assert np.all(np.abs(output[index] - exact) <= bound)


def test_value_is_one_fused_multiply_add() -> None:
    """In float64 the product is exact and the sum so nearly that rounding it again decides nothing here."""
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    output = resize_normalize(
        [image], [Window(16, 16, 0, 0)], size=(16, 16), filter="bilinear", scale=1 / 255, mean=MEAN, std=STD
    )
    multiplier = np.float32(1 / 255 / np.array(STD)).astype(np.float64).reshape(3, 1, 1)
    offset = np.float32(-np.array(MEAN) / np.array(STD)).astype(np.float64).reshape(3, 1, 1)
    expected = (image.transpose(2, 0, 1) * multiplier + offset).astype(np.float32)
    np.testing.assert_array_equal(output[0], expected)


def test_into_equals_the_form_that_returns_and_leaves_images_alone() -> None:
    images, windows = mixed_batch()
    before = [image.copy() for image in images]
    arguments: dict[str, Any] = {"filter": "bicubic", "scale": 1 / 255, "mean": MEAN, "std": STD, "pad": 7}
    destination = np.full((len(images), 3, 50, 60), np.nan, dtype=np.float32)
    resize_normalize_into(destination, images, windows, **arguments)
    returned = resize_normalize(images, windows, size=(50, 60), **arguments)
    np.testing.assert_array_equal(destination, returned)
    for image, original in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, original)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[10:50, 5:45],
        lambda image: image[::-1],
        lambda image: image[::3],
        lambda image: image[:, 7:8],
        lambda image: np.broadcast_to(image[:1], image.shape),
        lambda image: np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(image.shape),  # read-only
    ],
)
def test_rows_may_be_apart(view: Callable[[Pixels], Pixels]) -> None:
    image = view(random_image(60, 50))
    np.testing.assert_array_equal(
        resized_pixels(image, 31, 33, "bilinear"), pillow_resize(image.copy(), 31, 33, "bilinear")
    )


def test_threads_do_not_disturb_each_other() -> None:
    images, windows = mixed_batch()
    arguments: dict[str, Any] = {"size": (96, 96), "filter": "bicubic", **UNTOUCHED}
    expected = resize_normalize(images, windows, **arguments)
    outputs: list[Floats] = []

    def work() -> None:
        outputs.extend(resize_normalize(images, windows, **arguments) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outputs) == 20
    assert all(np.array_equal(output, expected) for output in outputs)


# Prints a digest of many outputs.
DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import Window, resize_normalize
generator = np.random.default_rng(0)
digest = hashlib.sha256()
filters = ["nearest", "bilinear", "bicubic", "lanczos"]
constants = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
for case in range(400):
    height, width, resized_height, resized_width, *size = generator.integers(1, 120, 6).tolist()
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    window = Window(resized_height, resized_width, *generator.integers(-20, 40, 2).tolist())
    rest = {"size": size, "filter": filters[case % 4], "pad": case % 256}
    output = resize_normalize([image], [window], **rest, **constants)
    digest.update(output.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree_to_the_bit() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64
