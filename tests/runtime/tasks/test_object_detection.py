"""From a detector's outputs to objects, with transformers' own post-processing for the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.detections import object_faults
from support.images import encoded

from tundish.engines import Arrays, Engine
from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    DetectionPostprocess,
    DetrPostprocess,
    ImagePreprocess,
    ModelSpec,
    ShortestEdgeResize,
    SigmoidDetrPostprocess,
    StretchResize,
    TensorSpec,
)
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import Box, DetectedObject, ObjectDetection, Point
from tundish.tasks.box_finding import Found
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.object_detection import ObjectDetectionTask
from tundish.tasks.object_finding import load_finder
from tundish_kernels import Window

LABELS = ("crack", "scratch", "N/A", "N/A")
"""Names may stand twice, as in COCO's."""

RULES: dict[str, tuple[DetectionPostprocess, Any, dict[str, Any]]] = {
    "detr": (DetrPostprocess(labels=LABELS, threshold=0.3), hf.DetrImageProcessor, {}),
    "yolos": (DetrPostprocess(labels=LABELS, threshold=0.3), hf.YolosImageProcessor, {}),
    "conditional-detr": (
        SigmoidDetrPostprocess(labels=LABELS, threshold=0.3, top_k=3),
        hf.ConditionalDetrImageProcessor,
        {"top_k": 3},
    ),
    "rt-detr": (SigmoidDetrPostprocess(labels=LABELS, threshold=0.3, top_k=7), hf.RTDetrImageProcessor, {}),
}
"""A rule, the processor that is its oracle, and what that is called with."""


def outputs_of(rule: DetectionPostprocess) -> tuple[TensorSpec, ...]:
    classes = len(LABELS) + isinstance(rule, DetrPostprocess)
    return (
        TensorSpec(name="logits", datatype="FP32", shape=("batch", "queries", classes)),
        TensorSpec(name="pred_boxes", datatype="FP32", shape=("batch", "queries", 4)),
    )


def drawn(rule: DetectionPostprocess, seed: int, images: int, queries: int = 7) -> dict[str, NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    classes = len(LABELS) + isinstance(rule, DetrPostprocess)
    return {
        "logits": draw.normal(0, 3, (images, queries, classes)).astype(np.float32),
        "pred_boxes": draw.uniform(-0.1, 1.1, (images, queries, 4)).astype(np.float32),
    }


def find(rule: DetectionPostprocess, outputs: Any, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
    pixels = np.zeros((1, 1, 3), np.uint8)
    images = [PreparedImage(pixels, Window.stretch((64, 64)), size) for size in sizes]
    return load_finder(rule, outputs_of(rule), Path("bundle")).find(outputs, images)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(list(RULES)), seed=st.integers(0, 2**32), images=st.integers(1, 4))
def test_objects_are_those_of_the_processor(kind: str, seed: int, images: int) -> None:
    rule, processor, options = RULES[kind]
    outputs = drawn(rule, seed, images)
    sizes = [(480 + 3 * index, 640 - 7 * index) for index in range(images)]
    expected = processor().post_process_object_detection(
        SimpleNamespace(**{name: torch.from_numpy(array) for name, array in outputs.items()}),
        threshold=rule.threshold,
        target_sizes=torch.tensor(sizes),
        **options,
    )
    for entry, actual in zip(expected, find(rule, outputs, sizes), strict=True):
        assert not isinstance(actual, EngineError)
        objects = [
            DetectedObject(LABELS[label], score, Box(*box))
            for label, score, box in zip(*(entry[key].tolist() for key in ("labels", "scores", "boxes")), strict=True)
        ]
        assert object_faults(objects, actual) == []


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("where", ["logits", "pred_boxes"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_without_numbers_fails_alone(kind: str, where: str, value: float) -> None:
    rule = RULES[kind][0]
    outputs = drawn(rule, 5, images=2)
    good = find(rule, outputs, [(10, 10)] * 2)
    if where == "logits" and isinstance(rule, SigmoidDetrPostprocess):
        value = np.nan  # of infinity the sigmoid is 1
    outputs[where][1, 3] = value
    first, second = find(rule, outputs, [(10, 10)] * 2)
    assert first == good[0]
    assert isinstance(second, EngineError)
    assert "NaN or an infinity where scores and boxes belong" in str(second)


def test_logits_far_from_zero_neither_overflow_nor_fail() -> None:
    for rule, _, _ in RULES.values():
        outputs = drawn(rule, 5, images=1)
        outputs["logits"] *= 1e4
        (found,) = find(rule, outputs, [(10, 10)])
        assert not isinstance(found, EngineError)
        assert {each.score for each in found} <= {1.0}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TensorSpec(name="logits", datatype="FP32", shape=("batch", "queries", 4)), r"\[batch, queries, 5\].* 4\]"),
        (TensorSpec(name="boxes", datatype="FP32", shape=("batch", "queries", 5)), "output 'logits' of the shape"),
    ],
)
def test_a_network_of_another_form_is_refused(spec: TensorSpec, message: str) -> None:
    rule = RULES["detr"][0]
    with pytest.raises(BundleError, match=message):
        load_finder(rule, (spec, outputs_of(rule)[1]), Path("bundle"))


