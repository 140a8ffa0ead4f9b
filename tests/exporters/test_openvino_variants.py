"""Exports where OpenVINO is installed: its variants stand on the files of ONNX Runtime's, each with its own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.engines import hidden_openvino
from support.measuring import figures
from support.model_families import TEXT_FAMILIES, efficientnet, save_family
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    ColorNetwork,
    besides_few,
    write_color_images,
)

import tundish
from tundish.bundle import read_single_bundle
from tundish.engines import Arrays
from tundish.engines import openvino as engine_module
from tundish.engines.openvino import OpenVinoEngine
from tundish.errors import EngineError
from tundish.results import ImageClassification
from tundish_exporters import ExportError, export_module
from tundish_exporters.exporting import Exported
from tundish_exporters.quantize import choosing
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.sources.huggingface import load_source
from tundish_exporters.sources.huggingface.source import Choices


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images, a folder for each colour."""
    return write_color_images(tmp_path_factory.mktemp("colors") / "images")


@pytest.fixture
def no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this processor has."""
    monkeypatch.setattr(engine_module, "computes_in", lambda precision: precision != "bf16")


@pytest.fixture
def made_bf16(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A processor with bf16, on which it is fp32; what was run in it."""
    ran: list[str] = []

    class Engine(OpenVinoEngine):
        def __init__(self, path: Path, *, precision: Any, threads: int) -> None:
            super().__init__(path, precision="fp32" if precision == "bf16" else precision, threads=threads)
            self._precision = precision

        def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
            ran.append(self._precision)
            return super().run(inputs)

    monkeypatch.setattr(engine_module, "computes_in", lambda _precision: True)
    monkeypatch.setattr(engine_module, "OpenVinoEngine", Engine)
    return ran


def export(repository: Path, *, outlier: bool = False, **options: Any) -> Exported:
    return export_module(
        ColorNetwork(outlier=outlier),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=repository,
        **options,
    )


def names(exported: Exported) -> list[str]:
    return [variant.name for variant in exported.bundle.manifest.variants]


