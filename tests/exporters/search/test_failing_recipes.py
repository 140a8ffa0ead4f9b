"""What fails on a sample: a recipe that does costs itself, a sample that the float model refuses costs the export."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.networks import COLOR_INPUTS, COLOR_POSTPROCESS, COLOR_PREPROCESS, ColorNetwork, write_color_images

from tundish.engines import Arrays
from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError
from tundish.results import ImageClassification, Label, Result
from tundish_exporters import DataError, ExportError, composing, export_module, shortlist
from tundish_exporters.composed_data import ComposedData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.exporting import Exported
from tundish_exporters.progress import silent
from tundish_exporters.quantize import ranges
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.search import searching, stopwatch
from tundish_exporters.search.table import trials_table
from tundish_exporters.search.trial import how_many_remembered

Break = Callable[[Callable[[str, Arrays], bool]], None]


@pytest.fixture(autouse=True)
def two_recipes_at_any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks this small are no faster in int8, and a search has nothing to judge."""
    recipes = [StaticRecipe(), StaticRecipe(ranges="percentile")]
    monkeypatch.setattr(shortlist, "recipes_for", lambda *_, **__: recipes)
    monkeypatch.setattr(searching, "_LEAST_GAIN", 0.0)
    monkeypatch.setattr(stopwatch, "_RUNS", 5)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_color_images(tmp_path_factory.mktemp("colors"), each=4)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Has ONNX Runtime fail on those inputs of a file of which a function says so."""
    run = OnnxEngine.run

    def planted(fails: Callable[[str, Arrays], bool]) -> None:
        def run_or_fail(engine: OnnxEngine, inputs: Arrays) -> Any:
            if fails(engine._path.name, inputs):
                raise EngineError("The engine failed: planted.")
            return run(engine, inputs)

        monkeypatch.setattr(OnnxEngine, "run", run_or_fail)

    return planted


def export(repository: Path, evaluation: Path, **options: Any) -> Exported:
    return export_module(
        ColorNetwork(outlier=False).eval(),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=repository,
        evaluation=evaluation,
        **{"search_minutes": 1, **options},
    )


def is_like(wanted: float, inputs: Arrays) -> bool:
    """Of an image, by its first value."""
    return bool(np.isclose(inputs["pixel_values"].flat[0], wanted))


def test_a_recipe_that_fails_on_a_sample_says_so_and_another_is_served(
    tmp_path: Path, images: Path, broken: Break
) -> None:
    broken(lambda name, _: name.startswith("static-u8s8-mean"))
    exported = export(tmp_path, images)
    outcomes = {trial.recipe.name: trial for trial in exported.trials}
    assert outcomes["static-u8s8-mean"].outcome == "impossible"
    assert outcomes["static-u8s8-mean"].reason == "The engine failed: planted."
    assert outcomes["static-u8s8-percentile"].outcome == "passed"
    assert "onnx-int8-cpu" in [variant.name for variant in exported.bundle.manifest.servable]


def test_a_recipe_that_fails_while_it_is_judged_names_the_sample(tmp_path: Path, images: Path, broken: Break) -> None:
    """The first images to be measured with are answered, and so the race is run; the last is not."""
    seen: set[float] = set()

    def is_late(name: str, inputs: Arrays) -> bool:
        if name.startswith("static-u8s8-mean"):
            seen.add(float(inputs["pixel_values"].flat[0]))
        return name.startswith("static-u8s8-mean") and len(seen) > 5

    broken(is_late)
    exported = export(tmp_path, images)
    trial = next(each for each in exported.trials if each.recipe.name == "static-u8s8-mean")
    assert trial.outcome == "impossible"
    assert trial.reason.startswith(f"It fails on {images}")
    assert trial.reason.endswith(".png, which the float model answers: The engine failed: planted.")
    assert trial.speedup is not None
    report = (exported.bundle.directory / "report.json").read_text()
    assert str(images) not in report
    assert re.search(r"It fails on (red|green|blue)/\d+\.png, which", report)


def test_a_recipe_that_fails_while_it_observes_ranges_costs_itself(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = ranges._percentile_bin

    def overflow(counts: Any) -> int:
        raise OverflowError(f"{find(counts)} bins are too many")

    monkeypatch.setattr(ranges, "_percentile_bin", overflow)
    exported = export(tmp_path, images)
    trial = next(each for each in exported.trials if each.recipe.name == "static-u8s8-percentile")
    assert (trial.outcome, trial.reason[:26]) == ("impossible", "Static quantisation failed")


def said(exported: Exported) -> tuple[str, set[tuple[str, str, str]]]:
    """Of the trials: the command's table, and what the report has of those that are no variants."""
    stream = io.StringIO()
    Console(file=stream, width=200).print(trials_table(exported.trials))
    report = json.loads((exported.bundle.directory / "report.json").read_text())
    reported = {(each["name"], each["outcome"], each["reason"]) for each in report["trials"] if " by " in each["name"]}
    return stream.getvalue(), reported


