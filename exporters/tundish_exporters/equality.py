"""When two typed results are equal: the same labels, places, boxes, masks and vectors, but for rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tundish.results import (
    DetectedObject,
    DocumentQuestionAnswering,
    DocumentReading,
    Entity,
    FeatureExtraction,
    FilledToken,
    FillMask,
    FoundAnswer,
    ImageClassification,
    ImageSegmentation,
    Label,
    ObjectDetection,
    PageAnswer,
    QuestionAnswering,
    Result,
    Segment,
    SentenceSimilarity,
    TextClassification,
    TextDetection,
    TextLine,
    TextRanking,
    TextRecognition,
    TextRegion,
    TokenClassification,
    VisualQuestionAnswering,
)
from tundish_exporters.mask_runs import Runs, common_pixels, mask_overlap, runs_of

TextT = TypeVar("TextT", TextRegion, TextLine)

SCORE_TOLERANCE = 1e-3
"""Of a score, and of an element of a vector."""
COSINE_TOLERANCE = 1e-4
BOX_TOLERANCE = 1.0
"""Of an edge of an object's box, or a corner of an oriented one, in pixels of the image."""
MASK_TOLERANCE = 0.01
"""Of the intersection over union of two masks."""

_FEW_PIXELS = 4
"""Of an image, that rounding may give to another segment."""
_BEST_OBJECTS = 10
_FAINT = 0.05
"""Objects that are neither among the best of their image nor above this score are compared by score alone: which of
them a network lists, and what it calls them, hangs on rounding. Such segments are not compared."""

_READABLE = 0.5
"""The score from which on a text is one. Of what is none, which characters a network takes it for hangs on rounding."""


def compare_results(expected: Result, actual: Result) -> tuple[float, str]:
    """The largest difference of a score or element, and what makes the two unequal: empty if nothing does."""
    if isinstance(expected, FeatureExtraction) and isinstance(actual, FeatureExtraction):
        return _compare_vectors(expected.vector, actual.vector)
    if isinstance(expected, ObjectDetection) and isinstance(actual, ObjectDetection):
        return _compare_objects(expected.objects, actual.objects)
    if isinstance(expected, ImageSegmentation) and isinstance(actual, ImageSegmentation):
        return _compare_segments(expected.segments, actual.segments)
    if isinstance(expected, TextDetection) and isinstance(actual, TextDetection):
        return _compare_texts_in_images(expected.regions, actual.regions, _is_same_place, "region of text")
    if isinstance(expected, DocumentReading) and isinstance(actual, DocumentReading):
        return _compare_texts_in_images(expected.lines, actual.lines, _is_same_line, "line of text")
    if isinstance(expected, TextRecognition) and isinstance(actual, TextRecognition):
        return _compare_texts(expected, actual)
    if isinstance(expected, TokenClassification) and isinstance(actual, TokenClassification):
        return _compare_entities(expected.entities, actual.entities)
    if isinstance(expected, TextRanking | SentenceSimilarity) and isinstance(actual, type(expected)):
        return _compare_scores(expected.score, actual.score)
    if isinstance(expected, QuestionAnswering | DocumentQuestionAnswering) and isinstance(actual, type(expected)):
        return _compare_answers(expected.answers, actual.answers)
    if isinstance(expected, VisualQuestionAnswering) and isinstance(actual, VisualQuestionAnswering):
        return _compare_labels(expected.answers, actual.answers)
    if isinstance(expected, FillMask) and isinstance(actual, FillMask):
        return _compare_masks(expected.masks, actual.masks)
    classified = ImageClassification | TextClassification
    if not isinstance(expected, classified) or not isinstance(actual, classified):
        return np.inf, f"a {type(actual).__name__} stands for a {type(expected).__name__}"
    return _compare_labels(expected.labels, actual.labels)


def _compare_labels(expected: Sequence[Label], actual: Sequence[Label]) -> tuple[float, str]:
    scores = {label.name: label.score for label in expected}
    largest = 0.0
    for place, label in enumerate(actual):
        distance = abs(scores.get(label.name, np.inf) - label.score)
        largest = max(largest, distance)
        if not distance <= SCORE_TOLERANCE:  # also when it is not a number
            return largest, f"'{label.name}' has the score {label.score:.4f}, not {scores.get(label.name, np.nan):.4f}"
        # Labels of nearly equal scores may change places.
        if expected[place].name != label.name and abs(expected[place].score - label.score) > SCORE_TOLERANCE:
            return largest, f"label {place} is '{label.name}', not '{expected[place].name}'"
    return largest, ""