def task(resize: StretchResize | ShortestEdgeResize) -> ObjectDetectionTask:
    rule = RULES["detr"][0]
    preprocess = ImagePreprocess(resize=resize, crop=None, rescale=1 / 255, mean=(0, 0, 0), std=(1, 1, 1))
    pixels = TensorSpec(name="pixel_values", datatype="FP32", shape=("batch", 3, "height", "width"))
    assert isinstance(rule, DetrPostprocess)
    spec = ModelSpec(
        task="object-detection",
        inputs=(pixels,),
        outputs=outputs_of(rule),
        preprocess=preprocess,
        postprocess=rule,
    )
    return ObjectDetectionTask(spec, Path("bundle"))


class CornerEngine:
    """Finds in every image one 'crack' in its upper left corner, and keeps the shapes of what it was given."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        pixels = inputs["pixel_values"]
        self.shapes.append(pixels.shape)
        logits = np.full((len(pixels), 1, 5), -9, np.float32)
        logits[:, :, 0] = 9
        return {"logits": logits, "pred_boxes": np.full((len(pixels), 1, 4), 0.5, np.float32)}

    def another(self) -> Engine:
        return self


def test_images_of_one_shape_run_together_and_answers_keep_their_order() -> None:
    engine = CornerEngine()
    pipeline = Pipeline(task(ShortestEdgeResize(length=8, longest=32)), engine)
    sizes = [(8, 16), (16, 8), (40, 80), (8, 9), (160, 80)]
    answers = run_batch(pipeline, [encoded("red", size=size) for size in sizes])
    assert sorted(engine.shapes) == [(1, 3, 9, 8), (2, 3, 8, 16), (2, 3, 16, 8)]
    for (width, height), answer in zip(sizes, answers, strict=True):
        assert isinstance(answer, Answer)
        assert isinstance(answer.output, ObjectDetection)
        (found,) = answer.output.objects
        assert found.label == "crack"
        assert found.box == pytest.approx((width / 4, height / 4, width * 3 / 4, height * 3 / 4))
    assert [answer.stage_times.batch_size for answer in answers if isinstance(answer, Answer)] == [2, 2, 2, 1, 2]


def test_images_that_are_stretched_all_run_together() -> None:
    engine = CornerEngine()
    sizes = [(8, 16), (16, 8), (3, 300)]
    run_batch(Pipeline(task(StretchResize(height=12, width=20)), engine), [encoded("red", size=s) for s in sizes])
    assert engine.shapes == [(3, 3, 12, 20)]


def test_tensors_are_padded_behind_each_images_own_objects() -> None:
    crack = DetectedObject("crack", 0.75, Box(1, 2, 3, 4))
    dent = DetectedObject("Größe", 0.5, Box(-1, 0, 1, 2.5))
    tensors = ObjectDetectionTask.to_tensors([ObjectDetection((crack,)), ObjectDetection((crack, dent))])
    assert tensors["label"].tolist() == [[b"crack", b""], [b"crack", "Größe".encode()]]
    assert tensors["score"].tolist() == [[0.75, 0], [0.75, 0.5]]
    assert tensors["box"].tolist() == [[[1, 2, 3, 4], [0] * 4], [[1, 2, 3, 4], [-1, 0, 1, 2.5]]]
    assert tensors["score"].dtype == tensors["box"].dtype == np.float32


def test_tensors_have_the_corners_of_oriented_boxes() -> None:
    corners = (Point(2, 0), Point(4, 2), Point(2, 4), Point(0, 2))
    turned = DetectedObject("crack", 0.75, Box(0, 0, 4, 4), corners)
    tensors = ObjectDetectionTask.to_tensors([ObjectDetection(()), ObjectDetection((turned,))])
    assert tensors["corners"].tolist() == [[[[0, 0]] * 4], [[[2, 0], [4, 2], [2, 4], [0, 2]]]]
    assert tensors["corners"].dtype == np.float32


def test_tensors_of_nothing_have_no_objects() -> None:
    tensors = ObjectDetectionTask.to_tensors([ObjectDetection(())])
    assert {name: array.shape for name, array in tensors.items()} == {
        "label": (1, 0),
        "score": (1, 0),
        "box": (1, 0, 4),
        "corners": (1, 0, 4, 2),
    }


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            DetectedObject,
            st.sampled_from(["crack", "", "Größe"]),
            st.floats(0, 1, width=32),
            st.builds(Box, *[st.floats(-1e4, 1e4, width=32)] * 4),
            st.none() | st.tuples(*[st.builds(Point, *[st.floats(-1e4, 1e4, width=32)] * 2)] * 4),
        ),
        max_size=5,
    )
)
def test_a_message_carries_the_result_as_it_is(objects: list[DetectedObject]) -> None:
    result = ObjectDetection(tuple(objects))
    message = ObjectDetectionTask.to_message(result)
    read = type(message).FromString(message.SerializeToString())
    assert ObjectDetectionTask.from_message(read) == result
