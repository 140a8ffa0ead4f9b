"""The mean average precision of objects is pycocotools' own, and of resamples too."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tundish.results import Box, DetectedObject, ObjectDetection
from tundish_exporters.metrics.objects import MEAN_AVERAGE_PRECISION
from tundish_exporters.truths import TrueObject

LABELS = ("crack", "dent", "rust", "weld")


def some_objects(generator: np.random.Generator) -> tuple[TrueObject, ...]:
    corners = generator.uniform(0, 80, (generator.integers(0, 6), 2))
    return tuple(
        TrueObject(str(generator.choice(LABELS[:3])), Box(x, y, x + w, y + h), bool(generator.random() < 0.15))
        for (x, y), (w, h) in zip(corners, generator.uniform(5, 40, corners.shape), strict=True)
    )


def found_of(truth: Sequence[TrueObject], generator: np.random.Generator) -> ObjectDetection:
    """Most of them a little moved, some more than once, and some where there is nothing."""
    found = []
    for each in (*truth, *truth, *some_objects(generator)):
        if generator.random() < 0.6:
            box = Box(*(edge + generator.normal(0, 2) for edge in each.box))
            label = each.label if generator.random() < 0.9 else LABELS[3]
            found.append(DetectedObject(label, float(generator.random()), box))
    return ObjectDetection(tuple(sorted(found, key=lambda each: -each.score)))


def pycocotools_map(truths: Sequence[Sequence[TrueObject]], results: Sequence[ObjectDetection]) -> float:
    """What COCOeval prints first, by its own reader."""

    def box(edges: Box) -> list[float]:
        return [edges.x_min, edges.y_min, edges.x_max - edges.x_min, edges.y_max - edges.y_min]

    right: list[dict[str, Any]] = []
    for image, row in enumerate(truths):
        for each in row:
            x, y, width, height = box(each.box)
            right.append(
                {"id": len(right) + 1, "image_id": image, "category_id": LABELS.index(each.label),
                 "bbox": [x, y, width, height], "area": width * height, "iscrowd": int(each.is_crowd)}
            )  # fmt: skip
    answered = [
        {"image_id": image, "category_id": LABELS.index(each.label), "bbox": box(each.box), "score": each.score}
        for image, result in enumerate(results)
        for each in result.objects
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(truths))],
            "categories": [{"id": number} for number in range(len(LABELS))],
            "annotations": right,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(answered), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_pycocotools_says(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(seed)
    truths = [some_objects(generator) for _ in range(12)]
    results = [found_of(truth, generator) for truth in truths]
    rows = MEAN_AVERAGE_PRECISION.rows(results, truths)
    assert capsys.readouterr().out == ""
    expected = pycocotools_map(truths, results)
    assert 0.1 < expected < 0.9
    assert MEAN_AVERAGE_PRECISION.value(rows) == pytest.approx(expected, abs=1e-9)

    chosen = generator.integers(0, 12, 12)
    expected = pycocotools_map([truths[index] for index in chosen], [results[index] for index in chosen])
    assert MEAN_AVERAGE_PRECISION.value(rows[chosen]) == pytest.approx(expected, abs=1e-9), "of a resample"


def test_what_is_right_has_one_and_what_is_not_there_costs_nothing() -> None:
    box = Box(0, 0, 10, 10)
    right, found = (TrueObject("crack", box),), ObjectDetection((DetectedObject("crack", 0.9, box),))
    value = MEAN_AVERAGE_PRECISION.value
    assert value(MEAN_AVERAGE_PRECISION.rows([found, ObjectDetection(())], [right, ()])) == pytest.approx(1.0)
    assert value(MEAN_AVERAGE_PRECISION.rows([ObjectDetection(())], [right])) == 0.0
    nonsense = ObjectDetection((DetectedObject("crack", math.nan, box),))
    assert value(MEAN_AVERAGE_PRECISION.rows([nonsense], [right])) == 0.0
    assert math.isnan(value(MEAN_AVERAGE_PRECISION.rows([found], [()]))), "there is nothing to find"
