"""What a search remembers: found again for just the same measurement, and done without where it cannot be read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tundish.manifest import Accuracy
from tundish_exporters.data import Sample
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.search.cache import Measured, TrialCache, common_hash
from tundish_exporters.search.stopwatch import Pace

RECIPE = DynamicRecipe()
INPUTS = [{"x": np.zeros((2, 3), np.float32)}]
SAMPLES = [Sample(("a text",), "good"), Sample(("another",), "bad")]


def measured() -> Measured:
    accuracy = Accuracy(metric="accuracy", value=0.5, reference=0.75, samples=4)
    return Measured(recipe=RECIPE.name, engine="onnx", pace=Pace(2.0, 1.5), accuracy=accuracy)


def test_a_trial_is_found_by_its_recipe_and_its_engine_alone(tmp_path: Path) -> None:
    cache = TrialCache(tmp_path / "cache", "what")
    assert cache.find(RECIPE, "onnx") is None
    cache.keep(RECIPE, measured())
    assert cache.find(RECIPE, "onnx") == measured()
    assert cache.find(RECIPE, "openvino") is None
    assert cache.find(RECIPE.keeping(frozenset({"layer"})), "onnx") is None
    assert TrialCache(tmp_path / "cache", "what").find(RECIPE, "onnx") == measured(), "another process"
    assert TrialCache(tmp_path / "cache", "other").find(RECIPE, "onnx") is None


@pytest.mark.parametrize("pace", [None, Pace(2.0, math.inf)])
def test_a_fault_is_kept_as_what_was_measured_is(tmp_path: Path, pace: Pace | None) -> None:
    cache = TrialCache(tmp_path, "what")
    failed = Measured(recipe=RECIPE.name, engine="onnx", pace=pace, fault="It fails on 'größer'.")
    cache.keep(RECIPE, failed)
    assert cache.find(RECIPE, "onnx") == failed


@pytest.mark.parametrize("content", [b"", b"{", b'{"recipe": 3}', b"\xff" * 9, b"x" * 300_000])
def test_a_file_that_is_none_is_measured_anew(tmp_path: Path, content: bytes) -> None:
    cache = TrialCache(tmp_path, "what")
    cache.keep(RECIPE, measured())
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    assert cache.find(RECIPE, "onnx") is None
    cache.keep(RECIPE, measured())
    assert cache.find(RECIPE, "onnx") == measured()


def test_a_directory_that_cannot_be_written_costs_no_search(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = TrialCache(tmp_path / "file" / "cache", "what")
    cache.keep(RECIPE, measured())
    assert cache.find(RECIPE, "onnx") is None


def test_the_hash_is_another_for_any_other_measurement(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    path.write_bytes(b"graph")
    first = common_hash(path, INPUTS, SAMPLES, "accuracy")
    assert common_hash(path, INPUTS, SAMPLES, "accuracy") == first
    others = [
        common_hash(path, [{"x": np.ones((2, 3), np.float32)}], SAMPLES, "accuracy"),
        common_hash(path, [{"x": np.zeros((3, 2), np.float32)}], SAMPLES, "accuracy"),
        common_hash(path, INPUTS, SAMPLES[:1], "accuracy"),
        common_hash(path, INPUTS, [*SAMPLES[:1], Sample(("another",), "good")], "accuracy"),
        common_hash(path, INPUTS, [*SAMPLES[:1], Sample(("else",), "bad")], "accuracy"),
        common_hash(path, INPUTS, SAMPLES, "F1"),
        common_hash(path, INPUTS, [*SAMPLES[:1], Sample(("another",), "bad", slice="night")], "accuracy"),
        common_hash(path, INPUTS, [*SAMPLES[:1], Sample(("another",), "bad", group="night")], "accuracy"),
    ]
    path.with_name("float.onnx.data").write_bytes(b"weights")
    others.append(common_hash(path, INPUTS, SAMPLES, "accuracy"))
    path.write_bytes(b"other")
    others.append(common_hash(path, INPUTS, SAMPLES, "accuracy"))
    assert len({first, *others}) == 11
