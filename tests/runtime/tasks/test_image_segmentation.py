"""From a segmenter's outputs to segments and their masks, with transformers' own post-processing for the oracle."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from support.images import encoded
from support.segmentations import Expected, segment_faults

from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import (
    ImagePreprocess,
    LetterboxResize,
    MaskQueriesPostprocess,
    ModelSpec,
    PixelIndexPostprocess,
    SegmentationPostprocess,
    SemanticPostprocess,
    StretchResize,
    Subtask,
    TensorSpec,
)
from tundish.masks import MAX_EDGE, Mask
from tundish.results import ImageSegmentation, Segment
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.image_segmentation import ImageSegmentationTask
from tundish.tasks.segment_finding import load_finder
from tundish_kernels import Window

FEW = ("crack", "scratch", "N/A", "N/A")
"""Names may stand twice."""
MANY = tuple(f"label {number}" for number in range(300))
"""More than a byte tells apart; and so many that PyTorch sorts the likeliest of few queries."""

PROCESSORS: dict[str, tuple[Any, tuple[int, int] | None]] = {
    "maskformer": (hf.MaskFormerImageProcessor, None),
    "mask2former": (hf.Mask2FormerImageProcessor, (384, 384)),
}
"""The oracles, and the size to which each brings masks first."""


def outputs_of(rule: SegmentationPostprocess) -> tuple[TensorSpec, ...]:
    if isinstance(rule, SemanticPostprocess):
        return (TensorSpec(name="logits", datatype="FP32", shape=("batch", len(rule.labels), 6, 9)),)
    if isinstance(rule, PixelIndexPostprocess):
        return (TensorSpec(name="indices", datatype="FP32", shape=("batch", 6, 9)),)
    assert isinstance(rule, MaskQueriesPostprocess)
    return (
        TensorSpec(name="class_queries_logits", datatype="FP32", shape=("batch", "queries", len(rule.labels) + 1)),
        TensorSpec(name="masks_queries_logits", datatype="FP32", shape=("batch", "queries", "height", "width")),
    )


def smooth(draw: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Logits of pixels whose neighbours are alike, as a network has them."""
    coarse = torch.from_numpy(draw.normal(0, 4, (1, *shape[:-2], 4, 5)).astype(np.float32))
    flat = coarse.reshape(1, -1, 4, 5)
    return torch.nn.functional.interpolate(flat, shape[-2:], mode="bicubic").reshape(shape).numpy()


def found_by(rule: SegmentationPostprocess, outputs: Any, sizes: list[tuple[int, int]]) -> list[Any]:
    images = [PreparedImage(np.zeros((1, 1, 3), np.uint8), Window.stretch((6, 9)), size) for size in sizes]
    return load_finder(rule, outputs_of(rule), Path("bundle")).find(outputs, images, (6, 9))


@settings(max_examples=40, deadline=None)
@given(
    labels=st.sampled_from([FEW, MANY]),
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.tuples(st.integers(1, 80), st.integers(1, 80)), min_size=1, max_size=3),
)
def test_semantic_segments_are_those_of_the_processor(
    labels: tuple[str, ...], seed: int, sizes: list[tuple[int, int]]
) -> None:
    logits = smooth(np.random.default_rng(seed), len(sizes), len(labels), 6, 9)
    maps = hf.SegformerImageProcessor().post_process_semantic_segmentation(
        SimpleNamespace(logits=torch.from_numpy(logits)), target_sizes=sizes
    )
    for label_map, actual in zip(
        maps, found_by(SemanticPostprocess(labels=labels), {"logits": logits}, sizes), strict=True
    ):
        present = np.unique(label_map.numpy())
        assert [segment.label for segment in actual] == [labels[index] for index in present]
        expected = [Expected(labels[index], None, label_map.numpy() == index) for index in present]
        assert segment_faults(expected, actual) == []


@settings(max_examples=40, deadline=None)
@example("maskformer", "panoptic", 1, (73, 1), 0.0, 0.8)  # twenty pixels of twenty-five
@given(
    family=st.sampled_from(list(PROCESSORS)),
    subtask=st.sampled_from(["panoptic", "instance", "semantic"]),
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    threshold=st.sampled_from([0.0, 0.3, 0.8]),
    overlap=st.sampled_from([0.0, 0.5, 0.8]),
)
def test_segments_of_queries_are_those_of_the_processor(
    family: str, subtask: Subtask, seed: int, size: tuple[int, int], threshold: float, overlap: float
) -> None:
    processor, mask_size = PROCESSORS[family]
    rule = MaskQueriesPostprocess(
        labels=MANY[:70], subtask=subtask, threshold=threshold, overlap_threshold=overlap, mask_size=mask_size
    )
    draw = np.random.default_rng(seed)
    outputs = {
        "class_queries_logits": draw.normal(0, 5, (1, 9, 71)).astype(np.float32),
        "masks_queries_logits": smooth(draw, 1, 9, 21, 32),
    }
    tensors = SimpleNamespace(**{name: torch.from_numpy(array.copy()) for name, array in outputs.items()})
    if subtask == "semantic":
        label_map = processor().post_process_semantic_segmentation(tensors, target_sizes=[size])[0].numpy()
        expected = [Expected(rule.labels[index], None, label_map == index) for index in np.unique(label_map)]
    else:
        process = getattr(processor(), f"post_process_{subtask}_segmentation")
        answer = process(tensors, threshold=threshold, overlap_mask_area_threshold=overlap, target_sizes=[size])[0]
        places = answer["segmentation"].numpy()
        expected = [
            Expected(rule.labels[each["label_id"]], each["score"], places == each["id"])
            for each in answer["segments_info"]
        ]
    (actual,) = found_by(rule, outputs, [size])
    assert segment_faults(expected, actual) == []


