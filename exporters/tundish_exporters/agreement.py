"""How much of what a variant answers the float one answers, too: one figure for each kind of answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tundish.results import (
    Box,
    Corners,
    DetectedObject,
    DocumentQuestionAnswering,
    DocumentReading,
    FillMask,
    ImageClassification,
    ImageSegmentation,
    Label,
    ObjectDetection,
    QuestionAnswering,
    Result,
    Segment,
    SentenceSimilarity,
    TextClassification,
    TextDetection,
    TextRanking,
    TextRecognition,
    TokenClassification,
    VisualQuestionAnswering,
)
from tundish.tasks.opencv import load_opencv
from tundish_exporters.mask_runs import Runs, common_pixels, mask_overlap, runs_of
from tundish_exporters.quadrilaterals import overlaps

_HOLDS = 0.5
"""The score from which on a label of a sigmoid holds."""
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


def agreement(results: Sequence[Result], others: Sequence[Result], function: ScoreFunction) -> float:
    """From 0 to 1, of results of one kind on the same samples, be they labels, places, texts, answers or scores.

    Where neither of two detectors finds anything in any sample they agree.
    """
    match results[0]:
        case ObjectDetection():
            return _same_objects(_objects(results), _objects(others))
        case TokenClassification():
            return _same_entities(_places(results), _places(others))
        case ImageSegmentation():
            return _same_segments(_segments(results), _segments(others))
        case QuestionAnswering() | DocumentQuestionAnswering() | FillMask():
            same_best = [_best(result) == _best(other) for result, other in zip(results, others, strict=True)]
            return float(np.mean(same_best))
        case TextDetection():
            return _same_places(zip(_regions(results), _regions(others), strict=True), quadrilateral_overlap)
        case DocumentReading():
            return _same_entities(_texts(results), _texts(others))
        case TextRecognition():
            return float(
                np.mean([_text(result) == _text(other) for result, other in zip(results, others, strict=True)])
            )
        case VisualQuestionAnswering():
            return _same_label(labels_of(results), labels_of(others))
        case TextRanking() | SentenceSimilarity():
            return _same_value(_as_values(results), _as_values(others))
        case _:
            same = {"softmax": _same_label, "sigmoid": _same_labels, "none": _same_value}[function]
            return same(labels_of(results), labels_of(others))


def labels_of(results: Sequence[Result]) -> list[Sequence[Label]]:
    """Of a classifier's results, or the answers of what chooses among some as a classifier does."""
    return [
        result.answers if isinstance(result, VisualQuestionAnswering) else result.labels
        for result in results
        if isinstance(result, ImageClassification | TextClassification | VisualQuestionAnswering)
    ]


def _best(result: Result) -> object:
    """The best answer to a question, with its place; the best token for each mask."""
    match result:
        case QuestionAnswering(answers=answers) | DocumentQuestionAnswering(answers=answers):
            return [(answer.text, answer.start) for answer in answers[:1]]
        case FillMask(masks=masks):
            return [mask[0].token_id for mask in masks]
    return None


def _as_values(results: Sequence[Result]) -> list[Sequence[Label]]:
    """Scores as a regression gives them."""
    return [
        (Label("score", result.score),) for result in results if isinstance(result, TextRanking | SentenceSimilarity)
    ]


def _objects(results: Sequence[Result]) -> list[Sequence[DetectedObject]]:
    return [result.objects for result in results if isinstance(result, ObjectDetection)]


def _segments(results: Sequence[Result]) -> list[Sequence[Segment]]:
    return [result.segments for result in results if isinstance(result, ImageSegmentation)]


def _regions(results: Sequence[Result]) -> list[Placed[Corners]]:
    return [
        [("", region.corners) for region in result.regions] for result in results if isinstance(result, TextDetection)
    ]


def _texts(results: Sequence[Result]) -> list[Counter[tuple[str, int, int]]]:
    """Of documents; how often each text stands in one says enough of where."""
    return [
        Counter((line.text, 0, 0) for line in result.lines) for result in results if isinstance(result, DocumentReading)
    ]


def _text(result: Result) -> str | None:
    return result.text if isinstance(result, TextRecognition) else None


