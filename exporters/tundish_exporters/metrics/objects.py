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


class _Label(NamedTuple):
    """What was found of one label in all images, best first, and how much there is."""

    images: NDArray[np.intp]
    """Of each object, the number of its image."""
    right: NDArray[np.bool_]
    """`[overlaps, objects]`, by COCO's ten overlaps from 0.5 to 0.95."""
    counted: NDArray[np.bool_]
    """`[overlaps, objects]`: all but those that are part of a crowd."""
    there: NDArray[np.int64]
    """`[images]`, how many objects there are, but for crowds."""


class _Image(NamedTuple):
    """One image out of all that were matched together: what a choice of images is made of."""

    number: int
    labels: Sequence[_Label]


def _rows(results: Sequence[Result], truths: Sequence[tuple[TrueObject, ...]]) -> Rows:
    """What pycocotools matches in each image. Oriented boxes count by the rectangles around them."""
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
    of_label: dict[int, list[dict[str, Any]]] = {}
    for each in _matched(right, answered, len(results), list(number.values())):
        of_label.setdefault(each["category_id"], []).append(each)
    table = [_joined(matched, len(results)) for matched in of_label.values()]
    rows = np.empty(len(results), object)
    for image in range(len(results)):
        rows[image] = _Image(image, table)
    return rows


def _joined(matched: Sequence[dict[str, Any]], images: int) -> _Label:
    order = np.argsort(-np.concatenate([each["dtScores"] for each in matched]), kind="stable")
    there = np.zeros(images, np.int64)
    for each in matched:
        there[each["image_id"]] = np.sum(np.logical_not(each["gtIgnore"]))
    return _Label(
        np.repeat([each["image_id"] for each in matched], [len(each["dtScores"]) for each in matched])[order],
        np.concatenate([each["dtMatches"] for each in matched], axis=1)[:, order] > 0,
        np.concatenate([each["dtIgnore"] for each in matched], axis=1)[:, order] == 0,
        there,
    )


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
    """What COCOeval's `accumulate` and `summarize` make of these images, which take too long to be repeated.

    An image that is among them several times counts as often. NaN if there is nothing to find.
    """
    labels = rows[0].labels
    times = np.bincount([row.number for row in rows], minlength=labels[0].there.size if labels else 0)
    precisions = [_average_precision(label, times) for label in labels]
    known = [precision for precision in precisions if precision is not None]
    return float(np.mean(known)) if known else math.nan


def _average_precision(label: _Label, times: NDArray[np.intp]) -> float | None:
    """The mean over overlaps and recalls of the best precision from that recall on; None if there is none to find."""
    there = label.there @ times
    if not there:
        return None
    weights = times[label.images] * label.counted
    hits = np.cumsum(weights * label.right, axis=1)
    precision = hits / np.maximum(np.cumsum(weights, axis=1), 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    total = 0.0
    for reached, its in zip(hits / there, best, strict=True):
        places = np.searchsorted(reached, _RECALLS)
        total += its[places[places < its.size]].sum()
    return float(total / (len(best) * _RECALLS.size))


MEAN_AVERAGE_PRECISION = Metric("mAP", _rows, _mean_average_precision)
"""The mean over labels of the average precision at overlaps from 0.5 to 0.95: COCO's first figure."""