def queries(*, subtask: Subtask = "panoptic") -> tuple[MaskQueriesPostprocess, dict[str, NDArray[np.float32]]]:
    """Two images; in both, a crack on the left half and a scratch on the right one, each surely."""
    classes = np.full((2, 3, len(FEW) + 1), -9, np.float32)
    masks = np.full((2, 3, 4, 4), -9, np.float32)
    classes[:, 0, 0] = classes[:, 1, 1] = classes[:, 2, 4] = 9
    masks[:, 0, :, :2] = masks[:, 1, :, 2:] = 9
    return MaskQueriesPostprocess(labels=FEW, subtask=subtask), {
        "class_queries_logits": classes,
        "masks_queries_logits": masks,
    }


@pytest.mark.parametrize("subtask", ["panoptic", "instance", "semantic"])
def test_each_half_is_found(subtask: Subtask) -> None:
    rule, outputs = queries(subtask=subtask)
    left, right = found_by(rule, outputs, [(20, 40), (3, 8)])[1]
    assert (left.label, right.label) == ("crack", "scratch")
    halves = np.zeros((2, 3, 8), bool)
    halves[0, :, :4] = halves[1, :, 4:] = True
    assert np.array_equal(left.mask.to_array(), halves[0])
    assert np.array_equal(right.mask.to_array(), halves[1])


@pytest.mark.parametrize(("edge", "columns"), [(2, [0, 1]), (3, [0, 1, 1]), (8, [0, 0, 0, 0, 1, 1, 1, 1]), (1, [1])])
def test_a_pixel_has_the_index_of_the_cell_that_its_centre_lies_in(edge: int, columns: list[int]) -> None:
    indices = np.array([[[0, 2]]], np.float32)
    (found,) = found_by(PixelIndexPostprocess(labels=FEW), {"indices": indices}, [(2, edge)])
    whole = np.array([columns] * 2)
    assert {segment.label: segment.mask.to_array().tolist() for segment in found} == {
        label: (whole == place).tolist() for label, place in (("crack", 0), ("N/A", 1)) if place in columns
    }


def test_an_index_that_no_label_has_is_no_segment() -> None:
    indices = np.array([[[255, 1], [-1, 4]]], np.float32)
    (found,) = found_by(PixelIndexPostprocess(labels=FEW), {"indices": indices}, [(2, 2)])
    assert [(segment.label, segment.mask.to_array().tolist()) for segment in found] == [
        ("scratch", [[False, True], [False, False]])
    ]


