"""What variants are measured on, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import make_bundle
from support.images import encoded
from support.tensor_bundles import make_adder_bundle, make_scaler_bundle

from tundish.bundle import Bundle
from tundish.errors import InvalidInputError
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.contestant import Contestant
from tundish_bench.in_process.inputs import Inputs, inputs_of


@pytest.fixture
def scaler(tmp_path: Path) -> Bundle:
    return make_scaler_bundle(tmp_path)


def contestant(bundle: Bundle) -> Contestant:
    return Contestant(bundle, bundle.manifest.variants[0], threads=1)


def test_images_of_a_directory_are_real_and_made_ones_are_not(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "models")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "red.png").write_bytes(encoded("red"))
    assert inputs_of(bundle, tmp_path / "images") == Inputs([encoded("red")], are_real=True)
    made = inputs_of(bundle, None)
    assert not made.are_real
    assert len(made.items) > 8
    with pytest.raises(InvalidInputError, match="must be a directory of images"):
        inputs_of(bundle, tmp_path / "nothing")


def test_the_last_batch_begins_again(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    assert Inputs([encoded("red")] * 5, are_real=True).batches(bundle, 2) == [[0, 1], [2, 3], [4, 0]]


def test_the_floor_is_what_the_engine_gives_for_the_prepared_batch(tmp_path: Path) -> None:
    each = contestant(make_bundle(tmp_path))
    assert each.take([[encoded("red"), encoded("blue")], [encoded("green"), encoded("green")]]) == 2
    for turn, labels in enumerate(([0, 2], [1, 1], [0, 2])):
        for outputs in (each.run(turn), each.run_whole(turn)):
            assert outputs["logits"].argmax(axis=1).tolist() == labels
    each.keep(1)
    assert each.run(1)["logits"].argmax(axis=1).tolist() == [0, 2]


def test_batches_that_do_not_fit_into_memory_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tundish_bench.in_process.contestant._MOST_BYTES", 2 * 3 * 4 * 4 * 4)
    assert contestant(make_bundle(tmp_path)).take([[encoded("red")]] * 5) == 2


def test_tensors_are_made_up_and_a_state_begins_with_zeros(tmp_path: Path) -> None:
    bundle = make_adder_bundle(tmp_path)
    made = inputs_of(bundle, None)
    each = contestant(bundle)
    each.take([made.items[:3]])
    values = np.concatenate([row["value"] for row in made.items[:3]])
    assert np.array_equal(each.run(0)["sum"], values)
    assert np.array_equal(each.run_whole(0)["sum"], values)
    assert made.batches(bundle, 16) == [list(range(16))]


def test_rows_of_a_file_are_taken(scaler: Bundle, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", value=np.array([[1], [2], [3]], np.float32), factor=np.array([4, 4, 4], np.float32))
    taken = inputs_of(scaler, tmp_path / "rows.npz")
    assert taken.are_real
    each = contestant(scaler)
    each.take([taken.items])
    assert each.run(0)["product"].tolist() == [[4], [8], [12]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"value": np.zeros((2, 1), np.float32)}, "holds .'value'., 'scaler' takes .'value', 'factor'."),
        ({"value": np.zeros((2, 1), np.float32), "factor": np.zeros(3, np.float32)}, "as many rows, one or more"),
        ({"value": np.zeros((0, 1), np.float32), "factor": np.zeros(0, np.float32)}, "as many rows, one or more"),
        ({"value": np.zeros((2, 2), np.float32), "factor": np.zeros(2, np.float32)}, r"of the shape \['batch', 1\]"),
        ({"value": np.zeros((2, 1)), "factor": np.zeros(2, np.float32)}, "must be FP32 of the shape .* has float64"),
    ],
)
def test_other_tensors_are_refused(scaler: Bundle, tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(BenchmarkError, match=message):
        inputs_of(scaler, tmp_path / "rows.npz")


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_what_is_no_file_of_tensors_is_refused(scaler: Bundle, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "rows.npz").write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"must be an \.npz file of the inputs of 'scaler'"):
        inputs_of(scaler, tmp_path / "rows.npz")


def test_a_free_dimension_and_a_batch_that_is_not_taken_are_said(scaler: Bundle) -> None:
    value, factor = scaler.manifest.inputs
    free = value.model_copy(update={"shape": ("batch", "samples")})
    manifest = scaler.manifest.model_copy(update={"inputs": (free, factor)})
    with pytest.raises(BenchmarkError, match="'value' of 'scaler' has the free dimension 'samples'"):
        inputs_of(Bundle(scaler.directory, manifest), None)
    alone = scaler.manifest.model_copy(update={"inputs": (value.model_copy(update={"shape": (1, 1)}), factor)})
    with pytest.raises(BenchmarkError, match="'scaler' takes one item at a time, and no batch of 8"):
        inputs_of(scaler, None).batches(Bundle(scaler.directory, alone), 8)
