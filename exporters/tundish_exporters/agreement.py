"""How much of what a variant answers the float one answers, too: one figure for each kind of answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tundish.results import (
    Box,
    Corners,
    DetectedObject,
    DocumentQuestionAnswering,
    DocumentReading,
    FeatureExtraction,
    FillMask,
    ImageSegmentation,
    ObjectDetection,
    QuestionAnswering,
    Result,
    SentenceSimilarity,
    TextDetection,
    TextRanking,
    TextRecognition,
    TokenClassification,
    VisualQuestionAnswering,
)
from tundish.tasks.opencv import load_opencv
from tundish_exporters.mask_runs import Runs, common_pixels, mask_overlap, runs_of
from tundish_exporters.metrics.labels import are_finite, holding, labels_of
from tundish_exporters.metrics.metric import Metric, Rows, f1, mean, mean_overlap
from tundish_exporters.metrics.vectors import NEIGHBOURS
from tundish_exporters.quadrilaterals import overlaps

_VALUE_TOLERANCE = 0.02
"""Of a regression's range."""
_OVERLAP = 0.5
"""The intersection over union from which on two boxes or masks show the same object."""

PlaceT = TypeVar("PlaceT")
"""An object, the corners of a region, or the runs of a mask."""
Placed = Sequence[tuple[str, PlaceT]]
"""What is in one image, by its labels and places."""

ScoreFunction = Literal["softmax", "sigmoid", "none"]
"""What made the scores of a classifier; it says what an answer is."""


def agreement(floating: Sequence[Result], function: ScoreFunction) -> Metric:
    """The metric of how far other results are these, the float model's; 1 at best, which its own are.

    Be they labels, places, texts, answers or scores. Where neither finds anything in any sample the two agree. Of
    vectors it is how often the nearest other sample is the same.
    """
    match floating[0]:
        case ObjectDetection():
            return _named(_same_objects, f1)
        case TokenClassification():
            return _named(_same_entities, f1)
        case ImageSegmentation():
            return _named(_same_segments, f1) if _are_scored(floating) else _named(_same_pixels, mean_overlap)
        case QuestionAnswering() | DocumentQuestionAnswering() | FillMask() | TextRecognition():
            return _named(_same_best, mean)
        case TextDetection():
            return _named(_same_regions, f1)
        case DocumentReading():
            return _named(_same_lines, f1)
        case VisualQuestionAnswering():
            return _named(_same_label, mean)
        case TextRanking() | SentenceSimilarity():
            return _named(_same_value, mean)
        case FeatureExtraction():
            return NEIGHBOURS
        case _:
            return _named({"softmax": _same_label, "sigmoid": _same_labels, "none": _same_value}[function], mean)


def _named(rows: Callable[[Sequence[Result], Sequence[Result]], Rows], value: Callable[[Rows], float]) -> Metric:
    return Metric("agreement", rows, value)


