"""The first load measures what is worth it, and later ones do not."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bundles import make_bundle
from support.engines import by_openvino, republish
from support.images import encoded
from support.loaded import engine_model

import tundish
from tundish.bundle import Bundle, publish_bundle, staged_bundle
from tundish.engines import openvino as openvino_engine
from tundish.errors import EngineError, RepositoryError
from tundish.placement import placer
from tundish.placement.figures import Measurement
from tundish.placement.placement import Placement
from tundish.placement.placer import QUICK_MILLISECONDS, Placer
from tundish.scheduling import Cores


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(placer, "MEASURED_SECONDS", 0.2)
    monkeypatch.setattr(placer, "other_work", lambda: None)
    caplog.set_level(logging.INFO)


@pytest.fixture
def cores() -> Iterator[Cores]:
    made = Cores(2)
    yield made
    made.close()


def make_heavy_bundle(repository: Path, milliseconds: float = 5.0) -> Bundle:
    """One that is said to take so long."""
    template = make_bundle(repository / ".templates")
    (variant,) = template.manifest.variants
    latency = variant.latency.model_copy(update={"median_milliseconds": milliseconds})
    with staged_bundle(repository, "colors") as staging:
        (staging / "model.onnx").write_bytes(template.path("model.onnx").read_bytes())
        slow = variant.model_copy(update={"latency": latency})
        return publish_bundle(staging, template.manifest.model_copy(update={"variants": (slow,)}))


def test_the_first_load_measures_and_the_next_does_not(
    tmp_path: Path, cores: Cores, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_heavy_bundle(tmp_path)
    first = Placer(tmp_path, cores, instances=None).place(bundle)
    assert (first.instances, first.threads) in {(2, 1), (1, 2)}
    assert first.max_batch_size == bundle.manifest.serving.max_batch_size
    assert caplog.text.count("is measured for") == 1
    assert "items a second with a p99 of" in caplog.text

    monkeypatch.setattr(placer, "measure", None)
    assert Placer(tmp_path, cores, instances=None).place(bundle) == first
    assert caplog.text.count("measured by the first load on") == 2


def test_a_busy_machine_chooses_nothing(
    tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(placer, "other_work", lambda: 0.6)
    placed = Placer(tmp_path, cores, instances=None).place(make_heavy_bundle(tmp_path))
    assert (placed.instances, placed.threads) == (2, 1)
    assert "is not measured, as other work takes 60 % of the cores" in caplog.text
    assert not (tmp_path / ".tundish").exists(), "the next start may find a quiet one"


def test_measuring_that_takes_too_long_is_given_up_and_forgotten(
    tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(placer, "MOST_SECONDS", 0.05)
    placed = Placer(tmp_path, cores, instances=None).place(make_heavy_bundle(tmp_path, milliseconds=2.0))
    assert (placed.instances, placed.threads) == (2, 1)
    assert "could not be measured in 0.05 seconds" in caplog.text
    assert not (tmp_path / ".tundish").exists()


def test_a_quick_model_is_not_measured(tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placer, "measure", None)
    bundle = make_heavy_bundle(tmp_path, milliseconds=0.99 * QUICK_MILLISECONDS)
    placed = Placer(tmp_path, cores, instances=None).place(bundle)
    assert (placed.instances, placed.threads) == (2, 1)
    assert not (tmp_path / ".tundish").exists()


def test_a_model_that_would_take_long_to_measure_is_not(
    tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(placer, "measure", None)
    placement = Placer(tmp_path, cores, instances=None).place(make_heavy_bundle(tmp_path, milliseconds=2000.0))
    assert (placement.instances, placement.threads) == (2, 1)
    assert "is not measured, which would take long" in caplog.text


def test_a_given_number_of_instances_is_taken_as_it_is(
    tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placer, "measure", None)
    placed = Placer(tmp_path, cores, instances=3).place(make_heavy_bundle(tmp_path))
    assert (placed.instances, placed.threads) == (3, 1)


def test_what_cannot_be_measured_is_served_all_the_same(
    tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Nothing the model reads: what is made is no image.
    monkeypatch.setattr("tundish.placement.samples.made_photograph", lambda *_arguments: b"no image")
    placed = Placer(tmp_path, cores, instances=None).place(make_heavy_bundle(tmp_path))
    assert (placed.instances, placed.threads) == (2, 1)
    assert "could not be measured" in caplog.text


def test_a_repository_that_cannot_be_written_is_measured_once_a_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_heavy_bundle(tmp_path)
    (tmp_path / ".tundish").touch()
    with tundish.open(tmp_path) as runtime:
        first = engine_model(runtime, "colors").placement
        runtime.table.unload("colors")
        runtime.table.load("colors")
        assert engine_model(runtime, "colors").placement == first
        result = runtime.predict("colors", image=encoded("green"), timeout=10).result
        assert isinstance(result, tundish.ImageClassification)
        assert result.labels[0].name == "green"
    assert caplog.text.count("is measured for") == 1
    assert caplog.text.count("is forgotten when this process ends") == 1


def make_bundle_of_two_engines(repository: Path, *, precision: str = "fp32") -> Bundle:
    """One whose variant by OpenVINO is said to be the faster one."""
    bundle = make_heavy_bundle(repository / ".onnx")
    (variant,) = bundle.manifest.variants
    return republish(bundle, repository, variant, by_openvino(variant, precision=precision, milliseconds=3.0))


class Bench:
    """Stands for the measurement: OpenVINO is twice as fast, unless said otherwise; notes what it is to measure."""

    def __init__(self) -> None:
        self.asked: set[Placement] = set()
        self.openvino_seconds = 0.1

    def __call__(
        self, _bundle: Bundle, _items: object, _cores: Cores, asked: Placement, _seconds: float
    ) -> Measurement:
        self.asked.add(asked)
        seconds = self.openvino_seconds if "openvino" in asked.variant else 0.2
        return Measurement(seconds, 0.1, [0.01 / asked.threads] * 10, 10)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(placer, "measure", made)
    return made


def test_the_first_load_tries_each_engine(tmp_path: Path, cores: Cores, bench: Bench) -> None:
    placed = Placer(tmp_path, cores, instances=None).place(make_bundle_of_two_engines(tmp_path))
    assert placed.variant == "openvino-fp32-cpu"
    assert {one.variant for one in bench.asked} == {"onnx-fp32-cpu", "openvino-fp32-cpu"}
    assert {(one.instances, one.threads) for one in bench.asked} == {(2, 1), (1, 2)}


@pytest.mark.parametrize(("openvino_seconds", "engine"), [(0.21, "openvino"), (0.23, "onnx")])
def test_what_is_usual_gives_way_to_what_is_clearly_better(
    openvino_seconds: float, engine: str, tmp_path: Path, cores: Cores, bench: Bench
) -> None:
    bench.openvino_seconds = openvino_seconds
    placed = Placer(tmp_path, cores, instances=None).place(make_bundle_of_two_engines(tmp_path))
    assert placed.variant == f"{engine}-fp32-cpu"
    # Among those as fast, the one with the lower p99; of the usual variant, an instance a core.
    assert (placed.instances, placed.threads) == ((2, 1) if engine == "openvino" else (1, 2))


@pytest.mark.usefixtures("without_openvino")
@pytest.mark.parametrize("instances", [None, 2], ids=["measured", "given"])
def test_variants_of_an_engine_that_is_not_installed_are_left_out(
    instances: int | None, tmp_path: Path, cores: Cores, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    placed = Placer(tmp_path, cores, instances=instances).place(make_bundle_of_two_engines(tmp_path))
    assert placed.variant == "onnx-fp32-cpu"
    assert {one.variant for one in bench.asked} <= {"onnx-fp32-cpu"}
    (line,) = [record.getMessage() for record in caplog.records if "goes without" in record.getMessage()]
    assert line == (
        "'colors' version 1 goes without openvino-fp32-cpu: OpenVINO is not installed; "
        "run pip install 'tundish[openvino]'."
    )


@pytest.mark.usefixtures("without_openvino")
def test_a_model_with_no_other_variant_says_what_to_install(tmp_path: Path, cores: Cores) -> None:
    bundle = make_heavy_bundle(tmp_path / ".onnx")
    alone = republish(bundle, tmp_path, by_openvino(bundle.manifest.variants[0]))
    with pytest.raises(EngineError, match=r"has no variant that runs here: OpenVINO is not installed; run pip install"):
        Placer(tmp_path, cores, instances=None).place(alone)
    with pytest.raises(RepositoryError, match=r"run pip install 'tundish\[openvino\]'"):
        tundish.open(tmp_path)


@pytest.mark.parametrize("has_bf16", [False, True])
def test_bf16_is_tried_only_where_the_processor_has_it(
    has_bf16: bool,
    tmp_path: Path,
    cores: Cores,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(openvino_engine, "computes_in", lambda precision: precision != "bf16" or has_bf16)
    placed = Placer(tmp_path, cores, instances=None).place(make_bundle_of_two_engines(tmp_path, precision="bf16"))
    assert placed.variant == ("openvino-bf16-cpu" if has_bf16 else "onnx-fp32-cpu")
    assert any("bf16" in one.variant for one in bench.asked) == has_bf16
    assert ("openvino-bf16-cpu: OpenVINO does not compute in bf16 on this processor" in caplog.text) != has_bf16


def test_two_engines_are_measured_for_real(tmp_path: Path, cores: Cores, caplog: pytest.LogCaptureFixture) -> None:
    placed = Placer(tmp_path, cores, instances=None).place(make_bundle_of_two_engines(tmp_path))
    assert placed.variant in ("onnx-fp32-cpu", "openvino-fp32-cpu")
    assert "Left out" not in caplog.text
    assert "items a second with a p99 of" in caplog.text