def _compare_objects(expected: Sequence[DetectedObject], actual: Sequence[DetectedObject]) -> tuple[float, str]:
    scores = np.zeros((2, max(len(expected), len(actual), 1)))
    for row, objects in zip(scores, (expected, actual), strict=True):
        row[: len(objects)] = [found.score for found in objects]
    largest = float(np.abs(scores[0] - scores[1]).max())
    if not largest <= SCORE_TOLERANCE:
        return largest, f"the objects' scores, highest first, differ by up to {largest:.4f}"
    for objects, others, fault in (
        (actual, expected, "'{}' with the score {:.4f} at {} is no object of the source"),
        (expected, actual, "the source's '{}' with the score {:.4f} at {} is missing"),
    ):
        for place, found in enumerate(objects):
            if place >= _BEST_OBJECTS and found.score < _FAINT:
                break
            if not any(_is_same_object(found, other) for other in others):
                return largest, fault.format(found.label, found.score, [round(edge, 1) for edge in _edges(found)])
    return largest, ""


def _is_same_object(first: DetectedObject, second: DetectedObject) -> bool:
    return (
        first.label == second.label
        and abs(first.score - second.score) <= SCORE_TOLERANCE
        and len(_edges(first)) == len(_edges(second))
        and max(abs(edge - other) for edge, other in zip(_edges(first), _edges(second), strict=True)) <= BOX_TOLERANCE
    )


def _compare_texts_in_images(
    expected: Sequence[TextT], actual: Sequence[TextT], are_same: Callable[[TextT, TextT], bool], what: str
) -> tuple[float, str]:
    """Regions or lines in whichever order: each has a partner at the same place, with nearly its score."""
    largest = 0.0
    for found, others, fault in (
        (actual, expected, f"{what}{{}} with the score {{:.4f}} at {{}} is none of the source"),
        (expected, actual, f"the source's {what}{{}} with the score {{:.4f}} at {{}} is missing"),
    ):
        for each in found:
            near = [abs(each.score - other.score) for other in others if are_same(each, other)]
            largest = max(largest, min(near, default=np.inf))
            if not min(near, default=np.inf) <= SCORE_TOLERANCE:
                said = f" '{each.text}'" if isinstance(each, TextLine) else ""
                return largest, fault.format(said, each.score, [tuple(corner) for corner in each.corners])
    return largest, ""


def _is_same_place(first: TextRegion | TextLine, second: TextRegion | TextLine) -> bool:
    return float(np.abs(np.subtract(first.corners, second.corners)).max()) <= BOX_TOLERANCE


def _is_same_line(first: TextLine, second: TextLine) -> bool:
    return first.text == second.text and _is_same_place(first, second)


def _compare_texts(expected: TextRecognition, actual: TextRecognition) -> tuple[float, str]:
    distance = abs(expected.score - actual.score)
    if expected.text == actual.text and not distance <= SCORE_TOLERANCE:
        return distance, f"'{actual.text}' has the score {actual.score:.4f}, not {expected.score:.4f}"
    if expected.text != actual.text and max(expected.score, actual.score) >= _READABLE:
        return np.inf, f"the text is '{actual.text}', not '{expected.text}'"
    return 0.0 if expected.text != actual.text else distance, ""


def _edges(found: DetectedObject) -> list[float]:
    """Where the box ends: of an oriented one, x and y of its corners."""
    return [*found.box] if found.corners is None else [value for corner in found.corners for value in corner]


def _compare_segments(expected: Sequence[Segment], actual: Sequence[Segment]) -> tuple[float, str]:
    largest = 0.0
    runs = cache(lambda segment: runs_of(segment.mask))  # of those that are compared alone: there may be hundreds
    for segments, others, whose in ((actual, expected, "the model's"), (expected, actual, "the source's")):
        for place, segment in enumerate(segments):
            if place >= _BEST_OBJECTS and segment.score is not None and segment.score < _FAINT:
                break
            mine = runs(segment)
            if mine.area <= _FEW_PIXELS:
                continue
            alike = [other for other in others if other.label == segment.label and other.mask.size == segment.mask.size]
            near = (other for other in alike if _distance(segment, other) <= SCORE_TOLERANCE)
            twin = next((other for other in near if _are_same_pixels(mine, runs(other))), None)
            if twin is not None:
                largest = max(largest, _distance(segment, twin))
                continue
            partner = max(alike, key=lambda other: mask_overlap(mine, runs(other)), default=None)
            if partner is not None and _are_same_pixels(mine, runs(partner)):
                fault = f"the scores {segment.score} and {partner.score} of a '{segment.label}' differ"
                return max(largest, _distance(segment, partner)), fault
            share = 0.0 if partner is None else mask_overlap(mine, runs(partner))
            return largest, f"{whose} '{segment.label}' of {mine.area} pixels has a partner of overlap {share:.3f}"
    return largest, ""