@pytest.mark.usefixtures("no_bf16")
@pytest.mark.parametrize("saturates", [True, False])
def test_each_engine_has_its_variants(
    saturates: bool, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a file where the most promising recipe is for both, as that is which leaves the stem in float."""
    monkeypatch.setattr(choosing, "saturates", lambda: saturates)
    monkeypatch.setattr(choosing, "multiplies_bytes", lambda: not saturates)
    monkeypatch.setattr(choosing, "multiplies_matrices", lambda: False)
    exported = export(tmp_path, evaluation=images)
    manifest = read_single_bundle(exported.bundle.directory).manifest
    assert names(exported) == ["onnx-fp32-cpu", "onnx-int8-cpu", "openvino-fp32-cpu", "openvino-int8-cpu"]
    floating, quantised, *others = manifest.variants
    assert [variant.engine for variant in others] == ["openvino", "openvino"]
    stems = ["", ""] if saturates else ["-plain-stem-kernels", "-plain-stem"]
    int8_files = [f"static-u8s8-mean{stem}.onnx" for stem in stems]
    expected = ["onnx-fp32-cpu.onnx", int8_files[0], "onnx-fp32-cpu.onnx", int8_files[1]]
    assert [variant.files[0].path for variant in (floating, quantised, *others)] == expected
    files = set(expected)
    assert {path.name for path in exported.bundle.directory.iterdir()} == files | {
        "bundle.json", "report.html", "report.json",
    }  # fmt: skip
    assert len(manifest.files) == len(files) + 2, "each once"
    for variant in manifest.variants:
        assert figures(variant) == ("accuracy", 1, 1, 12)
        assert variant.gate.passed
    assert len({variant.latency.median_milliseconds for variant in manifest.variants}) == 4
    assert besides_few(exported.warnings) == []


@pytest.mark.usefixtures("no_bf16")
@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_a_recipe_that_fails_costs_no_other_engine(
    precision: str, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = StaticRecipe.write

    def fail_for_openvino(recipe: StaticRecipe, *rest: Any) -> None:
        if "openvino" in recipe.engines:
            raise ExportError("It is planted to fail.")
        write(recipe, *rest)

    monkeypatch.setattr(choosing, "saturates", lambda: False)
    monkeypatch.setattr(choosing, "multiplies_bytes", lambda: True)
    monkeypatch.setattr(choosing, "multiplies_matrices", lambda: False)
    monkeypatch.setattr(StaticRecipe, "write", fail_for_openvino)
    exported = export(tmp_path, evaluation=images, precision=precision)
    quantised = [variant for variant in exported.bundle.manifest.variants if variant.precision == "int8"]
    assert [variant.name for variant in quantised] == ["onnx-int8-cpu"]
    # The most promising recipe is made of one that fails, and the next is taken.
    assert quantised[0].files[0].path == "static-u8s8-mean-blocks-stem.onnx"
    assert "There is no int8 by static-u8s8-mean-plain-stem: It is planted to fail." in exported.warnings


@pytest.mark.usefixtures("no_bf16")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_precision_that_was_asked_for_is_made_for_each_engine(precision: str, tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, evaluation=images, precision=precision)
    assert names(exported) == [f"onnx-{precision}-cpu", f"openvino-{precision}-cpu"]
    with tundish.open(tmp_path, instances=1) as runtime:
        for path in images.rglob("*.png"):
            result = runtime.predict("colors", image=path).result
            assert isinstance(result, ImageClassification)
            assert result.labels[0].name == path.parent.name


@pytest.mark.usefixtures("no_bf16")
def test_what_fails_the_gate_is_recorded_and_not_served(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=True, evaluation=images)
    floating, quantised, floating_too, quantised_too = exported.bundle.manifest.variants
    assert (floating.gate.passed, floating_too.gate.passed) == (True, True)
    for variant in (quantised, quantised_too):
        assert not variant.gate.passed
        assert variant.files == ()
        assert variant.accuracy is not None
        assert variant.accuracy.value < 0.99
        assert variant.latency.runs > 0
    assert [warning.split()[0] for warning in besides_few(exported.warnings)] == ["onnx-int8-cpu", "openvino-int8-cpu"]
    with pytest.raises(ExportError, match="int8 does not pass the gate"):
        export(tmp_path, outlier=True, evaluation=images, precision="int8")


def test_bf16_is_a_precision_like_any_other(tmp_path: Path, images: Path, made_bf16: list[str]) -> None:
    exported = export(tmp_path, evaluation=images)
    assert names(exported)[2:] == ["openvino-fp32-cpu", "openvino-bf16-cpu", "openvino-int8-cpu"]
    variant = exported.bundle.manifest.variants[3]
    assert variant.precision == "bf16"
    assert variant.files == exported.bundle.manifest.variants[0].files
    assert figures(variant) == ("accuracy", 1, 1, 12)
    assert variant.gate.reason.startswith("accuracy 1.0000 against 1.0000 on 12 samples")
    assert made_bf16.count("bf16") > variant.latency.runs


def test_bf16_that_answers_otherwise_fails_the_gate(
    tmp_path: Path, images: Path, made_bf16: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = engine_module.OpenVinoEngine.run

    def wrong(engine: Any, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        outputs: dict[str, Any] = run(engine, inputs)
        return {name: -array for name, array in outputs.items()} if engine._precision == "bf16" else outputs

    monkeypatch.setattr(engine_module.OpenVinoEngine, "run", wrong)
    variants = {each.name: each for each in export(tmp_path, evaluation=images).bundle.manifest.variants}
    variant, others = variants.pop("openvino-bf16-cpu"), variants.values()
    assert "bf16" in made_bf16
    assert not variant.gate.passed
    assert variant.accuracy is not None
    assert variant.accuracy.value == 0
    assert all(other.gate.passed for other in others)


@pytest.mark.usefixtures("made_bf16")
def test_without_data_there_is_fp32_alone(tmp_path: Path) -> None:
    exported = export(tmp_path)
    assert names(exported) == ["onnx-fp32-cpu", "openvino-fp32-cpu"]
    first, second = exported.bundle.manifest.variants
    assert second.gate == first.gate
    assert second.accuracy is None


@pytest.mark.usefixtures("no_bf16")
def test_fp32_that_answers_otherwise_than_the_source_is_not_served(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OpenVinoEngine.run

    def wrong(engine: OpenVinoEngine, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        outputs: dict[str, Any] = run(engine, inputs)
        return {name: array * 1.1 for name, array in outputs.items()}

    monkeypatch.setattr(OpenVinoEngine, "run", wrong)
    exported = export(tmp_path, evaluation=images, precision="fp32")
    floating, variant = exported.bundle.manifest.variants
    assert floating.gate.passed
    assert not variant.gate.passed
    assert variant.gate.reason.startswith("It differs from its source on calibration sample 0 (")
    assert figures(variant) == ("accuracy", 1, 1, 12)


def test_a_network_that_openvino_does_not_take_is_exported_all_the_same(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_engine: OpenVinoEngine, path: Path, **_options: object) -> None:
        raise EngineError(f"OpenVINO does not take {path.name}: no.")

    monkeypatch.setattr(choosing, "saturates", lambda: False)
    monkeypatch.setattr(OpenVinoEngine, "__init__", refuse)
    exported = export(tmp_path, evaluation=images, precision="int8")
    assert names(exported) == ["onnx-int8-cpu"]
    assert besides_few(exported.warnings) == [
        "There is no openvino-int8-cpu: OpenVINO does not take static-u8s8-mean-plain-stem.onnx: no."
    ]


def test_without_the_package_nothing_is_different(tmp_path: Path, images: Path) -> None:
    with hidden_openvino():
        exported = export(tmp_path, evaluation=images)
    assert names(exported) == ["onnx-fp32-cpu", "onnx-int8-cpu"]
    assert besides_few(exported.warnings) == []


def test_the_capability_is_what_openvino_says() -> None:
    import openvino  # here, for the engine has imported it by now, without telemetry

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert engine_module.computes_in("bf16") == ("BF16" in capabilities)
    assert engine_module.computes_in("fp32")
    assert engine_module.computes_in("int8")


def test_efficientnet_pools_its_maps_in_a_way_that_openvino_takes(tmp_path: Path) -> None:
    source = load_source(save_family(tmp_path / "source", efficientnet()), "image-classification", Choices())
    source.write_onnx(tmp_path / "m.onnx")
    noise = np.random.default_rng(4).normal(size=(2, 3, 64, 64)).astype(np.float32)
    images = {"pixel_values": noise * np.array([0.1, 3], np.float32)[:, np.newaxis, np.newaxis, np.newaxis]}
    answer = OpenVinoEngine(tmp_path / "m.onnx", precision="fp32", threads=1).run(images)["logits"]
    expected = source.network(images)["logits"]
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(np.asarray(answer, np.float32), np.asarray(expected, np.float32), atol=1e-4)


def test_deberta_is_exported_without_branches_which_openvino_does_not_take(tmp_path: Path) -> None:
    family = TEXT_FAMILIES["deberta"](tmp_path)
    source = load_source(save_family(tmp_path / "source", family), "text-classification", Choices())
    source.write_onnx(tmp_path / "m.onnx")
    engine = OpenVinoEngine(tmp_path / "m.onnx", precision="fp32", threads=1)
    for shape in ((1, 3), (2, 40)):
        draw = np.random.default_rng(shape[1])
        ids, mask = draw.integers(5, 100, shape), np.ones(shape, np.int64)
        mask[0, 2:] = 0  # of a batch, one may be shorter
        inputs = {"input_ids": ids, "attention_mask": mask}
        answer, expected = (
            np.asarray(each["logits"], np.float32) for each in (engine.run(inputs), source.network(inputs))
        )
        np.testing.assert_allclose(answer, expected, atol=1e-4)
