"""pool_normalize against NumPy in float64, PyTorch and sentence-transformers, and every argument that it refuses."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.modules import Pooling as ReferencePooling
from support.kernels import outputs_by_isa

from tundish_kernels import Pooling, pool_normalize, pool_normalize_into

Floats = NDArray[np.float32]
MASKS: list[Any] = [np.int64, np.int32, np.bool_]


def batch_of(seed: int, batch: int, tokens: int, width: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Vectors, and a mask that keeps at least one token of each row; what it leaves out is NaN."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(0.5, 2, (batch, tokens, width)).astype(np.float32)
    mask = generator.random((batch, tokens)) < generator.uniform(0.1, 1)
    mask[np.arange(batch), generator.integers(0, tokens, batch)] = True
    vectors[~mask] = np.nan
    return vectors, mask


def expected(vectors: Floats, mask: NDArray[np.bool_], pooling: Pooling) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    rows = [row[kept] for row, kept in zip(exact, mask, strict=True)]
    return np.stack(
        [{"mean": row.mean(axis=0), "cls": row[0], "max": row.max(axis=0)}[pooling] for row in rows],
    )


sizes = st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 70))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), size=sizes, pooling=st.sampled_from(get_args(Pooling)), dtype=st.sampled_from(MASKS))
def test_pooled_vectors_are_numpys(seed: int, size: tuple[int, int, int], pooling: Pooling, dtype: Any) -> None:
    vectors, mask = batch_of(seed, *size)
    output = pool_normalize(vectors, mask.astype(dtype), pooling=pooling, normalize=False)
    assert output.shape == (size[0], size[2])
    assert output.dtype == np.float32
    exact = expected(vectors, mask, pooling)
    bound = 0.0
    if pooling == "mean":
        bound = 2.0**-22 * expected(np.abs(vectors), mask, "mean")  # type: ignore[assignment]
    assert np.all(np.abs(output - exact) <= bound)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), size=sizes, pooling=st.sampled_from(get_args(Pooling)))
def test_normalized_vectors_are_torchs(seed: int, size: tuple[int, int, int], pooling: Pooling) -> None:
    vectors, mask = batch_of(seed, *size)
    output = pool_normalize(vectors, mask, pooling=pooling, normalize=True)
    pooled = torch.from_numpy(pool_normalize(vectors, mask, pooling=pooling, normalize=False))
    np.testing.assert_allclose(
        output, torch.nn.functional.normalize(pooled.double(), dim=1).numpy(), rtol=2.0**-22, atol=1e-45
    )


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_pooled_vectors_are_those_of_sentence_transformers(pooling: Pooling) -> None:
    vectors, mask = batch_of(3, 8, 50, 96)
    mask = np.arange(50) < mask.sum(axis=1, keepdims=True)
    vectors = np.nan_to_num(vectors)
    reference = ReferencePooling(96, pooling_mode=pooling)(
        {"token_embeddings": torch.from_numpy(vectors), "attention_mask": torch.from_numpy(mask.astype(np.int64))}
    )["sentence_embedding"]
    output = pool_normalize(vectors, mask.astype(np.int64), pooling=pooling, normalize=False)
    np.testing.assert_allclose(output, reference.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("normalize", [False, True])
def test_a_row_without_tokens_is_zero(pooling: Pooling, normalize: bool) -> None:
    vectors = np.full((2, 3, 5), np.nan, np.float32)
    vectors[1] = 2
    mask = np.array([[0, 0, 0], [0, 7, -1]], np.int32)  # any number but 0 keeps a token
    output = pool_normalize(vectors, mask, pooling=pooling, normalize=normalize)
    np.testing.assert_array_equal(output[0], np.zeros(5))
    np.testing.assert_allclose(output[1], 5**-0.5 if normalize else 2, rtol=1e-7)


@pytest.mark.parametrize(
    ("vector", "normalized"),
    [
        ([0, 0], [0, 0]),
        ([3e-13, 4e-13], [0.3, 0.4]),  # shorter than 1e-12
        ([3e38, -3e38], [0.5**0.5, -(0.5**0.5)]),  # whose squares are beyond float32
        ([1, np.nan], [np.nan, np.nan]),
        ([1, np.inf], [0, np.nan]),
        ([1e-45, 0], [1e-45 / 1e-12, 0]),
    ],
)
def test_lengths_at_the_limits(vector: list[float], normalized: list[float]) -> None:
    vectors = np.array([[vector]], np.float32)
    output = pool_normalize(vectors, np.ones((1, 1), np.bool_), pooling="cls", normalize=True)
    exact = torch.nn.functional.normalize(torch.from_numpy(vectors[0]).double()).numpy()
    np.testing.assert_allclose(exact[0], normalized, rtol=1e-6 if vector[0] > 1e-44 else 1)  # the table itself
    np.testing.assert_allclose(output, exact, rtol=2.0**-22, atol=0)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_a_kept_nan_shows(pooling: Pooling) -> None:
    vectors = np.ones((1, 20, 3), np.float32)
    for position in range(20):
        changed = vectors.copy()
        changed[0, position, 1] = np.nan
        output = pool_normalize(changed, np.ones((1, 20), np.bool_), pooling=pooling, normalize=False)
        np.testing.assert_array_equal(output, expected(changed, np.ones((1, 20), np.bool_), pooling))


def test_a_mean_of_many_large_tokens_is_accurate() -> None:
    vectors = np.random.default_rng(0).normal(1e4, 1, (1, 8192, 3)).astype(np.float32)
    output = pool_normalize(vectors, np.ones((1, 8192), np.int64), pooling="mean", normalize=False)
    np.testing.assert_allclose(output[0], vectors[0].astype(np.float64).mean(axis=0), rtol=2.0**-22)


def test_into_equals_the_form_that_returns() -> None:
    vectors, mask = batch_of(5, 3, 20, 40)
    destination = np.full((3, 40), np.nan, np.float32)
    pool_normalize_into(destination, vectors, mask, pooling="mean", normalize=True)
    np.testing.assert_array_equal(destination, pool_normalize(vectors, mask, pooling="mean", normalize=True))


DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import pool_normalize
generator = np.random.default_rng(0)
digest = hashlib.sha256()
for case in range(300):
    vectors = generator.normal(0, 3, generator.integers(1, [4, 40, 90])).astype(np.float32)
    if case % 4 == 0:
        vectors[generator.random(vectors.shape) < 0.1] = generator.choice([np.nan, np.inf, -np.inf, -0.0])
    mask = generator.integers(0, 2, vectors.shape[:2])
    pooling = ["mean", "cls", "max"][case % 3]
    digest.update(pool_normalize(vectors, mask, pooling=pooling, normalize=case % 2 == 0).tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree_to_the_bit() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64


VECTORS, MASK = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3), np.int64)
TOKENS_ARE = "tokens must be [batch, tokens, width] float32"
MASK_IS = "mask must be [2, 3] int64 or int32 or bool"
DESTINATION_IS = "destination must be [2, 4] float32"


def read_only() -> Floats:
    array = np.zeros((2, 4), np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"tokens": None}, TypeError, f"{TOKENS_ARE}, got NoneType"),
        ({"tokens": VECTORS[0]}, ValueError, f"{TOKENS_ARE}, got (3, 4) float32"),
        ({"tokens": VECTORS.astype(np.float16)}, ValueError, f"{TOKENS_ARE}, got (2, 3, 4) float16"),
        ({"tokens": VECTORS[:, :0]}, ValueError, f"{TOKENS_ARE} and not empty, got (2, 0, 4)"),
        (
            {"tokens": np.zeros((3, 2, 4), np.float32).swapaxes(0, 1)},
            ValueError,
            f"{TOKENS_ARE} in aligned C order, got strides (16, 32, 4)",
        ),
        ({"mask": [[1]]}, TypeError, f"{MASK_IS}, got list"),
        ({"mask": MASK[:1]}, ValueError, f"{MASK_IS}, got (1, 3) int64"),
        ({"mask": MASK.astype(np.float32)}, ValueError, f"{MASK_IS}, got (2, 3) float32"),
        (
            {"mask": np.zeros((3, 2), np.bool_).T},
            ValueError,
            f"{MASK_IS} in aligned C order, got strides (1, 2)",
        ),
        ({"destination": 3}, TypeError, f"{DESTINATION_IS}, got int"),
        ({"destination": np.zeros((2, 3), np.float32)}, ValueError, f"{DESTINATION_IS}, got (2, 3) float32"),
        ({"destination": np.zeros((2, 4))}, ValueError, f"{DESTINATION_IS}, got (2, 4) float64"),
        ({"destination": read_only()}, ValueError, "destination must be writable, got a read-only array"),
        (
            {"destination": VECTORS.reshape(-1)[16:].reshape(2, 4)},
            ValueError,
            "destination must not overlap tokens, got shared memory",
        ),
        (
            {"destination": MASK.reshape(-1)[:4].view(np.float32).reshape(2, 4)},
            ValueError,
            "destination must not overlap mask, got shared memory",
        ),
        ({"pooling": None}, TypeError, "pooling must be a string, got None"),
        ({"pooling": "sum"}, ValueError, "pooling must be 'mean', 'cls' or 'max', got 'sum'"),
        ({"normalize": 1}, TypeError, "normalize must be True or False, got 1"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    destination = np.full((2, 4), 42, np.float32)
    arguments: dict[str, Any] = {
        "destination": destination,
        "tokens": VECTORS,
        "mask": MASK,
        "pooling": "mean",
        "normalize": True,
    } | changed
    with pytest.raises(error) as raised:
        pool_normalize_into(**arguments)
    assert str(raised.value) == sentence
    assert np.all(destination == 42)
