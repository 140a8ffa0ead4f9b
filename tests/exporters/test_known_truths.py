"""From evaluation data to what the gate holds answers against, and by which metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tundish.manifest import (
    AnswerPostprocess,
    ClassificationPostprocess,
    DetrPostprocess,
    EntityPostprocess,
    LinesPostprocess,
    PoolingPostprocess,
    Postprocess,
    ScorePostprocess,
    SemanticPostprocess,
    SimilarityPostprocess,
    TaskName,
)
from tundish.results import Box
from tundish_exporters import DataError
from tundish_exporters.composed_data import load_composed_data
from tundish_exporters.export_data import GateData, load_export_data
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.truths import TrueEntity, TrueObject


def gate_data(
    evaluation: Path, task: TaskName, reads: Sequence[str], postprocess: Postprocess, metric: Any = None
) -> GateData:
    """Of a source of which no more is known."""
    source: Any = SimpleNamespace(task=task, preprocess=SimpleNamespace(reads=reads), postprocess=postprocess)
    data = load_export_data(source, calibration=None, evaluation=evaluation, slice_column=None, metric=metric).gate
    assert data is not None
    return data


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def classifier(function: Any, *labels: str) -> ClassificationPostprocess:
    return ClassificationPostprocess(labels=labels, function=function)


TEXT = {"text": "Anna runs."}
POOLED = PoolingPostprocess(pooling="mean", normalize=True)
PAIR = {"text": "a", "text_pair": "b"}
QUESTION = {"question": "Who?", "context": "Anna runs."}


@pytest.mark.parametrize(
    ("task", "row", "postprocess", "truth", "metric"),
    [
        ("text-classification", TEXT | {"label": "dent"}, classifier("softmax", "crack", "dent"), "dent", "accuracy"),
        ("text-classification", TEXT | {"label": 1}, classifier("softmax", "crack", "dent"), "dent", "accuracy"),
        (
            "text-classification",
            TEXT | {"labels": ["1", "crack"]},
            classifier("sigmoid", "crack", "dent"),
            frozenset({"dent", "crack"}),
            "F1 of labels",
        ),
        ("text-classification", TEXT | {"score": 2.5}, classifier("none", "stars"), 2.5, "Spearman"),
        ("sentence-similarity", PAIR | {"score": 0.5}, POOLED, 0.5, "Spearman"),
        ("text-ranking", PAIR | {"score": 3}, ScorePostprocess(function="sigmoid"), 3.0, "Spearman"),
        ("feature-extraction", TEXT | {"label": "x"}, POOLED, "x", "recall@1"),
        ("question-answering", QUESTION | {"answers": ["Anna"]}, AnswerPostprocess(), ("Anna",), "F1 of answers"),
        ("question-answering", QUESTION | {"answers": []}, AnswerPostprocess(), (), "F1 of answers"),
        (
            "token-classification",
            TEXT | {"entities": [{"label": "PER", "start": 0, "end": 4}]},
            EntityPostprocess(labels=("O", "B-PER", "I-PER"), aggregation="simple"),
            (TrueEntity("PER", 0, 4),),
            "F1 of entities",
        ),
    ],
)
def test_each_task_takes_what_is_right_in_its_form(
    task: TaskName, row: dict[str, Any], postprocess: Postprocess, truth: Any, metric: str, tmp_path: Path
) -> None:
    reads = [name for name in row if name in ("text", "text_pair", "question", "context")]
    data = gate_data(write_rows(tmp_path / "data.jsonl", [row] * 3), task, reads, postprocess)
    assert data.truths == [truth] * 3
    assert data.metric is not None
    assert data.metric.name == metric


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((20, 30, 3), 50 + number, np.uint8)).save(path)
    return paths


def test_objects_have_the_models_labels(pictures: list[Path], tmp_path: Path) -> None:
    rows = [
        {"image": path.name, "objects": [{"label": label, "box": [0, 0, 9, 9]}]}
        for path, label in zip(pictures, ("dent", "0"), strict=True)
    ]
    postprocess = DetrPostprocess(labels=("crack", "dent"))
    data = gate_data(write_rows(tmp_path / "data.jsonl", rows), "object-detection", ["image"], postprocess)
    assert data.metric is not None
    assert data.metric.name == "mAP"
    assert data.truths is not None
    box = Box(0.0, 0.0, 9.0, 9.0)
    assert sorted(map(str, data.truths)) == sorted(str((TrueObject(name, box),)) for name in ("dent", "crack"))
    rows[0]["objects"] = [{"label": "weld", "box": [0, 0, 9, 9]}]
    with pytest.raises(
        DataError, match="has the label 'weld', which the model does not know; it knows 'crack', 'dent'"
    ):
        gate_data(write_rows(tmp_path / "data.jsonl", rows), "object-detection", ["image"], postprocess)


def test_masks_are_what_segments_are_held_against(pictures: list[Path], tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(mask)
    rows = [{"image": path.name, "mask": mask.name} for path in pictures]
    postprocess = SemanticPostprocess(labels=("steel", "rust"))
    data = gate_data(write_rows(tmp_path / "data.jsonl", rows), "image-segmentation", ["image"], postprocess)
    assert data.truths == [mask, mask]
    assert data.metric is not None
    assert data.metric.name == "mean IoU"


@pytest.mark.parametrize(
    ("task", "postprocess", "said", "truth", "metric"),
    [
        ("document-reading", LinesPostprocess(), {"lines": ["Exit 3", "Hall"]}, ("Exit 3", "Hall"), "F1 of lines"),
        (
            "zero-shot-image-classification",
            SimilarityPostprocess(function="softmax", scale=1.0, template="{}"),
            {"label": "a dent"},
            "a dent",
            "accuracy",
        ),
    ],
)
def test_what_is_right_of_a_whole_made_of_components(
    task: TaskName,
    postprocess: Any,
    said: dict[str, Any],
    truth: Any,
    metric: str,
    pictures: list[Path],
    tmp_path: Path,
) -> None:
    rows = [{"image": path.name} | said for path in pictures]
    source: Any = SimpleNamespace(
        task=task, reads=("image",), postprocess=postprocess, completed=lambda parts: parts["image"]
    )
    options: Any = {"name": "m", "repository": tmp_path / "models"}
    labelled = write_rows(tmp_path / "data.jsonl", rows)
    data = load_composed_data(source, ExportOptions(**options, evaluation=labelled))
    assert data.truths == [truth] * 2
    assert data.metric is not None
    assert data.metric.name == metric
    unlabelled = write_rows(tmp_path / "images.jsonl", [{"image": path.name} for path in pictures])
    assert load_composed_data(source, ExportOptions(**options, evaluation=unlabelled)).truths is None
    with pytest.raises(DataError, match="does not say what is right"):
        load_composed_data(source, ExportOptions(**options, evaluation=unlabelled, metric=lambda *_: 1.0))


def test_what_nobody_says_leaves_agreement(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", [TEXT] * 3)
    postprocess = EntityPostprocess(labels=("O", "B-PER"), aggregation="simple")
    assert gate_data(data, "token-classification", ["text"], postprocess).truths is None
    with pytest.raises(DataError, match="does not say what is right, which a metric of your choice needs to know"):
        gate_data(data, "token-classification", ["text"], postprocess, metric=lambda *_: 1.0)
    with pytest.raises(DataError, match="has no labels; the gate needs a column 'label'"):
        gate_data(data, "text-classification", ["text"], classifier("softmax", "a", "b"))