def _distance(first: Segment, second: Segment) -> float:
    """Of their scores; NaN if one is."""
    return abs((first.score or 0.0) - (second.score or 0.0))


def _are_same_pixels(first: Runs, second: Runs) -> bool:
    differing = first.area + second.area - 2 * common_pixels(first, second)
    return mask_overlap(first, second) >= 1 - MASK_TOLERANCE or differing <= _FEW_PIXELS


def _compare_entities(expected: Sequence[Entity], actual: Sequence[Entity]) -> tuple[float, str]:
    if len(expected) != len(actual):
        return np.inf, f"it has {len(actual)} entities, not {len(expected)}"
    largest = 0.0
    for place, (wanted, entity) in enumerate(zip(expected, actual, strict=True)):
        if entity.place != wanted.place:
            return np.inf, f"entity {place} is {entity.place}, not {wanted.place}"
        largest = max(largest, abs(wanted.score - entity.score))
        if not largest <= SCORE_TOLERANCE:
            return largest, f"entity {place} has the score {entity.score:.4f}, not {wanted.score:.4f}"
    return largest, ""


def _compare_scores(expected: float, actual: float) -> tuple[float, str]:
    distance = abs(expected - actual)
    # A score without bounds is compared by its own size.
    fault = (
        ""
        if distance <= SCORE_TOLERANCE * max(1.0, abs(expected))
        else f"the score is {actual:.4f}, not {expected:.4f}"
    )
    return distance, fault


def _compare_answers(
    expected: Sequence[FoundAnswer | PageAnswer], actual: Sequence[FoundAnswer | PageAnswer]
) -> tuple[float, str]:
    """Where the source has none above a score of 0, the pipeline lists empty ones."""
    real = [answer for answer in expected if answer.score > 0]
    if len(real) != len(actual):
        return np.inf, f"it has {len(actual)} answers, not {len(real)}"
    scores = {(answer.text, answer.start, answer.end): answer.score for answer in real}
    largest = 0.0
    for answer, wanted in zip(actual, real, strict=True):
        place = (answer.text, answer.start, answer.end)
        near = abs(wanted.score - answer.score)
        # Answers of nearly equal scores may change places, also with one that is not listed any more.
        if place not in scores and near > SCORE_TOLERANCE:
            return np.inf, f"'{answer.text}' at {answer.start} to {answer.end} is no answer of the source"
        largest = max(largest, near)
        if not near <= SCORE_TOLERANCE:
            return largest, f"'{answer.text}' has the score {answer.score:.4f}, where the source has {wanted.score:.4f}"
    return largest, ""


def _compare_masks(
    expected: Sequence[Sequence[FilledToken]], actual: Sequence[Sequence[FilledToken]]
) -> tuple[float, str]:
    if len(expected) != len(actual):
        return np.inf, f"it has {len(actual)} masks, not {len(expected)}"
    largest = 0.0
    for wanted, filled in zip(expected, actual, strict=True):
        distance, fault = _compare_labels(_labels_of(wanted), _labels_of(filled))
        largest = max(largest, distance)
        if fault:
            return largest, fault
        texts = {each.token_id: (each.token, each.sequence) for each in wanted}
        for each in filled:
            if texts[each.token_id] != (each.token, each.sequence):
                return largest, f"token {each.token_id} makes '{each.sequence}', not '{texts[each.token_id][1]}'"
    return largest, ""


def _labels_of(mask: Sequence[FilledToken]) -> list[Label]:
    return [Label(f"token {each.token_id}", each.score) for each in mask]


def _compare_vectors(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> tuple[float, str]:
    if expected.shape != actual.shape:
        return np.inf, f"the vector has the shape {list(actual.shape)}, not {list(expected.shape)}"
    largest = float(np.abs(expected - actual).max())
    similarity = cosine(expected, actual)
    if not similarity >= 1 - COSINE_TOLERANCE:
        return largest, f"the vectors' cosine is {similarity:.5f}"
    return largest, ""


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The cosine of the angle between two vectors; of `[tokens, dimensions]`, the mean over the tokens."""
    products = (first * second).sum(-1)
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return float(np.mean(products / np.maximum(norms, np.finfo(np.float32).tiny)))
