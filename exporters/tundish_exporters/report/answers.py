"""Answers in words, and how alike two of them are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tundish.results import (
    DocumentQuestionAnswering,
    DocumentReading,
    FeatureExtraction,
    FillMask,
    ImageClassification,
    ImageSegmentation,
    Label,
    ObjectDetection,
    QuestionAnswering,
    Result,
    SentenceSimilarity,
    TextClassification,
    TextDetection,
    TextRanking,
    TextRecognition,
    TokenClassification,
    VisualQuestionAnswering,
)
from tundish_exporters.agreement import ScoreFunction, agreement
from tundish_exporters.equality import cosine
from tundish_exporters.mask_runs import runs_of
from tundish_exporters.truths import Truth

_HOLDS = 0.5
"""The score from which on a label of a sigmoid holds."""
_MOST_NAMED = 8
"""Things that an answer in words names; it counts the rest."""


def are_gradual(results: Sequence[Result], function: ScoreFunction) -> bool:
    """Whether answers are quantities, of which no two are quite the same."""
    kinds = FeatureExtraction | ImageSegmentation | TextRanking | SentenceSimilarity
    return isinstance(results[0], kinds) or (isinstance(results[0], TextClassification) and function == "none")


def likenesses(results: Sequence[Result], float_results: Sequence[Result], function: ScoreFunction) -> list[float]:
    """For each sample, from 0 to 1: 1 if both answers are the same.

    Of vectors, it is their cosine; of scores, what is left of the scores' range if their difference is taken from it;
    of all else, the agreement of the two answers.
    """
    pairs = list(zip(results, float_results, strict=True))
    if isinstance(results[0], FeatureExtraction):
        return [float(np.nan_to_num(_vectors_likeness(result, other))) for result, other in pairs]
    if are_gradual(results, function) and not isinstance(results[0], ImageSegmentation):
        scores, wanted = (np.array([_scores(each) for each in answers]) for answers in (results, float_results))
        scale = np.ptp(wanted, axis=0)
        distances = (np.abs(scores - wanted) / np.where(scale > 0, scale, 1.0)).max(axis=1)
        return [float(likeness) for likeness in np.nan_to_num(np.clip(1 - distances, 0, 1))]
    metric = agreement(float_results, function)
    rows = metric.rows(results, float_results)
    return [float(metric.value(rows[index : index + 1])) for index in range(len(pairs))]


def _vectors_likeness(result: Result, other: Result) -> float:
    if isinstance(result, FeatureExtraction) and isinstance(other, FeatureExtraction):
        return cosine(other.vector, result.vector)
    return 0.0


def _scores(result: Result) -> list[float]:
    match result:
        case TextRanking(score=score) | SentenceSimilarity(score=score):
            return [score]
        case TextClassification(labels=labels) | ImageClassification(labels=labels):
            return [label.score for label in sorted(labels, key=lambda label: label.name)]
    return []


def in_words(result: Result, function: ScoreFunction) -> str:
    """What the model answers, in one line; empty for a vector."""
    match result:
        case ImageClassification(labels=labels) | TextClassification(labels=labels):
            return _labels(labels, function)
        case VisualQuestionAnswering(answers=answers):
            return _labels(answers, "softmax")
        case TextRanking(score=score) | SentenceSimilarity(score=score):
            return f"{score:.3f}"
        case ObjectDetection(objects=objects):
            return _counted(found.label for found in objects)
        case TokenClassification(entities=entities):
            return _listed(f"{entity.label}: {entity.text}" for entity in entities)
        case ImageSegmentation():
            return _segments(result)
        case QuestionAnswering(answers=found):
            return next((answer.text for answer in found if answer.text), "no answer")
        case DocumentQuestionAnswering(answers=on_page):
            return next((answer.text for answer in on_page if answer.text), "no answer")
        case FillMask(masks=masks):
            return _listed(mask[0].token for mask in masks)
        case TextDetection(regions=regions):
            return f"{len(regions)} regions"
        case TextRecognition(text=text):
            return text or "nothing"
        case DocumentReading(lines=lines):
            return _listed(line.text for line in lines)
    return ""


def _labels(labels: Sequence[Label], function: ScoreFunction) -> str:
    if function == "sigmoid":
        labels = [label for label in labels if label.score >= _HOLDS]
    elif function == "softmax":
        labels = labels[:1]
    return _listed(f"{label.name} {label.score:.3f}" for label in labels)


def _counted(labels: Iterable[str]) -> str:
    return _listed(f"{count} {label}" for label, count in sorted(Counter(labels).items()))


def _segments(result: ImageSegmentation) -> str:
    areas: Counter[str] = Counter()
    pixels = 1
    for segment in result.segments:
        areas[segment.label] += runs_of(segment.mask).area
        height, width = segment.mask.size
        pixels = height * width
    return _listed(f"{label} {100 * area / pixels:.1f} %" for label, area in areas.most_common())


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MOST_NAMED
    shown = ", ".join(listed[:_MOST_NAMED]) or "nothing"
    return f"{shown} and {more} more" if more > 0 else shown


def truth_in_words(truth: Truth | None) -> str | None:
    """What is right, in one line; None if nobody knows, or if words cannot say it."""
    match truth:
        case None | Path():
            return None
        case str():
            return truth
        case float() | int():
            return f"{truth:.3f}"
        case frozenset():
            return _listed(sorted(truth))
    return _listed(each if isinstance(each, str) else each.label for each in truth)
