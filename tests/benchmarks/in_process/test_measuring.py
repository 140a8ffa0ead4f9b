"""Reports of engines, of small bundles: what is in their rows, and what has none."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from support.composed_bundles import make_composed_bundle
from support.tensor_bundles import make_adder_bundle
from support.variants import make_variants

from tundish.placement.machine import usable_cores
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process import measuring
from tundish_bench.in_process.choosing import choose
from tundish_bench.in_process.measuring import measure_engines
from tundish_bench.in_process.options import EngineOptions
from tundish_bench.reports import Report

SHORT = {"rounds": 2, "seconds": 0.01, "loads": 1, "threads": 1}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of a variant that is right, beside one that is broken and one that is not asked for."""
    repository = tmp_path_factory.mktemp("models")
    make_variants(repository, {"onnx-int8-cpu": "rounded", "onnx-int4-cpu": "negated", "onnx-fp16-cpu": "same"})
    busy = itertools.count(step=10.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "machine_busy_seconds", lambda: next(busy))
        options = EngineOptions(variants=("onnx-int8-cpu", "onnx-int4-cpu"), batch_sizes=(1, 3), **SHORT)  # type: ignore[arg-type]
        return measure_engines(repository, "colors", options)


def test_a_row_is_of_a_variant_that_answers_right_with_batches_of_a_size(report: Report) -> None:
    assert report.kind == "engines"
    assert [row.name for row in report.rows] == [
        "onnx-fp32-cpu, batch 1",
        "onnx-int8-cpu, batch 1",
        "onnx-fp32-cpu, batch 3",
        "onnx-int8-cpu, batch 3",
    ]
    for row in report.rows:
        for name in ("throughput", "p50", "p99", "CPU", "speed-up", "floor", "floor CPU", "not engine"):
            figure = row.figure(name)
            assert figure
            assert len(figure.repeats) == 2
        floor, cpu = row.figure("floor CPU"), row.figure("CPU")
        assert floor
        assert cpu
        assert floor.value > cpu.value  # to decode a JPEG takes longer than the mean of 16 pixels
        assert {"batch": int(row.name[-1]), "threads": 1}.items() <= row.settings.items()
    baseline, agreement = report.rows[2].figure("speed-up"), report.rows[2].figure("agreement")
    assert baseline
    assert baseline.repeats == (1, 1)
    assert agreement
    assert agreement.value == 100


def test_a_broken_engine_is_not_reported_as_fast(report: Report) -> None:
    assert any(
        note.startswith("onnx-int4-cpu is left out: it gives other outputs than the reference: their likeness is -")
        for note in report.notes
    )


def test_other_work_is_said(report: Report) -> None:
    """Each of two measurements took 10 s of the machine, and far less of this process."""
    assert any(note.startswith("Other work took ") for note in report.notes)


def test_loading_adds_memory(report: Report) -> None:
    for row in report.rows:
        seconds, memory = row.figure("load"), row.figure("load memory")
        assert seconds
        assert memory
        assert seconds.value > 0
        assert 0 < memory.value < 100


def test_a_model_of_tensors_has_no_floor_but_its_engine(tmp_path: Path) -> None:
    make_adder_bundle(tmp_path)
    (row,) = measure_engines(tmp_path, "adder", EngineOptions(**SHORT)).rows  # type: ignore[arg-type]
    assert row.figure("floor") is None
    agreement = row.figure("agreement")
    assert agreement
    assert agreement.value == 100


@pytest.mark.usefixtures("without_openvino")
def test_engines_that_are_not_installed_are_said_and_left_out(tmp_path: Path) -> None:
    manifest = make_variants(tmp_path, {"openvino-fp32-cpu": "same", "openvino-int8-cpu": "same"}).manifest
    choice = choose(manifest, EngineOptions(variants=("onnx-fp32-cpu", "openvino-int8-cpu")))
    assert [variant.name for variant in choice.variants] == ["onnx-fp32-cpu"]
    assert choice.left_out == (
        "openvino-int8-cpu is left out: OpenVINO is not installed; run pip install 'tundish[openvino]'.",
    )
    with pytest.raises(BenchmarkError, match="The baseline openvino-int8-cpu does not run here: OpenVINO is not"):
        choose(manifest, EngineOptions(baseline="openvino-int8-cpu"))


def test_the_baseline_goes_first_and_answers_are_held_against_the_float_one(tmp_path: Path) -> None:
    manifest = make_variants(tmp_path, {"onnx-int8-cpu": "same"}).manifest
    choice = choose(manifest, EngineOptions(baseline="onnx-int8-cpu"))
    assert [variant.name for variant in choice.variants] == ["onnx-int8-cpu", "onnx-fp32-cpu"]
    assert choice.reference.name == "onnx-fp32-cpu"


def test_variants_that_may_not_be_served_are_refused(tmp_path: Path) -> None:
    manifest = make_variants(tmp_path, {}, failed="onnx-int8-cpu").manifest
    with pytest.raises(BenchmarkError, match="no variant 'onnx-int8-cpu' that may be served; it has onnx-fp32-cpu"):
        choose(manifest, EngineOptions(variants=("onnx-int8-cpu",)))
    named = manifest.variants[0].model_copy(update={"precision": "fp16", "name": "onnx-fp16-cpu"})
    with pytest.raises(BenchmarkError, match="has no fp32 variant by ONNX Runtime that runs here; name what"):
        choose(manifest.model_copy(update={"variants": (named,)}), EngineOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 1}, "The rounds must be 2 or more, got 1"),
        ({"loads": 0}, "The loads must be 1 or more, got 0"),
        ({"batch_sizes": (4, 0)}, "The batch size must be 1 or more, got 0"),
        ({"batch_sizes": (4, 4)}, "Give each batch size once"),
        ({"seconds": 0.0}, "The seconds of a round must be more than 0"),
        ({"threads": usable_cores() + 1}, "the cores that this process may use, got"),
    ],
)
def test_options_that_are_not_possible_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        measure_engines(tmp_path, "colors", EngineOptions(**options))  # type: ignore[arg-type]


def test_a_model_of_several_networks_is_refused(tmp_path: Path) -> None:
    make_composed_bundle(tmp_path)
    with pytest.raises(BenchmarkError, match=r"is composed of others; measure .* each by itself"):
        measure_engines(tmp_path, "towers", EngineOptions())