@pytest.mark.parametrize("where", ["class_queries_logits", "masks_queries_logits", "logits", "indices"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_without_numbers_fails_alone(where: str, value: float) -> None:
    rule: SegmentationPostprocess
    rule, outputs = queries()
    if where == "logits":
        rule = SemanticPostprocess(labels=FEW)
        outputs = {"logits": np.random.default_rng(1).normal(size=(2, len(FEW), 6, 9)).astype(np.float32)}
    if where == "indices":
        rule = PixelIndexPostprocess(labels=FEW)
        outputs = {"indices": np.random.default_rng(1).integers(0, len(FEW), (2, 6, 9)).astype(np.float32)}
    good = found_by(rule, outputs, [(10, 10)] * 2)
    outputs[where][1, 0, 1] = value
    first, second = found_by(rule, outputs, [(10, 10)] * 2)
    assert first == good[0]
    assert isinstance(second, EngineError)
    assert f"NaN or an infinity where {'indices' if where == 'indices' else 'scores'}" in str(second)


@pytest.mark.parametrize(
    ("rule", "name", "shape", "message"),
    [
        (
            SemanticPostprocess(labels=FEW),
            "logits",
            ("batch", 5, 6, 9),
            r"\[batch, 4, height, width\], got \['batch', 5",
        ),
        (SemanticPostprocess(labels=FEW), "logits", ("batch", 4), r"'logits' of the shape"),
        (SemanticPostprocess(labels=FEW), "scores", ("batch", 4, 6, 9), r"'logits' of the shape .* got \[\]"),
        (PixelIndexPostprocess(labels=FEW), "indices", ("batch", 1, 6, 9), r"\[batch, height, width\], got"),
        (queries()[0], "class_queries_logits", ("batch", "queries", 4), r"\[batch, queries, 5\], got"),
        (SegmentationPostprocess(), "logits", ("batch", 4, 6, 9), "in a way that this version does not know"),
    ],
)
def test_a_network_of_another_form_is_refused(
    rule: SegmentationPostprocess, name: str, shape: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        load_finder(rule, (TensorSpec(name=name, datatype="FP32", shape=shape),), Path("bundle"))


def test_letterboxed_images_need_maps_that_can_be_cut() -> None:
    letterbox = LetterboxResize(height=12, width=18, padding=114)
    rule = SemanticPostprocess(labels=FEW)
    with pytest.raises(BundleError, match=r"'logits' of the shape \[batch, 4, 12, 18\], got \['batch', 4, 6, 9\]"):
        load_finder(rule, outputs_of(rule), Path("bundle"), letterbox=letterbox)
    of_queries = queries()[0]
    with pytest.raises(BundleError, match="masks by queries, which are of whole images"):
        load_finder(of_queries, outputs_of(of_queries), Path("bundle"), letterbox=letterbox)


def task() -> ImageSegmentationTask:
    rule = SemanticPostprocess(labels=FEW)
    spec = ModelSpec(
        task="image-segmentation",
        inputs=(TensorSpec(name="pixel_values", datatype="FP32", shape=("batch", 3, 8, 8)),),
        outputs=outputs_of(rule),
        preprocess=ImagePreprocess(
            resize=StretchResize(height=8, width=8), crop=None, rescale=1 / 255, mean=(0, 0, 0), std=(1, 1, 1)
        ),
        postprocess=rule,
    )
    return ImageSegmentationTask(spec, Path("bundle"))


def test_an_image_that_is_too_long_for_a_mask_is_refused() -> None:
    assert task().prepare(encoded("red", size=(MAX_EDGE, 1))).size == (1, MAX_EDGE)
    with pytest.raises(InvalidInputError, match="The image of 1 x 65536 pixels is too long: a mask may have 65535"):
        task().prepare(encoded("red", size=(1, MAX_EDGE + 1)))


corner = np.zeros((3, 4), bool)
corner[:2, :1] = True
in_corner = Mask.of(corner)


def test_a_mask_is_what_coco_says() -> None:
    """As its columns say from left to right: 0 pixels outside, 2 inside, 10 outside."""
    assert in_corner == Mask((3, 4), b"02:")
    assert np.array_equal(in_corner.to_array(), corner)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (33, 8)])
def test_a_png_shows_the_mask_in_black_and_white(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).random(shape) < 0.5
    with Image.open(io.BytesIO(Mask.of(pixels).to_png())) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "1", shape[::-1])
        assert np.array_equal(np.asarray(picture.convert("L")), pixels * np.uint8(255))


def test_tensors_are_padded_behind_each_images_own_segments() -> None:
    crack, dent = Segment("crack", 0.75, in_corner), Segment("Größe", None, Mask.of(~corner))
    tensors = ImageSegmentationTask.to_tensors([ImageSegmentation((crack,)), ImageSegmentation((crack, dent))])
    assert tensors["label"].tolist() == [[b"crack", b""], [b"crack", "Größe".encode()]]
    assert tensors["score"].tolist() == [[0.75, 0], [0.75, 0]]
    assert tensors["mask"].tolist() == [[b"02:", b""], [b"02:", Mask.of(~corner).counts]]
    assert tensors["size"].tolist() == [[[3, 4], [0, 0]], [[3, 4], [3, 4]]]
    assert tensors["score"].dtype == np.float32
    assert tensors["size"].dtype == np.int64
    empty = ImageSegmentationTask.to_tensors([ImageSegmentation(())])
    assert [array.shape for array in empty.values()] == [(1, 0), (1, 0), (1, 0), (1, 0, 2)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            Segment,
            st.sampled_from(["crack", "", "Größe"]),
            st.none() | st.floats(0, 1, width=32),
            st.builds(
                lambda height, width: Mask.of(np.eye(height, width, dtype=bool)), st.integers(1, 9), st.integers(1, 9)
            ),
        ),
        max_size=4,
    )
)
def test_a_message_carries_the_result_as_it_is(segments: list[Segment]) -> None:
    result = ImageSegmentation(tuple(segments))
    message = ImageSegmentationTask.to_message(result)
    read = type(message).FromString(message.SerializeToString())
    assert ImageSegmentationTask.from_message(read) == result
