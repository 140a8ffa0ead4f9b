"""Exports that search: what they serve, what they say of the rest, and how a search goes on where it was stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    ColorNetwork,
    PlantedNetwork,
    write_color_images,
)
from torch import nn

from tundish_exporters import export_module, shortlist
from tundish_exporters.export_options import RequestedPrecision
from tundish_exporters.exporting import Exported
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.search import searching, stopwatch

# Networks this small are no faster in int8, and a search has nothing to judge.
pytestmark = pytest.mark.usefixtures("any_speed")


@pytest.fixture
def any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_LEAST_GAIN", 0.0)
    monkeypatch.setattr(stopwatch, "_RUNS", 5)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_color_images(tmp_path_factory.mktemp("colors"), each=8)


def export(
    network: nn.Module,
    repository: Path,
    images: Path,
    precision: RequestedPrecision = "int8",
    confidence: float | None = None,
    metric: str | None = None,
) -> Exported:
    return export_module(
        network.eval(),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=repository,
        precision=precision,
        confidence=confidence,
        metric=metric,
        evaluation=images,
        search_minutes=1,
    )


def test_a_planted_layer_is_found_and_kept_in_float(tmp_path: Path, images: Path) -> None:
    exported = export(PlantedNetwork(), tmp_path, images)
    (variant,) = exported.bundle.manifest.variants
    assert variant.precision == "int8"
    assert variant.gate.passed
    assert "in float" in variant.recipe
    served = next(trial for trial in exported.trials if trial.recipe.description == variant.recipe)
    assert served.kept == ("/planted/Conv",)
    assert {
        trial.outcome for trial in exported.trials if not trial.kept and trial.recipe.name.startswith("static")
    } == {"failed"}
    report = json.loads((exported.bundle.directory / "report.json").read_text())
    worst = report["layers"][0]
    assert (worst["node"], worst["kept"]) == ("/planted/Conv", True)


def test_where_nothing_passes_fp32_is_served_and_each_loser_says_why(tmp_path: Path, images: Path) -> None:
    exported = export(ColorNetwork(outlier=True), tmp_path, images, "auto")
    manifest = exported.bundle.manifest
    assert {variant.precision for variant in manifest.servable} <= {"fp32", "fp16"}
    eight_bits = [trial for trial in exported.trials if trial.precision == "int8"]
    assert {trial.outcome for trial in eight_bits} <= {"failed", "impossible"}
    assert all(trial.reason for trial in eight_bits)
    assert any("onnx-int8-cpu does not pass the gate" in warning for warning in exported.warnings)
    assert not list(exported.bundle.directory.glob("static*.onnx"))


def test_an_interrupted_search_serves_the_best_so_far_and_the_next_goes_on_from_there(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raced: list[str] = []
    race = stopwatch.Stopwatch.measure

    def interrupted(self: stopwatch.Stopwatch, engine: object) -> stopwatch.Pace:
        raced.append("")
        if len(raced) == 3:
            raise KeyboardInterrupt
        return race(self, engine)  # type: ignore[arg-type]

    monkeypatch.setattr(stopwatch.Stopwatch, "measure", interrupted)
    first = export(PlantedNetwork(), tmp_path, images, "auto")
    assert any("interrupted" in warning for warning in first.warnings)
    assert len(first.trials) == 2
    raced.append("no interrupt")
    before = len(raced)
    second = export(PlantedNetwork(), tmp_path, images, "auto")
    assert second.bundle.manifest.version == 2
    measured = [trial for trial in second.trials if trial.milliseconds is not None]
    assert len(raced) - before == len(measured) - 2, "what was measured is remembered"
    raced.append("third")
    before = len(raced)
    third = export(PlantedNetwork(), tmp_path, images, "auto")
    assert len(raced) == before
    assert [(each.name, each.outcome) for each in third.trials] == [(each.name, each.outcome) for each in second.trials]


def test_a_search_that_is_interrupted_before_it_has_judged_anything_serves_the_float_model_and_says_why(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stopwatch.Stopwatch, "measure", interrupt)
    exported = export(PlantedNetwork(), tmp_path, images, "auto")
    assert [variant.name for variant in exported.bundle.manifest.servable] == ["onnx-fp32-cpu"]
    assert exported.warnings[-2:] == (
        "The search was interrupted; the best so far was taken.",
        "The search leaves nothing but the float network: no recipe was judged before the search ended.",
    )


def test_a_metric_that_has_changed_is_not_answered_from_memory(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shortlist, "recipes_for", lambda *_, **__: [StaticRecipe()])

    def search(figure: str) -> tuple[float, bool]:
        (tmp_path / "planted_metrics.py").write_text(f"def figure(answers, truths):\n    return {figure}\n")
        monkeypatch.delitem(sys.modules, "planted_metrics", raising=False)
        (trial,) = export(ColorNetwork(), tmp_path / "models", images, metric="planted_metrics:figure").trials
        assert trial.accuracy is not None
        return trial.accuracy.value, trial.is_remembered

    assert search("0.5") == (0.5, False)
    assert search("0.5") == (0.5, True)
    assert search("0.875") == (0.875, False)


def test_what_was_measured_for_another_question_is_not_remembered(tmp_path: Path, images: Path) -> None:
    export(ColorNetwork(), tmp_path, images, "auto")
    exported = export(ColorNetwork(), tmp_path, images, "auto", confidence=0.9)
    intervals = [each.accuracy.interval for each in exported.trials if each.accuracy is not None]
    assert {interval and interval.confidence for interval in intervals} == {0.9}