@pytest.mark.parametrize("answered", [0, 5], ids=["in the race", "on a sample"])
def test_what_is_impossible_is_remembered_with_its_reason(
    tmp_path: Path, images: Path, broken: Break, answered: int
) -> None:
    failing = ["always"]
    seen: set[float] = set()

    def fails(name: str, inputs: Arrays) -> bool:
        if not name.startswith("static-u8s8-mean"):
            return False
        seen.add(float(inputs["pixel_values"].flat[0]))
        return bool(failing) and len(seen) > answered

    broken(fails)
    first = export(tmp_path, images)
    impossible = [trial.name for trial in first.trials if trial.outcome == "impossible"]
    assert impossible == ["static-u8s8-mean by onnx"]
    failing.clear()
    second = export(tmp_path, images)
    assert said(second) == said(first)
    assert all(trial.is_remembered for trial in second.trials)
    count = len(first.trials)
    assert how_many_remembered(second.trials) == f"Remembered from an earlier search: {count} of {count} trials."
    third = export(tmp_path, images, confidence=0.9)
    assert "impossible" not in {trial.outcome for trial in third.trials}, "another question is asked anew"


def test_a_file_that_no_engine_takes_is_remembered_without_the_folder_that_it_lay_in(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write_nothing(_recipe: StaticRecipe, _prepared: Path, destination: Path, *_: Any) -> None:
        written.append(destination)
        destination.write_bytes(b"no graph")

    monkeypatch.setattr(StaticRecipe, "write", write_nothing)
    first = export(tmp_path, images)
    count = len(written)
    assert count
    assert said(export(tmp_path, images)) == said(first)
    assert len(written) == count
    reason = first.trials[0].reason
    assert reason.startswith("ONNX Runtime does not take static-u8s8-mean.onnx: ")
    assert str(tmp_path) not in reason


def test_a_machine_that_was_out_of_memory_is_asked_again(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, lacking = ranges._percentile_bin, [MemoryError()]

    def find_or_fail(counts: Any) -> int:
        if lacking:
            raise lacking[0]
        return find(counts)

    monkeypatch.setattr(ranges, "_percentile_bin", find_or_fail)
    outcomes = []
    for _ in range(2):
        trials = {trial.recipe.name: trial.outcome for trial in export(tmp_path, images).trials}
        outcomes.append(trials["static-u8s8-percentile"])
        lacking.clear()
    assert (outcomes[0], outcomes[1] == "impossible") == ("impossible", False)


def test_where_no_recipe_is_left_the_float_model_is_served_and_the_export_says_why(
    tmp_path: Path, images: Path, broken: Break
) -> None:
    broken(lambda name, _: name != "onnx-fp32-cpu.onnx")
    exported = export(tmp_path, images)
    assert [variant.name for variant in exported.bundle.manifest.variants] == ["onnx-fp32-cpu"]
    assert {trial.outcome for trial in exported.trials} == {"impossible"}
    assert (
        "The search leaves nothing but the float network: no recipe can be made and judged. The first, "
        "static-u8s8-mean by onnx: The engine failed: planted." in exported.warnings
    )
    with pytest.raises(
        ExportError, match=r"^No engine here serves int8 .* The search leaves nothing but .* planted\.$"
    ):
        export(tmp_path, images, precision="int8")


@pytest.mark.parametrize("minutes", [0, 1])
def test_one_that_fails_on_the_samples_that_were_kept_for_the_report_is_not_served(
    tmp_path: Path, images: Path, broken: Break, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def is_last(name: str, _: Arrays) -> bool:
        judged.append(name)
        return name.startswith("static") and bool(minutes == 0 or ended)

    ended: list[str] = []
    run = searching.Search.run

    def run_and_note(search: searching.Search, recipes: Any) -> None:
        run(search, recipes)
        ended.append("the search")

    monkeypatch.setattr(searching.Search, "run", run_and_note)
    broken(is_last)
    exported = export(tmp_path, images, search_minutes=minutes)
    assert "int8" not in {variant.precision for variant in exported.bundle.manifest.variants}
    assert any(
        warning.startswith("There is no onnx-int8-cpu") and warning.endswith("planted.")
        for warning in exported.warnings
    )


def test_components_that_fail_together_where_fp32_answers_do_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_all(_bundle: Any, items: list[Any], *, precision: str) -> list[Result]:
        if precision == "fastest":
            raise DataError("Sample 0 cannot be answered: planted.")
        return [ImageClassification((Label("red", 0.9),)) for _ in items]

    monkeypatch.setattr(composing, "answer_all", answer_all)
    component = SimpleNamespace(manifest=SimpleNamespace(servable=[SimpleNamespace(precision="int8")]))
    assembly: Any = SimpleNamespace(bundle=lambda: SimpleNamespace(components={"image": component}))
    data = ComposedData([], [], [], gate=[b"an image"])
    accuracy, verdict = composing._judge(assembly, data, ExportOptions(name="m", repository=tmp_path), silent)
    assert accuracy is None
    assert not verdict.passed
    assert verdict.reason == "They fail on what those in fp32 answer. Sample 0 cannot be answered: planted."


def test_a_sample_that_the_float_model_refuses_is_the_datas_fault_and_named(
    tmp_path: Path, images: Path, broken: Break
) -> None:
    batches = np.random.default_rng(3).uniform(0, 1, (9, 3, 16, 16)).astype(np.float32)
    batches[6, 0, 0, 0] = 77.0
    np.savez(tmp_path / "inputs.npz", pixel_values=batches)
    broken(lambda _, inputs: is_like(77.0, inputs))
    with pytest.raises(DataError, match=r"^Calibration row 7 of .*inputs\.npz cannot be used: The engine failed"):
        export(tmp_path / "models", images, calibration=tmp_path / "inputs.npz")
    assert not (tmp_path / "models" / "colors").exists()


def test_a_sample_of_the_gate_that_the_float_model_refuses_is_named(
    tmp_path: Path, images: Path, broken: Break
) -> None:
    calibration = write_color_images(tmp_path / "calibration", each=1)
    known = {path.read_bytes() for path in calibration.rglob("*.png")}
    assert not known >= {path.read_bytes() for path in images.rglob("*.png")}
    calls: list[str] = []

    def is_beyond(name: str, _: Arrays) -> bool:
        calls.append(name)
        return len(calls) > 10  # three samples, thrice for parity, and the first of the gate's

    broken(is_beyond)
    with pytest.raises(DataError, match=rf"^{images}.*png cannot be evaluated: The engine failed: planted\.$"):
        export(tmp_path / "models", images, calibration=calibration)
