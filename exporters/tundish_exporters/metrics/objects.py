"""How right the objects of images are, as COCO counts it."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tundish.results import Box, ObjectDetection, Result
from tundish_exporters.metrics.metric import Metric, Rows
from tundish_exporters.truths import TrueObject

_MOST_OBJECTS = 100
"""Of an image, the best ones; COCO's own bound."""
_RECALLS = np.linspace(0, 1, 101)
"""At which COCO reads the precision."""


class _Found(NamedTuple):
    """Of one label in one image: what was found, best first, and how much there is."""

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    """`[overlaps, objects]`, by COCO's ten overlaps from 0.5 to 0.95."""
    ignored: NDArray[np.bool_]
    """`[overlaps, objects]`, as objects of a crowd are."""
    there: int
    """Objects that are there, but for crowds."""


def _rows(results: Sequence[Result], truths: Sequence[tuple[TrueObject, ...]]) -> Rows:
    """Of each image by label, what pycocotools matches in it. Oriented boxes count by the rectangles around them."""
    found = [
        [(each.label, each.box, each.score) for each in result.objects if math.isfinite(each.score)]
        for result in results
        if isinstance(result, ObjectDetection)
    ]
    labels = sorted({label for row in found for label, _, _ in row} | {each.label for row in truths for each in row})
    number = {label: place for place, label in enumerate(labels, 1)}
    right = (
        {**_described(each.box), "category_id": number[each.label], "image_id": image, "iscrowd": int(each.is_crowd)}
        for image, row in enumerate(truths)
        for each in row
    )
    answered = (
        {**_described(box), "category_id": number[label], "image_id": image, "iscrowd": 0, "score": score}
        for image, row in enumerate(found)
        for label, box, score in row
    )
    rows = np.empty(len(results), object)
    rows[:] = [{} for _ in results]
    for matched in _matched(right, answered, len(results), list(number.values())):
        rows[matched["image_id"]][labels[matched["category_id"] - 1]] = _Found(
            np.array(matched["dtScores"]),
            matched["dtMatches"] > 0,
            matched["dtIgnore"].astype(bool),
            int(np.sum(np.logical_not(matched["gtIgnore"]))),
        )
    return rows


def _described(box: Box) -> dict[str, Any]:
    width, height = box.x_max - box.x_min, box.y_max - box.y_min
    return {"bbox": [box.x_min, box.y_min, width, height], "area": width * height}


def _matched(
    right: Iterable[dict[str, Any]], answered: Iterable[dict[str, Any]], images: int, categories: list[int]
) -> list[dict[str, Any]]:
    """Of each image and category that has any, what COCOeval finds, without what it prints of its progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*(_indexed(annotations, images, categories) for annotations in (right, answered)), "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [_MOST_OBJECTS]
        evaluation.evaluate()
    return [each for each in evaluation.evalImgs if each is not None]


def _indexed(annotations: Iterable[dict[str, Any]], images: int, categories: list[int]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": category} for category in categories],
        "annotations": [{**each, "id": number} for number, each in enumerate(annotations, 1)],
    }
    coco.createIndex()
    return coco


def _mean_average_precision(rows: Rows) -> float:
    """What COCOeval's `accumulate` and `summarize` make of these images, which take too long to be repeated."""
    by_label: dict[str, list[_Found]] = {}
    for row in rows:
        for label, found in row.items():
            by_label.setdefault(label, []).append(found)
    precisions = [_average_precision(found) for found in by_label.values() if any(each.there for each in found)]
    return float(np.mean(precisions)) if precisions else math.nan


def _average_precision(found: Sequence[_Found]) -> float:
    """Of one label: the mean over overlaps and recalls of the best precision from that recall on."""
    order = np.argsort(-np.concatenate([each.scores for each in found]), kind="stable")
    right = np.concatenate([each.right for each in found], axis=1)[:, order]
    counted = ~np.concatenate([each.ignored for each in found], axis=1)[:, order]
    hits, misses = (np.cumsum(those & counted, axis=1) for those in (right, ~right))
    precision = hits / np.maximum(hits + misses, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / sum(each.there for each in found)
    total = 0.0
    for reached, its in zip(recall, best, strict=True):
        places = np.searchsorted(reached, _RECALLS)
        total += its[places[places < its.size]].sum()
    return float(total / (len(recall) * _RECALLS.size))


MEAN_AVERAGE_PRECISION = Metric("mAP", _rows, _mean_average_precision)
"""The mean over labels of the average precision at overlaps from 0.5 to 0.95: COCO's first figure."""
