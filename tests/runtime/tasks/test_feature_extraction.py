"""From token vectors to a text's vector, with PyTorch for the oracle."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.text_specs import text_spec

from tundish.errors import BundleError, EngineError
from tundish.manifest import ClassificationPostprocess, TextPreprocess
from tundish.results import FeatureExtraction
from tundish.tasks.feature_extraction import FeatureExtractionTask
from tundish.tasks.text_tokenizers import TokenizedText

Pooling = Literal["mean", "cls", "max", "none"]
POOLED: tuple[Pooling, ...] = ("mean", "cls", "max")
DIMENSIONS = 8

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def directory(minilm_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("tokenizer")
    shutil.copy(minilm_directory / "tokenizer.json", copied)
    return copied


@functools.cache
def extraction(directory: Path, side: str, pooling: Pooling, normalize: bool) -> FeatureExtractionTask:
    rule: dict[str, Any] = {"maximum_tokens": 16, "padding_side": side}
    return FeatureExtractionTask(text_spec(TextPreprocess(**rule), pooling=pooling, normalize=normalize), directory)


def tokenized(length: int) -> TokenizedText:
    return TokenizedText(np.arange(length, dtype=np.int32), np.zeros(length, np.int32), truncated=length % 2 == 0)


def batch_of(counts: list[int], side: str, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Token vectors, and which of them are tokens; padding holds numbers that would spoil any result."""
    generator = np.random.default_rng(seed)
    longest = max(counts)
    mask = np.array([[True] * count + [False] * (longest - count) for count in counts])
    if side == "left":
        mask = mask[:, ::-1]
    vectors = generator.normal(0, 1, (len(counts), longest, DIMENSIONS)).astype(np.float32)
    vectors[~mask] = 1e6
    return vectors, mask


def finished(task: FeatureExtractionTask, vectors: NDArray[Any], counts: list[int]) -> list[FeatureExtraction]:
    """The results, all of them good."""
    results = task.finish({"last_hidden_state": vectors}, [tokenized(count) for count in counts])
    good = [result for result in results if isinstance(result, FeatureExtraction)]
    assert len(good) == len(counts)
    return good


def pooled_by_torch(
    vectors: NDArray[np.float32], mask: NDArray[np.bool_], pooling: Pooling, normalize: bool
) -> NDArray[np.float64]:
    rows = []
    for row, kept in zip(torch.from_numpy(vectors).double(), torch.from_numpy(mask.copy()), strict=True):
        tokens = row[kept]
        rows.append({"mean": tokens.mean(0), "cls": tokens[0], "max": tokens.amax(0)}[pooling])
    pooled = torch.stack(rows)
    result: NDArray[np.float64] = (torch.nn.functional.normalize(pooled, dim=1) if normalize else pooled).numpy()
    return result


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", POOLED)
@settings(max_examples=30, deadline=None)
@given(counts=lengths, seed=seeds)
def test_pooling_is_that_of_torch(
    directory: Path, side: str, pooling: Pooling, normalize: bool, counts: list[int], seed: int
) -> None:
    vectors, mask = batch_of(counts, side, seed)
    task = extraction(directory, side, pooling, normalize)
    results = finished(task, vectors, counts)
    expected = pooled_by_torch(vectors, mask, pooling, normalize)
    np.testing.assert_allclose(np.stack([result.vector for result in results]), expected, rtol=1e-5, atol=1e-6)
    assert all(result.vector.dtype == np.float32 for result in results)
    assert [result.truncated for result in results] == [count % 2 == 0 for count in counts]


@pytest.mark.parametrize("side", ["left", "right"])
@given(counts=lengths, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_without_pooling_every_token_keeps_its_vector(directory: Path, side: str, counts: list[int], seed: int) -> None:
    vectors, mask = batch_of(counts, side, seed)
    task = extraction(directory, side, "none", normalize=False)
    results = finished(task, vectors, counts)
    for result, row, kept, count in zip(results, vectors, mask, counts, strict=True):
        np.testing.assert_array_equal(result.vector, row[kept])
        assert result.vector.shape == (count, DIMENSIONS)
        assert not np.shares_memory(result.vector, vectors)


@pytest.mark.parametrize("pooling", POOLED)
def test_a_vector_of_zeros_is_not_divided_by_its_length(directory: Path, pooling: Pooling) -> None:
    vectors = np.zeros((1, 3, DIMENSIONS), np.float32)
    (result,) = finished(extraction(directory, "right", pooling, normalize=True), vectors, [3])
    np.testing.assert_array_equal(result.vector, np.zeros(DIMENSIONS))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("pooling", [*POOLED, "none"])
def test_a_text_without_a_finite_vector_fails_alone(directory: Path, pooling: Pooling, value: float) -> None:
    vectors, _ = batch_of([3, 3, 3], "right", seed=1)
    vectors[1, 0, 2] = value
    task = extraction(directory, "right", pooling, normalize=False)
    first, bad, last = task.finish({"last_hidden_state": vectors}, [tokenized(3)] * 3)
    assert isinstance(bad, EngineError)
    assert "NaN or an infinity where vectors belong" in str(bad)
    assert isinstance(first, FeatureExtraction)
    assert isinstance(last, FeatureExtraction)


def test_half_precision_is_pooled_in_single(directory: Path) -> None:
    vectors = np.full((1, 9, DIMENSIONS), 30_000, np.float16)  # whose sum is beyond half precision
    (result,) = finished(extraction(directory, "right", "mean", normalize=False), vectors, [9])
    np.testing.assert_allclose(result.vector, float(np.float16(30_000)), rtol=1e-6)


def test_the_tensor_has_the_shape_that_is_announced(directory: Path) -> None:
    (pooled,) = extraction(directory, "right", "mean", normalize=True).output_specs
    (unpooled,) = extraction(directory, "right", "none", normalize=False).output_specs
    assert (pooled.name, pooled.datatype, pooled.shape) == ("embedding", "FP32", ("batch", DIMENSIONS))
    assert (unpooled.name, unpooled.datatype, unpooled.shape) == ("embedding", "FP32", ("batch", "tokens", DIMENSIONS))


@pytest.mark.parametrize("shape", [(DIMENSIONS,), (3, DIMENSIONS)])
def test_a_vector_survives_the_wire(shape: tuple[int, ...]) -> None:
    vector = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    for truncated in (False, True):
        message = FeatureExtractionTask.to_message(FeatureExtraction(vector, truncated))
        assert list(message.shape) == list(shape)
        back = FeatureExtractionTask.from_message(type(message).FromString(message.SerializeToString()))
        np.testing.assert_array_equal(back.vector, vector)
        assert back.truncated == truncated


def test_vectors_of_tokens_become_one_tensor_with_zeros_behind() -> None:
    long, short = (np.random.default_rng(2).normal(0, 1, (rows, 2)).astype(np.float32) for rows in (3, 1))
    tensors = FeatureExtractionTask.to_tensors([FeatureExtraction(long), FeatureExtraction(short)])
    assert list(tensors) == ["embedding"]
    np.testing.assert_array_equal(tensors["embedding"], np.stack([long, np.vstack([short, np.zeros((2, 2))])]))
    assert tensors["embedding"].dtype == np.float32


def test_a_bundle_that_gives_labels_is_not_fit_for_vectors(directory: Path) -> None:
    spec = text_spec(TextPreprocess(maximum_tokens=16))
    labels = ClassificationPostprocess(labels=("a",), function="softmax")
    with pytest.raises(BundleError, match="must read text and give vectors to do feature-extraction"):
        FeatureExtractionTask(spec.model_copy(update={"postprocess": labels}), directory)