def _same_best(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    return np.array([_best(result) == _best(other) for result, other in zip(results, others, strict=True)])


def _best(result: Result) -> object:
    """The best answer to a question, with its place; the best token for each mask; the text of a line."""
    match result:
        case QuestionAnswering(answers=answers) | DocumentQuestionAnswering(answers=answers):
            return [(answer.text, answer.start) for answer in answers[:1]]
        case FillMask(masks=masks):
            return [mask[0].token_id for mask in masks]
        case TextRecognition(text=text):
            return text
    return None


def _same_label(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """One label is right: whether the first one is the same."""
    pairs = zip(labels_of(results), labels_of(others), strict=True)
    return np.array([row[0].name == other[0].name and are_finite(row) for row, other in pairs])


def _same_labels(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """Each label holds or does not: whether the same ones do."""
    pairs = zip(labels_of(results), labels_of(others), strict=True)
    return np.array([holding(row) == holding(other) and are_finite(row) for row, other in pairs])


def _same_value(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """A score is a quantity: whether it differs by little of its range over all samples."""
    values, wanted = _scores_by_name(results), _scores_by_name(others)
    tolerance = _VALUE_TOLERANCE * np.ptp(wanted, axis=0)
    same: Rows = (np.abs(values - wanted) <= tolerance).all(axis=1)
    return same


def _scores_by_name(results: Sequence[Result]) -> NDArray[np.float64]:
    """`[samples, labels]`, in the order of the labels' names; a regression lists all of its labels for each sample."""
    scores = [[result.score] for result in results if isinstance(result, TextRanking | SentenceSimilarity)]
    return np.array(
        scores or [[label.score for label in sorted(row, key=lambda label: label.name)] for row in labels_of(results)]
    )


def _same_entities(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """By label, start and end."""
    return _common(
        [
            Counter(entity.place for entity in result.entities)
            for result in each
            if isinstance(result, TokenClassification)
        ]
        for each in (results, others)
    )


def _same_lines(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """How often each text stands in a document says enough of where."""
    return _common(
        [Counter(line.text for line in result.lines) for result in each if isinstance(result, DocumentReading)]
        for each in (results, others)
    )


def _common(counted: Iterable[Sequence[Counter[Any]]]) -> Rows:
    """`[samples, 2]`: what two have in common, and what both have found."""
    pairs = zip(*counted, strict=True)
    return np.array([((row & other).total(), row.total() + other.total()) for row, other in pairs])


def _same_objects(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """Objects that have a partner, one of the same label in the same place."""

    def placed(result: Result) -> Placed[DetectedObject]:
        assert isinstance(result, ObjectDetection)
        return [(found.label, found) for found in result.objects]

    return _paired(zip(map(placed, results), map(placed, others), strict=True), _object_overlap)


def _same_regions(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    def placed(result: Result) -> Placed[Corners]:
        assert isinstance(result, TextDetection)
        return [("", region.corners) for region in result.regions]

    return _paired(zip(map(placed, results), map(placed, others), strict=True), quadrilateral_overlap)


def _same_segments(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """As of objects, by their pixels."""
    return _paired(zip(map(_with_runs, results), map(_with_runs, others), strict=True), mask_overlap)


def _are_scored(results: Sequence[Result]) -> bool:
    """Whether segments are things that were found; else all of an image has a label, and how far these agree counts."""
    return any(
        segment.score is not None
        for result in results
        if isinstance(result, ImageSegmentation)
        for segment in result.segments
    )


def _same_pixels(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    """`[samples, labels, 2]`: of each label the pixels that both give it, and those that either does."""
    counts: list[dict[str, tuple[int, int]]] = []
    for row, other in zip(map(_with_runs, results), map(_with_runs, others), strict=True):
        found: Counter[str] = Counter()
        for label, runs in (*row, *other):
            found[label] += runs.area
        common = Counter(dict.fromkeys(found, 0))
        for label, runs in row:
            common[label] += sum(common_pixels(runs, its) for named, its in other if named == label)
        counts.append({label: (common[label], found[label] - common[label]) for label in found})
    labels = sorted({label for row in counts for label in row})
    return np.array([[row.get(label, (0, 0)) for label in labels] for row in counts], np.int64).reshape(
        len(counts), len(labels), 2
    )


def _with_runs(result: Result) -> Placed[Runs]:
    assert isinstance(result, ImageSegmentation)
    return [(segment.label, runs_of(segment.mask)) for segment in result.segments]


def _paired(
    samples: Iterable[tuple[Placed[PlaceT], Placed[PlaceT]]], overlapping: Callable[[PlaceT, PlaceT], float]
) -> Rows:
    """`[samples, 2]`: both partners count once, and so does all that either has found."""
    return np.array(
        [(_partners(row, other, overlapping), len(row) + len(other)) for row, other in samples]  # one pair at a time
    )


def _partners(
    row: Placed[PlaceT],
    others: Placed[PlaceT],
    overlapping: Callable[[PlaceT, PlaceT], float],
) -> int:
    """How many pairs there are: the highest score chooses first, each the nearest that is left."""
    left = dict(enumerate(others))
    for label, place in row:
        shares = {key: overlapping(place, its) for key, (named, its) in left.items() if named == label}
        nearest = max(shares, key=lambda key: shares[key], default=None)
        if nearest is not None and shares[nearest] >= _OVERLAP:
            del left[nearest]
    return len(others) - len(left)


def _object_overlap(first: DetectedObject, second: DetectedObject) -> float:
    """Of their boxes, as these lie if they are oriented."""
    if first.corners is None or second.corners is None:
        return overlap(first.box, second.box)
    return 1.0 if first.corners == second.corners else float(overlaps(first.corners, [second.corners])[0])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes; 1 for equal ones, also if they have no area."""
    if first == second:
        return 1.0
    width = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    shared = max(width, 0.0) * max(height, 0.0)
    union = _area(first) + _area(second) - shared
    return shared / union if union > 0 else 0.0


def quadrilateral_overlap(first: Corners, second: Corners) -> float:
    """Intersection over union of two convex quadrilaterals; 0 if neither has an area."""
    cv2 = load_opencv()
    polygons = np.array([first, second], np.float32)
    shared = float(cv2.intersectConvexConvex(polygons[0], polygons[1])[0])
    union = sum(cv2.contourArea(polygon) for polygon in polygons) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)
