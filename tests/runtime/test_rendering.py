"""Answers are shown as they are, whatever their texts look like to a terminal's markup."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from tundish.cli.rendering import prediction_table, tensors_table
from tundish.results import (
    Box,
    DetectedObject,
    ImageClassification,
    Label,
    ObjectDetection,
    Prediction,
    Result,
    StageTimes,
)

ODD = "[bold]x[/red] [1]"


def shown(renderable: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=200).print(renderable)
    return stream.getvalue()


@pytest.mark.parametrize(
    "result",
    [
        ImageClassification((Label(ODD, 0.5),)),
        ObjectDetection((DetectedObject(ODD, 0.5, Box(0, 0, 1, 1)),)),
    ],
)
def test_labels_are_shown_as_they_are(result: Result) -> None:
    assert ODD in shown(prediction_table(ODD, Prediction("model", 1, result, StageTimes(0, 0, 0, 0, 1))))


def test_tensors_are_shown_as_they_are() -> None:
    table = shown(tensors_table({ODD: np.array([ODD.encode()], np.object_)}))
    assert table.count(ODD) == 2
