"""Whether an export lets a variant decode less of JPEGs than there is, and what is served then."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from support.loaded import engine_model
from support.networks import COLOR_EDGE, COLOR_INPUTS, COLOR_POSTPROCESS, COLOR_PREPROCESS, COLORS, ColorNetwork

import tundish
from tundish.manifest import ImagePreprocess, Variant
from tundish.results import ImageClassification
from tundish_exporters import export_module
from tundish_kernels import decode_jpeg

STRIPES = 4
"""Every fourth column has the image's colour; the others have the next one."""


def write_images(directory: Path, pixels: dict[str, NDArray[np.uint8]], form: str = "jpg", **jpeg: Any) -> Path:
    for color, image in pixels.items():
        (directory / color).mkdir(parents=True)
        options = {"quality": 100, "subsampling": 0} | jpeg if form == "jpg" else {}
        for number in range(4):
            Image.fromarray(image).save(directory / color / f"{number}.{form}", **options)
    return directory


def mean_step(path: Path) -> float:
    return float(np.mean(JpegImageFile(io.BytesIO(path.read_bytes())).quantization[0]))


def plain(edge: int) -> dict[str, NDArray[np.uint8]]:
    images = {}
    for index, color in enumerate(COLORS):
        image = np.random.default_rng(index).integers(60, 120, (edge, edge, 3), np.uint8)
        image[:, :, index] += 90
        images[color] = image
    return images


def dotted() -> dict[str, NDArray[np.uint8]]:
    """What `nearest` picks of them, at half of their size as well, has one colour, and more of them has the next one.

    Coefficients of cosines that faint have a bit or two.
    """
    edge = 4 * COLOR_EDGE - 4  # a quarter of it would be too small, so that a half is decoded
    picked = 2 * (np.arange(0.5, COLOR_EDGE) * edge / 2 / COLOR_EDGE).astype(int)
    mask = np.isin(np.arange(edge) // 2 * 2, picked)
    images = {}
    for index, color in enumerate(COLORS):
        image = np.full((edge, edge, 3), 40, np.uint8)
        image[:, :, (index + 1) % 3] = 60
        image[mask[:, None] & mask] = 40
        image[mask[:, None] & mask, index] = 60
        images[color] = image
    return images


def striped(edge: int) -> dict[str, NDArray[np.uint8]]:
    """What `nearest` picks of them has one colour, and their average another."""
    images = {}
    for index, color in enumerate(COLORS):
        image = np.full((edge, edge, 3), 40, np.uint8)
        image[:, :, (index + 1) % 3] = 200
        image[:, STRIPES // 2 :: STRIPES] = 40
        image[:, STRIPES // 2 :: STRIPES, index] = 200
        images[color] = image
    return images


def export(
    repository: Path, images: Path, preprocess: ImagePreprocess = COLOR_PREPROCESS, **options: Any
) -> dict[str, Variant]:
    exported = export_module(
        ColorNetwork().eval(),
        COLOR_INPUTS,
        task="image-classification",
        name="colors",
        repository=repository,
        preprocess=preprocess,
        postprocess=COLOR_POSTPROCESS,
        calibration=images,
        evaluation=images,
        **options,
    )
    variants: dict[str, Variant] = {variant.precision: variant for variant in exported.bundle.manifest.variants}
    assert variants["int8"].gate.passed
    return variants


def test_a_quantised_variant_that_passes_with_reduction_is_served_with_it(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", plain(4 * COLOR_EDGE))
    variants = export(tmp_path / "models", images)
    assert variants["fp32"].preprocess is None
    assert variants["int8"].preprocess == COLOR_PREPROCESS.model_copy(update={"reduced_jpeg": True})


def test_the_server_reduces_what_the_gate_saw_reduced(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", plain(4 * COLOR_EDGE))
    export(tmp_path / "models", images, precision="int8")
    data = (images / "green" / "0.jpg").read_bytes()
    draft = Image.open(io.BytesIO(data))
    draft.draft("RGB", (COLOR_EDGE, COLOR_EDGE))
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        model = engine_model(runtime, "colors")
        assert model.variant.precision == "int8"
        np.testing.assert_array_equal(model.require_task().prepare(data).pixels, np.asarray(draft))
        result = runtime.predict("colors", image=data).result
    assert isinstance(result, ImageClassification)
    assert result.labels[0].name == "green"


@pytest.mark.parametrize(("edge", "form"), [(4 * COLOR_EDGE, "png"), (2 * COLOR_EDGE - 2, "jpg")])
def test_data_that_would_not_be_reduced_prove_nothing(tmp_path: Path, edge: int, form: str) -> None:
    variants = export(tmp_path / "models", write_images(tmp_path / "images", plain(edge), form))
    assert variants["int8"].preprocess is None


def test_a_drop_by_the_reduction_alone_costs_only_the_reduction(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", striped(STRIPES * COLOR_EDGE))
    rule = COLOR_PREPROCESS.model_copy(update={"interpolation": "nearest"})
    variants = export(tmp_path / "models", images, rule)
    assert variants["int8"].accuracy
    assert variants["int8"].accuracy.value == 1.0
    assert variants["int8"].preprocess is None


def test_progressive_files_lose_their_last_bits_if_that_passes(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", plain(COLOR_EDGE), progressive=True, quality=90)
    step = mean_step(images / "green" / "0.jpg")
    variants = export(tmp_path / "models", images, precision="int8")
    assert variants["int8"].preprocess == COLOR_PREPROCESS.model_copy(update={"coarsest_jpeg_step": step})
    data = (images / "green" / "0.jpg").read_bytes()
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        prepared = engine_model(runtime, "colors").require_task().prepare(data)
    np.testing.assert_array_equal(prepared.pixels, decode_jpeg(data, coarsest_step=step))
    assert (prepared.pixels != decode_jpeg(data)).any()


def test_both_are_taken_where_both_pass(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", plain(4 * COLOR_EDGE), progressive=True)
    variants = export(tmp_path / "models", images)
    both = COLOR_PREPROCESS.model_copy(update={"reduced_jpeg": True, "coarsest_jpeg_step": 1.0})
    assert variants["int8"].preprocess == both


def test_a_drop_by_lost_bits_alone_costs_only_those(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", dotted(), progressive=True, quality=60)
    rule = COLOR_PREPROCESS.model_copy(update={"interpolation": "nearest"})
    variants = export(tmp_path / "models", images, rule)
    assert variants["int8"].preprocess == rule.model_copy(update={"reduced_jpeg": True})


def test_few_coarse_samples_do_not_move_the_bound(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", plain(COLOR_EDGE), progressive=True, quality=90)
    fine = mean_step(images / "green" / "0.jpg")
    path = images / "green" / "1.jpg"
    Image.fromarray(decode_jpeg(path.read_bytes())).save(path, quality=40, progressive=True)
    assert mean_step(path) > fine
    variants = export(tmp_path / "models", images, precision="int8")
    assert variants["int8"].preprocess == COLOR_PREPROCESS.model_copy(update={"coarsest_jpeg_step": fine})
