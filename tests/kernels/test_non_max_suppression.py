"""non_max_suppression against a greedy loop in NumPy's float64, and against OpenCV."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.kernels import outputs_by_isa

from tundish_kernels import BoxFormat, Detections, non_max_suppression, non_max_suppression_into

Floats = NDArray[np.float32]


class Rule(NamedTuple):
    score_threshold: float
    iou_threshold: float
    max_detections: int
    class_agnostic: bool
    multi_label: bool


def intersection_over_union(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of two axis-aligned boxes by their corners; 0 of an empty one."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    areas = float(np.prod(np.maximum(a[2:] - a[:2], 0)) + np.prod(np.maximum(b[2:] - b[:2], 0)))
    return common / (areas - common) if common > 0 else 0.0


def rotated_intersection_over_union(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    rectangles: Any = [((cx, cy), (w, h), math.degrees(angle)) for cx, cy, w, h, angle in (a.tolist(), b.tolist())]
    kind, points = cv2.rotatedRectangleIntersection(*rectangles)
    common = 0.0 if kind == cv2.INTERSECT_NONE else float(cv2.contourArea(cv2.convexHull(points)))
    return common / (float(a[2] * a[3] + b[2] * b[3]) - common)


def greedy(
    boxes: Floats, scores: Floats, rule: Rule, overlap: Any, margin: float = 0.0
) -> list[tuple[int, int, float]]:
    """One image, pair by pair; drops an example whose overlap is nearer to the threshold than the margin."""
    exact = boxes.astype(np.float64)
    with np.errstate(invalid="ignore"):
        pairs = [(-scores[b, c], b, c) for b, c in zip(*np.nonzero(scores > rule.score_threshold), strict=True)]
    kept: list[tuple[int, int, float]] = []
    seen = set()
    for negative, box, label in sorted(pairs):
        if box in seen and not rule.multi_label:
            continue
        seen.add(box)
        rivals = [other for other, other_label, _ in kept if rule.class_agnostic or other_label == label]
        overlaps = [overlap(exact[other], exact[box]) for other in rivals]
        assume(all(abs(value - rule.iou_threshold) >= margin for value in overlaps))
        if len(kept) < rule.max_detections and not any(value > rule.iou_threshold for value in overlaps):
            kept.append((int(box), int(label), float(-negative)))
    return kept


def detected(found: Detections, image: int = 0) -> list[tuple[int, int, float]]:
    count = found.counts[image]
    assert np.all(found.indices[image, count:] == -1)
    assert np.all(found.classes[image, count:] == -1)
    assert np.all(found.scores[image, count:] == 0)
    columns = (found.indices, found.classes, found.scores)
    return list(zip(*(column[image, :count].tolist() for column in columns), strict=True))


rules = st.builds(
    Rule,
    score_threshold=st.sampled_from([-1.0, 0.0, 0.25, 0.5]),
    iou_threshold=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    max_detections=st.integers(1, 60),
    class_agnostic=st.booleans(),
    multi_label=st.booleans(),
)
sizes = st.tuples(st.integers(1, 3), st.integers(1, 60), st.integers(1, 6))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), size=sizes, rule=rules, yolo=st.booleans(), center=st.booleans())
def test_detections_are_those_of_a_greedy_loop(
    seed: int, size: tuple[int, int, int], rule: Rule, yolo: bool, center: bool
) -> None:
    """Small integers, whose overlaps are exact in float32, and scores with many ties."""
    generator = np.random.default_rng(seed)
    batch, count, classes = size
    corners = generator.integers(0, 12, (batch, count, 4)).astype(np.float32)
    corners[..., 2:] = corners[..., :2] + 2 * generator.integers(0, 5, (batch, count, 2))
    scores = (generator.integers(0, 9, (batch, count, classes)) / 8).astype(np.float32)
    scores[generator.random(scores.shape) < 0.05] = np.nan
    boxes = corners
    if center:
        boxes = np.concatenate([(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], axis=2)
    if yolo:
        output = np.ascontiguousarray(np.concatenate([boxes, scores], axis=2).swapaxes(1, 2))
        boxes, scores = output[:, :4].swapaxes(1, 2), output[:, 4:].swapaxes(1, 2)
    found = non_max_suppression(boxes, scores, box_format="cxcywh" if center else "xyxy", **rule._asdict())
    for image in range(batch):
        assert detected(found, image) == greedy(corners[image], scores[image], rule, intersection_over_union)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), threshold=st.floats(0.05, 0.95), agnostic=st.booleans())
def test_detections_of_random_boxes(seed: int, threshold: float, agnostic: bool) -> None:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 300, (1, 60, 4)).astype(np.float32)
    corners[..., 2:] = corners[..., :2] + generator.uniform(0, 200, (1, 60, 2))
    scores = generator.random((1, 60, 3)).astype(np.float32)
    rule = Rule(0.3, threshold, 200, agnostic, multi_label=True)
    found = non_max_suppression(corners, scores, box_format="xyxy", **rule._asdict())
    assert detected(found) == greedy(corners[0], scores[0], rule, intersection_over_union, margin=1e-5)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), threshold=st.floats(0.05, 0.9), agnostic=st.booleans())
def test_rotated_detections_with_opencvs_overlaps(seed: int, threshold: float, agnostic: bool) -> None:
    generator = np.random.default_rng(seed)
    boxes = rotated_boxes(generator, 30)
    scores = generator.random((1, 30, 2)).astype(np.float32)
    rule = Rule(0.2, threshold, 100, agnostic, multi_label=True)
    found = non_max_suppression(boxes[None], scores, box_format="rotated", **rule._asdict())
    expected = greedy(boxes, scores[0], rule, rotated_intersection_over_union, margin=2e-3)
    assert detected(found) == expected


def rotated_boxes(generator: np.random.Generator, count: int) -> Floats:
    columns = [generator.uniform(0, 60, (count, 2)), generator.uniform(5, 50, (count, 2))]
    columns.append(generator.uniform(-7, 7, (count, 1)))
    return np.concatenate(columns, axis=1).astype(np.float32)


def test_agreement_with_opencv() -> None:
    """NMSBoxesBatched keeps a box whose overlap equals the threshold and scores from the threshold on, as we do."""
    generator = np.random.default_rng(4)
    corners = generator.uniform(0, 400, (600, 4)).astype(np.float32)
    corners[:, 2:] = corners[:, :2] + generator.uniform(20, 150, (600, 2))
    classes: Any = generator.integers(0, 5, 600).astype(np.int32)
    confidence: Any = generator.permutation(np.linspace(0.01, 0.99, 600)).astype(np.float32)
    scores = np.zeros((1, 600, 5), np.float32)
    scores[0, np.arange(600), classes] = confidence
    found = non_max_suppression(
        corners[None], scores, box_format="xyxy", score_threshold=0.3, iou_threshold=0.45, max_detections=600
    )
    rectangles: Any = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    expected = cv2.dnn.NMSBoxesBatched(rectangles, confidence, classes, 0.3, 0.45)
    assert [box for box, _, _ in detected(found)] == np.asarray(expected).tolist()
    assert [label for _, label, _ in detected(found)] == classes[expected].tolist()


def test_agreement_with_opencv_on_rotated_boxes() -> None:
    """Of one area and different shapes: NMSBoxesRotated takes a box inside another for an overlap of 1."""
    generator = np.random.default_rng(5)
    boxes = rotated_boxes(generator, 80)
    boxes[:, 3] = 400 / boxes[:, 2]
    confidence = generator.permutation(np.linspace(0.01, 0.99, 80)).astype(np.float32)
    found = non_max_suppression(
        boxes[None],
        confidence[None, :, None],
        box_format="rotated",
        score_threshold=0.2,
        iou_threshold=0.3,
        max_detections=80,
    )
    rectangles: Any = [((cx, cy), (w, h), math.degrees(angle)) for cx, cy, w, h, angle in boxes.tolist()]
    expected = cv2.dnn.NMSBoxesRotated(rectangles, confidence.tolist(), 0.2, 0.3)
    assert [box for box, _, _ in detected(found)] == np.asarray(expected).ravel().tolist()


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ([0, 0, 1, 1, 0], [0, 0, 1, 1, math.pi / 4], 2**-0.5),  # an octagon
        ([0, 0, 2, 1, 0], [0, 0, 1, 2, 0], 1 / 3),
        ([0, 0, 2, 1, 0.3], [0, 0, 1, 2, 0.3 + math.pi / 2], 1.0),  # the same box
        ([5, 5, 4, 4, 1.1], [5, 5, 4, 4, 1.1], 1.0),
        ([5, 5, 4, 4, 1.1], [5, 5, 2, 2, -0.7], 0.25),  # inside
        ([0, 0, 1000, 0.5, 0.5], [0, 0, 1000, 0.5, -0.5], 0.25 / math.sin(1.0) / (1000 - 0.25 / math.sin(1.0))),
        ([0, 0, 2, 2, 0], [1, 0, 2, 2, 0], 1 / 3),
        ([1e6, 1e6, 2, 2, 0], [1e6 + 1, 1e6, 2, 2, 0], 1 / 3),
    ],
)
def test_overlap_of_rotated_boxes_is_exact(a: list[float], b: list[float], overlap: float) -> None:
    boxes = np.array([[a, b]], np.float32)
    scores = np.array([[[0.9], [0.8]]], np.float32)
    for threshold, kept in ((overlap * (1 - 1e-5), 1), (min(1.0, overlap * (1 + 1e-5)), 2)):
        if overlap == 1.0 and kept == 2:
            continue  # rounding decides
        for image in (boxes, boxes[:, ::-1]):
            found = non_max_suppression(
                image,
                scores,
                box_format="rotated",
                score_threshold=0.0,
                iou_threshold=threshold,
                max_detections=2,
            )
            assert found.counts.tolist() == [kept]


@pytest.mark.parametrize("box_format", ["xyxy", "cxcywh", "rotated"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_boxes_that_are_not_finite_overlap_nothing(box_format: BoxFormat, value: float) -> None:
    numbers = [2.0, 2.0, 4.0, 4.0, 0.1][: 5 if box_format == "rotated" else 4]
    for position in range(len(numbers)):
        boxes = np.array([[numbers, numbers, numbers]], np.float32)
        boxes[0, 0, position] = value
        boxes[0, 2, position] = value
        scores = np.array([[[0.9], [0.8], [0.7]]], np.float32)
        found = non_max_suppression(
            boxes, scores, box_format=box_format, score_threshold=0.5, iou_threshold=0.5, max_detections=9
        )
        if math.isfinite(value):
            assert found.counts[0] >= 1  # an honest box or angle, or an area beyond float32
        else:
            assert found.indices[0].tolist() == [0, 1, 2] + [-1] * 6


def test_more_candidates_than_are_sorted_at_once() -> None:
    generator = np.random.default_rng(6)
    scores = generator.integers(0, 300, (1, 5000, 3)).astype(np.float32)
    x = np.arange(5000, dtype=np.float32)[:, None]
    boxes = np.concatenate([x, x, x + 1, x + 1], axis=1)[None]
    found = non_max_suppression(
        boxes,
        scores,
        box_format="xyxy",
        score_threshold=0,
        iou_threshold=0.5,
        max_detections=14000,
        multi_label=True,
    )
    order = np.argsort(-scores.ravel(), kind="stable")[:14000]
    np.testing.assert_array_equal(found.indices[0] * 3 + found.classes[0], order)


DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import non_max_suppression
generator = np.random.default_rng(0)
digest = hashlib.sha256()
for case in range(150):
    box_format = ["xyxy", "cxcywh", "rotated"][case % 3]
    boxes = generator.uniform(0, 40, (2, 150, 5 if box_format == "rotated" else 4)).astype(np.float32)
    scores = generator.random((2, 150, 4)).astype(np.float32)
    found = non_max_suppression(
        boxes, scores, box_format=box_format, score_threshold=0.3, iou_threshold=generator.random(),
        max_detections=100, class_agnostic=case % 2 == 0, multi_label=case % 5 == 0,
    )
    for array in found:
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree_to_the_bit() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64


def test_into_equals_the_form_that_returns() -> None:
    generator = np.random.default_rng(0)
    boxes, scores = generator.uniform(0, 40, (2, 50, 4)).astype(np.float32), generator.random((2, 50, 4))
    arguments: dict[str, Any] = {"box_format": "cxcywh", "score_threshold": 0.3, "iou_threshold": 0.4}
    expected = non_max_suppression(boxes, scores.astype(np.float32), max_detections=20, **arguments)
    destination = Detections._make(np.full_like(array, 42) for array in expected)
    non_max_suppression_into(destination, boxes, scores.astype(np.float32), **arguments)
    for got, array in zip(destination, expected, strict=True):
        np.testing.assert_array_equal(got, array)
