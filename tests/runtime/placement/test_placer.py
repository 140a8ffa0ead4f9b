"""The first load measures what is worth it, and later ones do not."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bundles import make_bundle
from support.images import encoded

import tundish
from tundish.bundle import Bundle, publish_bundle, staged_bundle
from tundish.placement import placer
from tundish.placement.placer import QUICK_MILLISECONDS, Placer
from tundish.scheduling import Cores


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(placer, "MEASURED_SECONDS", 0.2)
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


def test_a_quick_model_is_not_measured(tmp_path: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placer, "measure", None)
    bundle = make_heavy_bundle(tmp_path, milliseconds=0.99 * QUICK_MILLISECONDS)
    placed = Placer(tmp_path, cores, instances=None).place(bundle)
    assert (placed.instances, placed.threads) == (2, 1)
    assert not (tmp_path / ".tundish").exists()


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
    monkeypatch.setattr("tundish.placement.samples._photograph", lambda *_arguments: b"no image")
    placed = Placer(tmp_path, cores, instances=None).place(make_heavy_bundle(tmp_path))
    assert (placed.instances, placed.threads) == (2, 1)
    assert "could not be measured" in caplog.text


def test_a_repository_that_cannot_be_written_is_measured_once_a_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_heavy_bundle(tmp_path)
    (tmp_path / ".tundish").touch()
    with tundish.open(tmp_path) as runtime:
        first = runtime.model("colors").placement
        runtime.table.unload("colors")
        runtime.table.load("colors")
        assert runtime.model("colors").placement == first
        result = runtime.predict("colors", image=encoded("green"), timeout=10).result
        assert isinstance(result, tundish.ImageClassification)
        assert result.labels[0].name == "green"
    assert caplog.text.count("is measured for") == 1
    assert caplog.text.count("is forgotten when this process ends") == 1