def _places(results: Sequence[Result]) -> list[Counter[tuple[str, int, int]]]:
    return [
        Counter(entity.place for entity in result.entities)
        for result in results
        if isinstance(result, TokenClassification)
    ]


def _same_entities(
    rows: Sequence[Counter[tuple[str, int, int]]], others: Sequence[Counter[tuple[str, int, int]]]
) -> float:
    """The F1 of label, start and end over the entities of all samples."""
    common = sum((row & other).total() for row, other in zip(rows, others, strict=True))
    found = sum(row.total() + other.total() for row, other in zip(rows, others, strict=True))
    return _f1(common, found)


def _same_label(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """One label is right: the share of samples with the same first one."""
    same = [row[0].name == other[0].name and _is_finite(row) for row, other in zip(rows, others, strict=True)]
    return float(np.mean(same))


def _same_labels(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """Each label holds or does not: the share of samples on which the same ones do."""
    same = [_holding(row) == _holding(other) and _is_finite(row) for row, other in zip(rows, others, strict=True)]
    return float(np.mean(same))


def _same_value(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """A score is a quantity: the share of samples on which it differs by little of its range over them all."""
    values, wanted = _scores_by_name(rows), _scores_by_name(others)
    tolerance = _VALUE_TOLERANCE * np.ptp(wanted, axis=0)
    return float(np.mean((np.abs(values - wanted) <= tolerance).all(axis=1)))


def _scores_by_name(rows: Sequence[Sequence[Label]]) -> NDArray[np.float64]:
    """`[samples, labels]`, in the order of the labels' names; a regression lists all of its labels for each sample."""
    return np.array([[label.score for label in sorted(row, key=lambda label: label.name)] for row in rows])


def _holding(row: Sequence[Label]) -> set[str]:
    return {label.name for label in row if label.score >= _HOLDS}


def _is_finite(row: Sequence[Label]) -> bool:
    return bool(np.isfinite([label.score for label in row]).all())


def _same_objects(rows: Sequence[Sequence[DetectedObject]], others: Sequence[Sequence[DetectedObject]]) -> float:
    """The F1 of the objects of all samples that have a partner, an object of the same label in the same place."""

    def placed(row: Sequence[DetectedObject]) -> list[tuple[str, DetectedObject]]:
        return [(found.label, found) for found in row]

    return _same_places(zip(map(placed, rows), map(placed, others), strict=True), _object_overlap)


def _same_segments(rows: Sequence[Sequence[Segment]], others: Sequence[Sequence[Segment]]) -> float:
    """With scores, as of objects; without, all of an image has a label, and how far the labels' masks agree counts."""

    def placed(row: Sequence[Segment]) -> list[tuple[str, Runs]]:
        return [(segment.label, runs_of(segment.mask)) for segment in row]

    samples = zip(map(placed, rows), map(placed, others), strict=True)  # one at a time: runs take memory
    scored = any(segment.score is not None for row in (*rows, *others) for segment in row)
    return _same_places(samples, mask_overlap) if scored else _mean_overlap(samples)


def _mean_overlap(samples: Iterable[tuple[Placed[Runs], Placed[Runs]]]) -> float:
    """The mean over labels of the intersection over union of their pixels in all samples: rare ones count as much."""
    found: Counter[str] = Counter()
    common: Counter[str] = Counter()
    for row, other in samples:
        for label, runs in (*row, *other):
            found[label] += runs.area
        for label, runs in row:
            common[label] += sum(common_pixels(runs, its) for named, its in other if named == label)
    shares = [common[label] / (count - common[label]) for label, count in found.items() if count]
    return float(np.mean(shares)) if shares else 1.0


def _same_places(
    samples: Iterable[tuple[Placed[PlaceT], Placed[PlaceT]]], overlapping: Callable[[PlaceT, PlaceT], float]
) -> float:
    """The F1 of what has a partner, one of the same label in the same place, in all samples."""
    pairs = found = 0
    for row, other in samples:
        pairs += _partners(row, other, overlapping)
        found += len(row) + len(other)
    return _f1(pairs, found)


def _f1(common: int, found: int) -> float:
    """Of what two have in common, and what both have found; 1 where neither finds any."""
    return 2 * common / found if found else 1.0


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
